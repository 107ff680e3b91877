//! One suite that tests every backend against the contract of [`hotcell_core::backend`].
//!
//! A [`Check`] has a stable id, the sentence of the contract that it proves, and a generic function that returns what
//! is wrong. A backend's whole test file is
//!
//! ```ignore
//! fn main() {
//!     hotcell_conformance::test::<MyBackend>();
//! }
//! ```
//!
//! with `harness = false`; a program runs the same list through a [`Suite`] and gets a [`Report`].
//!
//! Nothing is skipped. A check of a capability that the backend states as unsupported proves that a policy which
//! requires it is refused. A known defect is declared as a [`Deviation`]; its check runs, and must fail as declared.

#![forbid(unsafe_code)]

mod backend_under_test;
mod check;
mod checks;
mod failure;
mod fixture;
mod front;
pub mod guests;
mod hostile;
pub mod modules;
mod report;
#[cfg(feature = "spec-suite")]
pub mod spec;
mod suite;
mod tally;

pub use backend_under_test::BackendUnderTest;
pub use check::{Check, Need, Outcome};
pub use checks::messages;
pub use failure::Failure;
pub use front::{test, test_with};
pub use report::{Counts, Entry, Report, Verdict};
pub use suite::{Deviation, Suite};
