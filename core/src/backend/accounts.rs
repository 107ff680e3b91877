use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;

use super::{HostOptions, filling::Filling, growth::Held, host::Effect, superseding::Superseding};
use crate::{
    admit::{Exports, ModuleSummary},
    policy::Policy,
    time::{CancelToken, Clock, Instant},
    value::Value,
    verdict::{Fault, Usage},
};

/// Fuel that counts as unlimited, and the most that any counter holds: `i64::MAX`, 292 years at a unit per nanosecond.
pub const MOST_FUEL: u64 = i64::MAX as u64;

/// When an operation must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// At this time.
    At(Instant),
    /// So many nanoseconds from when its store first looks at the clock, at the end of a slice or before a host function: for
    /// calls so short that to read the clock would cost as much as they do.
    In(u64),
}

/// What one operation may use. Instantiation takes it by value, so that it cannot be forgotten.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Fuel, in units of the policy's metering, at most [`MOST_FUEL`]; `None` is unlimited.
    pub fuel: Option<u64>,
    /// When the operation must have ended.
    pub deadline: Option<Deadline>,
    /// Ends the operation from outside.
    pub cancel: Option<CancelToken>,
    /// Bytes of all memories and tables together.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Calls of host functions.
    pub host_calls: Option<u64>,
    /// Depth to which host functions may call back.
    pub reentry: u32,
    /// The module: what they may call there, and what grows.
    pub exports: Arc<Exports>,
}

impl Budget {
    /// What `policy` gives to an operation of a module with these exports, that begins at `now`.
    #[inline]
    pub fn new(policy: &Policy, exports: &Arc<Exports>, now: Instant, cancel: Option<CancelToken>) -> Self {
        let limits = &policy.rules().limits;
        Self {
            fuel: limits.fuel.map(|fuel| fuel.min(MOST_FUEL)),
            deadline: policy.deadline_from(now).map(Deadline::At),
            cancel,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            host_calls: limits.host_calls,
            reentry: limits.reentry,
            exports: exports.clone(),
        }
    }
}

/// The accounts of one store: what it may use, what it has used, and the fault that is on its way up. A backend embeds
/// one in every store.
pub struct Accounts {
    pub(super) budget: Budget,
    clock: Arc<dyn Clock>,
    /// Memories and tables together, with what the host keeps for the guest.
    pub(super) held: Held,
    /// Bytes of that which the host keeps.
    pub(super) reserved: u64,
    /// Bytes.
    pub(super) peak: u64,
    /// Fuel of a slice.
    pub(super) slice: u64,
    /// Fuel that the guest's counter does not hold.
    pub(super) reserve: u64,
    /// What to restore when a growth that was granted fails.
    pub(super) before_growth: (Held, u64),
    /// Bytes that were granted last.
    pub(super) granted: u64,
    pub(super) refused: u64,
    host_calls: u64,
    depth: u32,
    off_the_clock: Duration,
    pub(super) filling: Filling,
    pub(super) superseding: Superseding,
    /// Seldom there, and large: a store that is small is made sooner.
    parked: Option<Box<Fault>>,
}

impl Accounts {
    /// The accounts of a new store.
    #[inline]
    pub fn new(budget: Budget, options: &HostOptions) -> Self {
        let declared = Held::declared(budget.exports.summary());
        Self {
            budget,
            clock: options.clock.clone(),
            slice: options.slice.clamp(1, MOST_FUEL),
            held: declared,
            reserved: 0,
            peak: declared.bytes,
            granted: declared.bytes,
            reserve: 0,
            before_growth: (declared, declared.bytes),
            refused: 0,
            host_calls: 0,
            depth: 0,
            off_the_clock: Duration::ZERO,
            filling: Filling::default(),
            superseding: Superseding::default(),
            parked: None,
        }
    }

    /// Begins a new operation: what a budget gives to one, it gives again. What memories and tables hold, they keep.
    #[inline]
    pub fn rearm(&mut self, deadline: Option<Deadline>, cancel: Option<CancelToken>) {
        self.budget.deadline = deadline;
        self.budget.cancel = cancel;
        self.peak = self.held.bytes;
        self.refused = 0;
        self.host_calls = 0;
        self.off_the_clock = Duration::ZERO;
        self.filling.forget();
        self.parked = None;
    }

