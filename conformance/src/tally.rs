//! What a check did, counted on the thread that it runs on.

use std::cell::RefCell;

/// The numbers of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) assertions: u64,
    pub(crate) modules: u64,
    pub(crate) notes: Vec<String>,
}

thread_local! {
    static TALLY: RefCell<Tally> = RefCell::default();
}

/// One thing was looked at.
pub(crate) fn assertion() {
    TALLY.with_borrow_mut(|tally| tally.assertions += 1);
}

/// So many things were looked at by somebody else.
#[cfg(feature = "spec-suite")]
pub(crate) fn assertions(count: u64) {
    TALLY.with_borrow_mut(|tally| tally.assertions += count);
}

/// A module was given to the backend.
pub(crate) fn module() {
    TALLY.with_borrow_mut(|tally| tally.modules += 1);
}

/// Something that was measured, for the report.
pub(crate) fn note(text: String) {
    TALLY.with_borrow_mut(|tally| tally.notes.push(text));
}

/// The numbers so far; the next ones begin at zero.
pub(crate) fn take() -> Tally {
    TALLY.take()
}
