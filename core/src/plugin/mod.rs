//! What happens around a guest, written once for every backend: the ABI check, bytes in and out, typed calls, poison
//! and report.

mod abi;
mod bytes;
mod load;
mod session;
mod slots;
mod trace;

pub use abi::ABI_FUEL;
pub use load::{Linked, Loader, Module, Plugin};
pub use session::{Session, TypedFunc};

use alloc::vec::Vec;

use crate::verdict::Report;

/// What a byte call gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The guest's bytes.
    pub bytes: Vec<u8>,
    /// What was used.
    pub report: Report,
}
