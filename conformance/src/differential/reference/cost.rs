//! The cost table, from the document.

use wasmparser::Operator;

/// Every operator costs 1, but for these.
pub(super) fn operator(operator: &Operator<'_>) -> u64 {
    use Operator::{Block, Drop, Else, End, Loop, Nop, Return, Unreachable};
    match operator {
        Nop | Drop | Block { .. } | Loop { .. } | Unreachable | Return | Else | End => 0,
        _ => 1,
    }
}

/// Entering a function: 1, and 1 for every 16 cells of its frame.
pub(super) fn entry(cells: i64) -> i64 {
    1 + cells / 16
}

/// Bulk operators, and a growth that succeeds: 1 for every 16 bytes.
pub(super) fn bytes(bytes: u64) -> i64 {
    (bytes / 16).cast_signed()
}

/// A frame has a cell for each local, one for each operand at its highest, 8 for what an engine keeps, and one for every 8
/// operators of the body. (Vectors, which take more, are not known here.)
pub(super) fn frame(locals: u64, height: u64, operators: u64) -> i64 {
    (locals + height + 8 + operators / 8).cast_signed()
}
