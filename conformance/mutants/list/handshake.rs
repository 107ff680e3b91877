//! The version that a guest speaks.

use super::{Mutant, mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "answers the version question for the guest",
        "abi.range",
        &[mutation(
            "call.rs",
            "func.call(store, params)",
            "let mut results = func.call(store, params)?;
            if let Some(version) = (&mut results as &mut dyn std::any::Any).downcast_mut::<u32>() {
                *version = 1;
            }
            Ok(results)",
        )],
    ),
    Mutant::new(
        "finds no version export",
        "abi.range",
        &[mutation(
            "mod.rs",
            "linked.module.get_export(name)",
            r#"linked.module.get_export(name).filter(|_| name != "__hotcell_abi_version")"#,
        )],
    ),
];
