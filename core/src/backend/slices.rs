//! Fuel by slices, with `metering = exact`.
//!
//! The counter that a guest carries holds one slice, and the rest waits in the store's accounts. A guest whose counter is
//! below zero calls the host, which looks at the clock and the cancel flag and gives it the next slice, or ends it. What
//! is left in all does not depend on where slices end.

use super::{Armed, Caller, Counter, HostStop};
use crate::verdict::Fault;

impl Armed {
    /// All the fuel that is left, when the guest's counter says `counter`.
    #[inline]
    pub fn fuel_left(&self, counter: i64) -> u64 {
        // What is given is at most the type's maximum.
        u64::try_from(counter.saturating_add(self.reserve.cast_signed())).unwrap_or(0)
    }

    /// What the guest's counter must say for `fuel` to be left: one slice of it where the operation may be interrupted.
    #[inline]
    pub fn slice(&mut self, fuel: u64) -> i64 {
        let fuel = fuel.min(super::MOST_FUEL);
        let slice = if self.is_interruptible() { fuel.min(self.slice) } else { fuel };
        self.reserve = fuel - slice;
        slice.cast_signed()
    }

    /// The next slice, for a guest that has `left`: `left` and the slice together are not below zero.
    fn next_slice(&mut self, left: i64, stack: i64) -> Result<i64, Fault> {
        let in_all = left.saturating_add(self.reserve.cast_signed());
        if in_all < 0 {
            return Err(Fault::OutOfFuel);
        }
        if stack < 0 {
            return Err(Fault::StackOverflow);
        }
        self.filling_ended();
        self.check()?;
        let missing = self.slice.cast_signed().saturating_sub(left).max(0);
        let slice = self.reserve.min(missing.cast_unsigned());
        self.reserve -= slice;
        Ok(slice.cast_signed())
    }
}

/// What the function does that a guest [imports](crate::meter::REFILL) for exact metering, and calls where fuel or stack
/// are below zero. `stack` is its argument; the fuel that is left is in the [stack counter](Counter::Stack), there and
/// back.
///
/// # Errors
///
/// [`HostStop`]: the call must end now, and its fault is parked.
pub fn refill<T>(caller: &mut impl Caller<T>, stack: i64) -> Result<(), HostStop> {
    let left = caller.counter(Counter::Stack);
    match caller.armed().next_slice(left, stack) {
        Ok(slice) => {
            let stored = caller.counter(Counter::Fuel);
            caller.set_counter(Counter::Fuel, stored.saturating_add(slice));
            caller.set_counter(Counter::Stack, left.saturating_add(slice));
            Ok(())
        }
        Err(fault) => {
            let fuel = caller.armed().fuel_left(left);
            caller.set_fuel(fuel);
            caller.armed().park(fault);
            Err(HostStop)
        }
    }
}
