//! A clock for deadlines, from the timer that every Cortex-M has.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use hotcell_core::{Clock, Instant};

/// Of this board. On another one, take it from the clock tree.
const CYCLES_PER_SECOND: u32 = 25_000_000;
const NANOS_PER_CYCLE: u64 = 1_000_000_000 / CYCLES_PER_SECOND as u64;
/// Cycles from one interrupt to the next: 10 ms. The counter has 24 bits.
const PERIOD: u32 = CYCLES_PER_SECOND / 100;

/// Number of completed periods. At 10 ms each, it overflows after 497 days.
static PERIODS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    PERIODS.fetch_add(1, Ordering::Relaxed);
}

/// The time since the timer was started.
pub(crate) struct SysTickClock(());

impl SysTickClock {
    /// Starts the timer.
    pub(crate) fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(PERIOD - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        Self(())
    }
}

impl Clock for SysTickClock {
    fn now(&self) -> Instant {
        // A period must not end unnoticed between the two reads. Its interrupt is masked here, so a period that ends is
        // pending; the counter is then read again, after the end.
        let (periods, left) = cortex_m::interrupt::free(|_| {
            let periods = PERIODS.load(Ordering::Relaxed);
            let left = SYST::get_current();
            match SCB::is_pendst_pending() {
                true => (periods.wrapping_add(1), SYST::get_current()),
                false => (periods, left),
            }
        });
        // The counter is 0 when a period ends, and then counts down from `PERIOD - 1`.
        let cycles = u64::from(periods) * u64::from(PERIOD) + u64::from((PERIOD - left) % PERIOD);
        Instant(cycles * NANOS_PER_CYCLE)
    }
}
