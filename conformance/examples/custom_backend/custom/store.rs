//! A store with its one instance. The engine asks nobody before it grows: the guest does.

use hotcell_core::{
    Fault, Value,
    backend::{Counter, StoreData},
};
use wasmi::{AsContextMut, Extern, Global, Memory, Store, Val};

use super::{call::invoke, convert::from_val};

/// What a store carries.
pub struct Data<T> {
    pub(super) core: StoreData<T>,
    /// The memory that core works on.
    memory: Option<Memory>,
    /// Those that the guest carries, once the instance is there.
    counters: Option<[Global; 2]>,
}

impl<T> Data<T> {
    pub(super) fn new(core: StoreData<T>) -> Self {
        Self { core, memory: None, counters: None }
    }
}

/// A limited store with its one instance.
pub struct Instance<T: 'static> {
    store: Store<Data<T>>,
    instance: wasmi::Instance,
}

impl<T: 'static> Instance<T> {
    pub(super) fn new(mut store: Store<Data<T>>, instance: wasmi::Instance) -> Self {
        let [fuel, stack] = Counter::ALL.map(|counter| instance.get_global(&store, counter.export()));
        let memory = store.data().core.memory().and_then(|name| instance.get_memory(&store, name));
        store.data_mut().memory = memory;
        store.data_mut().counters = fuel.zip(stack).map(<[Global; 2]>::from);
        Self { store, instance }
    }
}

impl<T: Send + 'static> hotcell_core::Instance<T> for Instance<T> {
    fn memory(&self) -> &[u8] {
        self.store.data().memory.as_ref().map_or(&[], |memory| memory.data(&self.store))
    }

    fn grow_memory(&mut self, pages: u64) -> bool {
        let memory = self.store.data().memory;
        memory.is_some_and(|memory| memory.grow(&mut self.store, pages).is_ok())
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        let global = self.instance.get_global(&self.store, export)?;
        from_val(&global.get(&self.store))
    }

    fn into_data(self) -> StoreData<T> {
        self.store.into_data().core
    }
}

/// What a host function borrows of the store that called it.
pub struct Caller<'a, T: 'static>(pub(super) wasmi::Caller<'a, Data<T>>);

/// What is the same from outside and from inside.
macro_rules! store {
    ($context:tt) => {
        fn data(&self) -> &StoreData<T> {
            &self.$context.data().core
        }

        fn data_mut(&mut self) -> &mut StoreData<T> {
            &mut self.$context.data_mut().core
        }

        fn memory_and_data(&mut self) -> (&mut [u8], &mut StoreData<T>) {
            match self.$context.data().memory {
                Some(memory) => {
                    let (bytes, data) = memory.data_and_store_mut(&mut self.$context);
                    (bytes, &mut data.core)
                }
                None => (&mut [], &mut self.$context.data_mut().core),
            }
        }

        fn counter(&mut self, counter: Counter) -> i64 {
            let counters = self.$context.data().counters;
            counters.and_then(|counters| counters[counter as usize].get(&self.$context).i64()).unwrap_or(0)
        }

        fn set_counter(&mut self, counter: Counter, value: i64) {
            if let Some(counters) = self.$context.data().counters {
                // It is a mutable i64, so nothing can go wrong.
                let _ = counters[counter as usize].set(&mut self.$context, Val::I64(value));
            }
        }
    };
}

impl<T: Send + 'static> hotcell_core::Store<T> for Instance<T> {
    store!(store);

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        let func = self.instance.get_func(&self.store, export);
        invoke(self.store.as_context_mut(), func, params, results)
    }
}

impl<T: Send + 'static> hotcell_core::Store<T> for Caller<'_, T> {
    store!(0);

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        let func = self.0.get_export(export).and_then(Extern::into_func);
        invoke(self.0.as_context_mut(), func, params, results)
    }
}
