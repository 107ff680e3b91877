use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;

use super::{HostOptions, filling::Filling};
use crate::{
    admit::{Exports, ModuleSummary},
    policy::{Policy, TABLE_ELEMENT_BYTES, largest_memory},
    time::{CancelToken, Clock, Instant},
    verdict::{Fault, Usage},
};

/// Fuel that counts as unlimited, and the most that any counter holds: `i64::MAX`, 292 years at a unit per nanosecond.
pub const MOST_FUEL: u64 = i64::MAX as u64;

/// What one operation may use. Instantiation takes it by value, so that it cannot be forgotten.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Fuel, in units of the policy's metering, at most [`MOST_FUEL`]; `None` is unlimited.
    pub fuel: Option<u64>,
    /// When the operation must have ended.
    pub deadline: Option<Instant>,
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
    /// What they may call there.
    pub exports: Arc<Exports>,
    /// Pages of the module's memories.
    pub pages: Pages,
}

/// Of which size the pages are of those memories of a module that have 32-bit indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// 64 KiB.
    Kib64,
    /// One byte.
    Byte,
    /// Both are there, or might be.
    Either,
}

impl Pages {
    /// Those of a module. Where it has a memory with 64-bit indices also, the engine must hold the others to
    /// [their largest size](largest_memory) by itself.
    pub fn of(summary: &ModuleSummary) -> Self {
        let memories = &summary.memories;
        let bytes = memories.iter().filter(|memory| memory.page_size_log2 == 0).count();
        match bytes {
            0 => Self::Kib64,
            _ if memories.iter().any(|memory| memory.memory64) => Self::Kib64,
            _ if bytes == memories.len() => Self::Byte,
            _ => Self::Either,
        }
    }

    /// Whether no engine has a memory of `desired` bytes that has `current` now.
    fn are_too_many(self, current: usize, desired: usize) -> bool {
        let is_kib64 = |bytes: usize| bytes.is_multiple_of(1 << 16);
        let are_bytes = match self {
            Self::Kib64 => false,
            Self::Byte => true,
            Self::Either => !(is_kib64(current) && is_kib64(desired)),
        };
        are_bytes && desired as u64 > largest_memory(0, false)
    }
}

impl Budget {
    /// What `policy` gives to an operation of a module with these exports, that begins at `now`.
    #[inline]
    pub fn new(policy: &Policy, exports: &Arc<Exports>, now: Instant, cancel: Option<CancelToken>) -> Self {
        let limits = &policy.rules().limits;
        Self {
            fuel: limits.fuel.map(|fuel| fuel.min(MOST_FUEL)),
            deadline: policy.deadline_from(now),
            cancel,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            host_calls: limits.host_calls,
            reentry: limits.reentry,
            pages: Pages::of(exports.summary()),
            exports: exports.clone(),
        }
    }
}

/// The accounts of one store: what it may use, what it has used, and the fault that is on its way up. A backend embeds
/// one in every store and asks it at each growth, each interruption and each host call.
pub struct Armed {
    budget: Budget,
    clock: Arc<dyn Clock>,
    /// Bytes of memories and tables together, and elements of tables.
    held: u64,
    elements: u64,
    peak: u64,
    /// Fuel of a slice.
    pub(super) slice: u64,
    /// Fuel that the guest's counter does not hold.
    pub(super) reserve: u64,
    /// What to restore when a growth that was granted fails.
    before_growth: (u64, u64, u64),
    refused: u64,
    host_calls: u64,
    depth: u32,
    off_the_clock: Duration,
    pub(super) filling: Filling,
    /// Seldom there, and large: a store that is small is made sooner.
    parked: Option<Box<Fault>>,
}

