//! Bulk operators in pieces.
//!
//! A bulk operator is charged before it runs. If that makes the counter negative, the guest calls one of the functions
//! written here: it asks the host for fuel, and runs a long operator in pieces, between which the host checks the
//! clock. An operator that is out of bounds is left to the engine, which traps: it costs nothing, whatever its length.

use alloc::vec::Vec;

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::{
    body::Written,
    context::{memory_width, page_size_log2, table_width},
    cost::BULK_SHIFT,
    emit::{Counters, clamp_elements},
    walk::Width,
};
use crate::{
    admit::{Bulk, FuncType, Validated},
    value,
};

/// Bytes of a piece: half of a slice.
const PIECE_BYTES: i64 = 1 << 20;
/// Table elements of a piece: an engine that initialises elements lazily needs a few milliseconds for so many.
const PIECE_ELEMENTS: i64 = 1 << 13;

/// A function that takes the operands of a bulk operator, and returns the remaining count: all of it if the operator
/// will trap, otherwise zero.
pub(super) struct Pieces {
    bulk: Bulk,
    to: Place,
    /// The source of a copy.
    from: Option<Place>,
    count: Width,
    /// Its index.
    pub(super) function: u32,
}

/// A memory or a table.
#[derive(Clone, Copy)]
struct Place {
    index: u32,
    width: Width,
    /// log2 of the page size; `None` for a table.
    page_size_log2: Option<u32>,
}

impl Place {
    fn memory(validated: &Validated, index: u32) -> Self {
        let page_size_log2 = Some(page_size_log2(validated, index));
        Self { index, width: memory_width(validated, index), page_size_log2 }
    }

    fn table(validated: &Validated, index: u32) -> Self {
        Self { index, width: table_width(validated, index), page_size_log2: None }
    }

    /// Pushes its size in bytes or elements as an i64.
    fn size(self, sink: &mut InstructionSink<'_>) {
        match self.page_size_log2 {
            Some(_) => sink.memory_size(self.index),
            None => sink.table_size(self.index),
        };
        extend(sink, self.width);
        if let Some(shift) = self.page_size_log2.filter(|shift| *shift > 0) {
            sink.i64_const(shift.into()).i64_shl();
        }
    }
}

/// Extends an index to i64.
fn extend(sink: &mut InstructionSink<'_>, width: Width) {
    if width == Width::Bits32 {
        sink.i64_extend_i32_u();
    }
}

/// Wraps an i64 to an index.
fn wrap(sink: &mut InstructionSink<'_>, width: Width) {
    if width == Width::Bits32 {
        sink.i32_wrap_i64();
    }
}

/// Locals of the function: its parameters, then its temporaries.
const TO: u32 = 0;
const FROM_OR_VALUE: u32 = 1;
const COUNT: u32 = 2;
const TOTAL: u32 = 3;
const DONE: u32 = 4;
const AT: u32 = 5;
const SIZE: u32 = 6;

impl Pieces {
    pub(super) fn new(bulk: Bulk, validated: &Validated, function: usize) -> Self {
        let (to, from) = match bulk {
            Bulk::MemoryFill { memory } => (Place::memory(validated, memory), None),
            Bulk::MemoryCopy { to, from } => (Place::memory(validated, to), Some(Place::memory(validated, from))),
            Bulk::TableFill { table } => (Place::table(validated, table), None),
            Bulk::TableCopy { to, from } => (Place::table(validated, to), Some(Place::table(validated, from))),
        };
        let count = from.map_or(to.width, |from| to.width.min(from.width));
        Self { bulk, to, from, count, function: u32::try_from(function).unwrap_or(u32::MAX) }
    }

    /// Type of the operand below the count: the source index of a copy, or the value of a fill.
    pub(super) fn second(&self) -> value::ValType {
        match (self.bulk, self.from) {
            (_, Some(from)) => from.width.value_type(),
            (Bulk::TableFill { .. }, None) => value::ValType::FuncRef,
            (_, None) => value::ValType::I32,
        }
    }

    /// Types of the operands below the count.
    pub(super) fn below(&self) -> [value::ValType; 2] {
        [self.to.width.value_type(), self.second()]
    }

    /// Width of the count.
    pub(super) fn count(&self) -> Width {
        self.count
    }

