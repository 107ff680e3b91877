use hotcell::{Admitted, Policy};
use hotcell_core::meter::{GROW, HOST, REFILL};
use wasmi::{
    Caller, CompilationMode, Config, Engine, Global, Instance, Linker, Memory, Module, ResourceLimiter, Store,
    TypedFunc, Val, WasmParams, WasmResults,
};
use wasmi_core::LimiterError;

use super::{ABI_FUEL, Limits, Raw, Reply, unpack};

type Data = super::Data<Global>;

/// Bytes of a stack cell, and of stack for each frame: the numbers and the factor of the backend.
const CELL_BYTES: u64 = 8;
const FRAME_BYTES: u64 = 64;
const SPARE: u64 = 9;

/// wasmi, used directly: eager, with slices, a limiter and a linker that is made once.
pub struct Wasmi {
    engine: Engine,
    module: Module,
    linker: Linker<Data>,
    entry: String,
    limits: Limits,
}

fn config(policy: &Policy) -> Config {
    let stack = policy.rules().limits.stack_bytes * SPARE;
    let mut config = Config::default();
    config.compilation_mode(CompilationMode::Eager);
    config.ignore_custom_sections(true);
    config.set_min_stack_height(256);
    config.set_max_stack_height((stack / CELL_BYTES) as usize);
    config.set_max_recursion_depth((stack / FRAME_BYTES) as usize);
    config
}

/// Grants a guest its next slice of fuel, on both counters.
fn give_fuel(mut caller: Caller<'_, Data>, stack: i64) -> Result<(), wasmi::Error> {
    assert!(stack >= 0, "the guest's stack is deep enough");
    let counters = caller.data().counters.expect("the instance is there");
    let [stored, left] = counters.map(|counter| counter.get(&caller).i64().expect("an i64"));
    let slice = caller.data_mut().next_slice(left).ok_or_else(|| wasmi::Error::new("too late"))?;
    for (counter, fuel) in counters.into_iter().zip([stored + slice, left + slice]) {
        counter.set(&mut caller, Val::I64(fuel)).expect("a mutable i64");
    }
    Ok(())
}

impl Raw for Wasmi {
    type Live = Live;

    fn load(policy: &Policy, admitted: &Admitted<'_>, entry: &str) -> Self {
        let engine = Engine::new(&config(policy));
        let module = Module::new(&engine, admitted.bytes()).expect("the module compiles");
        let mut linker = Linker::new(&engine);
        let add = |mut caller: Caller<'_, Data>, a: i32, b: i32| {
            let data = caller.data_mut();
            if !data.count_call() {
                return Err(wasmi::Error::new("too many calls"));
            }
            data.state += 1;
            Ok(a.wrapping_add(b))
        };
        linker.func_wrap("env", "add", add).expect("the name is free");
        linker.func_wrap(HOST, REFILL, give_fuel).expect("the name is free");
        // The store's limiter decides.
        linker.func_wrap(HOST, GROW, |_: i32, _: i64, _: i64| 1).expect("the name is free");
        Self { engine, module, linker, entry: entry.to_owned(), limits: Limits::of(policy) }
    }

    fn call(&self, input: &[u8]) -> Reply {
        self.open().bytes(input)
    }

    fn live(&self) -> Live {
        let mut live = self.open();
        live.add = typed(&live.instance, &live.store, "add");
        live
    }

    fn compile(&self, admitted: &Admitted<'_>) {
        // An engine keeps the code of its modules until it is dropped.
        let engine = Engine::new(self.engine.config());
        Module::new(&engine, admitted.bytes()).expect("the module compiles");
    }
}

impl Wasmi {
    /// A new instance that has passed the ABI check.
    fn open(&self) -> Live {
        let limits = self.limits;
        let mut store = Store::new(&self.engine, Data::new(&limits));
        store.limiter(|data| data);
        let instance = self.linker.instantiate_and_start(&mut store, &self.module).expect("the module instantiates");
        let mut live = Live {
            memory: instance.get_memory(&store, "memory").expect("a memory"),
            fuel: instance.get_global(&store, hotcell_core::meter::FUEL).expect("a global"),
            stack: instance.get_global(&store, hotcell_core::meter::STACK).expect("a global"),
            alloc: typed(&instance, &store, "alloc"),
            process: typed(&instance, &store, &self.entry),
            add: None,
            instance,
            store,
            limits,
        };
        live.store.data_mut().counters = Some([live.fuel, live.stack]);
        let abi: TypedFunc<(), u32> = typed(&instance, &live.store, "__hotcell_abi_version").expect("a function");
        live.set_stack();
        live.set_fuel(ABI_FUEL.min(limits.fuel));
        let version = live.run(&abi, ());
        assert_eq!(version, 1, "the guest speaks the host's version");
        let left = live.left();
        live.set_fuel(limits.fuel - (ABI_FUEL.min(limits.fuel) - left));
        live
    }
}

fn typed<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &Store<Data>,
    name: &str,
) -> Option<TypedFunc<P, R>> {
    instance.get_typed_func(store, name).ok()
}

/// A store with its instance.
pub struct Live {
    store: Store<Data>,
    instance: Instance,
    memory: Memory,
    fuel: Global,
    stack: Global,
    alloc: Option<TypedFunc<u32, u32>>,
    process: Option<TypedFunc<(u32, u32), u64>>,
    add: Option<TypedFunc<(i32, i32), i32>>,
    limits: Limits,
}

impl Live {
    fn arm(&mut self) {
        self.store.data_mut().rearm(&self.limits);
        self.set_fuel(self.limits.fuel);
    }

    /// Once per instance: a guest that returns has released its frames.
    fn set_stack(&mut self) {
        self.stack.set(&mut self.store, Val::I64(self.limits.stack)).expect("a mutable i64");
    }

    fn set_fuel(&mut self, fuel: i64) {
        let slice = self.store.data_mut().slice(fuel);
        self.fuel.set(&mut self.store, Val::I64(slice)).expect("a mutable i64");
    }

    fn left(&mut self) -> i64 {
        self.fuel.get(&self.store).i64().expect("an i64") + self.store.data().reserve
    }

    #[inline]
    fn run<P: WasmParams, R: WasmResults>(&mut self, func: &TypedFunc<P, R>, params: P) -> R {
        func.call(&mut self.store, params).expect("the guest answers")
    }

    fn bytes(&mut self, input: &[u8]) -> Reply {
        let alloc = self.alloc.expect("the guest exports alloc");
        let at = self.run(&alloc, input.len() as u32);
        self.memory.data_mut(&mut self.store)[at as usize..][..input.len()].copy_from_slice(input);
        let process = self.process.expect("the guest exports the entry");
        let packed = self.run(&process, (at, input.len() as u32));
        let (at, len) = unpack(packed);
        assert!(len as u64 <= self.limits.output, "the reply is allowed");
        let bytes = self.memory.data(&self.store)[at..][..len].to_vec();
        let used = (self.limits.fuel - self.left()) as u64;
        self.store.data().reply(bytes, used)
    }
}

impl super::Live for Live {
    fn call(&mut self, input: &[u8]) -> Reply {
        self.arm();
        self.bytes(input)
    }

    #[inline]
    fn add(&mut self, a: i32, b: i32) -> i32 {
        self.arm();
        let add = self.add.expect("the guest exports add");
        self.run(&add, (a, b))
    }
}

impl ResourceLimiter for Data {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.grow(desired - current))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(8)))
    }

    fn memory_grow_failed(&mut self, _: &LimiterError) {}

    fn table_grow_failed(&mut self, _: &LimiterError) {}

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}
