//! Deadline and cancellation by slices of fuel.
//!
//! The engine's counter holds one slice; the rest of the budget waits in the store's data. When a slice is used up the
//! call pauses, the clock and the cancel flag are looked at, and the call resumes with the next slice. The total does
//! not depend on where the slices end.

use core::time::Duration;

use hotcell_core::{Fault, Instant};
use wasmi::{AsContext, AsContextMut};

use crate::{
    convert::{fault, stopped},
    store::Data,
};

/// Fuel of the first slice, before anything was measured. Without `std`, the target may well be one on which more than
/// the smallest lasts tens of milliseconds.
const FIRST: u64 = if cfg!(feature = "std") { 1 << 16 } else { SMALLEST };
/// Slices are never smaller: looking at the clock must stay a small part of the work.
const SMALLEST: u64 = 1 << 12;
/// Slices are never larger, however fast the guest seems.
const LARGEST: u64 = 1 << 26;
/// How long a slice should last.
const AIM: Duration = Duration::from_millis(1);

/// The part of a store's fuel that the engine does not hold.
#[derive(Debug)]
pub(crate) struct Slices {
    reserve: u64,
    size: u64,
}

impl Slices {
    pub(crate) fn new() -> Self {
        Self { reserve: 0, size: FIRST }
    }
}

/// Fuel left, in the engine and in reserve.
pub(crate) fn fuel<T>(store: impl AsContext<Data = Data<T>>) -> u64 {
    let store = store.as_context();
    store.get_fuel().unwrap_or(0).saturating_add(store.data().slices.reserve)
}

/// Sets the fuel left.
pub(crate) fn set_fuel<T>(mut store: wasmi::StoreContextMut<'_, Data<T>>, total: u64) {
    let data = store.data_mut();
    let held = if data.core.accounts.is_interruptible() { total.min(data.slices.size) } else { total };
    data.slices.reserve = total - held;
    // The only error is that the engine does not count, and then nobody does.
    let _ = store.set_fuel(held);
}

/// Whether a call could outlast the slice that the engine holds.
pub(crate) fn must_pause<T>(store: impl AsContext<Data = Data<T>>) -> bool {
    store.as_context().data().slices.reserve > 0
}

/// A call that pauses when a slice is used up.
pub(crate) trait Paused: Sized {
    type Results;

    /// Fuel without which the call cannot go on.
    fn required_fuel(&self) -> u64;

    fn resume<T>(self, store: impl AsContextMut<Data = Data<T>>) -> Result<Step<Self>, wasmi::Error>;
}

/// Where a call has come.
pub(crate) enum Step<P: Paused> {
    Finished(P::Results),
    /// A host function stopped it; the fault is parked.
    Stopped,
    OutOfFuel(P),
}

/// Drives a call to its end, slice by slice.
pub(crate) fn drive<T, P: Paused>(
    mut store: impl AsContextMut<Data = Data<T>>,
    start: impl FnOnce(&mut wasmi::StoreContextMut<'_, Data<T>>) -> Result<Step<P>, wasmi::Error>,
) -> Result<P::Results, Fault> {
    let mut store = store.as_context_mut();
    // The clock is not read before there is a need to: the first slice is as long as those before it.
    let mut begin = None;
    let mut step = start(&mut store);
    loop {
        match step {
            Ok(Step::Finished(results)) => return Ok(results),
            Ok(Step::Stopped) => return Err(stopped()),
            Ok(Step::OutOfFuel(paused)) => {
                begin = Some(refill(&mut store, paused.required_fuel(), begin)?);
                step = paused.resume(&mut store);
            }
            Err(error) => return Err(fault(&error)),
        }
    }
}

/// Looks at the clock and the cancel flag, then gives the engine its next slice.
fn refill<T>(
    store: &mut wasmi::StoreContextMut<'_, Data<T>>,
    required: u64,
    begin: Option<Instant>,
) -> Result<Instant, Fault> {
    let held = store.get_fuel().unwrap_or(0);
    let data = store.data_mut();
    data.core.accounts.filling_ended();
    let total = held.saturating_add(data.slices.reserve);
    let now = data.core.accounts.clock().now();
    let outcome = data.core.accounts.check();
    if outcome.is_ok() && total >= required {
        if let Some(begin) = begin {
            data.slices.size = next_size(data.slices.size, now.since(begin));
        }
        let slice = data.slices.size.max(required).min(total);
        data.slices.reserve = total - slice;
        let _ = store.set_fuel(slice);
        return Ok(now);
    }
    data.slices.reserve = 0;
    let _ = store.set_fuel(total);
    Err(outcome.err().unwrap_or(Fault::OutOfFuel))
}

/// A slice that would have lasted as long as slices should, approached in bounded steps.
fn next_size(size: u64, lasted: Duration) -> u64 {
    let lasted = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX).max(1);
    let ideal = u128::from(size) * AIM.as_nanos() / u128::from(lasted);
    let ideal = u64::try_from(ideal).unwrap_or(u64::MAX);
    ideal.clamp(size / 64, size * 4).clamp(SMALLEST, LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_approach_their_aim_and_stay_in_bounds() {
        assert_eq!(next_size(1 << 16, AIM), 1 << 16);
        assert_eq!(next_size(1 << 16, AIM / 2), 1 << 17);
        assert_eq!(next_size(1 << 16, Duration::ZERO), 1 << 18);
        assert_eq!(next_size(LARGEST, Duration::ZERO), LARGEST);
        assert_eq!(next_size(1 << 20, Duration::from_secs(100)), 1 << 14);
        assert_eq!(next_size(SMALLEST, Duration::MAX), SMALLEST);
    }
}
