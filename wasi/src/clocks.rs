//! The clocks: one that only the guest moves, or the host's.

use core::time::Duration;

use crate::{
    call::{Call, Outcome},
    config::Time,
    errno::Errno,
};

/// Nanoseconds by which each reading moves the virtual clock; so that a guest which waits for a time to pass gets there, and
/// so that the clock is never at zero, for which some runtimes stop.
const STEP: u64 = 1_000;

/// Which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockId {
    /// Since 1970.
    Realtime,
    /// Since the instance began. The clocks of the process and the thread show the same: how long the host's processor was
    /// at work is nothing that a guest learns.
    Monotonic,
}

impl TryFrom<u32> for ClockId {
    type Error = Errno;

    fn try_from(id: u32) -> Result<Self, Errno> {
        match id {
            0 => Ok(Self::Realtime),
            1..=3 => Ok(Self::Monotonic),
            _ => Err(Errno::Inval),
        }
    }
}

/// The clocks of one instance.
pub(crate) enum Clocks {
    /// Time passes when the guest looks at it, or sleeps.
    Virtual {
        /// Since 1970, when the instance began.
        start: u64,
        /// Since then.
        elapsed: u64,
    },
    /// The host's.
    #[cfg(feature = "std")]
    Host {
        /// When the instance began.
        start: std::time::Instant,
    },
}

impl Clocks {
    pub(crate) fn new(time: Time) -> Self {
        match time {
            Time::Virtual { start } => Self::Virtual { start, elapsed: 0 },
            #[cfg(feature = "std")]
            Time::Host => Self::Host { start: std::time::Instant::now() },
        }
    }

    /// The time, in nanoseconds.
    pub(crate) fn now(&self, clock: ClockId) -> u64 {
        match (self, clock) {
            (Self::Virtual { start, elapsed }, ClockId::Realtime) => start.saturating_add(*elapsed),
            (Self::Virtual { elapsed, .. }, ClockId::Monotonic) => *elapsed,
            #[cfg(feature = "std")]
            (Self::Host { .. }, ClockId::Realtime) => {
                nanoseconds(std::time::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO))
            }
            #[cfg(feature = "std")]
            (Self::Host { start }, ClockId::Monotonic) => nanoseconds(start.elapsed()),
        }
    }

    /// The guest looks at the clock.
    fn read(&mut self, clock: ClockId) -> u64 {
        match self {
            Self::Virtual { .. } => self.pass(STEP),
            #[cfg(feature = "std")]
            Self::Host { .. } => None,
        };
        self.now(clock)
    }

    /// Lets time pass. `Some` where the host has to wait for that.
    pub(crate) fn pass(&mut self, nanoseconds: u64) -> Option<Duration> {
        match self {
            Self::Virtual { elapsed, .. } => {
                *elapsed = elapsed.saturating_add(nanoseconds);
                None
            }
            #[cfg(feature = "std")]
            Self::Host { .. } => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    fn resolution(&self) -> u64 {
        match self {
            Self::Virtual { .. } => STEP,
            #[cfg(feature = "std")]
            Self::Host { .. } => 1,
        }
    }
}

/// Saturates.
#[cfg(feature = "std")]
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn clock_res_get(call: &mut Call<'_>, (id, out): (u32, u32)) -> Outcome {
    ClockId::try_from(id)?;
    call.memory.put(out, &call.state.clocks.resolution().to_le_bytes())?;
    Ok(())
}

pub(crate) fn clock_time_get(call: &mut Call<'_>, (id, _precision, out): (u32, u64, u32)) -> Outcome {
    let id = ClockId::try_from(id)?;
    call.memory.check(out, 8)?;
    let now = call.state.clocks.read(id);
    call.memory.put(out, &now.to_le_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{WasiConfig, testing::Guest};

    #[test]
    fn the_virtual_clock_moves_when_it_is_read() {
        let mut guest = Guest::new(WasiConfig::sandbox().virtual_clock(5_000_000));
        for (id, expected) in [(1, 1_000), (0, 5_002_000), (2, 3_000), (3, 4_000)] {
            assert_eq!(guest.errno(clock_time_get, (id, 0, 0)), 0);
            assert_eq!(guest.u64(0), expected);
        }
        assert_eq!(guest.errno(clock_res_get, (1, 0)), 0);
        assert_eq!(guest.u64(0), 1_000);
        assert_eq!(guest.errno(clock_time_get, (4, 0, 0)), Errno::Inval as u16);
        assert_eq!(guest.errno(clock_res_get, (4, 0)), Errno::Inval as u16);
    }

    #[test]
    fn the_virtual_clock_ends() {
        let mut clocks = Clocks::new(Time::Virtual { start: 7 });
        clocks.pass(u64::MAX);
        assert_eq!((clocks.read(ClockId::Realtime), clocks.read(ClockId::Monotonic)), (u64::MAX, u64::MAX));
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_hosts_clock_is_the_hosts() {
        let clocks = Clocks::new(Time::Host);
        let since_2020 = clocks.now(ClockId::Realtime) / 1_000_000_000;
        assert!(since_2020 > 1_577_836_800, "{since_2020}");
        assert!(clocks.now(ClockId::Monotonic) <= clocks.now(ClockId::Monotonic));
    }
}
