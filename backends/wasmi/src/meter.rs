//! Fuel and stack: the counters that a guest carries with `metering = exact`, and the engine's own otherwise.

use hotcell_core::{
    backend::{Counter, FuelCounter, MOST_FUEL},
    meter::{FUEL, STACK},
};
use wasmi::{AsContext, AsContextMut, Global, Instance, Val};

use crate::{slices, store::Data};

/// The counters that a guest carries.
#[derive(Clone, Copy)]
pub(crate) struct Counters {
    fuel: Global,
    stack: Global,
    /// Stack cells that a guest may use.
    cells: i64,
}

impl Counters {
    /// Those of an instance, where it carries them.
    pub(crate) fn find(instance: Instance, store: impl AsContext, cells: i64) -> Option<Self> {
        let global = |name| instance.get_global(&store, name);
        Some(Self { fuel: global(FUEL)?, stack: global(STACK)?, cells })
    }

    fn get(self, counter: Counter) -> Global {
        match counter {
            Counter::Fuel => self.fuel,
            Counter::Stack => self.stack,
        }
    }

    /// Gives the guest its whole stack: at the start, and after a fault. A call that returns has given back its frames.
    pub(crate) fn give_stack(self, store: impl AsContextMut) {
        write(self.stack, store, self.cells);
    }
}

/// Fuel left; `None` where the policy counts none.
pub(crate) fn fuel<T>(store: impl AsContext<Data = Data<T>>) -> Option<u64> {
    let context = store.as_context();
    let data = context.data();
    match (data.fuel_counter, data.counters) {
        (FuelCounter::Guest, Some(counters)) => Some(data.armed.fuel_left(read(counters.fuel, &store))),
        // Nothing of the guest has run before its counters are known.
        (FuelCounter::Guest, None) => Some(data.armed.fuel_given()),
        (FuelCounter::Engine, _) => Some(slices::fuel(&store)),
        (FuelCounter::Nobody, _) => None,
    }
}

/// Sets the fuel left, for the guest's counter or for the engine's.
#[inline]
pub(crate) fn set_fuel<T>(mut store: impl AsContextMut<Data = Data<T>>, fuel: u64) {
    let mut context = store.as_context_mut();
    let data = context.data_mut();
    match (data.fuel_counter, &data.counters) {
        (FuelCounter::Guest, Some(Counters { fuel: counter, .. })) => {
            let (counter, slice) = (*counter, data.armed.slice(fuel));
            write(counter, store, slice);
        }
        (FuelCounter::Engine, _) => slices::set_fuel(store.as_context_mut(), fuel),
        (FuelCounter::Guest, None) | (FuelCounter::Nobody, _) => {}
    }
}

/// Begins an operation: the policy's fuel for whoever counts it, and enough for the engine where it does not.
#[inline]
pub(crate) fn arm<T>(mut store: impl AsContextMut<Data = Data<T>>) {
    let mut context = store.as_context_mut();
    let data = context.data_mut();
    let given = data.armed.fuel_given();
    if data.armed.is_interruptible() {
        data.ticks.begin();
    }
    if data.engine_counts && data.fuel_counter == FuelCounter::Nobody {
        slices::set_fuel(context, MOST_FUEL);
    }
    set_fuel(store, given);
}

/// A counter of the guest's; zero where it carries none.
pub(crate) fn counter<T>(store: impl AsContext<Data = Data<T>>, counter: Counter) -> i64 {
    match store.as_context().data().counters {
        Some(counters) => read(counters.get(counter), &store),
        None => 0,
    }
}

/// Sets it. Does nothing where it carries none.
pub(crate) fn set_counter<T>(store: impl AsContextMut<Data = Data<T>>, counter: Counter, value: i64) {
    if let Some(counters) = store.as_context().data().counters {
        write(counters.get(counter), store, value);
    }
}

fn read(counter: Global, store: impl AsContext) -> i64 {
    match counter.get(store) {
        Val::I64(value) => value,
        _ => 0,
    }
}

/// A counter is a mutable i64, so nothing can go wrong.
fn write(counter: Global, store: impl AsContextMut, value: i64) {
    drop(counter.set(store, Val::I64(value)));
}
