use alloc::sync::Arc;
use core::{
    ops::Deref,
    sync::atomic::{AtomicU32, Ordering},
};

use super::numbers;
use crate::verdict::Fault;

/// Counts live instances, up to the embedder's limit.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    taken: AtomicU32,
    allowed: u32,
    backend: &'static str,
}

impl Slots {
    pub(super) fn new(allowed: u32, backend: &'static str) -> Self {
        numbers::slots(backend, allowed.into());
        Self(Arc::new(Counted { taken: AtomicU32::default(), allowed, backend }))
    }

    /// Takes a slot, without waiting.
    fn take(&self) -> Result<(), Fault> {
        let Counted { taken, allowed, backend } = &*self.0;
        let allowed = *allowed;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < allowed).then_some(taken + 1))
            .map(|_| numbers::instances(backend, 1.0))
            .map_err(|_| Fault::Busy { allowed })
    }

    fn give_back(&self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        numbers::instances(self.0.backend, -1.0);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        numbers::slots(self.backend, -f64::from(self.allowed));
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
        let slots = Arc::new(Slots::new(2, "test"));
        let first = Slot::take(&slots).unwrap();
        let _second = Slot::take(&slots).unwrap();
        assert_eq!(Slot::take(&slots).unwrap_err().code(), "busy");
        drop(first);
        Slot::take(&slots).unwrap();
        Slot::take(&Arc::new(Slots::new(0, "test"))).unwrap_err();
    }
}
