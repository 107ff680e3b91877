//! Objects that do not belong together, and statements that are not so.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "compiles what another policy admitted",
        "objects.policy",
        &[lie("mod.rs", r#"check_same("policy", admitted.policy(), self.policy)?"#, "()")],
    ),
    Saboteur::new(
        "links imports that the module was not admitted with",
        "objects.imports",
        &[lie("mod.rs", r#"check_same("imports", module.offered, imports.offered.fingerprint())?"#, "()")],
    ),
    Saboteur::new(
        "makes instances of another sandbox's modules",
        "objects.engine",
        &[lie("mod.rs", r#"check_same("policy", linked.policy, self.policy)"#, "Ok(())")],
    ),
    Saboteur::new(
        "states as enforced what the engine does not do",
        "admission.proposal.memory64",
        &[lie(
            "mod.rs",
            r#"[[Enforcement::Unsupported { reason: "wasmi 1.1 panics when a 64-bit memory with a large maximum grows" }]]"#,
            "Enforcement::Enforced",
        )],
    ),
    Saboteur::new(
        "states as enforced what it does not count",
        "limits.fuel.uncounted",
        &[lie(
            "mod.rs",
            r#"Enforcement::Unsupported { reason: "this backend counts by the guest's counters only" }"#,
            "Enforcement::Enforced",
        )],
    ),
    Saboteur::new(
        "states as unsupported what every backend must do",
        "readback.mandatory",
        &[lie(
            "mod.rs",
            "            ) => [[Enforcement::Enforced]]",
            r#"match field {
                Field::Cancel => Enforcement::Unsupported { reason: "not today" },
                _ => Enforcement::Enforced,
            }"#,
        )],
    ),
    Saboteur::new(
        "refuses a policy of which it stated to enforce everything",
        "readback.construction",
        &[lie(
            "mod.rs",
            "config: [[config(policy)]]",
            r#"if policy.rules().proposals.contains(Proposal::RelaxedSimd) {
                return Err(PolicyError::NotEnforceable { backend: Self::ID, field: "relaxed-simd", reason: "not today" });
            }
            config(policy)"#,
        )],
    ),
    Saboteur::new(
        "compiles less than was admitted",
        "admission.proposal.bulk-memory",
        &[lie("mod.rs", "config.wasm_bulk_memory([[allows(Proposal::BulkMemory)]])", "false")],
    ),
    Saboteur::new(
        "refuses modules that are smaller than the policy allows",
        "admission.cap.bytes",
        &[lie(
            "mod.rs",
            r#"check_same("policy", admitted.policy(), self.policy)?"#,
            r#"if admitted.bytes().len() > 1 << 20 {
                return Err(panicked("too large".to_owned()));
            }"#,
        )],
    ),
    Saboteur::new(
        "compiles when a function is called",
        "admission.eager",
        &[lie("mod.rs", "config.compilation_mode([[CompilationMode::Eager]])", "CompilationMode::Lazy")],
    ),
];
