//! Counts of what a check did, on the thread that runs it.

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

/// Counts one assertion.
pub(crate) fn assertion() {
    TALLY.with_borrow_mut(|tally| tally.assertions += 1);
}

/// Counts assertions that were made elsewhere.
#[cfg(feature = "spec-suite")]
pub(crate) fn assertions(count: u64) {
    TALLY.with_borrow_mut(|tally| tally.assertions += count);
}

/// Counts a module that the backend got.
pub(crate) fn module() {
    TALLY.with_borrow_mut(|tally| tally.modules += 1);
}

/// Adds a measurement to the report.
pub(crate) fn note(text: String) {
    TALLY.with_borrow_mut(|tally| tally.notes.push(text));
}

/// Returns the counts so far, and resets them to zero.
pub(crate) fn take() -> Tally {
    TALLY.take()
}
