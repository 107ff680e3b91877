//! The counters that a guest carries with `metering = exact`, and the engine's own otherwise.

use hotcell_core::{
    backend::{Counter, FuelCounter},
    meter::{FUEL, STACK},
};
use wasmtime::{AsContextMut, Global, Val};

use crate::store::Data;

/// Fuel and stack: as exports of a module, or as globals of an instance.
#[derive(Clone, Copy)]
pub(crate) struct Counters<G> {
    pub(crate) fuel: G,
    pub(crate) stack: G,
    /// Stack cells that a guest may use.
    pub(crate) cells: i64,
}

impl<G> Counters<G> {
    /// Both, where the guest carries them.
    pub(crate) fn find(cells: i64, mut get: impl FnMut(&str) -> Option<G>) -> Option<Self> {
        Some(Self { fuel: get(FUEL)?, stack: get(STACK)?, cells })
    }

    /// The same counters, found in an instance.
    pub(crate) fn resolve<H>(&self, mut get: impl FnMut(&G) -> Option<H>) -> Option<Counters<H>> {
        Some(Counters { fuel: get(&self.fuel)?, stack: get(&self.stack)?, cells: self.cells })
    }
}

impl Counters<Global> {
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

/// Fuel left; `None` where nobody counts.
pub(crate) fn fuel<T: 'static>(mut store: impl AsContextMut<Data = Data<T>>) -> Option<u64> {
    let context = store.as_context();
    let data = context.data();
    match (data.fuel_counter, data.counters) {
        (FuelCounter::Guest, Some(counters)) => {
            let counter = read(counters.fuel, &mut store);
            Some(store.as_context().data().armed.fuel_left(counter))
        }
        // Nothing of the guest has run before its counters are known.
        (FuelCounter::Guest, None) => Some(data.armed.fuel_given()),
        (FuelCounter::Engine, _) => store.as_context_mut().get_fuel().ok(),
        (FuelCounter::Nobody, _) => None,
    }
}

/// Sets the fuel left. Does nothing where nobody counts.
#[inline]
pub(crate) fn set_fuel<T: 'static>(mut store: impl AsContextMut<Data = Data<T>>, fuel: u64) {
    let mut context = store.as_context_mut();
    let data = context.data_mut();
    match (data.fuel_counter, &data.counters) {
        (FuelCounter::Guest, Some(Counters { fuel: counter, .. })) => {
            let (counter, slice) = (*counter, data.armed.slice(fuel));
            write(counter, store, slice);
        }
        // The only error is that the engine does not count, and it does.
        (FuelCounter::Engine, _) => drop(store.as_context_mut().set_fuel(fuel)),
        (FuelCounter::Guest, None) | (FuelCounter::Nobody, _) => {}
    }
}

/// A counter of the guest's; zero where it carries none.
pub(crate) fn counter<T: 'static>(mut store: impl AsContextMut<Data = Data<T>>, counter: Counter) -> i64 {
    match store.as_context().data().counters {
        Some(counters) => read(counters.get(counter), &mut store),
        None => 0,
    }
}

/// Sets it. Does nothing where it carries none.
pub(crate) fn set_counter<T: 'static>(store: impl AsContextMut<Data = Data<T>>, counter: Counter, value: i64) {
    if let Some(counters) = store.as_context().data().counters {
        write(counters.get(counter), store, value);
    }
}

fn read(counter: Global, store: impl AsContextMut) -> i64 {
    counter.get(store).i64().unwrap_or(0)
}

/// A counter is a mutable i64, so nothing can go wrong.
fn write(counter: Global, store: impl AsContextMut, value: i64) {
    drop(counter.set(store, Val::I64(value)));
}
