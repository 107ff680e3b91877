//! The cost table: the one of `metering = exact`. A change of it changes [`COST_VERSION`], and with it the fingerprint
//! of every policy.

use wasmparser::Operator;

use crate::admit::BodyShape;

/// Version of the cost table.
pub const COST_VERSION: u64 = 1;

/// Bytes that a bulk-memory operator moves per unit of fuel, and bytes that `memory.grow` adds. A growth that is refused
/// costs nothing beyond its operator.
pub const BYTES_PER_UNIT: u64 = 1 << BULK_SHIFT;
/// log2 of [`BYTES_PER_UNIT`].
pub(super) const BULK_SHIFT: u32 = 4;

/// Stack cells of a frame beyond its locals and operands: what an engine keeps for itself.
pub const FRAME_CELLS: u64 = 8;

/// Operators of a body per further stack cell: values that an optimising engine may keep alive across the body although
/// the guest does not.
const OPERATORS_PER_CELL: u64 = 8;

/// Stack cells per unit of fuel at function entry: an interpreter clears them.
const CELLS_PER_UNIT: i64 = 16;

/// What an operator costs, beyond what depends on its operands.
pub(super) fn operator(operator: &Operator<'_>) -> i64 {
    match operator {
        Operator::Nop
        | Operator::Drop
        | Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::Unreachable
        | Operator::Return
        | Operator::Else
        | Operator::End => 0,
        _ => 1,
    }
}

/// Stack cells of a function's frame. `locals` counts its locals, `vectors` those of them that are 16 bytes.
pub(super) fn frame_cells(locals: u64, vectors: u64, shape: BodyShape) -> i64 {
    // A vector that is kept alive takes two cells.
    let kept = u64::from(shape.operators) / OPERATORS_PER_CELL * if shape.has_vectors { 2 } else { 1 };
    // A sum of sizes of one body, far below the type's end.
    (locals + vectors + u64::from(shape.height) + FRAME_CELLS + kept).cast_signed()
}

/// Fuel for entering a function.
pub(super) fn entry(frame_cells: i64) -> i64 {
    1 + frame_cells / CELLS_PER_UNIT
}
