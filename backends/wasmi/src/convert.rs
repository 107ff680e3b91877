//! Between wasmi's values, traps and errors, and ours.

use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use core::fmt;

use hotcell_core::{BackendError, Fault, TrapKind, ValType, Value, backend::HostStop};
use wasmi::{
    Error, F32, F64, Func, Ref, TrapCode, V128, Val,
    errors::{ErrorKind, HostError, InstantiationError, TableError},
};

use crate::ID;

pub(crate) fn to_val(value: Value) -> Val {
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
pub(crate) fn from_val(value: &Val) -> Option<Value> {
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
pub(crate) fn wasm_type(ty: ValType) -> wasmi::ValType {
    match ty {
        ValType::I32 => wasmi::ValType::I32,
        ValType::I64 => wasmi::ValType::I64,
        ValType::F32 => wasmi::ValType::F32,
        ValType::F64 => wasmi::ValType::F64,
        ValType::V128 => wasmi::ValType::V128,
        ValType::FuncRef | ValType::OtherRef => wasmi::ValType::FuncRef,
    }
}

/// What a stopped host function gives to the engine: the fault itself is parked in the store.
#[derive(Debug)]
struct Marker(HostStop);

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HostError for Marker {}

#[cold]
pub(crate) fn stop(stop: HostStop) -> Error {
    Error::host(Marker(stop))
}

/// The verdict on what the engine did.
pub(crate) fn verdict<R>(outcome: Result<Result<R, Error>, String>) -> Result<R, Fault> {
    outcome.map_err(engine_panic)?.map_err(|error| fault(&error))
}

/// The verdict on a call that the engine ended, or on an instance that it did not make.
#[cold]
pub(crate) fn fault(error: &Error) -> Fault {
    guest_fault(error).unwrap_or_else(|| engine_panic(error.to_string()))
}

/// A host function stopped the call, and core knows why.
#[cold]
pub(crate) fn stopped() -> Fault {
    BackendError::Engine { backend: ID, source: Box::new(HostStop) }.into()
}

fn guest_fault(error: &Error) -> Option<Fault> {
    let kind = match error.kind() {
        // Two traps that the engine reports without a trap code.
        ErrorKind::Table(TableError::CopyOutOfBounds)
        | ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => TrapKind::TableOutOfBounds,
        kind => return Some(trap_fault(kind.as_trap_code()?)),
    };
    Some(Fault::Trap(kind))
}

fn trap_fault(code: TrapCode) -> Fault {
    match code {
        TrapCode::UnreachableCodeReached => Fault::Trap(TrapKind::Unreachable),
        TrapCode::MemoryOutOfBounds => Fault::Trap(TrapKind::MemoryOutOfBounds),
        TrapCode::TableOutOfBounds => Fault::Trap(TrapKind::TableOutOfBounds),
        TrapCode::IndirectCallToNull => Fault::Trap(TrapKind::IndirectCallToNull),
        TrapCode::BadSignature => Fault::Trap(TrapKind::BadSignature),
        TrapCode::IntegerOverflow => Fault::Trap(TrapKind::IntegerOverflow),
        TrapCode::IntegerDivisionByZero => Fault::Trap(TrapKind::IntegerDivisionByZero),
        TrapCode::BadConversionToInteger => Fault::Trap(TrapKind::BadConversionToInteger),
        TrapCode::StackOverflow => Fault::StackOverflow,
        TrapCode::OutOfFuel => Fault::OutOfFuel,
        TrapCode::GrowthOperationLimited => Fault::Trap(TrapKind::MemoryOutOfBounds),
    }
}

pub(crate) fn backend_error(error: Error) -> BackendError {
    BackendError::Engine { backend: ID, source: Box::new(error) }
}

#[cold]
pub(crate) fn engine_panic(message: String) -> Fault {
    BackendError::Engine { backend: ID, source: message.into() }.into()
}
