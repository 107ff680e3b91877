//! What a traced guest did: where it was when it failed, and where its fuel went.
//!
//! A module that is loaded [for tracing](crate::Loader::load_traced) is [rewritten](crate::meter) so that it tells the host of
//! every function that it enters and leaves, and notes where it is. It uses the fuel that it would use otherwise, to the unit,
//! and so ends at the same operator; and as no engine is asked, all of them give the same answer. It is slower, and its code
//! larger.
//!
//! Functions are named by their indices, places by their offsets, in the module as it came.

mod backtrace;
mod profile;
mod recorder;

pub use backtrace::{Backtrace, Frame, Repeated};
pub use profile::{FunctionCost, PathCost, Profile};

pub(crate) use recorder::Recorder;

/// What one operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Where the guest was at the end: within its functions where they failed, otherwise at the end of the last one.
    pub backtrace: Backtrace,
    /// Where the fuel went.
    pub profile: Profile,
}
