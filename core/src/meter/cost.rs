//! The cost table: the one of `metering = exact`. A change of it changes [`COST_VERSION`], and with it the fingerprint
//! of every policy.

use wasmparser::Operator;

use crate::admit::{BodyShape, KEPT_PER_CELL};

/// Version of the cost table.
pub const COST_VERSION: u64 = 2;

/// Bytes that a bulk-memory operator moves per unit of fuel, and bytes that `memory.grow` adds. A growth that is refused
/// costs nothing beyond its operator.
pub const BYTES_PER_UNIT: u64 = 1 << BULK_SHIFT;
/// log2 of [`BYTES_PER_UNIT`].
pub(super) const BULK_SHIFT: u32 = 4;

/// Stack cells of a frame beyond its locals and operands: what an engine keeps for itself.
pub const FRAME_CELLS: u64 = 8;

/// Stack cells per unit of fuel at function entry: an interpreter clears them.
const CELLS_PER_UNIT: i64 = 16;

/// Operators that may make a constant per unit of fuel at function entry: an interpreter copies the constants of a
/// function at each call.
const CONSTANTS_PER_UNIT: i64 = 32;

/// Locals per unit of fuel at a branch: an engine may have to move them all on the way.
const LOCALS_PER_UNIT: u32 = 64;

/// What an operator of a function with so many locals costs, beyond what depends on its operands. The numbers above 1 are operators for which an engine calls
/// its runtime: the time per unit of each is in `docs/metering.md`.
pub(super) fn operator(operator: &Operator<'_>, locals: u32) -> i32 {
    use Operator as O;
    match operator {
        O::Nop | O::Drop | O::Block { .. } | O::Unreachable | O::Return | O::Else | O::End => 0,
        O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::If { .. } => {
            1 + (locals / LOCALS_PER_UNIT).cast_signed()
        }
        O::RefFunc { .. } => 8,
        O::MemoryGrow { .. } | O::TableGrow { .. } => 4,
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => 2,
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } | O::ElemDrop { .. } => 2,
        O::Call { .. } | O::CallIndirect { .. } | O::ReturnCall { .. } | O::ReturnCallIndirect { .. } => 2,
        _ => 1,
    }
}

/// Stack cells of a function's frame. `vectors` counts those of its locals that are 16 bytes.
pub(super) fn frame_cells(vectors: u64, shape: BodyShape) -> i64 {
    let kept = u64::from(shape.kept.div_ceil(KEPT_PER_CELL));
    // A sum of sizes of one body, far below the type's end.
    (u64::from(shape.locals) + vectors + u64::from(shape.height) + FRAME_CELLS + kept).cast_signed()
}

/// Fuel for entering a function.
pub(super) fn entry(frame_cells: i64, shape: BodyShape) -> i64 {
    1 + frame_cells / CELLS_PER_UNIT + i64::from(shape.constants) / CONSTANTS_PER_UNIT
}
