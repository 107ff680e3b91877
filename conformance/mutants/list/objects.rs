//! Objects that do not belong together, and statements that are not so.

use super::{Mutant, mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "compiles what another policy admitted",
        "objects.policy",
        &[mutation("mod.rs", r#"check_same("policy", admitted.policy(), self.policy)?"#, "()")],
    ),
    Mutant::new(
        "links imports that the module was not admitted with",
        "objects.imports",
        &[mutation("mod.rs", r#"check_same("imports", module.offered, imports.offered.fingerprint())?"#, "()")],
    ),
    Mutant::new(
        "makes instances of another sandbox's modules",
        "objects.engine",
        &[mutation("mod.rs", r#"check_same("policy", linked.policy, self.policy)"#, "Ok(())")],
    ),
    Mutant::new(
        "states as enforced what the engine does not do",
        "admission.proposal.memory64",
        &[mutation(
            "mod.rs",
            r#"[[Enforcement::Unsupported { reason: "wasmi 1.1 panics when a 64-bit memory with a large maximum grows" }]]"#,
            "Enforcement::Enforced",
        )],
    ),
    Mutant::new(
        "states as enforced what it does not count",
        "limits.fuel.uncounted",
        &[mutation(
            "mod.rs",
            r#"Enforcement::Unsupported { reason: "this backend counts by the guest's counters only" }"#,
            "Enforcement::Enforced",
        )],
    ),
    Mutant::new(
        "states as unsupported what every backend must do",
        "readback.mandatory",
        &[mutation(
            "mod.rs",
            "            ) => [[Enforcement::Enforced]]",
            r#"match field {
                Field::Cancel => Enforcement::Unsupported { reason: "not today" },
                _ => Enforcement::Enforced,
            }"#,
        )],
    ),
    Mutant::new(
        "refuses a policy of which it stated to enforce everything",
        "readback.construction",
        &[mutation(
            "mod.rs",
            "config: [[config(policy)]]",
            r#"if policy.rules().proposals.contains(Proposal::RelaxedSimd) {
                return Err(PolicyError::NotEnforceable { backend: Self::ID, field: "relaxed-simd", reason: "not today" });
            }
            config(policy)"#,
        )],
    ),
    Mutant::new(
        "compiles less than was admitted",
        "admission.proposal.bulk-memory",
        &[mutation("mod.rs", "config.wasm_bulk_memory([[allows(Proposal::BulkMemory)]])", "false")],
    ),
    Mutant::new(
        "refuses modules that are smaller than the policy allows",
        "admission.cap.bytes",
        &[mutation(
            "mod.rs",
            r#"check_same("policy", admitted.policy(), self.policy)?"#,
            r#"if admitted.bytes().len() > 1 << 20 {
                return Err(panicked("too large".to_owned()));
            }"#,
        )],
    ),
    Mutant::new(
        "compiles when a function is called",
        "admission.eager",
        &[mutation("mod.rs", "config.compilation_mode([[CompilationMode::Eager]])", "CompilationMode::Lazy")],
    ),
];
