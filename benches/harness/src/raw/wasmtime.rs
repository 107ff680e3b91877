use hotcell::{Admitted, HostOptions, Policy};
use hotcell_core::meter::{GROW, HOST, REFILL};
use hotcell_wasmtime::config::{pooling_config, sandbox_config};
use wasmtime::{
    Caller, Config, Engine, Global, Instance, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module,
    ModuleExport, ResourceLimiter, Store, TypedFunc, Val,
};

use super::{ABI_FUEL, Limits, Raw, Reply, unpack};

type Data = super::Data<Global>;

/// wasmtime, used directly: a pool, a pre-linked module, exports by index, slices and a limiter.
pub struct Wasmtime {
    engine: Engine,
    pre: InstancePre<Data>,
    exports: Exports,
    limits: Limits,
}

struct Exports {
    memory: ModuleExport,
    fuel: ModuleExport,
    stack: ModuleExport,
    abi: ModuleExport,
    alloc: Option<ModuleExport>,
    process: Option<ModuleExport>,
    add: Option<ModuleExport>,
}

/// The configuration of a sandbox under `policy`.
fn config(policy: &Policy) -> Config {
    let mut config = sandbox_config(policy);
    let pool = pooling_config(policy, HostOptions::MAX_INSTANCES);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Grants a guest its next slice of fuel, on both counters.
fn give_fuel(mut caller: Caller<'_, Data>, stack: i64) -> wasmtime::Result<()> {
    assert!(stack >= 0, "the guest's stack is deep enough");
    let counters = caller.data().counters.expect("the instance is there");
    let [stored, left] = counters.map(|counter| counter.get(&mut caller).i64().expect("an i64"));
    let slice = caller.data_mut().next_slice(left).ok_or_else(|| wasmtime::Error::msg("too late"))?;
    for (counter, fuel) in counters.into_iter().zip([stored + slice, left + slice]) {
        counter.set(&mut caller, Val::I64(fuel)).expect("a mutable i64");
    }
    Ok(())
}

impl Raw for Wasmtime {
    type Live = Live;

    fn load(policy: &Policy, admitted: &Admitted<'_>, entry: &str) -> Self {
        let engine = Engine::new(&config(policy)).expect("the engine takes the configuration");
        let module = Module::from_binary(&engine, admitted.bytes()).expect("the module compiles");
        let mut linker = Linker::new(&engine);
        let add = |mut caller: Caller<'_, Data>, a: i32, b: i32| {
            let data = caller.data_mut();
            if !data.count_call() {
                return Err(wasmtime::Error::msg("too many calls"));
            }
            data.state += 1;
            Ok(a.wrapping_add(b))
        };
        linker.func_wrap("env", "add", add).expect("the name is free");
        linker.func_wrap(HOST, REFILL, give_fuel).expect("the name is free");
        // The store's limiter decides.
        linker.func_wrap(HOST, GROW, |_: i32, _: i64, _: i64| 1).expect("the name is free");
        let pre = linker.instantiate_pre(&module).expect("the module links");
        let export = |name: &str| module.get_export_index(name);
        let must = |name: &str| export(name).unwrap_or_else(|| panic!("the guest exports {name}"));
        let exports = Exports {
            memory: must("memory"),
            fuel: must(hotcell_core::meter::FUEL),
            stack: must(hotcell_core::meter::STACK),
            abi: must("__hotcell_abi_version"),
            alloc: export("alloc"),
            process: export(entry),
            add: export("add"),
        };
        Self { engine, pre, exports, limits: Limits::of(policy) }
    }

    fn call(&self, input: &[u8]) -> Reply {
        self.open().bytes(input)
    }

    fn live(&self) -> Live {
        let mut live = self.open();
        live.add = self.exports.add.as_ref().map(|add| typed(&live.instance, &mut live.store, add));
        live
    }

    fn compile(&self, admitted: &Admitted<'_>) {
        Module::from_binary(&self.engine, admitted.bytes()).expect("the module compiles");
    }
}

impl Wasmtime {
    /// A new instance that has passed the ABI check.
    fn open(&self) -> Live {
        let limits = self.limits;
        let mut store = Store::new(&self.engine, Data::new(&limits));
        store.limiter(|data| data);
        let instance = with_stack(&limits, || self.pre.instantiate(&mut store)).expect("the module instantiates");
        let mut live = Live {
            memory: get(&instance, &mut store, &self.exports.memory).into_memory().expect("a memory"),
            fuel: get(&instance, &mut store, &self.exports.fuel).into_global().expect("a global"),
            stack: get(&instance, &mut store, &self.exports.stack).into_global().expect("a global"),
            alloc: self.exports.alloc.as_ref().map(|alloc| typed(&instance, &mut store, alloc)),
            process: self.exports.process.as_ref().map(|process| typed(&instance, &mut store, process)),
            add: None,
            instance,
            store,
            limits,
        };
        live.store.data_mut().counters = Some([live.fuel, live.stack]);
        let abi: TypedFunc<(), u32> = typed(&instance, &mut live.store, &self.exports.abi);
        live.set_stack();
        live.set_fuel(ABI_FUEL.min(limits.fuel));
        let version = with_stack(&limits, || abi.call(&mut live.store, ())).expect("the guest answers");
        assert_eq!(version, 1, "the guest speaks the host's version");
        let left = live.left();
        live.set_fuel(limits.fuel - (ABI_FUEL.min(limits.fuel) - left));
        live
    }
}

/// Ensures that the thread has the stack that the guest may use: the engine does not check it.
#[inline]
fn with_stack<R>(limits: &Limits, run: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(limits.native_stack, 2 * limits.native_stack, run)
}

fn get(instance: &Instance, store: &mut Store<Data>, export: &ModuleExport) -> wasmtime::Extern {
    instance.get_module_export(store, export).expect("the instance has what its module has")
}

fn typed<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
    instance: &Instance,
    store: &mut Store<Data>,
    export: &ModuleExport,
) -> TypedFunc<P, R> {
    let func = get(instance, store, export).into_func().expect("a function");
    func.typed(store).expect("of this type")
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
        self.fuel.get(&mut self.store).i64().expect("an i64") + self.store.data().reserve
    }

    fn bytes(&mut self, input: &[u8]) -> Reply {
        let alloc = self.alloc.as_ref().expect("the guest exports alloc");
        let len = input.len() as u32;
        let at = with_stack(&self.limits, || alloc.call(&mut self.store, len)).expect("the guest has room");
        self.memory.data_mut(&mut self.store)[at as usize..][..input.len()].copy_from_slice(input);
        let process = self.process.as_ref().expect("the guest exports the entry");
        let packed = with_stack(&self.limits, || process.call(&mut self.store, (at, len))).expect("the guest answers");
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
        let add = self.add.as_ref().expect("the guest exports add");
        with_stack(&self.limits, || add.call(&mut self.store, (a, b))).expect("the guest adds")
    }
}

impl ResourceLimiter for Data {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired - current))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow((desired - current).saturating_mul(8)))
    }
}
