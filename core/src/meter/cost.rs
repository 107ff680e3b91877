//! The cost table: the one of `metering = exact`. A change of it changes
//! [`COST_VERSION`](crate::policy::COST_VERSION), and with it the fingerprint
//! of every policy.

use wasmparser::Operator;

use crate::admit::{BodyShape, KEPT_PER_CELL};

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

/// Locals per unit of fuel where control goes on elsewhere, or comes together: an engine may have to move them all on the
/// way.
const LOCALS_PER_UNIT: u32 = 16;

/// [Parts](speculated) per unit of fuel at the entry of a loop.
const SPECULATED_PER_UNIT: u32 = 16;

/// Fuel of a straight run after which it is cut, and fuel checked: a sixteenth of a slice.
pub(super) const LONG_RUN: i32 = 1 << 13;

/// What an operator of a function with so many locals costs, beyond what depends on its operands. The numbers above 1 are
/// operators for which an engine calls its runtime: the time per unit of each is in `docs/metering.md`.
pub(super) fn operator(operator: &Operator<'_>, locals: u32) -> i32 {
    use Operator as O;
    match operator {
        O::Nop | O::Drop | O::Block { .. } | O::Unreachable | O::Return => 0,
        O::Else | O::End => (locals / LOCALS_PER_UNIT).cast_signed(),
        O::Br { .. } | O::BrIf { .. } | O::BrTable { .. } | O::If { .. } | O::Loop { .. } => {
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

/// How dear an operator is that a compiler moves in front of a loop, where it runs whether the loop comes to it or not. Only
/// what neither traps nor sees memory is moved, but where an operator accesses memory its address is, too.
pub(super) fn speculated(operator: &Operator<'_>, opcode: u8) -> u32 {
    use Operator as O;
    match opcode {
        0xfc => match operator {
            O::MemoryInit { .. } | O::MemoryCopy { .. } | O::MemoryFill { .. } | O::DataDrop { .. } => 0,
            O::TableInit { .. } | O::TableCopy { .. } | O::TableFill { .. } | O::ElemDrop { .. } => 0,
            O::TableGrow { .. } | O::TableSize { .. } => 0,
            // Conversions that saturate, and wide arithmetic.
            _ => 8,
        },
        // Arithmetic of floats, and conversions; vectors.
        0x8b..=0xa6 | 0xa8..=0xab | 0xae..=0xbf | 0xfd => 8,
        // `select`, loads and stores, numeric operators, references.
        0x1b | 0x1c | 0x23 | 0x25 | 0x26 | 0x28..=0x3e | 0x45..=0xc4 | 0xd1 => 1,
        _ => 0,
    }
}

/// Fuel at the entry of a loop for so many parts that are not in its first run: what is in that, each round pays for.
pub(super) fn loop_entry(parts: u32) -> i32 {
    (parts / SPECULATED_PER_UNIT).cast_signed()
}
