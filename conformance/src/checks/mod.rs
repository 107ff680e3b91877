//! The list.

mod abi;
mod admission;
mod arming;
mod bulk;
mod busy;
mod bytes;
mod cancel;
mod counters;
mod deadline;
#[cfg(target_os = "linux")]
mod flat;
mod fuel;
mod guests;
mod hidden;
mod host;
mod isolation;
mod kinds;
mod memory;
pub mod messages;
mod neighbours;
mod objects;
pub(crate) mod readback;
mod reentry;
mod signatures;
mod stack;
mod steps;
mod traps;
mod values;
mod wasi;

use crate::{BackendUnderTest, Check, hostile};

/// Every check, family by family.
pub(crate) fn all<B: BackendUnderTest>() -> Vec<Check> {
    [
        admission::checks::<B>(),
        fuel::checks::<B>(),
        stack::checks::<B>(),
        counters::checks::<B>(),
        memory::checks::<B>(),
        bulk::checks::<B>(),
        deadline::checks::<B>(),
        cancel::checks::<B>(),
        arming::checks::<B>(),
        abi::checks::<B>(),
        bytes::checks::<B>(),
        traps::checks::<B>(),
        values::checks::<B>(),
        hidden::checks::<B>(),
        host::checks::<B>(),
        steps::checks::<B>(),
        wasi::checks::<B>(),
        reentry::checks::<B>(),
        signatures::checks::<B>(),
        kinds::checks::<B>(),
        guests::checks::<B>(),
        isolation::checks::<B>(),
        neighbours::checks::<B>(),
        busy::checks::<B>(),
        #[cfg(target_os = "linux")]
        flat::checks::<B>(),
        objects::checks::<B>(),
        messages::checks::<B>(),
        readback::checks::<B>(),
        hostile::checks::<B>(),
        #[cfg(feature = "spec-suite")]
        crate::spec::checks::<B>(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
