//! The cost table, from the document.

use wasmparser::Operator;

/// Every operator costs 1, but for these.
pub(super) fn operator(operator: &Operator<'_>) -> u64 {
    use Operator::{
        Block, Call, CallIndirect, Drop, Else, End, MemoryCopy, MemoryFill, MemoryGrow, Nop, Return, Unreachable,
    };
    match operator {
        Nop | Drop | Block { .. } | Unreachable | Return | Else | End => 0,
        MemoryFill { .. } | MemoryCopy { .. } | Call { .. } | CallIndirect { .. } => 2,
        MemoryGrow { .. } => 4,
        _ => 1,
    }
}

/// Entering a function: 1, 1 for every 16 cells of its frame, and 1 for every 32 operators that may make a constant.
pub(super) fn entry(cells: i64, constants: u64) -> i64 {
    1 + cells / 16 + (constants / 32).cast_signed()
}

/// Bulk operators, and a growth that succeeds: 1 for every 16 bytes.
pub(super) fn bytes(bytes: u64) -> i64 {
    (bytes / 16).cast_signed()
}

/// A frame has a cell for each local, one for each operand at its highest, 8 for what an engine keeps, and one for every 24
/// parts that it may keep for the operators of the body. (Vectors, which take more, are not known here.)
pub(super) fn frame(locals: u64, height: u64, kept: u64) -> i64 {
    (locals + height + 8 + kept.div_ceil(24)).cast_signed()
}

/// For the operators of a body, the parts that an engine may keep, and how many may make a constant.
pub(super) fn kept(operators: &[Operator<'_>], imported: usize) -> (u64, u64) {
    use Operator as O;
    let (mut parts, mut constants) = (0, 0);
    let mut open = Vec::new();
    for operator in operators {
        let in_loop = open.contains(&true);
        // Outside of loops, and inside.
        let (outside, inside, may_be_constant) = match operator {
            O::I32Const { .. } | O::I64Const { .. } | O::GlobalGet { .. } => (3, 9, true),
            O::Call { function_index } if (*function_index as usize) < imported => (9, 17, false),
            O::CallIndirect { .. } => (9, 17, false),
            O::Select | O::MemorySize { .. } => (5, 9, true),
            operator if is_numeric(operator) => (5, 9, true),
            _ => (1, 1, false),
        };
        parts += if in_loop { inside } else { outside };
        constants += u64::from(may_be_constant);
        match operator {
            O::Block { .. } | O::If { .. } => open.push(false),
            O::Loop { .. } => open.push(true),
            O::End => drop(open.pop()),
            _ => {}
        }
    }
    (parts, constants)
}

/// Whether an operator computes on integers alone.
fn is_numeric(operator: &Operator<'_>) -> bool {
    let name = format!("{operator:?}");
    let is_access = name.contains("Load") || name.contains("Store");
    (name.starts_with("I32") || name.starts_with("I64")) && !is_access
}
