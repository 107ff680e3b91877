//! Stores: what is in one, the instance, and what the engine lends of it to a host function.

use alloc::vec::Vec;

use hotcell_core::{
    Fault, Value,
    backend::{Counter, MOST_FUEL, MeteredBy, StoreData, catch_panic},
};
use wasmi::{AsContext, AsContextMut, Engine, Extern, Func, Global, Memory, Store, StoreContextMut, Val};

use crate::{
    call::PausedValues,
    convert::{engine_panic, from_val, to_val},
    slices::{self, Slices, drive},
    stacks::{Depth, Stacks},
};

/// What a store carries.
pub(crate) struct Data<T> {
    pub(crate) core: StoreData<T>,
    pub(crate) slices: Slices,
    /// Whether the engine counts fuel: for the policy, or to be able to pause.
    engine_counts: bool,
    /// The memory that core works on.
    memory: Option<Memory>,
    /// Those that the guest carries, once the instance is there.
    counters: Option<[Global; 2]>,
}

/// A store with limits and fuel set: nothing of the guest has run in it.
pub(crate) fn limited_store<T: 'static>(engine: &Engine, core: StoreData<T>, engine_counts: bool) -> Store<Data<T>> {
    let data = Data { core, slices: Slices::new(), engine_counts, memory: None, counters: None };
    let mut store = Store::new(engine, data);
    store.limiter(|data| data);
    if engine_counts {
        slices::set_fuel(store.as_context_mut(), MOST_FUEL);
    }
    store
}

/// An operation begins: enough fuel for an engine that counts it only to be able to pause.
#[inline]
fn begin<T>(store: StoreContextMut<'_, Data<T>>) {
    let data = store.data();
    if data.engine_counts && data.core.metered_by == MeteredBy::Nobody {
        slices::set_fuel(store, MOST_FUEL);
    }
}

/// A limited store with its one instance.
pub struct Instance<T: 'static> {
    pub(crate) store: Store<Data<T>>,
    pub(crate) instance: wasmi::Instance,
    pub(crate) depth: Depth,
}

impl<T: 'static> Instance<T> {
    pub(crate) fn new(mut store: Store<Data<T>>, instance: wasmi::Instance, stacks: Stacks) -> Self {
        let [fuel, stack] = Counter::ALL.map(|counter| instance.get_global(&store, counter.export()));
        let counters = fuel.zip(stack).map(<[Global; 2]>::from);
        let memory = store.data().core.memory().and_then(|name| instance.get_memory(&store, name));
        store.data_mut().memory = memory;
        store.data_mut().counters = counters;
        Self { store, instance, depth: Depth::new(stacks, counters.is_some()) }
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

    #[inline]
    fn begin(&mut self) {
        self.depth.next_operation();
        begin(self.store.as_context_mut());
    }
}

/// What a host function borrows of the store that called it.
pub struct Caller<'a, T: 'static>(pub(crate) wasmi::Caller<'a, Data<T>>);

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
        fn set_counter(&mut self, counter: Counter, value: i64) {
            if let Some(counters) = self.$context.data().counters {
                // It is a mutable i64, so nothing can go wrong.
                let _ = counters[counter as usize].set(&mut self.$context, Val::I64(value));
            }
        }

        fn engine_fuel(&mut self) -> u64 {
            slices::fuel(&self.$context)
        }

        fn set_engine_fuel(&mut self, fuel: u64) {
            slices::set_fuel(self.$context.as_context_mut(), fuel);
        }
    };
}

impl<T: Send + 'static> hotcell_core::Store<T> for Instance<T> {
    store!(store);

    #[inline]
    fn counter(&mut self, counter: Counter) -> i64 {
        let value = read(&self.store, counter);
        if counter == Counter::Fuel {
            let accounts = &self.store.data().core.accounts;
            self.depth.measure(accounts.fuel_given(), accounts.fuel_left(value));
        }
        value
    }

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        self.depth.call();
        let func = self.instance.get_func(&self.store, export);
        let outcome = catch_panic(|| invoke(self.store.as_context_mut(), func, params, results));
        let outcome = outcome.unwrap_or_else(|panic| Err(engine_panic(panic)));
        outcome.inspect_err(|_| self.depth.fail())
    }
}

impl<T: Send + 'static> hotcell_core::Store<T> for Caller<'_, T> {
    store!(0);

    #[inline]
    fn counter(&mut self, counter: Counter) -> i64 {
        read(&self.0, counter)
    }

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        let func = self.0.get_export(export).and_then(Extern::into_func);
        let outcome = catch_panic(|| invoke(self.0.as_context_mut(), func, params, results));
        outcome.unwrap_or_else(|panic| Err(engine_panic(panic)))
    }
}

#[inline]
fn read<T>(store: impl AsContext<Data = Data<T>>, counter: Counter) -> i64 {
    let counters = store.as_context().data().counters;
    counters.and_then(|counters| counters[counter as usize].get(store).i64()).unwrap_or(0)
}

/// A call whose types are known only at run time. Core has seen that the function is there.
fn invoke<T>(
    store: StoreContextMut<'_, Data<T>>,
    func: Option<Func>,
    params: &[Value],
    results: &mut [Value],
) -> Result<(), Fault> {
    let Some(func) = func else { return Ok(()) };
    let params: Vec<Val> = params.iter().map(|value| to_val(*value)).collect();
    let values: Vec<Val> = results.iter().map(|value| to_val(*value)).collect();
    let values = drive(store, |store| PausedValues::start(func, store, &params, values))?;
    for (result, value) in results.iter_mut().zip(&values) {
        *result = from_val(value).unwrap_or(*result);
    }
    Ok(())
}
