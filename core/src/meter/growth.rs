//! Growth of memories and tables.
//!
//! Growth is limited by a budget over all memories and tables, which the host keeps. The guest calls one of the
//! functions written here in place of the operator: it asks the host, grows if permitted, and tells the host if the
//! engine failed.

use alloc::vec::Vec;

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::{
    body::Written,
    context::{encoded, memory_width, table_width},
    walk::Width,
};
use crate::{
    admit::{FuncType, Growth, Validated},
    reserved::GrowthOf,
    value,
};

/// A function that takes the operands of a growth and returns its result.
pub(super) struct Grower {
    growth: Growth,
    width: Width,
    /// Its index.
    pub(super) function: u32,
}

impl Grower {
    pub(super) fn new(growth: Growth, validated: &Validated, function: usize) -> Self {
        let width = match growth {
            Growth::Memory(memory) => memory_width(validated, memory),
            Growth::Table(table) => table_width(validated, table),
        };
        Self { growth, width, function: u32::try_from(function).unwrap_or(u32::MAX) }
    }

    pub(super) fn ty(&self) -> FuncType {
        let width = self.width.value_type();
        let params = match self.growth {
            Growth::Memory(_) => [width].to_vec(),
            Growth::Table(_) => [value::ValType::FuncRef, width].to_vec(),
        };
        FuncType { params, results: [width].to_vec() }
    }

    /// Writes the function, which asks the host by calling `ask`.
    pub(super) fn body(&self, ask: u32) -> Written {
        let object = match self.growth {
            Growth::Memory(memory) => GrowthOf::Memory(memory),
            Growth::Table(table) => GrowthOf::Table(table),
        };
        let delta = match self.growth {
            Growth::Memory(_) => 0,
            Growth::Table(_) => 1,
        };
        let (size, result) = (delta + 1, delta + 2);
        let mut out = Vec::new();
        let sink = &mut InstructionSink::new(&mut out);
        match self.growth {
            Growth::Memory(memory) => sink.memory_size(memory),
            Growth::Table(table) => sink.table_size(table),
        };
        self.extend(sink);
        sink.local_set(size).i32_const(object.encode(false)).local_get(size).local_get(delta);
        self.extend(sink);
        sink.call(ask).if_(BlockType::Result(encoded(self.width.value_type())));
        match self.growth {
            Growth::Memory(memory) => sink.local_get(delta).memory_grow(memory),
            Growth::Table(table) => sink.local_get(0).local_get(delta).table_grow(table),
        };
        sink.local_tee(result);
        self.minus_one(sink);
        match self.width {
            Width::Bits32 => sink.i32_eq(),
            Width::Bits64 => sink.i64_eq(),
        };
        sink.if_(BlockType::Empty);
        sink.i32_const(object.encode(true)).local_get(size).local_get(delta);
        self.extend(sink);
        sink.call(ask).drop().end().local_get(result).else_();
        self.minus_one(sink);
        sink.end().end();
        let locals = [(1, ValType::I64), (1, encoded(self.width.value_type()))];
        Written::new(&locals, &[], &out, Vec::new())
    }

    fn extend(&self, sink: &mut InstructionSink<'_>) {
        if self.width == Width::Bits32 {
            sink.i64_extend_i32_u();
        }
    }

    fn minus_one(&self, sink: &mut InstructionSink<'_>) {
        match self.width {
            Width::Bits32 => sink.i32_const(-1),
            Width::Bits64 => sink.i64_const(-1),
        };
    }
}
