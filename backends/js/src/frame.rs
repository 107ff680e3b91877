//! Where values are while they pass between a guest and this module: 16 bytes each. Whoever is entered takes them at once, so
//! one frame is enough for calls within calls.

#![expect(unsafe_code, reason = "adapters write the frame behind Rust's back")]

use std::cell::UnsafeCell;

use hotcell_core::{ValType, Value};

/// Values that a function may have as parameters or results: WebAssembly's own limit in all engines.
const VALUES: usize = 1_000;

struct Frame(UnsafeCell<[u128; VALUES]>);

// SAFETY: the target has no threads.
unsafe impl Sync for Frame {}

static FRAME: Frame = Frame(UnsafeCell::new([0; VALUES]));

/// Where the frame is in this module's memory.
pub(crate) fn address() -> u64 {
    FRAME.0.get() as usize as u64
}

/// Puts values into the frame.
pub(crate) fn put(values: &[Value]) {
    assert!(values.len() <= VALUES, "functions have fewer values");
    for (at, value) in values.iter().enumerate() {
        let bits = match *value {
            Value::I32(value) => value.cast_unsigned().into(),
            Value::I64(value) => value.cast_unsigned().into(),
            Value::F32(bits) => bits.into(),
            Value::F64(bits) => bits.into(),
            Value::V128(bits) => bits,
            Value::NullFuncRef | Value::FuncRef => 1,
        };
        // SAFETY: it is inside of the frame, which nobody else touches meanwhile.
        unsafe { FRAME.0.get().cast::<u128>().add(at).write_volatile(bits) };
    }
}

/// The value of this type at a place of the frame.
#[expect(clippy::cast_possible_truncation, reason = "what is above belongs to an earlier value")]
pub(crate) fn get(at: usize, ty: ValType) -> Value {
    assert!(at < VALUES, "functions have fewer values");
    // SAFETY: it is inside of the frame, which nobody else touches meanwhile.
    let bits = unsafe { FRAME.0.get().cast::<u128>().add(at).read_volatile() };
    match ty {
        ValType::I32 => Value::I32((bits as u32).cast_signed()),
        ValType::I64 => Value::I64((bits as u64).cast_signed()),
        ValType::F32 => Value::F32(bits as u32),
        ValType::F64 => Value::F64(bits as u64),
        ValType::V128 => Value::V128(bits),
        ValType::FuncRef | ValType::OtherRef if bits as u32 == 0 => Value::FuncRef,
        ValType::FuncRef | ValType::OtherRef => Value::NullFuncRef,
    }
}
