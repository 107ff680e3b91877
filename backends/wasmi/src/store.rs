use alloc::vec::Vec;

use hotcell_core::{
    CancelToken, Fault, Instant, Value,
    backend::{Armed, FuelCounter, catch_panic},
};
use wasmi::{AsContextMut, Engine, Memory, Store};

use crate::{
    call::call_values,
    convert,
    meter::{self, Counters},
    slices::Slices,
    stacks::{Depth, Stacks},
    ticks::Ticks,
};

/// What a store carries.
pub(crate) struct Data<T> {
    pub(crate) state: T,
    pub(crate) armed: Armed,
    /// The memory exported as `memory`.
    pub(crate) memory: Option<Memory>,
    pub(crate) slices: Slices,
    pub(crate) ticks: Ticks,
    pub(crate) fuel_counter: FuelCounter,
    /// Whether the engine counts fuel: for the policy, or to be able to pause.
    pub(crate) engine_counts: bool,
    /// The counters that the guest carries, once the instance is there.
    pub(crate) counters: Option<Counters>,
}

impl<T> Data<T> {
    pub(crate) fn new(state: T, armed: Armed, fuel_counter: FuelCounter, engine_counts: bool, ticks: Ticks) -> Self {
        Self { state, armed, memory: None, slices: Slices::new(), ticks, fuel_counter, engine_counts, counters: None }
    }
}

/// A store with limits and fuel set: nothing of the guest has run in it.
pub(crate) fn armed_store<T: 'static>(engine: &Engine, data: Data<T>) -> Store<Data<T>> {
    let mut store = Store::new(engine, data);
    store.limiter(|data| data);
    meter::arm(&mut store);
    store
}

/// A limited store with its one instance.
pub struct Instance<T: 'static> {
    pub(crate) store: Store<Data<T>>,
    pub(crate) instance: wasmi::Instance,
    pub(crate) depth: Depth,
}

impl<T: 'static> Instance<T> {
    pub(crate) fn new(mut store: Store<Data<T>>, instance: wasmi::Instance, stack_cells: i64, stacks: Stacks) -> Self {
        store.data_mut().memory = instance.get_memory(&store, "memory");
        if let Some(counters) = Counters::find(instance, &store, stack_cells) {
            store.data_mut().counters = Some(counters);
            let fuel = store.data().armed.fuel_given();
            meter::set_fuel(&mut store, fuel);
            counters.give_stack(&mut store);
        }
        let depth = Depth::new(stacks, store.data().counters.is_some());
        Self { store, instance, depth }
    }
}

impl<T: Send + 'static> hotcell_core::Instance<T> for Instance<T> {
    #[inline]
    fn arm(&mut self, deadline: Option<Instant>, cancel: Option<CancelToken>) {
        self.depth.next_operation();
        self.store.data_mut().armed.rearm(deadline, cancel);
        meter::arm(&mut self.store);
    }

    fn armed(&self) -> &Armed {
        &self.store.data().armed
    }

    fn fuel(&mut self) -> Option<u64> {
        let left = meter::fuel(&self.store);
        self.depth.measure(self.store.data().armed.fuel_given(), left);
        left
    }

    fn set_fuel(&mut self, fuel: u64) {
        meter::set_fuel(&mut self.store, fuel);
    }

    fn memory(&self) -> &[u8] {
        match &self.store.data().memory {
            Some(memory) => memory.data(&self.store),
            None => &[],
        }
    }

    fn memory_mut(&mut self) -> &mut [u8] {
        match self.store.data().memory {
            Some(memory) => memory.data_mut(&mut self.store),
            None => &mut [],
        }
    }

    fn state(&self) -> &T {
        &self.store.data().state
    }

    fn state_mut(&mut self) -> &mut T {
        &mut self.store.data_mut().state
    }

    fn into_state(self) -> T {
        self.store.into_data().state
    }

    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        self.depth.call();
        let func = self.instance.get_func(&self.store, export);
        let outcome = catch_panic(|| call_values(self.store.as_context_mut(), func, export, params));
        outcome.unwrap_or_else(|panic| Err(convert::engine_panic(panic)))
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        let global = self.instance.get_global(&self.store, export)?;
        convert::from_val(&global.get(&self.store))
    }
}
