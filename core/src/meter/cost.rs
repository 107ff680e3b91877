//! The cost table of `metering = exact`. Changing it changes [`COST_VERSION`](crate::policy::COST_VERSION), and so the
//! fingerprint of every policy.

use wasmparser::Operator;

use crate::admit::{BodyShape, KEPT_PER_CELL};

/// Bytes per unit of fuel that a bulk-memory operator moves or `memory.grow` adds. A refused growth costs only its
/// operator.
pub const BYTES_PER_UNIT: u64 = 1 << BULK_SHIFT;
/// log2 of [`BYTES_PER_UNIT`].
pub(super) const BULK_SHIFT: u32 = 4;

/// Stack cells of a frame besides its locals and operands: what an engine keeps for itself.
pub const FRAME_CELLS: u64 = 8;

/// Stack cells per unit of fuel at function entry: an interpreter clears them.
const CELLS_PER_UNIT: i64 = 16;

/// Operators that may make a constant per unit of fuel at function entry: an interpreter copies the constants of a
/// function at each call.
const CONSTANTS_PER_UNIT: i64 = 32;

/// Locals per unit of fuel at a branch or a join: an engine may have to move all of them.
const LOCALS_PER_UNIT: u32 = 16;

/// Fuel after which a straight run is split and fuel checked: a quarter of a slice.
pub(super) const LONG_RUN: i32 = 1 << 13;

/// Cost of an operator in a function with so many locals, without the part that depends on operands. Costs above 1 are
/// for operators for which an engine calls its runtime: `docs/metering.md` has the time per unit of each.
pub(super) fn operator(operator: &Operator<'_>, locals: u32) -> i32 {
    use Operator as O;
    match operator {
        O::Nop | O::Drop | O::Block { .. } | O::End | O::Unreachable | O::Return => 0,
        O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::If { .. } | O::Else | O::Loop { .. } => edge(locals),
        O::RefFunc { .. } | O::MemoryGrow { .. } | O::TableGrow { .. } => 8,
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => 2,
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } | O::ElemDrop { .. } => 2,
        O::Call { .. } | O::CallIndirect { .. } | O::ReturnCall { .. } | O::ReturnCallIndirect { .. } => 2,
        // Slow for subnormal numbers, and for vectors once for each lane.
        O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt => 2,
        O::F32x4Div | O::F64x2Div | O::F32x4Sqrt | O::F64x2Sqrt => 4,
        O::F32x4RelaxedMadd | O::F32x4RelaxedNmadd | O::F64x2RelaxedMadd | O::F64x2RelaxedNmadd => 4,
        _ => 1,
    }
}

/// Cost of going on elsewhere, and of falling into a join: an engine may have to move every local.
pub(super) fn edge(locals: u32) -> i32 {
    1 + (locals / LOCALS_PER_UNIT).cast_signed()
}

/// Stack cells of a function's frame. `vectors` is the number of its locals that have 16 bytes.
pub(super) fn frame_cells(vectors: u64, shape: BodyShape) -> i64 {
    let kept = u64::from(shape.kept.div_ceil(KEPT_PER_CELL));
    // A sum of sizes of one body, far below the maximum of the type.
    (u64::from(shape.locals) + vectors + u64::from(shape.height) + FRAME_CELLS + kept).cast_signed()
}

/// Fuel for entering a function.
pub(super) fn entry(frame_cells: i64, shape: BodyShape) -> i64 {
    1 + frame_cells / CELLS_PER_UNIT + i64::from(shape.constants) / CONSTANTS_PER_UNIT
}
