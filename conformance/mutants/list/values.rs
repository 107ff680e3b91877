//! Values that cross the host boundary, and the memory behind it.

use hotcell_core::meter::START;

use super::{Fault, Mutant, Side, Value};

/// Shows a memory as large as most guests declare it.
fn as_declared(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(1 << 16)]
}

/// A NaN that signals becomes one that does not.
pub(super) fn quiet(value: Value) -> Value {
    match value {
        Value::F32(bits) if f32::from_bits(bits).is_nan() => Value::F32(bits | 1 << 22),
        value => value,
    }
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("loses the sign of an argument", "values.numbers").invoke(|call| {
        call.arguments(|value| match value {
            Value::I32(number) => Value::I32(number.wrapping_abs()),
            value => value,
        })
    }),
    Mutant::new("loses the upper half of an argument", "values.numbers").invoke(|call| {
        call.arguments(|value| match value {
            Value::I64(number) => Value::I64(i64::from(number as i32)),
            value => value,
        })
    }),
    Mutant::new("quiets NaNs", "values.numbers").invoke(|call| call.results(quiet)),
    Mutant::new("loses the sign of zero", "spec.wasm-v1.f64")
        .invoke(|call| call.arguments(|value| if value == Value::F64(1 << 63) { Value::F64(0) } else { value })),
    Mutant::new("loses the highest bit of a result", "values.typed").invoke(|call| {
        call.results(|value| match value {
            Value::I32(number) => Value::I32(number & i32::MAX),
            value => value,
        })
    }),
    Mutant::new("turns the halves of a vector", "values.vectors").invoke(|call| {
        call.results(|value| match value {
            Value::V128(bits) => Value::V128(bits.rotate_left(64)),
            value => value,
        })
    }),
    Mutant::new("takes every function for null", "values.references")
        .invoke(|call| call.results(|value| if value == Value::FuncRef { Value::NullFuncRef } else { value })),
    Mutant::new("passes arguments from last to first", "values.order").invoke(|call| call.reversed()),
    Mutant::new("gives results from last to first", "values.order")
        .invoke(|call| call.run().map(|()| call.results.reverse())),
    Mutant::new("leaves results as they were", "values.order")
        .invoke(|call| call.results(|value| Value::zero(value.ty()))),
    Mutant::new("reads every global as zero", "values.globals").global(|_, value| value.map(|_| Value::I32(0))),
    Mutant::new("hides every global that is named like the counters", "values.hidden_globals")
        .global(|export, value| value.filter(|_| !export.starts_with("__hotcell_"))),
    Mutant::new("hides every function that is named like the start function", "values.hidden_functions").invoke(
        |call| match call.name != START && call.name.eq_ignore_ascii_case(START) {
            true => Err(Fault::NoSuchExport { export: call.name.to_owned() }),
            false => call.run(),
        },
    ),
    Mutant::new("hides the last byte of the memory from a reply", "bytes.reply")
        .memory(|bytes| &bytes[..bytes.len().saturating_sub(1)]),
    Mutant::new("shows a memory as large as it was before it grew", "values.bulk").memory(as_declared),
    Mutant::new("writes an input only where the memory was before it grew", "bytes.alloc_grows").memory_mut(
        |side, bytes| {
            let shown = if side == Side::Outside { bytes.len().min(1 << 16) } else { bytes.len() };
            &mut bytes[..shown]
        },
    ),
    Mutant::new("reads a reply only where the memory was before it grew", "hostile.155-process-grows-then-returns")
        .memory(as_declared),
];
