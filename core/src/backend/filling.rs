//! The time that an engine takes to fill memory with zeros, when a module declares it and when it grows.
//!
//! An interpreter on an ordinary allocator touches every page at once, where other engines leave that to the system and
//! the guest. That is not the guest's time, or a deadline would end on one backend what is well within it on another.

use core::time::Duration;

use super::Accounts;
use crate::time::Instant;

/// So much at the start is filled within a millisecond or two; it is not worth looking at the clock twice.
const SMALL: u64 = 2 << 20;
/// The most that a MiB may take off the clock. It takes 0.6 ms, a few times that on a machine with too few cores. What the
/// guest does until the clock is next looked at is off it too, so that there must be an end. Memory never shrinks: a store
/// gains at most this for each MiB of its budget.
const MOST_PER_MIB: Duration = Duration::from_millis(4);

/// What a store knows of the memory that its engine fills.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filling {
    /// Whether the engine does.
    is_on: bool,
    /// When it began, if nobody has looked at the clock since.
    begin: Option<Instant>,
    /// What may still be taken off the clock, for all that was filled.
    allowance: Duration,
    /// What the growth that was granted last has added to that.
    last: Duration,
}

impl Filling {
    /// An operation begins: what happened before is another's time.
    pub(super) fn forget(&mut self) {
        self.begin = None;
    }

    /// The growth that was granted last did not happen.
    pub(super) fn take_back(&mut self) {
        self.begin = None;
        self.allowance = self.allowance.saturating_sub(core::mem::take(&mut self.last));
    }
}

impl Accounts {
    /// For engines that touch all of a memory when they make it and when it grows, to be said before the instance is made: what
    /// that takes is off the clock, up to
    /// 4 ms for each MiB. The backend says that [it has ended](Self::filling_ended) when an instance is made; else it ends
    /// when somebody looks at the clock.
    pub fn fill_memory(&mut self) {
        self.filling.is_on = true;
        let declared =
            self.summary().memories.iter().fold(0u64, |sum, memory| sum.saturating_add(memory.initial_bytes));
        self.filling_begins(0, declared);
    }

    /// A growth was granted, and is about to be done.
    pub(super) fn filling_begins(&mut self, current: u64, desired: u64) {
        self.filling_ended();
        if self.filling.is_on && self.is_interruptible() && (current > 0 || desired > SMALL) {
            self.filling.begin = Some(self.clock().now());
            self.filling.last = most(desired - current);
            self.filling.allowance += self.filling.last;
        }
    }

    /// The memory is there. Does nothing where none was filled.
    #[inline]
    pub fn filling_ended(&mut self) {
        if let Some(begin) = self.filling.begin.take() {
            self.settle_filling(begin);
        }
    }

    #[cold]
    fn settle_filling(&mut self, begin: Instant) {
        let elapsed = self.clock().now().since(begin).min(self.filling.allowance);
        self.filling.allowance -= elapsed;
        self.stop_the_clock(elapsed);
    }
}

fn most(bytes: u64) -> Duration {
    let nanoseconds = (MOST_PER_MIB.as_nanos() * u128::from(bytes)) >> 20;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{
        admit::{Exports, ModuleSummary},
        backend::{Budget, HostOptions},
        policy::Policy,
        time::Clock,
    };

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Instant {
            Instant(self.0.load(Ordering::Relaxed))
        }
    }

    const MIB: u64 = 1 << 20;
    const MS: u64 = 1_000_000;

    #[test]
    fn what_is_off_the_clock_is_bounded_by_what_is_filled() {
        let clock = Arc::new(Hand::default());
        let pass = |ms: u64| clock.0.fetch_add(ms * MS, Ordering::Relaxed);
        let exports = Arc::new(Exports::new(ModuleSummary::default()));
        let budget = Budget::new(&Policy::default(), &exports, Instant(0), None);
        let mut accounts = Accounts::new(budget, &HostOptions::new(clock.clone()));
        accounts.fill_memory();
        let mut off = |grows: Option<(u64, u64)>, ms: u64| {
            if let Some((current, desired)) = grows {
                accounts.filling_begins(current, desired);
            }
            pass(ms);
            accounts.filling_ended();
            accounts.off_the_clock().as_millis()
        };
        assert_eq!(off(None, 7), 0);
        assert_eq!(off(Some((0, MIB)), 7), 0, "little at the start");
        assert_eq!(off(Some((MIB, 11 * MIB)), 7), 7);
        assert_eq!(off(None, 7), 7);
        assert_eq!(off(Some((11 * MIB, 12 * MIB)), 100), 44, "4 ms for each of 11 MiB");
        assert_eq!(off(Some((12 * MIB, 13 * MIB)), 1), 45);
    }
}