    /// Whether the count is in bytes, not in elements.
    pub(super) fn counts_bytes(&self) -> bool {
        self.to.page_size_log2.is_some()
    }

    pub(super) fn ty(&self) -> FuncType {
        let count = self.count.value_type();
        let [to, second] = self.below();
        FuncType { params: [to, second, count].to_vec(), results: [count].to_vec() }
    }

    /// Writes the function.
    pub(super) fn body(&self, counters: Counters) -> Written {
        let mut out = Vec::new();
        let sink = &mut InstructionSink::new(&mut out);
        sink.local_get(COUNT);
        extend(sink, self.count);
        sink.local_set(TOTAL);

        self.is_outside(sink, TO, self.to);
        if let Some(from) = self.from {
            self.is_outside(sink, FROM_OR_VALUE, from);
            sink.i32_or();
        }
        // Out of bounds: refund the charge.
        sink.if_(BlockType::Empty).global_get(counters.stack);
        self.cost(sink);
        sink.i64_add().global_set(counters.stack).local_get(COUNT).return_().end();

        // The remaining fuel is in the global already.
        sink.i64_const(0).call(counters.refill);
        let piece = if self.counts_bytes() { PIECE_BYTES } else { PIECE_ELEMENTS };
        sink.block(BlockType::Empty).loop_(BlockType::Empty);
        sink.local_get(TOTAL).local_get(DONE).i64_sub().i64_const(piece).i64_le_u().br_if(1);
        self.operator(sink, |sink| {
            sink.i64_const(piece);
        });
        sink.local_get(DONE).i64_const(piece).i64_add().local_set(DONE);
        sink.i64_const(0).call(counters.refill).br(0).end().end();
        self.operator(sink, |sink| {
            sink.local_get(TOTAL).local_get(DONE).i64_sub();
        });
        sink.i64_const(0);
        wrap(sink, self.count);
        sink.end();
        Written::new(&[(4, ValType::I64)], &[], &out, Vec::new())
    }

    /// Pushes whether the operator, whose index is in `operand`, is out of the bounds of `place`.
    fn is_outside(&self, sink: &mut InstructionSink<'_>, operand: u32, place: Place) {
        place.size(sink);
        sink.local_tee(SIZE).local_get(TOTAL).i64_lt_u().local_get(operand);
        extend(sink, place.width);
        sink.local_get(SIZE).local_get(TOTAL).i64_sub().i64_gt_u().i32_or();
    }

    /// Pushes the charge of the whole operator.
    fn cost(&self, sink: &mut InstructionSink<'_>) {
        sink.local_get(TOTAL);
        match self.counts_bytes() {
            true => sink.i64_const(BULK_SHIFT.into()).i64_shr_u(),
            false => clamp_elements(sink, TOTAL),
        };
    }

    /// Runs one piece of `length`: from the end if a copy moves upwards within an object, so that it reads nothing that
    /// it has written.
    fn operator(&self, sink: &mut InstructionSink<'_>, length: impl Fn(&mut InstructionSink<'_>)) {
        sink.local_get(DONE);
        if let Some(from) = self.from {
            sink.local_get(TOTAL).local_get(DONE).i64_sub();
            length(sink);
            sink.i64_sub().local_get(TO);
            extend(sink, self.to.width);
            sink.local_get(FROM_OR_VALUE);
            extend(sink, from.width);
            sink.i64_le_u().select();
        }
        sink.local_set(AT);
        place(sink, TO, self.to.width);
        match self.from {
            Some(from) => place(sink, FROM_OR_VALUE, from.width),
            None => {
                sink.local_get(FROM_OR_VALUE);
            }
        }
        length(sink);
        wrap(sink, self.count);
        match self.bulk {
            Bulk::MemoryFill { memory } => sink.memory_fill(memory),
            Bulk::MemoryCopy { to, from } => sink.memory_copy(to, from),
            Bulk::TableFill { table } => sink.table_fill(table),
            Bulk::TableCopy { to, from } => sink.table_copy(to, from),
        };
    }
}

/// Pushes the index in `operand`, advanced to the piece.
fn place(sink: &mut InstructionSink<'_>, operand: u32, width: Width) {
    sink.local_get(operand).local_get(AT);
    wrap(sink, width);
    match width {
        Width::Bits32 => sink.i32_add(),
        Width::Bits64 => sink.i64_add(),
    };
}
