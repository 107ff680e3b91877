//! The list.

mod fuel;
mod isolation;
mod memory;
pub(crate) mod readback;

use crate::{Check, Subject};

/// Every check, family by family.
pub(crate) fn all<B: Subject>() -> Vec<Check> {
    [fuel::checks::<B>(), memory::checks::<B>(), isolation::checks::<B>(), readback::checks::<B>()]
        .into_iter()
        .flatten()
        .collect()
}
