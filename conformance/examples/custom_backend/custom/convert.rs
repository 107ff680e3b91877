//! Between wasmi's values, traps and errors, and ours.

use std::fmt;

use hotcell_core::{BackendError, Fault, SandboxBackend, TrapKind, ValType, Value, backend::HostStop};
use wasmi::{
    Error, F32, F64, Func, Ref, TrapCode, V128, Val,
    errors::{ErrorKind, HostError, InstantiationError, TableError},
};

use super::Custom;

pub(super) fn to_val(value: Value) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(V128::from(bits)),
        // A function that crossed the host boundary does not come back: only null is ever passed in.
        Value::NullFuncRef | Value::FuncRef => Val::FuncRef(Ref::<Func>::Null),
    }
}

/// `None` for reference types that no policy allows.
pub(super) fn from_val(value: &Val) -> Option<Value> {
    Some(match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(func) if func.is_null() => Value::NullFuncRef,
        Val::FuncRef(_) => Value::FuncRef,
        Val::ExternRef(_) => return None,
    })
}

/// A type of ours. No policy allows other references.
pub(super) fn wasm_type(ty: ValType) -> wasmi::ValType {
    match ty {
        ValType::I32 => wasmi::ValType::I32,
        ValType::I64 => wasmi::ValType::I64,
        ValType::F32 => wasmi::ValType::F32,
        ValType::F64 => wasmi::ValType::F64,
        ValType::V128 => wasmi::ValType::V128,
        ValType::FuncRef | ValType::OtherRef => wasmi::ValType::FuncRef,
    }
}

/// What a stopped host function gives to the engine: no trap of a guest can be taken for it.
#[derive(Debug)]
struct Marker(HostStop);

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HostError for Marker {}

pub(super) fn stop(stop: HostStop) -> Error {
    Error::host(Marker(stop))
}

/// The verdict on a call that the engine ended, or on an instance that it did not make.
pub(super) fn fault(error: Error) -> Fault {
    guest_fault(&error).unwrap_or_else(|| backend_error(error).into())
}

fn guest_fault(error: &Error) -> Option<Fault> {
    let kind = match error.kind() {
        // Two traps that the engine reports without a trap code.
        ErrorKind::Table(TableError::CopyOutOfBounds)
        | ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => TrapKind::TableOutOfBounds,
        kind => match kind.as_trap_code()? {
            TrapCode::UnreachableCodeReached => TrapKind::Unreachable,
            TrapCode::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
            TrapCode::TableOutOfBounds => TrapKind::TableOutOfBounds,
            TrapCode::IndirectCallToNull => TrapKind::IndirectCallToNull,
            TrapCode::BadSignature => TrapKind::BadSignature,
            TrapCode::IntegerOverflow => TrapKind::IntegerOverflow,
            TrapCode::IntegerDivisionByZero => TrapKind::IntegerDivisionByZero,
            TrapCode::BadConversionToInteger => TrapKind::BadConversionToInteger,
            TrapCode::StackOverflow => return Some(Fault::StackOverflow),
            // The engine counts no fuel, and a refused growth is -1.
            TrapCode::OutOfFuel | TrapCode::GrowthOperationLimited => return None,
        },
    };
    Some(Fault::Trap(kind))
}

pub(super) fn backend_error(error: Error) -> BackendError {
    BackendError::Engine { backend: Custom::ID, source: Box::new(error) }
}

pub(super) fn panicked(message: String) -> BackendError {
    BackendError::Engine { backend: Custom::ID, source: message.into() }
}
