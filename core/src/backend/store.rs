//! What every store carries, and what core reaches of it.

use alloc::{borrow::ToOwned, boxed::Box, vec::Vec};

use super::{
    Accounts, Budget, Deadline, HostOptions, HostStop, MOST_FUEL, Streams, extensions::Extensions, slices, ticks::Ticks,
};
use crate::{
    policy::Policy,
    time::CancelToken,
    trace::Recorder,
    value::Value,
    verdict::{Fault, Tier},
};

/// What counts fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeteredBy {
    /// The guest, in [counters](Counter) of its own: `metering = exact`.
    Guest,
    /// The engine.
    Engine,
    /// Nobody: the policy has no limit.
    Nobody,
}

impl MeteredBy {
    /// What counts fuel under `policy`.
    pub fn of(policy: &Policy) -> Self {
        match (policy.is_exact(), policy.needs_engine_fuel()) {
            (true, _) => Self::Guest,
            (false, true) => Self::Engine,
            (false, false) => Self::Nobody,
        }
    }
}

/// What a guest counts by itself, with `metering = exact`: an exported mutable global of type i64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// [`meter::FUEL`](crate::meter::FUEL)
    Fuel,
    /// [`meter::STACK`](crate::meter::STACK)
    Stack,
}

impl Counter {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Fuel, Self::Stack];

    /// The name of the export.
    pub fn export(self) -> &'static str {
        match self {
            Self::Fuel => crate::meter::FUEL,
            Self::Stack => crate::meter::STACK,
        }
    }
}

/// What core keeps in a store. A backend puts it into its engine's store, beside what the engine's own calls need.
pub struct StoreData<T> {
    /// The embedder's state.
    pub state: T,
    /// What the store may use, and what it has used.
    pub accounts: Accounts,
    /// What counts fuel.
    pub metered_by: MeteredBy,
    /// Stack cells that the guest may use.
    stack_cells: i64,
    ticks: Ticks,
    pub(crate) streams: Streams,
    pub(crate) extensions: Extensions,
    /// Of a traced guest.
    pub(crate) recorder: Option<Box<Recorder>>,
}

impl<T> StoreData<T> {
    /// For a new store under `policy`.
    pub fn new(state: T, budget: Budget, policy: &Policy, options: &HostOptions) -> Self {
        let data = Self {
            state,
            accounts: Accounts::new(budget, options),
            metered_by: MeteredBy::of(policy),
            stack_cells: policy.stack_cells(),
            ticks: Ticks::new(policy.is_interruptible()),
            streams: Streams::new(policy),
            extensions: Extensions::default(),
            recorder: None,
        };
        data.begin();
        data
    }

    /// An operation begins.
    #[inline]
    fn begin(&self) {
        if self.accounts.is_interruptible() {
            self.ticks.begin();
        }
    }

    /// Whether so much time may have passed since the store last looked at the clock that it must look again.
    #[inline]
    pub(super) fn is_clock_due(&mut self) -> bool {
        self.accounts.is_interruptible() && self.ticks.have_passed()
    }

    /// Name under which the guest exports the memory that core works on, if it does.
    pub fn memory(&self) -> Option<&str> {
        self.accounts.exports().memory().map(|(name, _)| name)
    }

    /// Whether the operation may go on: for an engine that asks in the middle of a call.
    ///
    /// # Errors
    ///
    /// [`HostStop`]: the call must end now, and its fault is parked.
    pub fn check(&mut self) -> Result<(), HostStop> {
        // For the ticks that follow.
        self.is_clock_due();
        self.accounts.check().map_err(|fault| {
            self.accounts.park(fault);
            HostStop
        })
    }
}

/// A store with its one instance: between calls it is an [`Instance`], in a host function what the engine
/// [lends](super::SandboxBackend::Caller) of it.
///
/// # Behavior
///
/// * Memory and data must be those of the instance that called. (`host.memory`, `host.state`, `host.charge`)
/// * A call back into the guest must run under what is left of the same budget. (`host.reentry_budget`,
///   `host.reentry_fault`)
/// * It must find what the guest exports by its exact name. (`host.reentry_hidden`)
pub trait Store<T> {
    /// What core keeps in the store.
    fn data(&self) -> &StoreData<T>;

    /// What core keeps in the store.
    fn data_mut(&mut self) -> &mut StoreData<T>;

    /// [The memory](StoreData::memory), empty when there is none, together with the data.
    fn memory_and_data(&mut self) -> (&mut [u8], &mut StoreData<T>);

    /// A counter that the guest carries with `metering = exact`, as it is; zero where it carries none.
    fn counter(&mut self, counter: Counter) -> i64;

    /// Sets it. Does nothing where the guest carries none.
    fn set_counter(&mut self, counter: Counter, value: i64);

    /// Calls an exported function. Core has seen that the guest exports it, and that `params` are of its type; `results`
    /// are zeros of the types of its results, to be overwritten.
    ///
    /// # Errors
    ///
    /// How the call ended. Where a host function stopped it, any fault does: core knows the cause.
    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault>;

    /// Fuel that the engine's own counter has left. Asked only with `metering = engine`.
    fn engine_fuel(&mut self) -> u64 {
        MOST_FUEL
    }

    /// Sets it. Called only with `metering = engine`.
    fn set_engine_fuel(&mut self, _fuel: u64) {}

