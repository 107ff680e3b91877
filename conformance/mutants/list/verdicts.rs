//! Traps, faults and panics.

use super::{Mutant, mutation};

const FAULT_WAS_PARKED: &str = "return parked";
const TYPED_CALL_ENDS: &str = "outcome.unwrap_or_else(|panic| Err(panicked(panic).into()))";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "swallows a trap",
        "traps.call",
        &[mutation(
            "store.rs",
            "catch_panic(|| call_values(self.store.as_context_mut(), func, export, params))",
            "catch_panic(|| match call_values(self.store.as_context_mut(), func, export, params) {
                Err(Fault::Trap(_)) => Ok(Vec::new()),
                outcome => outcome,
            })",
        )],
    ),
    Mutant::new(
        "takes one trap for another",
        "traps.entry",
        &[mutation(
            "convert.rs",
            "TrapCode::IntegerOverflow => [[TrapKind::IntegerOverflow]]",
            "TrapKind::IntegerDivisionByZero",
        )],
    ),
    Mutant::new(
        "takes the end of a table for the end of a memory",
        "traps.bulk",
        &[mutation(
            "convert.rs",
            "TrapCode::TableOutOfBounds => [[TrapKind::TableOutOfBounds]]",
            "TrapKind::MemoryOutOfBounds",
        )],
    ),
    Mutant::new(
        "does not know a trap without a code",
        "traps.segments",
        &[mutation(
            "convert.rs",
            "InstantiationError::ElementSegmentDoesNotFit { .. }) => [[TrapKind::TableOutOfBounds]]",
            "return None",
        )],
    ),
    Mutant::new(
        "takes what the guest did for its own failure",
        "traps.entry",
        &[mutation(
            "convert.rs",
            "guest_fault(&error).unwrap_or_else(|| backend_error(error).into())",
            "backend_error(error).into()",
        )],
    ),
    Mutant::new(
        "keeps nothing of what a failed instantiation used",
        "traps.segments",
        &[mutation("mod.rs", "let usage = [[armed.usage(Some(armed.fuel_given()))]];", "Default::default()")],
    ),
    Mutant::new(
        "takes a host function's error for a trap",
        "host.error",
        &[mutation(
            "convert.rs",
            FAULT_WAS_PARKED,
            "return match parked {
                Fault::HostFunction { .. } => Fault::Trap(TrapKind::Unreachable),
                other => other,
            }",
        )],
    ),
    Mutant::new(
        "takes a host function's error for the engine's",
        "host.error",
        &[mutation(
            "convert.rs",
            FAULT_WAS_PARKED,
            r#"return match parked {
                Fault::HostFunction { .. } => panicked("a host function failed".to_owned()).into(),
                other => other,
            }"#,
        )],
    ),
    Mutant::new(
        "lets a host function's panic out",
        "host.panic",
        &[mutation(
            "call.rs",
            TYPED_CALL_ENDS,
            r#"match outcome {
                Ok(Err(Fault::HostFunctionPanicked { message })) => panic!("{message}"),
                Ok(outcome) => outcome,
                Err(panic) => Err(panicked(panic).into()),
            }"#,
        )],
    ),
    Mutant::new(
        "is broken after a host function's panic",
        "isolation.panic",
        &[
            mutation(
                "convert.rs",
                FAULT_WAS_PARKED,
                "if let Fault::HostFunctionPanicked { .. } = parked {
                    crate::ALL.store(1, crate::SeqCst);
                }
                return parked",
            ),
            mutation(
                "mod.rs",
                "Accounts::new(budget, &self.options)",
                "assert_eq!(crate::ALL.load(crate::SeqCst), 0);
                Accounts::new(budget, &self.options)",
            ),
        ],
    ),
];
