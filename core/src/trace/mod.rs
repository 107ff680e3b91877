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
    /// Whether the guest's own stack, which compilers keep in linear memory, had reached into what is below it: an access out of
    /// bounds may come from there. It is recognised where the first global is the stack pointer and the stack is the first
    /// thing in memory, or behind the data and these end at an exported `__data_end`.
    pub is_own_stack_exceeded: bool,
}

/// Where a guest's own stack in linear memory ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnStack {
    /// At first.
    pub(crate) top: u32,
    /// Now.
    pub(crate) now: u32,
    /// What the guest says about the end of its data.
    pub(crate) data_end: Option<u32>,
}

impl OwnStack {
    pub(crate) fn is_exceeded(self) -> bool {
        let Self { top, now, data_end } = self;
        // It grows downwards.
        let has_wrapped = top.cast_signed() >= 0 && now.cast_signed() < 0;
        has_wrapped || data_end.is_some_and(|end| now < end && end <= top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_ends_at_zero_or_at_the_data() {
        let is_exceeded = |top, now, data_end| OwnStack { top, now, data_end }.is_exceeded();
        assert!(is_exceeded(65_536, 0xffff_fff0, Some(70_000)));
        assert!(is_exceeded(1_114_112, 1_000, Some(2_000)));
        assert!(!is_exceeded(65_536, 16, Some(70_000)));
        assert!(!is_exceeded(65_536, 16, None));
        assert!(!is_exceeded(1_114_112, 2_000, Some(2_000)));
    }
}
