//! When to look at the clock after a host function: a read of the clock costs as much as the call.

/// The tick at which a store last looked. Where nothing ticks, it is always time to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    #[cfg(feature = "std")]
    seen: Option<u64>,
}

#[cfg(feature = "std")]
mod ticking {
    use super::Ticks;
    use crate::ticker;

    impl Ticks {
        /// For stores whose calls may be interrupted, or not.
        #[inline]
        pub(in super::super) fn new(is_interruptible: bool) -> Self {
            Self { seen: (is_interruptible && ticker::start()).then(ticker::ticks) }
        }

        /// An operation begins.
        #[inline]
        pub(in super::super) fn begin(self) {
            if self.seen.is_some() {
                ticker::request();
            }
        }

        /// Whether there was a tick since the store last looked; it then looks now.
        #[inline]
        pub(in super::super) fn have_passed(&mut self) -> bool {
            let Some(seen) = &mut self.seen else {
                return true;
            };
            let ticks = ticker::ticks();
            let passed = *seen != ticks;
            if passed {
                *seen = ticks;
                ticker::request();
            }
            passed
        }
    }
}

#[cfg(not(feature = "std"))]
impl Ticks {
    /// For stores whose calls may be interrupted, or not.
    pub(super) fn new(_is_interruptible: bool) -> Self {
        Self {}
    }

    /// An operation begins.
    pub(super) fn begin(self) {}

    /// Whether there was a tick since the store last looked.
    pub(super) fn have_passed(&mut self) -> bool {
        true
    }
}
