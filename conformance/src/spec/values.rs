//! The values of scripts: arguments, and patterns that results must match.

use hotcell_core::Value;
use wast::{
    WastArg, WastRet,
    core::{AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore},
    token::{F32, F64},
};

const EXPONENT32: u32 = 0x7f80_0000;
const QUIET32: u32 = 0x0040_0000;
const EXPONENT64: u64 = 0x7ff0_0000_0000_0000;
const QUIET64: u64 = 0x0008_0000_0000_0000;

/// `None` for an argument that cannot be passed to a guest.
pub(crate) fn argument(arg: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(arg) = arg else { return None };
    Some(match arg {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(ty) if is_func(ty) => Value::NullFuncRef,
        _ => return None,
    })
}

/// Whether results match what a script expects.
pub(crate) fn all_match(results: &[Value], expected: &[WastRet<'_>]) -> bool {
    results.len() == expected.len() && results.iter().zip(expected).all(|(value, expected)| matches(*value, expected))
}

fn matches(value: Value, expected: &WastRet<'_>) -> bool {
    match expected {
        WastRet::Core(expected) => matches_core(value, expected),
        _ => false,
    }
}

fn matches_core(value: Value, expected: &WastRetCore<'_>) -> bool {
    match (value, expected) {
        (value, WastRetCore::Either(cases)) => cases.iter().any(|case| matches_core(value, case)),
        (Value::I32(value), WastRetCore::I32(expected)) => value == *expected,
        (Value::I64(value), WastRetCore::I64(expected)) => value == *expected,
        (Value::F32(bits), WastRetCore::F32(expected)) => matches_f32(bits, expected),
        (Value::F64(bits), WastRetCore::F64(expected)) => matches_f64(bits, expected),
        (Value::V128(bits), WastRetCore::V128(expected)) => matches_v128(bits, expected),
        (Value::NullFuncRef, WastRetCore::RefNull(ty)) => ty.as_ref().is_none_or(is_func),
        (Value::FuncRef, WastRetCore::RefFunc(None)) => true,
        _ => false,
    }
}

fn is_func(ty: &HeapType<'_>) -> bool {
    matches!(ty, HeapType::Abstract { shared: false, ty: AbstractHeapType::Func })
}

fn matches_f32(bits: u32, expected: &NanPattern<F32>) -> bool {
    const CANONICAL: u32 = EXPONENT32 | QUIET32;
    match expected {
        NanPattern::CanonicalNan => bits & !(1 << 31) == CANONICAL,
        NanPattern::ArithmeticNan => bits & CANONICAL == CANONICAL,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn matches_f64(bits: u64, expected: &NanPattern<F64>) -> bool {
    const CANONICAL: u64 = EXPONENT64 | QUIET64;
    match expected {
        NanPattern::CanonicalNan => bits & !(1 << 63) == CANONICAL,
        NanPattern::ArithmeticNan => bits & CANONICAL == CANONICAL,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn matches_v128(bits: u128, expected: &V128Pattern) -> bool {
    match expected {
        V128Pattern::I8x16(expected) => (0..16).all(|lane| bits_of(bits, lane, 8) as i8 == expected[lane]),
        V128Pattern::I16x8(expected) => (0..8).all(|lane| bits_of(bits, lane, 16) as i16 == expected[lane]),
        V128Pattern::I32x4(expected) => (0..4).all(|lane| bits_of(bits, lane, 32) as i32 == expected[lane]),
        V128Pattern::I64x2(expected) => (0..2).all(|lane| bits_of(bits, lane, 64) as i64 == expected[lane]),
        V128Pattern::F32x4(expected) => (0..4).all(|lane| matches_f32(bits_of(bits, lane, 32) as u32, &expected[lane])),
        V128Pattern::F64x2(expected) => (0..2).all(|lane| matches_f64(bits_of(bits, lane, 64) as u64, &expected[lane])),
    }
}

/// A vector with one of its lanes shifted to the lowest bits.
fn bits_of(vector: u128, lane: usize, width: usize) -> u128 {
    vector >> (lane * width)
}
