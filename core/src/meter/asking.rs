//! Functions through which the guest asks the host for fuel.
//!
//! A call of a function of the module is shorter than one of an import, and a body has such a call at every entry and
//! every loop.

use alloc::vec::Vec;

use wasm_encoder::InstructionSink;

use super::{body::Written, emit::Counters};
use crate::{admit::FuncType, value::ValType::I64};

/// Number of these functions.
pub(super) const FUNCTIONS: usize = 2;

/// Their types, in the order of their indices.
pub(super) fn types() -> [FuncType; FUNCTIONS] {
    let at_entry = FuncType { params: [I64, I64].to_vec(), results: [I64].to_vec() };
    [FuncType::default(), at_entry]
}

/// Their bodies.
pub(super) fn bodies(counters: Counters) -> [Written; FUNCTIONS] {
    [ask(counters), ask_at_entry(counters)]
}

/// Asks within a body: the remaining fuel is in the global of the stack counter, there and back. The stack counter is
/// not below zero: it was checked at function entry.
fn ask(counters: Counters) -> Written {
    let mut out = Vec::new();
    InstructionSink::new(&mut out).i64_const(0).call(counters.refill).end();
    Written::new(&[], &[], &out, Vec::new())
}

/// Asks at function entry: takes the remaining fuel and stack, and returns the fuel.
fn ask_at_entry(counters: Counters) -> Written {
    let mut out = Vec::new();
    let sink = &mut InstructionSink::new(&mut out);
    sink.local_get(0).global_set(counters.stack);
    sink.local_get(1).call(counters.refill).global_get(counters.stack).end();
    Written::new(&[], &[], &out, Vec::new())
}
