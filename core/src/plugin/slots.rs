use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::verdict::Fault;

/// Counts the instances that exist, against the embedder's number.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    taken: Arc<AtomicU32>,
    allowed: u32,
}

impl Slots {
    pub(super) fn new(allowed: u32) -> Self {
        Self { taken: Arc::default(), allowed }
    }

    /// Takes a slot, without waiting.
    pub(super) fn take(&self) -> Result<Slot, Fault> {
        let allowed = self.allowed;
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < allowed).then_some(taken + 1))
            .map(|_| Slot(self.taken.clone()))
            .map_err(|_| Fault::Busy { allowed })
    }
}

/// Room for one instance; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<AtomicU32>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_is_busy_until_one_is_given_back() {
        let slots = Slots::new(2);
        let first = slots.take().unwrap();
        let _second = slots.take().unwrap();
        assert_eq!(slots.take().unwrap_err().code(), "busy");
        drop(first);
        slots.take().unwrap();
        Slots::new(0).take().unwrap_err();
    }
}
