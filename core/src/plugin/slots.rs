use alloc::sync::Arc;
use core::{
    ops::Deref,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::verdict::Fault;

/// Counts live instances, up to the embedder's limit.
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
    fn take(&self) -> Result<(), Fault> {
        let allowed = self.allowed;
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < allowed).then_some(taken + 1))
            .map(drop)
            .map_err(|_| Fault::Busy { allowed })
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsRef<Slots> for Slots {
    fn as_ref(&self) -> &Slots {
        self
    }
}

/// A slot for one instance; keeps `S` alive, and is released when dropped.
#[derive(Debug)]
pub(super) struct Slot<S: AsRef<Slots>>(Arc<S>);

impl<S: AsRef<Slots>> Slot<S> {
    /// Takes one of the slots of `shared`, without waiting.
    pub(super) fn take(shared: &Arc<S>) -> Result<Self, Fault> {
        S::as_ref(shared).take()?;
        Ok(Self(shared.clone()))
    }
}

impl<S: AsRef<Slots>> Deref for Slot<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: AsRef<Slots>> Drop for Slot<S> {
    fn drop(&mut self) {
        S::as_ref(&self.0).give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_is_busy_until_one_is_given_back() {
        let slots = Arc::new(Slots::new(2));
        let first = Slot::take(&slots).unwrap();
        let _second = Slot::take(&slots).unwrap();
        assert_eq!(Slot::take(&slots).unwrap_err().code(), "busy");
        drop(first);
        Slot::take(&slots).unwrap();
        Slot::take(&Arc::new(Slots::new(0))).unwrap_err();
    }
}
