use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs what takes long without holding up the other tasks of this worker thread, where the runtime has others.
pub(crate) fn blocking<R>(run: impl FnOnce() -> R) -> R {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(run),
        _ => run(),
    }
}