    /// Fuel left, in units of the policy's metering; `None` where nobody counts. Not for a backend to write.
    fn fuel(&mut self) -> Option<u64> {
        match self.data().metered_by {
            MeteredBy::Guest => {
                let counter = self.counter(Counter::Fuel);
                Some(self.data().accounts.fuel_left(counter))
            }
            MeteredBy::Engine => Some(self.engine_fuel()),
            MeteredBy::Nobody => None,
        }
    }

    /// Sets the fuel left. Does nothing where nobody counts. Not for a backend to write.
    #[inline]
    fn set_fuel(&mut self, fuel: u64) {
        match self.data().metered_by {
            MeteredBy::Guest => {
                let slice = self.data_mut().accounts.keep_in_reserve(fuel);
                self.set_counter(Counter::Fuel, slice);
            }
            MeteredBy::Engine => self.set_engine_fuel(fuel),
            MeteredBy::Nobody => {}
        }
    }

    /// Calls what the guest exports as `export`, with values whose types are known only at run time. Not for a backend to
    /// write.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSuchExport`], [`Fault::WrongArguments`], or how the call ended.
    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        let exports = self.data().accounts.exports().clone();
        let Some(ty) = exports.function(export) else {
            return Err(Fault::NoSuchExport { export: export.to_owned() });
        };
        ty.check_arguments(export, params)?;
        let mut results: Vec<Value> = ty.results.iter().map(|ty| Value::zero(*ty)).collect();
        match self.invoke(export, params, &mut results) {
            Ok(()) => Ok(results),
            Err(fault) => Err(cause(self, fault)),
        }
    }
}

/// Why a call ended, of which the engine says `fault`. What our own code parked is the cause. No frame of the guest is left
/// that its stack counter would count.
#[cold]
pub(crate) fn cause<T, S: Store<T> + ?Sized>(store: &mut S, fault: Fault) -> Fault {
    let data = store.data();
    if matches!(fault, Fault::StackOverflow) && data.metered_by == MeteredBy::Guest && !data.accounts.is_parked() {
        // The engine had no room for a frame that the guest's counter has none for either. Parks the fault.
        let _ = slices::refill(store, -1);
    }
    if store.data().recorder.is_some() {
        let fuel = store.fuel();
        if let Some(recorder) = &mut store.data_mut().recorder {
            recorder.end(fuel);
        }
    }
    let data = store.data_mut();
    let (parked, cells) = (data.accounts.take_parked(), data.stack_cells);
    store.set_counter(Counter::Stack, cells);
    parked.unwrap_or(fault)
}

/// A limited store with its one instance.
///
/// # Behavior
///
/// * A call must end with [`Fault::OutOfFuel`] when the fuel is used up, with [`Fault::DeadlineExceeded`] soon after
///   the deadline, with [`Fault::Cancelled`] soon after the token was cancelled, with [`Fault::StackOverflow`] when the
///   guest's frames exceed the policy's stack. (`limits.fuel.*`, `deadline.*`, `cancel.*`, `limits.stack.*`)
/// * The memory budget must be the sum of all memories and tables, from the first byte on. A growth that it refuses must
///   give the guest -1, and must be counted. (`limits.memory.*`, `limits.table.*`)
/// * With `metering = exact` the module exports two [counters](Counter), which core sets and reads. The engine's own limits
///   of fuel and stack must be above what the counters allow. An engine without room for a frame for which the counter has
///   none either says [`Fault::StackOverflow`]. (`counters.*`, `readback.exact`, `readback.stack`)
/// * The handshake, the byte contract, commands and reactors, which are written above it, must hold on it. (`abi.*`,
///   `bytes.*`, `command.*`, `reactor.*`)
/// * After a trap the memory and the globals must be what they were then: guests leave their words there. (`bytes.error`)
/// * What a guest exports must be found by its exact name. What metering adds to a module is never asked for by a name
///   that the embedder or the guest chose. (`values.hidden_globals`, `values.hidden_functions`)
pub trait Instance<T>: Store<T> + Send {
    /// [The memory](StoreData::memory); empty when there is none.
    fn memory(&self) -> &[u8];

    /// Grows [the memory](StoreData::memory) by so many pages: whether the engine could. Core has asked the budget.
    fn grow_memory(&mut self, pages: u64) -> bool;

    /// The value of an exported global. Core asks only for what the guest itself exports.
    fn global(&mut self, export: &str) -> Option<Value>;

    /// What core kept in the store, at the end of the instance.
    fn into_data(self) -> StoreData<T>;

    /// Which engine the instance is on, for a backend that has several.
    fn tier(&self) -> Option<Tier> {
        None
    }

    /// An operation begins, whose budget is in the accounts already: for what the engine itself must be told.
    fn begin(&mut self) {}

    /// Begins a new operation: fuel and all else that the budget gives to one is there again. Memory in use stays in use.
    /// Not for a backend to write.
    #[inline]
    fn arm(&mut self, deadline: Option<Deadline>, cancel: Option<CancelToken>) {
        let data = self.data_mut();
        data.accounts.rearm(deadline, cancel);
        data.begin();
        let given = data.accounts.fuel_given();
        self.set_fuel(given);
        self.begin();
    }
}

/// Gives a new guest its fuel and its stack.
pub(crate) fn give<T, I: Instance<T>>(instance: &mut I) {
    let (fuel, cells) = (instance.data().accounts.fuel_given(), instance.data().stack_cells);
    instance.set_fuel(fuel);
    instance.set_counter(Counter::Stack, cells);
}
