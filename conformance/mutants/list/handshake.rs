//! The version that a guest speaks.

use super::{Mutant, Value};

const VERSION: &str = "__hotcell_abi_version";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("answers the version question for the guest", "abi.range")
        .invoke(|call| if call.name == VERSION { call.results(|_| Value::I32(1)) } else { call.run() }),
    Mutant::new("finds no version export", "abi.range").export(|name| name != VERSION),
];
