use hotcell_core::{
    CancelToken, Fault, Instant, Value,
    backend::{Armed, FuelCounter, HostStop},
    ticker,
};
use wasmtime::{AsContextMut, Global, Memory, ModuleExport, Store, UpdateDeadline};

use crate::{
    Linked,
    call::call_values,
    convert,
    engine::{SharedEngine, Stack},
    meter::{self, Counters},
};

/// What a store carries.
pub(crate) struct Data<T> {
    pub(crate) state: T,
    pub(crate) armed: Armed,
    /// The memory exported as `memory`.
    pub(crate) memory: Option<Memory>,
    /// The counters that the guest carries, once the instance is there.
    pub(crate) counters: Option<Counters<Global>>,
    pub(crate) fuel_counter: FuelCounter,
    /// Whether the engine looks at epochs.
    pub(crate) has_epochs: bool,
    /// The tick at which the clock was last looked at.
    pub(crate) seen: u64,
}

impl<T> Data<T> {
    pub(crate) fn new(state: T, armed: Armed, fuel_counter: FuelCounter, has_epochs: bool) -> Self {
        Self { state, armed, memory: None, counters: None, fuel_counter, has_epochs, seen: ticker::ticks() }
    }

    /// Looks at the clock and the cancel flag.
    fn look(&mut self) -> Result<(), Fault> {
        ticker::want();
        self.seen = ticker::ticks();
        self.armed.check()
    }
}

/// A store with limits, fuel and interruption set: nothing of the guest has run in it.
pub(crate) fn armed_store<T: Send + 'static>(engine: &SharedEngine, data: Data<T>) -> Store<Data<T>> {
    let mut store = Store::new(engine.engine(), data);
    store.limiter(|data| data);
    if store.data().has_epochs {
        store.epoch_deadline_callback(|mut store| {
            let data = store.data_mut();
            match data.look() {
                Ok(()) => Ok(UpdateDeadline::Continue(1)),
                Err(fault) => {
                    data.armed.park(fault);
                    Err(convert::stop(HostStop))
                }
            }
        });
    }
    arm(&mut store);
    store
}

/// Fuel and interruption for the operation that begins.
#[inline]
fn arm<T: 'static>(store: &mut Store<Data<T>>) {
    let fuel = store.data().armed.fuel_given();
    meter::set_fuel(&mut *store, fuel);
    let (is_interruptible, has_epochs) = (store.data().armed.is_interruptible(), store.data().has_epochs);
    if is_interruptible {
        ticker::want();
    }
    if is_interruptible && has_epochs {
        store.set_epoch_deadline(1);
    } else if has_epochs {
        // Far enough never to come, and far from overflow: an engine ticks 250 times a second.
        store.set_epoch_deadline(1 << 62);
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
        let mut export = |export: &ModuleExport| instance.get_module_export(&mut store, export);
        let memory = linked.memory.as_ref().and_then(|memory| export(memory)?.into_memory());
        let counters =
            linked.counters.as_ref().and_then(|counters| counters.resolve(|counter| export(counter)?.into_global()));
        (store.data_mut().memory, store.data_mut().counters) = (memory, counters);
        if let Some(counters) = counters {
            let fuel = store.data().armed.fuel_given();
            meter::set_fuel(&mut store, fuel);
            counters.give_stack(&mut store);
        }
        Self { store, instance, stack }
    }
}

impl<T: Send + 'static> hotcell_core::Instance<T> for Instance<T> {
    #[inline]
    fn arm(&mut self, deadline: Option<Instant>, cancel: Option<CancelToken>) {
        self.store.data_mut().armed.rearm(deadline, cancel);
        arm(&mut self.store);
    }

    fn armed(&self) -> &Armed {
        &self.store.data().armed
    }

    fn fuel(&mut self) -> Option<u64> {
        meter::fuel(&mut self.store)
    }

    fn set_fuel(&mut self, fuel: u64) {
        meter::set_fuel(&mut self.store, fuel);
    }

    fn memory(&self) -> &[u8] {
        match self.store.data().memory {
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
        let func = self.instance.get_func(&mut self.store, export);
        let store = self.store.as_context_mut();
        self.stack.provide(|| call_values(store, func, export, params))
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        let global = self.instance.get_global(&mut self.store, export)?;
        convert::from_val(global.get(&mut self.store))
    }
}
