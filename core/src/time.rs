//! Time and cancellation, in a form that a target without an operating system can supply.

use alloc::sync::Arc;
use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// A point in time of a [`Clock`], in nanoseconds from an origin that the clock chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The point `duration` later; saturates.
    #[must_use]
    #[inline]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(duration)))
    }

    /// The time since `earlier`; zero when `earlier` is later.
    #[inline]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates.
#[inline]
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

/// A monotonic clock.
///
/// # Behavior
///
/// * `now` must never go backwards, and must go forwards while a guest runs.
/// * It must be callable from any thread on which guests run, at any time.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Instant;

    /// Whether no time passes on it. A policy with a deadline is refused then.
    fn stands_still(&self) -> bool {
        false
    }
}

/// No clock, for a host that has none: all reports say that no time passed, and no policy may have a deadline.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Instant {
        Instant(0)
    }

    fn stands_still(&self) -> bool {
        true
    }
}

/// The operating system's monotonic clock. wasm32-unknown-unknown has none.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
#[derive(Debug)]
pub struct SystemClock(std::time::Instant);

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl SystemClock {
    /// A clock whose origin is the current time.
    pub fn new() -> Self {
        Self(std::time::Instant::now())
    }
}

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant(nanoseconds(self.0.elapsed()))
    }
}

/// Ends one call from another thread. Clones share the flag; once cancelled, it stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that has not been cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the calls that carry this token, and no others. They return [`Fault::Cancelled`](crate::Fault::Cancelled)
    /// within milliseconds, or when the host function that they are in returns.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`CancelToken::cancel`] was called.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