    /// Whether the operation may go on: looks at the cancel flag, and at the clock when there is a deadline.
    ///
    /// # Errors
    ///
    /// [`Fault::Cancelled`] or [`Fault::DeadlineExceeded`].
    #[inline]
    pub fn check(&mut self) -> Result<(), Fault> {
        if self.budget.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Fault::Cancelled);
        }
        match self.time_left() {
            Some(Duration::ZERO) => Err(Fault::DeadlineExceeded),
            _ => Ok(()),
        }
    }

    /// Time until the deadline. One that has not begun begins.
    pub(super) fn time_left(&mut self) -> Option<Duration> {
        let deadline = self.budget.deadline?;
        let now = self.clock.now();
        let end = match deadline {
            Deadline::At(end) => end,
            Deadline::In(nanoseconds) => Instant(now.0.saturating_add(nanoseconds)),
        };
        self.budget.deadline = Some(Deadline::At(end));
        Some(end.since(now))
    }

    /// The fuel that the operation began with; [`MOST_FUEL`] where it is unlimited.
    #[inline]
    pub fn fuel_given(&self) -> u64 {
        self.budget.fuel.unwrap_or(MOST_FUEL)
    }

    /// Whether anything may interrupt the operation.
    #[inline]
    pub fn is_interruptible(&self) -> bool {
        self.budget.deadline.is_some() || self.budget.cancel.is_some()
    }

    /// Keeps a fault while the engine unwinds. The first one stays: what follows from it is not the cause.
    pub fn park(&mut self, fault: Fault) {
        self.parked.get_or_insert_with(|| Box::new(fault));
    }

    /// Parks what it means that the guest called the function for its import with this index.
    pub(super) fn park_missing(&mut self, index: Option<Value>) {
        let Some(Value::I32(index)) = index else { return };
        let import = usize::try_from(index).ok().and_then(|index| self.summary().imports.get(index));
        // No other module has the function's import.
        let names = import.map(|import| (import.module.clone(), import.name.clone()));
        let (module, name) = names.unwrap_or_default();
        self.park(Fault::ImportMissing { module, name });
    }

    /// The parked fault, when the engine has unwound.
    pub fn take_parked(&mut self) -> Option<Fault> {
        self.parked.take().map(|fault| *fault)
    }

    /// What was used, when this much fuel is left.
    #[inline]
    pub fn usage(&self, fuel_left: Option<u64>) -> Usage {
        Usage {
            fuel_used: fuel_left.map(|left| self.fuel_given().saturating_sub(left)),
            peak_memory_bytes: self.peak,
            refused_growths: self.refused,
            host_calls: self.host_calls,
        }
    }

    /// Time that host functions spent off the clock.
    #[inline]
    pub fn off_the_clock(&self) -> Duration {
        self.off_the_clock
    }

    /// The clock of the store.
    #[inline]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    #[inline]
    pub(super) fn begin_host_call(&mut self, effect: Effect) -> Result<(), Fault> {
        if effect != Effect::Step {
            self.count_host_call()?;
        }
        if effect == Effect::World {
            self.begin_effect()?;
        }
        // What a host function takes is the guest's time.
        if matches!(self.budget.deadline, Some(Deadline::In(_))) {
            self.time_left();
        }
        Ok(())
    }

    #[inline]
    fn count_host_call(&mut self) -> Result<(), Fault> {
        if let Some(allowed) = self.budget.host_calls
            && self.host_calls >= allowed
        {
            return Err(Fault::HostCallLimit { allowed });
        }
        self.host_calls += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    pub(super) fn enter_guest_again(&mut self) -> Result<(), Fault> {
        let (depth, allowed) = (self.depth + 1, self.budget.reentry);
        if depth > allowed {
            return Err(Fault::ReentryDenied { depth, allowed });
        }
        self.depth = depth;
        Ok(())
    }

    /// What the module is and needs.
    pub(super) fn summary(&self) -> &ModuleSummary {
        self.budget.exports.summary()
    }

    /// What the guest exports.
    pub(super) fn exports(&self) -> &Arc<Exports> {
        &self.budget.exports
    }

    pub(super) fn leave_guest_again(&mut self) {
        self.depth -= 1;
    }

    /// Moves the deadline: `elapsed` was neither the guest's doing nor its time.
    pub fn stop_the_clock(&mut self, elapsed: Duration) {
        self.off_the_clock += elapsed;
        if let Some(Deadline::At(end)) = &mut self.budget.deadline {
            *end = end.after(elapsed);
        }
    }
}
