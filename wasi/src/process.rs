//! The process: it ends, and does nothing else.

use crate::{
    call::{Call, Outcome, Stop},
    errno::Errno,
};

pub(crate) fn proc_exit(_call: &mut Call<'_>, code: u32) -> Outcome {
    Err(Stop::Exit(code))
}

/// There are no signals.
pub(crate) fn proc_raise(_call: &mut Call<'_>, _signal: u32) -> Outcome {
    Err(Errno::Notsup.into())
}

/// There is nobody to yield to.
pub(crate) fn sched_yield(_call: &mut Call<'_>, (): ()) -> Outcome {
    Ok(())
}
