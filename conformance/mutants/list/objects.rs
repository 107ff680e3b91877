//! What a backend states, and what its engine compiles.

use hotcell_core::{Enforcement, Field, PolicyError, Proposal};
use wasmi::CompilationMode;

use super::{ALL, Mutant, SeqCst, broken};

/// States that its engine counts. That it does, but nobody gives it fuel or asks what is left.
const fn counting(name: &'static str, caught_by: &'static str) -> Mutant {
    Mutant::new(name, caught_by)
        .enforcement(|field, stated| match field {
            Field::EngineMetering | Field::EngineStackBytes => Enforcement::Enforced,
            _ => stated,
        })
        .config(|config| _ = config.consume_fuel(true))
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("gives its engine another number each time", "objects.same_policy")
        .engine(|_| ALL.fetch_add(1, SeqCst)),
    Mutant::new("states as enforced what the engine does not do", "admission.proposal.memory64").enforcement(
        |field, stated| match field {
            Field::Proposal(Proposal::Memory64) => Enforcement::Enforced,
            _ => stated,
        },
    ),
    counting("states as enforced what it does not count", "readback.engine"),
    counting("counts where nobody asks for a count", "limits.fuel.uncounted"),
    Mutant::new("states as unsupported what every backend must do", "readback.mandatory").enforcement(
        |field, stated| match field {
            Field::Cancel => Enforcement::Unsupported { reason: "not today" },
            _ => stated,
        },
    ),
    Mutant::new("refuses a policy of which it stated to enforce everything", "readback.construction").policy(
        |policy| match policy.rules().proposals.contains(Proposal::RelaxedSimd) {
            true => Err(PolicyError::NotEnforceable { backend: "custom", field: "relaxed-simd", reason: "not today" }),
            false => Ok(()),
        },
    ),
    Mutant::new("compiles less than was admitted", "admission.proposal.bulk-memory")
        .config(|config| _ = config.wasm_bulk_memory(false)),
    Mutant::new("refuses modules that are smaller than the policy allows", "admission.cap.bytes")
        .compile(|admitted, _| if admitted.bytes().len() > 1 << 20 { Err(broken()) } else { Ok(()) }),
    Mutant::new("compiles when a function is called", "admission.eager")
        .config(|config| _ = config.compilation_mode(CompilationMode::Lazy)),
];
