//! The steps around a guest, shared by all backends: the ABI check, bytes in and out, typed calls, poisoning and
//! reports.

mod abi;
mod bytes;
mod guest;
#[cfg(feature = "json")]
mod json;
mod last_words;
mod load;
mod memory;
mod numbers;
mod session;
mod slots;
mod trace;
mod traced;

pub use abi::ABI_FUEL;
pub use guest::Guest;
#[cfg(feature = "json")]
pub use json::{Json, JsonError};
pub use last_words::ERROR;
pub use load::{Linked, Loader, Module, Plugin};
pub use session::{Session, TypedFunc};
pub use traced::{Recorded, Traced};

use alloc::vec::Vec;

use crate::verdict::Report;

/// The result of a byte call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The guest's bytes.
    pub bytes: Vec<u8>,
    /// What was used.
    pub report: Report,
}
