//! Traps, faults and panics.

use super::{Saboteur, lie};

const FAULT_WAS_PARKED: &str = "return parked";
const TYPED_CALL_ENDS: &str = "outcome.unwrap_or_else(|panic| Err(panicked(panic).into()))";

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "swallows a trap",
        "traps.call",
        &[lie(
            "store.rs",
            "catch_panic(|| call_values(self.store.as_context_mut(), func, export, params))",
            "catch_panic(|| match call_values(self.store.as_context_mut(), func, export, params) {
                Err(Fault::Trap(_)) => Ok(Vec::new()),
                outcome => outcome,
            })",
        )],
    ),
    Saboteur::new(
        "takes one trap for another",
        "traps.entry",
        &[lie(
            "convert.rs",
            "TrapCode::IntegerOverflow => [[TrapKind::IntegerOverflow]]",
            "TrapKind::IntegerDivisionByZero",
        )],
    ),
    Saboteur::new(
        "takes the end of a table for the end of a memory",
        "traps.bulk",
        &[lie(
            "convert.rs",
            "TrapCode::TableOutOfBounds => [[TrapKind::TableOutOfBounds]]",
            "TrapKind::MemoryOutOfBounds",
        )],
    ),
    Saboteur::new(
        "does not know a trap without a code",
        "traps.segments",
        &[lie(
            "convert.rs",
            "InstantiationError::ElementSegmentDoesNotFit { .. }) => [[TrapKind::TableOutOfBounds]]",
            "return None",
        )],
    ),
    Saboteur::new(
        "takes what the guest did for its own failure",
        "traps.entry",
        &[lie(
            "convert.rs",
            "guest_fault(&error).unwrap_or_else(|| backend_error(error).into())",
            "backend_error(error).into()",
        )],
    ),
    Saboteur::new(
        "keeps nothing of what a failed instantiation used",
        "traps.segments",
        &[lie("mod.rs", "let usage = [[armed.usage(Some(armed.fuel_given()))]];", "Default::default()")],
    ),
    Saboteur::new(
        "takes a host function's error for a trap",
        "host.error",
        &[lie(
            "convert.rs",
            FAULT_WAS_PARKED,
            "return match parked {
                Fault::HostFunction { .. } => Fault::Trap(TrapKind::Unreachable),
                other => other,
            }",
        )],
    ),
    Saboteur::new(
        "takes a host function's error for the engine's",
        "host.error",
        &[lie(
            "convert.rs",
            FAULT_WAS_PARKED,
            r#"return match parked {
                Fault::HostFunction { .. } => panicked("a host function failed".to_owned()).into(),
                other => other,
            }"#,
        )],
    ),
    Saboteur::new(
        "lets a host function's panic out",
        "host.panic",
        &[lie(
            "call.rs",
            TYPED_CALL_ENDS,
            r#"match outcome {
                Ok(Err(Fault::HostFunctionPanicked { message })) => panic!("{message}"),
                Ok(outcome) => outcome,
                Err(panic) => Err(panicked(panic).into()),
            }"#,
        )],
    ),
    Saboteur::new(
        "is broken after a host function's panic",
        "isolation.panic",
        &[
            lie(
                "convert.rs",
                FAULT_WAS_PARKED,
                "if let Fault::HostFunctionPanicked { .. } = parked {
                    crate::ALL.store(1, crate::SeqCst);
                }
                return parked",
            ),
            lie(
                "mod.rs",
                "Armed::new(budget, &self.options)",
                "assert_eq!(crate::ALL.load(crate::SeqCst), 0);
                Armed::new(budget, &self.options)",
            ),
        ],
    ),
];
