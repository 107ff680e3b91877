//! A limited store with its one instance, its limits and its counters.

use hotcell_core::{
    CancelToken, Fault, Instant, Value,
    backend::{Armed, Counter, catch_panic},
    meter::{FUEL, STACK},
};
use wasmi::{AsContext, AsContextMut, Engine, Global, Memory, ResourceLimiter, Store, Val};
use wasmi_core::LimiterError;

use super::{call::call_values, convert};

/// What a store carries.
pub struct Data<T> {
    pub(super) state: T,
    pub(super) armed: Armed,
    /// The memory exported as `memory`.
    pub(super) memory: Option<Memory>,
    /// Fuel and stack, as the guest counts them, once the instance is there.
    pub(super) counters: Option<[Global; 2]>,
}

impl<T> Data<T> {
    pub(super) fn new(state: T, armed: Armed) -> Self {
        Self { state, armed, memory: None, counters: None }
    }
}

/// The budget is a sum over all memories and tables, so the engine's own limiter does not do.
impl<T> ResourceLimiter for Data<T> {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.armed.grow_memory(current, desired, maximum))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.armed.grow_table(current, desired, maximum))
    }

    fn memory_grow_failed(&mut self, _error: &LimiterError) {
        self.armed.growth_failed();
    }

    fn table_grow_failed(&mut self, _error: &LimiterError) {
        self.armed.growth_failed();
    }

    fn instances(&self) -> usize {
        1
    }

    // How many of these a module may have was decided at admission.
    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

/// A store with its limits: nothing of the guest has run in it.
pub(super) fn armed_store<T: 'static>(engine: &Engine, data: Data<T>) -> Store<Data<T>> {
    let mut store = Store::new(engine, data);
    store.limiter(|data| data);
    store
}

/// A limited store with its one instance.
pub struct Instance<T: 'static> {
    pub(super) store: Store<Data<T>>,
    pub(super) instance: wasmi::Instance,
    stack_cells: i64,
}

impl<T: 'static> Instance<T> {
    pub(super) fn new(mut store: Store<Data<T>>, instance: wasmi::Instance, stack_cells: i64) -> Self {
        let counter = |name| instance.get_global(&store, name);
        let counters = counter(FUEL).zip(counter(STACK)).map(<[Global; 2]>::from);
        store.data_mut().memory = instance.get_memory(&store, "memory");
        store.data_mut().counters = counters;
        let mut made = Self { store, instance, stack_cells };
        made.begin();
        made
    }

    /// Gives the guest the budget's fuel and its whole stack: no frame of it is left.
    fn begin(&mut self) {
        let fuel = self.store.data().armed.fuel_given();
        set_fuel(&mut self.store, fuel);
        if let Some([_, stack]) = self.store.data().counters {
            write(stack, &mut self.store, self.stack_cells);
        }
    }
}

/// Fuel left. Before there are counters, nothing has run that they would count.
pub(super) fn fuel<T>(store: impl AsContext<Data = Data<T>>) -> u64 {
    let context = store.as_context();
    let data = context.data();
    match data.counters {
        Some([counter, _]) => data.armed.fuel_left(read(counter, &store)),
        None => data.armed.fuel_given(),
    }
}

/// Sets the fuel left: the counter holds a slice of it.
pub(super) fn set_fuel<T>(mut store: impl AsContextMut<Data = Data<T>>, fuel: u64) {
    let mut context = store.as_context_mut();
    let data = context.data_mut();
    if let Some([counter, _]) = data.counters {
        let slice = data.armed.slice(fuel);
        write(counter, store, slice);
    }
}

/// A counter as it is.
pub(super) fn counter<T>(store: impl AsContext<Data = Data<T>>, counter: Counter) -> i64 {
    let counters = store.as_context().data().counters;
    counters.map_or(0, |counters| read(counters[counter as usize], &store))
}

/// Sets a counter.
pub(super) fn set_counter<T>(store: impl AsContextMut<Data = Data<T>>, counter: Counter, value: i64) {
    if let Some(counters) = store.as_context().data().counters {
        write(counters[counter as usize], store, value);
    }
}

fn read(counter: Global, store: impl AsContext) -> i64 {
    counter.get(store).i64().unwrap_or(0)
}

/// A counter is a mutable i64, so nothing can go wrong.
fn write(counter: Global, store: impl AsContextMut, value: i64) {
    drop(counter.set(store, Val::I64(value)));
}

impl<T: Send + 'static> hotcell_core::Instance<T> for Instance<T> {
    fn arm(&mut self, deadline: Option<Instant>, cancel: Option<CancelToken>) {
        self.store.data_mut().armed.rearm(deadline, cancel);
        self.begin();
    }

    fn armed(&self) -> &Armed {
        &self.store.data().armed
    }

    fn fuel(&mut self) -> Option<u64> {
        Some(fuel(&self.store))
    }

    fn set_fuel(&mut self, fuel: u64) {
        set_fuel(&mut self.store, fuel);
    }

    fn memory(&self) -> &[u8] {
        self.store.data().memory.as_ref().map_or(&[], |memory| memory.data(&self.store))
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
        let func = self.instance.get_func(&self.store, export);
        let outcome = catch_panic(|| call_values(self.store.as_context_mut(), func, export, params));
        outcome.unwrap_or_else(|panic| Err(convert::panicked(panic).into()))
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        let global = self.instance.get_global(&self.store, export)?;
        convert::from_val(&global.get(&self.store))
    }
}
