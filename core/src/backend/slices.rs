//! Fuel by slices, with `metering = exact`.
//!
//! The counter that a guest carries holds one slice, and the rest waits in the store's accounts. A guest whose counter is
//! below zero calls the host, which looks at the clock and the cancel flag and gives it the next slice, or ends it. What
//! is left in all does not depend on where slices end.

use super::{Accounts, Counter, HostStop, Store};
use crate::verdict::Fault;

impl Accounts {
    /// All the fuel that is left, when the guest's counter says `counter`.
    #[inline]
    pub fn fuel_left(&self, counter: i64) -> u64 {
        // What is given is at most the type's maximum.
        u64::try_from(counter.saturating_add(self.reserve.cast_signed())).unwrap_or(0)
    }

    /// Keeps in reserve what is beyond one slice, where the operation may be interrupted. Gives what the guest's counter must
    /// say for `fuel` to be left.
    #[inline]
    pub(super) fn keep_in_reserve(&mut self, fuel: u64) -> i64 {
        let fuel = fuel.min(super::MOST_FUEL);
        let slice = if self.is_interruptible() || self.may_be_superseded() { fuel.min(self.slice) } else { fuel };
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
        if self.is_superseded() {
            // Nobody sees this fault: core begins the operation again.
            return Err(Fault::Cancelled);
        }
        let missing = self.slice.cast_signed().saturating_sub(left).max(0);
        let slice = self.reserve.min(missing.cast_unsigned());
        self.reserve -= slice;
        Ok(slice.cast_signed())
    }
}

/// While the guest asks for fuel, this counter says how much is left, there and back; how much stack is left is the
/// argument.
const FUEL_IN_TRANSIT: Counter = Counter::Stack;

/// What the function does that a guest [imports](crate::meter::REFILL) for exact metering, and calls where fuel or stack
/// are below zero. `stack` is its argument.
///
/// A frame that does not fit into the stack is not paid for: what is left is what the caller has stored. An engine makes a
/// frame before the guest can look at its counter, and so may end the guest first; it knows no more than that.
///
/// # Errors
///
/// [`HostStop`]: the call must end now, and its fault is parked.
pub(super) fn refill<T>(caller: &mut (impl Store<T> + ?Sized), stack: i64) -> Result<(), HostStop> {
    let left = caller.counter(if stack < 0 { Counter::Fuel } else { FUEL_IN_TRANSIT });
    match caller.data_mut().accounts.next_slice(left, stack) {
        Ok(slice) => {
            let stored = caller.counter(Counter::Fuel);
            caller.set_counter(Counter::Fuel, stored.saturating_add(slice));
            caller.set_counter(FUEL_IN_TRANSIT, left.saturating_add(slice));
            Ok(())
        }
        Err(fault) => {
            let fuel = caller.data().accounts.fuel_left(left);
            caller.set_fuel(fuel);
            caller.data_mut().accounts.park(fault);
            Err(HostStop)
        }
    }
}
