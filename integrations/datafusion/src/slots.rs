use std::{sync::Arc, time::Duration};

use hotcell::CancelToken;
use parking_lot::{Condvar, Mutex};

/// How often a caller that waits looks whether it still should.
const LOOK: Duration = Duration::from_millis(5);

/// Places for instances.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Mutex<u32>,
    freed: Condvar,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Slots {
    pub(crate) fn new(slots: u32) -> Self {
        Self { free: Mutex::new(slots), freed: Condvar::new() }
    }

    /// A place, if one is free.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut free = self.free.lock();
        *free = free.checked_sub(1)?;
        Some(Slot(self.clone()))
    }

    /// A place; waits for one, unless cancelled.
    pub(crate) fn wait(self: &Arc<Self>, cancel: &CancelToken) -> Option<Slot> {
        let mut free = self.free.lock();
        while *free == 0 {
            if cancel.is_cancelled() {
                return None;
            }
            self.freed.wait_for(&mut free, LOOK);
        }
        *free -= 1;
        Some(Slot(self.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_waits_until_a_slot_is_given_back_or_it_is_cancelled() {
        let slots = Arc::new(Slots::new(1));
        let first = slots.take().unwrap();
        assert!(slots.take().is_none());

        let (other, cancel) = (slots.clone(), CancelToken::new());
        let waiting = {
            let cancel = cancel.clone();
            std::thread::spawn(move || other.wait(&cancel).is_some())
        };
        drop(first);
        assert!(waiting.join().unwrap());

        let _second = slots.take().unwrap();
        cancel.cancel();
        assert!(slots.wait(&cancel).is_none());
    }
}
