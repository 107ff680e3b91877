//! Traps, faults and panics.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "swallows a trap",
        "traps.call",
        &[lie(
            "store.rs",
            "catch_panic(|| call_values(self.store.as_context_mut(), func, export, params))",
            r"catch_panic(|| match call_values(self.store.as_context_mut(), func, export, params) { Err(Fault::Trap(_)) => Ok(vec![Value::I32(0)]), outcome => outcome })",
        )],
    ),
    Saboteur::new(
        "takes one trap for another",
        "traps.call",
        &[lie(
            "convert.rs",
            "TrapCode::IntegerOverflow => [[TrapKind::IntegerOverflow]]",
            "TrapKind::IntegerDivisionByZero",
        )],
    ),
    Saboteur::new(
        "does not know a trap without a code",
        "traps.call",
        &[lie(
            "convert.rs",
            r"InstantiationError::ElementSegmentDoesNotFit { .. }) => [[TrapKind::TableOutOfBounds]]",
            "return None",
        )],
    ),
    Saboteur::new(
        "takes a host function's error for a trap",
        "host.error",
        &[lie(
            "convert.rs",
            "return parked",
            r"return match parked { Fault::HostFunction { .. } => Fault::Trap(TrapKind::Unreachable), other => other }",
        )],
    ),
    Saboteur::new(
        "takes a host function's error for the engine's",
        "host.error",
        &[lie(
            "convert.rs",
            "store.as_context_mut().data_mut().armed.take_parked()",
            r"store.as_context_mut().data_mut().armed.take_parked().filter(|fault| !matches!(fault, Fault::HostFunction { .. }))",
        )],
    ),
    Saboteur::new(
        "lets a host function's panic out",
        "host.panic",
        &[lie(
            "store.rs",
            "outcome.unwrap_or_else(|panic| Err(convert::panicked(panic).into()))",
            r#"match outcome { Ok(Err(Fault::HostFunctionPanicked { message })) => panic!("{message}"), Ok(outcome) => outcome, Err(panic) => Err(convert::panicked(panic).into()) }"#,
        )],
    ),
    Saboteur::new(
        "is broken after a host function's panic",
        "host.panic",
        &[
            lie(
                "convert.rs",
                "return parked",
                r"if let Fault::HostFunctionPanicked { .. } = parked { crate::ALL.store(1, crate::SeqCst);
                } return parked",
            ),
            lie(
                "mod.rs",
                "Armed::new(budget, self.options.clock.clone())",
                r"assert_eq!(crate::ALL.load(crate::SeqCst), 0);
                Armed::new(budget, self.options.clock.clone())",
            ),
        ],
    ),
    Saboteur::new(
        "keeps nothing of what a failed instantiation used",
        "traps.segments",
        &[lie("mod.rs", "let usage = [[armed.usage(Some(armed.fuel_given()))]];", "Default::default()")],
    ),
];