impl Armed {
    /// The accounts of a new store.
    #[inline]
    pub fn new(budget: Budget, options: &HostOptions) -> Self {
        Self {
            budget,
            clock: options.clock.clone(),
            slice: options.slice.clamp(1, MOST_FUEL),
            held: 0,
            elements: 0,
            peak: 0,
            reserve: 0,
            before_growth: (0, 0, 0),
            refused: 0,
            host_calls: 0,
            depth: 0,
            off_the_clock: Duration::ZERO,
            filling: Filling::default(),
            parked: None,
        }
    }

    /// Begins a new operation: what a budget gives to one, it gives again. What memories and tables hold, they keep.
    #[inline]
    pub fn rearm(&mut self, deadline: Option<Instant>, cancel: Option<CancelToken>) {
        self.budget.deadline = deadline;
        self.budget.cancel = cancel;
        self.peak = self.held;
        self.refused = 0;
        self.host_calls = 0;
        self.off_the_clock = Duration::ZERO;
        self.filling.forget();
        self.parked = None;
    }

    /// Whether a memory may grow from `current` to `desired` bytes. `maximum` is what the module itself declares: growth
    /// past it is refused, but not as the policy's doing. Neither is growth past the [largest memory](largest_memory),
    /// which is the same on every backend.
    pub fn grow_memory(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        if maximum.is_some_and(|maximum| desired > maximum) || self.budget.pages.are_too_many(current, desired) {
            return false;
        }
        let more = (desired - current) as u64;
        let fits = self.held.saturating_add(more) <= self.budget.memory_bytes;
        let granted = self.settle(fits, more, 0);
        if granted {
            self.filling_begins(current, desired);
        }
        granted
    }

    /// Whether a table may grow from `current` to `desired` elements.
    ///
    /// Here an engine's `maximum` may be the lower of what the module declares and what a pool has room for, so the
    /// budget is asked first; the growth that no table of 32-bit indices can have is nobody's doing.
    pub fn grow_table(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        if u32::try_from(desired).is_err() {
            return false;
        }
        let more = (desired - current) as u64;
        let bytes = more.saturating_mul(TABLE_ELEMENT_BYTES);
        let fits = self.elements.saturating_add(more) <= self.budget.table_elements
            && self.held.saturating_add(bytes) <= self.budget.memory_bytes;
        if fits && maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        self.settle(fits, bytes, more)
    }

    fn settle(&mut self, fits: bool, bytes: u64, elements: u64) -> bool {
        if fits {
            self.before_growth = (self.held, self.elements, self.peak);
            self.held = self.held.saturating_add(bytes);
            self.elements = self.elements.saturating_add(elements);
            self.peak = self.peak.max(self.held);
        } else {
            self.refused += 1;
        }
        fits
    }

    /// The engine did not do the growth that was granted last: takes it back. Not the policy's refusal, so it does not
    /// count as one.
    pub fn growth_failed(&mut self) {
        (self.held, self.elements, self.peak) = self.before_growth;
        self.filling.take_back();
    }

