//! Operations that begin again on something faster, for a backend with several engines.
//!
//! A guest is deterministic: as long as it has called no host function that changes something outside of its instance, nobody
//! can tell a run that is given up and begun again from one that began later, but by the clock.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use super::Accounts;
use crate::verdict::Fault;

/// Whether an operation is to begin again.
#[derive(Default)]
pub(super) struct Superseding {
    /// Core can begin it again: it is the only one of its instance.
    is_possible: bool,
    /// Set when there is something faster.
    ready: Option<Arc<AtomicBool>>,
    has_happened: bool,
    /// Something outside of the instance was changed.
    has_effects: bool,
    /// The operation has happened before, and is to change nothing outside of its instance.
    is_repeated: bool,
    /// It would have.
    was_refused: bool,
}

impl Accounts {
    /// The operation can begin again.
    pub(crate) fn allow_superseding(&mut self) {
        self.superseding.is_possible = true;
    }

    /// Whether the operation can begin again: it is the only one of its instance, and has not begun again yet.
    pub fn can_begin_again(&self) -> bool {
        self.superseding.is_possible
    }

    /// For a backend that instantiates on a slower engine than it will have: once `ready` is set, the operation ends at its
    /// next slice and begins again on a new instance, with the rest of its deadline. Not when a host function was called by
    /// then that changes more than its instance, and not in a session that outlives the operation.
    pub fn supersede_when(&mut self, ready: &Arc<AtomicBool>) {
        self.superseding.ready = self.superseding.is_possible.then(|| ready.clone());
    }

    /// Whether the guest must ask now and then whether to go on, for this reason.
    #[inline]
    pub(super) fn may_be_superseded(&self) -> bool {
        self.superseding.ready.is_some()
    }

    /// Whether the operation ends now, to begin again.
    pub(super) fn is_superseded(&mut self) -> bool {
        let is_ready = self.superseding.ready.as_ref().is_some_and(|ready| ready.load(Ordering::Acquire));
        self.superseding.has_happened = is_ready && !self.superseding.has_effects;
        self.superseding.has_happened
    }

    /// The operation has happened before: it ends where it would change something outside of its instance.
    pub(crate) fn repeat(&mut self) {
        self.superseding.is_repeated = true;
    }

    /// Whether it ended there.
    pub(crate) fn was_refused(&self) -> bool {
        self.superseding.was_refused
    }

    /// A host function is to change something outside of the instance.
    #[inline]
    pub(super) fn begin_effect(&mut self) -> Result<(), Fault> {
        self.superseding.has_effects = true;
        if self.superseding.is_repeated {
            self.superseding.was_refused = true;
            // Nobody sees this fault.
            return Err(Fault::Cancelled);
        }
        Ok(())
    }

    /// Whether the operation ended to begin again.
    pub(crate) fn was_superseded(&self) -> bool {
        self.superseding.has_happened
    }
}
