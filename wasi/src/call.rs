//! One call of a function, and what it costs.

use core::time::Duration;

use hotcell_core::backend::Streams;

use crate::{errno::Errno, memory::Memory, state::State};

/// Fuel of any call: what it takes to come here and back. The worst operators take 40 ns for a unit of fuel, a call that does
/// nothing takes up to 200.
const CALL: u64 = 16;
/// Bytes that are moved for one unit, as for the bulk operators.
const MOVED: u64 = 16;
/// Fuel of a byte of a path: two are a directory to look into.
const PATH_BYTE: u64 = 2;

/// What a function works on.
pub(crate) struct Call<'a> {
    pub(crate) memory: Memory<'a>,
    pub(crate) state: &'a mut State,
    pub(crate) streams: &'a mut Streams,
    pub(crate) fuel: Fuel,
}

/// How a function ends. Whatever it says, what it has spent is charged.
pub(crate) type Outcome = Result<(), Stop>;

/// Why a function ends with something else than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The guest gets an error code.
    Errno(Errno),
    /// It has spent more fuel than there is.
    OutOfFuel,
    /// The guest wants to end.
    Exit(u32),
    /// The guest wants to sleep, and then gets success.
    Sleep(Duration),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// The fuel that a call spends, each time before it does what it pays for.
#[derive(Debug)]
pub(crate) struct Fuel {
    /// `None` where nobody counts.
    left: Option<u64>,
    spent: u64,
}

impl Fuel {
    /// For a call, when the guest has `left`.
    pub(crate) fn new(left: Option<u64>) -> Self {
        Self { left, spent: CALL }
    }

    /// What was spent.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// Spends `units`.
    pub(crate) fn spend(&mut self, units: u64) -> Outcome {
        self.spent = self.spent.saturating_add(units);
        match self.left {
            Some(left) if self.spent > left => Err(Stop::OutOfFuel),
            _ => Ok(()),
        }
    }

    /// Spends what it costs to move `bytes`, or to fill them with zeros.
    pub(crate) fn spend_moving(&mut self, bytes: u64) -> Outcome {
        self.spend(bytes.div_ceil(MOVED))
    }

    /// Spends what it costs to follow a path of `bytes`.
    pub(crate) fn spend_following(&mut self, bytes: u64) -> Outcome {
        self.spend(bytes * PATH_BYTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_ends() {
        let mut fuel = Fuel::new(Some(CALL + 3));
        assert_eq!(fuel.spend_moving(33), Ok(()));
        assert_eq!(fuel.spend(1), Err(Stop::OutOfFuel));
        assert_eq!(fuel.spent(), CALL + 4);
        assert_eq!(fuel.spend(u64::MAX), Err(Stop::OutOfFuel));
        assert_eq!(fuel.spent(), u64::MAX);
        assert_eq!(Fuel::new(Some(0)).spend(0), Err(Stop::OutOfFuel));
        assert_eq!(Fuel::new(None).spend(u64::MAX), Ok(()));
    }
}