    /// Whether the operation may go on: looks at the cancel flag, and at the clock when there is a deadline.
    ///
    /// # Errors
    ///
    /// [`Fault::Cancelled`] or [`Fault::DeadlineExceeded`].
    #[inline]
    pub fn check(&self) -> Result<(), Fault> {
        if self.budget.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Fault::Cancelled);
        }
        match self.budget.deadline {
            Some(deadline) if self.clock.now() >= deadline => Err(Fault::DeadlineExceeded),
            _ => Ok(()),
        }
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
    pub(super) fn begin_host_call(&mut self) -> Result<(), Fault> {
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

    /// What the guest exports.
    pub(super) fn exports(&self) -> &Exports {
        &self.budget.exports
    }

    pub(super) fn leave_guest_again(&mut self) {
        self.depth -= 1;
    }

    /// Moves the deadline: `elapsed` was neither the guest's doing nor its time.
    pub fn stop_the_clock(&mut self, elapsed: Duration) {
        self.off_the_clock += elapsed;
        self.budget.deadline = self.budget.deadline.map(|deadline| deadline.after(elapsed));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.budget.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admit::ModuleSummary;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Instant {
            Instant(0)
        }
    }

    fn armed(memory_bytes: u64, table_elements: u64) -> Armed {
        let exports = Arc::new(Exports::new(ModuleSummary::default()));
        let mut budget = Budget::new(&Policy::default(), &exports, Instant(0), None);
        (budget.memory_bytes, budget.table_elements) = (memory_bytes, table_elements);
        Armed::new(budget, &HostOptions::new(Arc::new(Stopped)))
    }

    #[test]
    fn the_budget_is_the_sum_and_inclusive() {
        let mut armed = armed(100, 10);
        assert!(armed.grow_memory(0, 60, None));
        assert!(armed.grow_table(0, 5, None));
        assert!(!armed.grow_memory(0, 1, None), "60 + 5 × 8 is the whole budget");
        assert_eq!(armed.usage(None).peak_memory_bytes, 100);
        assert_eq!(armed.usage(None).refused_growths, 1);
    }

    #[test]
    fn elements_have_a_limit_of_their_own() {
        let mut armed = armed(1_000, 10);
        assert!(armed.grow_table(0, 10, None));
        assert!(!armed.grow_table(10, 11, None));
    }

    #[test]
    fn the_modules_own_maximum_is_not_the_policys_refusal() {
        let mut armed = armed(100, 10);
        assert!(!armed.grow_memory(0, 50, Some(40)));
        assert_eq!(armed.usage(None).refused_growths, 0);
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_memory_that_no_engine_has_is_not_the_policys_refusal() {
        let most = largest_memory(0, false) as usize;
        let (page, all) = (1 << 16, 1 << 32);
        let grows = |pages, current, desired| {
            let mut armed = armed(u64::MAX, 0);
            armed.budget.pages = pages;
            let granted = armed.grow_memory(current, desired, None);
            assert_eq!(armed.usage(None).refused_growths, 0);
            granted
        };
        assert!(grows(Pages::Byte, 1, most) && grows(Pages::Either, 1, most));
        assert!(!grows(Pages::Byte, 1, most + 1) && !grows(Pages::Either, 1, most + 1));
        assert!(!grows(Pages::Byte, page, all) && !grows(Pages::Either, 1, all));
        assert!(grows(Pages::Kib64, page, all) && grows(Pages::Either, page, all));
    }

    #[test]
    fn a_modules_pages_are_told_apart() {
        let pages = |memories: &[(u32, bool)]| {
            let memory = |&(page_size_log2, memory64): &_| crate::admit::Memory {
                initial_bytes: 0,
                maximum_bytes: None,
                page_size_log2,
                memory64,
            };
            let memories = memories.iter().map(memory).collect();
            Pages::of(&ModuleSummary { memories, ..ModuleSummary::default() })
        };
        assert_eq!(pages(&[]), Pages::Kib64);
        assert_eq!(pages(&[(16, false)]), Pages::Kib64);
        assert_eq!(pages(&[(0, false), (0, false)]), Pages::Byte);
        assert_eq!(pages(&[(0, false), (16, false)]), Pages::Either);
        assert_eq!(pages(&[(0, false), (0, true)]), Pages::Kib64);
    }

    #[test]
    fn a_growth_that_fails_is_taken_back() {
        let mut armed = armed(100, 10);
        assert!(armed.grow_memory(0, 10, None));
        assert!(armed.grow_memory(10, 90, None));
        armed.growth_failed();
        assert_eq!(armed.usage(None).peak_memory_bytes, 10);
        assert!(armed.grow_memory(10, 100, None));
    }

    #[test]
    fn sums_do_not_overflow() {
        let mut armed = armed(u64::MAX, u64::MAX);
        assert!(armed.grow_memory(0, usize::MAX, None));
        assert!(!armed.grow_table(0, usize::MAX, None));
        assert!(armed.grow_table(0, u32::MAX as usize, None));
    }
}
