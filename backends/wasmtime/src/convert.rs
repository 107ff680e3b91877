//! Between wasmtime's values, traps and errors, and ours.

use hotcell_core::{BackendError, Fault, TrapKind, ValType, Value, backend::HostStop};
use wasmtime::{PoolConcurrencyLimitError, Trap, Val};

use crate::ID;

pub(crate) fn to_val(value: Value) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bits) => Val::V128(bits.into()),
        // A function that crossed the host boundary does not come back: only null is ever passed in.
        Value::NullFuncRef | Value::FuncRef => Val::FuncRef(None),
    }
}

/// `None` for reference types that no policy allows.
pub(crate) fn from_val(value: Val) -> Option<Value> {
    Some(match value {
        Val::I32(value) => Value::I32(value),
        Val::I64(value) => Value::I64(value),
        Val::F32(bits) => Value::F32(bits),
        Val::F64(bits) => Value::F64(bits),
        Val::V128(bits) => Value::V128(bits.into()),
        Val::FuncRef(None) => Value::NullFuncRef,
        Val::FuncRef(Some(_)) => Value::FuncRef,
        _ => return None,
    })
}

/// A type of ours. No policy allows other references.
pub(crate) fn wasm_type(ty: ValType) -> wasmtime::ValType {
    match ty {
        ValType::I32 => wasmtime::ValType::I32,
        ValType::I64 => wasmtime::ValType::I64,
        ValType::F32 => wasmtime::ValType::F32,
        ValType::F64 => wasmtime::ValType::F64,
        ValType::V128 => wasmtime::ValType::V128,
        ValType::FuncRef | ValType::OtherRef => wasmtime::ValType::FUNCREF,
    }
}

pub(crate) fn zero(ty: ValType) -> Val {
    to_val(Value::zero(ty))
}

/// Makes the engine unwind.
#[cold]
pub(crate) fn stop(stop: HostStop) -> wasmtime::Error {
    wasmtime::Error::new(stop)
}

/// The verdict on a call that the engine ended, or on an instance that it did not make.
#[cold]
pub(crate) fn fault(error: wasmtime::Error) -> Fault {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap_fault(*trap).unwrap_or_else(|| backend_error(error).into()),
        // Core knows how many.
        None if error.is::<PoolConcurrencyLimitError>() => Fault::Busy { allowed: 0 },
        None => backend_error(error).into(),
    }
}

pub(crate) fn backend_error(error: wasmtime::Error) -> BackendError {
    BackendError::Engine { backend: ID, source: error.into_boxed_dyn_error() }
}

/// `None` for traps that no admitted module can raise.
fn trap_fault(trap: Trap) -> Option<Fault> {
    Some(match trap {
        Trap::StackOverflow => Fault::StackOverflow,
        Trap::OutOfFuel => Fault::OutOfFuel,
        Trap::Interrupt => Fault::DeadlineExceeded,
        Trap::UnreachableCodeReached => Fault::Trap(TrapKind::Unreachable),
        Trap::MemoryOutOfBounds => Fault::Trap(TrapKind::MemoryOutOfBounds),
        Trap::TableOutOfBounds => Fault::Trap(TrapKind::TableOutOfBounds),
        Trap::IndirectCallToNull => Fault::Trap(TrapKind::IndirectCallToNull),
        Trap::BadSignature => Fault::Trap(TrapKind::BadSignature),
        Trap::IntegerOverflow => Fault::Trap(TrapKind::IntegerOverflow),
        Trap::IntegerDivisionByZero => Fault::Trap(TrapKind::IntegerDivisionByZero),
        Trap::BadConversionToInteger => Fault::Trap(TrapKind::BadConversionToInteger),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every trap of the pinned engine: the first ones are a guest's, the rest belongs to proposals that no policy
    /// allows. Encoded as the engine encodes them, so a new trap fails here.
    #[test]
    fn every_trap_of_the_engine_is_decided() {
        const NEVER: &[Trap] = &[Trap::HeapMisaligned, Trap::AtomicWaitNonSharedMemory, Trap::NullReference];
        let mut decided = 0;
        for byte in 0..=u8::MAX {
            let Some(trap) = Trap::from_u8(byte) else { continue };
            let is_guests = trap_fault(trap).is_some();
            assert_eq!(is_guests, byte <= Trap::OutOfFuel as u8 && trap != Trap::HeapMisaligned, "{trap:?}");
            assert!(!(is_guests && NEVER.contains(&trap)), "{trap:?}");
            decided += 1;
        }
        assert_eq!(decided, KNOWN_TRAPS, "the engine has other traps than when this table was written");
    }

    /// Number of traps of wasmtime 48.
    const KNOWN_TRAPS: usize = 50;
}
