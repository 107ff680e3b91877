//! Stores: what is in one, the instance, and what the engine lends of it to a host function.

use hotcell_core::{
    Fault, Value,
    backend::{Counter, MOST_FUEL, MeteredBy, StoreData},
};
use wasmtime::{
    AsContext, AsContextMut, Extern, Func, Global, Memory, ModuleExport, Store, StoreContextMut, UpdateDeadline, Val,
};

use crate::{
    Linked,
    convert::{fault, from_val, stop, to_val, zero},
    engine::{SharedEngine, Stack},
};

/// What a store carries.
pub struct Data<T> {
    pub(crate) core: StoreData<T>,
    /// The memory that core works on.
    memory: Option<Memory>,
    /// Those that the guest carries, once the instance is there.
    counters: Option<[Global; 2]>,
    /// Whether the engine looks at epochs.
    has_epochs: bool,
}

/// A store with limits and interruption set: nothing of the guest has run in it.
pub(crate) fn limited_store<T: Send + 'static>(engine: &SharedEngine, core: StoreData<T>) -> Store<Data<T>> {
    let (has_epochs, counts_fuel) = (engine.has_epochs(), core.metered_by == MeteredBy::Engine);
    let mut store = Store::new(engine.engine(), Data { core, memory: None, counters: None, has_epochs });
    store.limiter(|data| data);
    if counts_fuel {
        // The only error is that the engine does not count, and it does. Core sets the guest's fuel later.
        let _ = store.set_fuel(MOST_FUEL);
    }
    if has_epochs {
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().core.check().map_err(stop)?;
            Ok(UpdateDeadline::Continue(1))
        });
    }
    begin(&mut store);
    store
}

/// Interruption for the operation that begins.
#[inline]
fn begin<T: 'static>(store: &mut Store<Data<T>>) {
    if store.data().has_epochs {
        // Where nothing interrupts, far enough never to come, and far from overflow: an engine ticks 250 times a second.
        let ticks = if store.data().core.accounts.is_interruptible() { 1 } else { 1 << 62 };
        store.set_epoch_deadline(ticks);
    }
}

/// A limited store with its one instance.
pub struct Instance<T: 'static> {
    pub(crate) store: Store<Data<T>>,
    pub(crate) instance: wasmtime::Instance,
    pub(crate) stack: Stack,
}

impl<T: Send + 'static> Instance<T> {
    pub(crate) fn new(
        mut store: Store<Data<T>>,
        instance: wasmtime::Instance,
        linked: &Linked<T>,
        stack: Stack,
    ) -> Self {
        let memory = linked.memory.get_or_init(|| {
            let name = store.data().core.memory()?;
            linked.pre.module().get_export_index(name)
        });
        let mut export = |export: &ModuleExport| instance.get_module_export(&mut store, export);
        let memory = memory.as_ref().and_then(|memory| export(memory)?.into_memory());
        let counters = linked
            .counters
            .as_ref()
            .and_then(|[fuel, stack]| Some([export(fuel)?.into_global()?, export(stack)?.into_global()?]));
        (store.data_mut().memory, store.data_mut().counters) = (memory, counters);
        Self { store, instance, stack }
    }
}

impl<T: Send + 'static> hotcell_core::Instance<T> for Instance<T> {
    fn memory(&self) -> &[u8] {
        self.store.data().memory.map_or(&[], |memory| memory.data(&self.store))
    }

    fn grow_memory(&mut self, pages: u64) -> bool {
        let memory = self.store.data().memory;
        memory.is_some_and(|memory| memory.grow(&mut self.store, pages).is_ok())
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        let global = self.instance.get_global(&mut self.store, export)?;
        from_val(global.get(&mut self.store))
    }

    fn into_data(self) -> StoreData<T> {
        self.store.into_data().core
    }

    #[inline]
    fn begin(&mut self) {
        begin(&mut self.store);
    }
}

/// What a host function borrows of the store that called it.
pub struct Caller<'a, T: 'static>(pub(crate) wasmtime::Caller<'a, Data<T>>);

/// What is the same from outside and from inside.
macro_rules! store {
    ($context:tt) => {
        #[inline]
        fn data(&self) -> &StoreData<T> {
            &self.$context.data().core
        }

        #[inline]
        fn data_mut(&mut self) -> &mut StoreData<T> {
            &mut self.$context.data_mut().core
        }

        #[inline]
        fn memory_and_data(&mut self) -> (&mut [u8], &mut StoreData<T>) {
            match self.$context.data().memory {
                Some(memory) => {
                    let (bytes, data) = memory.data_and_store_mut(&mut self.$context);
                    (bytes, &mut data.core)
                }
                None => (&mut [], &mut self.$context.data_mut().core),
            }
        }

        #[inline]
        fn counter(&mut self, counter: Counter) -> i64 {
            let counters = self.$context.data().counters;
            counters.and_then(|counters| counters[counter as usize].get(&mut self.$context).i64()).unwrap_or(0)
        }

        #[inline]
        fn set_counter(&mut self, counter: Counter, value: i64) {
            if let Some(counters) = self.$context.data().counters {
                // It is a mutable i64, so nothing can go wrong.
                let _ = counters[counter as usize].set(&mut self.$context, Val::I64(value));
            }
        }

        fn engine_fuel(&mut self) -> u64 {
            self.$context.as_context().get_fuel().unwrap_or(0)
        }

        fn set_engine_fuel(&mut self, fuel: u64) {
            // The only error is that the engine does not count, and it does.
            let _ = self.$context.as_context_mut().set_fuel(fuel);
        }
    };
}

impl<T: Send + 'static> hotcell_core::Store<T> for Instance<T> {
    store!(store);

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        let func = self.instance.get_func(&mut self.store, export);
        let store = self.store.as_context_mut();
        self.stack.provide(|| invoke(store, func, params, results))
    }
}

impl<T: Send + 'static> hotcell_core::Store<T> for Caller<'_, T> {
    store!(0);

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        let func = self.0.get_export(export).and_then(Extern::into_func);
        invoke(self.0.as_context_mut(), func, params, results)
    }
}

/// A call whose types are known only at run time. Core has seen that the function is there.
fn invoke<T: Send + 'static>(
    mut store: StoreContextMut<'_, Data<T>>,
    func: Option<Func>,
    params: &[Value],
    results: &mut [Value],
) -> Result<(), Fault> {
    let params: Vec<Val> = params.iter().map(|value| to_val(*value)).collect();
    let mut values: Vec<Val> = results.iter().map(|value| zero(value.ty())).collect();
    func.map_or(Ok(()), |func| func.call(&mut store, &params, &mut values)).map_err(fault)?;
    for (result, value) in results.iter_mut().zip(values) {
        *result = from_val(value).unwrap_or(*result);
    }
    Ok(())
}
