//! Codes of `engine.js` and our faults.

use std::error::Error;

use hotcell_core::{BackendError, Fault, SandboxBackend, TrapKind};

use crate::{Js, engine};

/// The verdict for a code.
pub(crate) fn fault(code: i32) -> Fault {
    Fault::Trap(match code {
        1 => TrapKind::Unreachable,
        2 => TrapKind::MemoryOutOfBounds,
        3 => TrapKind::TableOutOfBounds,
        4 => TrapKind::IndirectCallToNull,
        5 => TrapKind::BadSignature,
        6 => TrapKind::IntegerOverflow,
        7 => TrapKind::IntegerDivisionByZero,
        8 => TrapKind::BadConversionToInteger,
        9 => return Fault::StackOverflow,
        _ => return backend_error(engine::message()).into(),
    })
}

pub(crate) fn backend_error(source: impl Into<Box<dyn Error + Send + Sync>>) -> BackendError {
    BackendError::Engine { backend: Js::ID, source: source.into() }
}
