//! The cost table, written from the document.

use std::collections::BTreeSet;

use wasmparser::Operator;

use super::{program::Program, runs::arity};

/// Every operator costs 1, with these exceptions.
pub(super) fn operator(operator: &Operator<'_>, locals: usize) -> u64 {
    use Operator::{
        Block, Br, BrIf, BrTable, Call, CallIndirect, Drop, Else, End, If, Loop, MemoryCopy, MemoryFill, MemoryGrow,
        Nop, Return, Unreachable,
    };
    match operator {
        Nop | Drop | Block { .. } | End | Unreachable | Return => 0,
        MemoryFill { .. } | MemoryCopy { .. } | Call { .. } | CallIndirect { .. } => 2,
        MemoryGrow { .. } => 8,
        Br { .. } | BrIf { .. } | BrTable { .. } | If { .. } | Else | Loop { .. } => edge(locals),
        _ => 1,
    }
}

/// Going on elsewhere, or falling into a join.
pub(super) fn edge(locals: usize) -> u64 {
    1 + (locals / 16) as u64
}

/// Entering a function: 1, 1 for every 16 cells of its frame, and 1 for every 32 operators that may make a constant.
pub(super) fn entry(cells: i64, constants: u64) -> i64 {
    1 + cells / 16 + (constants / 32).cast_signed()
}

/// Bulk operators, and successful growths: 1 for every 16 bytes.
pub(super) fn bytes(bytes: u64) -> i64 {
    (bytes / 16).cast_signed()
}

/// A frame has a cell for each local, one for each operand at the maximum height, 8 for what an engine keeps, and one
/// for every 24 parts that it may keep for the operators of the body. (Vectors, which take more, are not supported
/// here.)
pub(super) fn frame(locals: u64, height: u64, kept: u64) -> i64 {
    (locals + height + 8 + kept.div_ceil(24)).cast_signed()
}

/// For the operators of a body: the parts that an engine may keep, and the number that may make a constant.
pub(super) fn kept(program: &Program<'_>, operators: &[Operator<'_>]) -> (u64, u64) {
    use Operator as O;
    let (mut parts, mut constants) = (0, 0);
    // The locals that are set in each open block: each is merged once, where the block ends or a loop begins again.
    let mut open: Vec<BTreeSet<u32>> = Vec::new();
    for operator in operators {
        match operator {
            O::Block { .. } | O::Loop { .. } | O::If { .. } => open.push(BTreeSet::new()),
            O::End => drop(open.pop()),
            O::LocalSet { local_index } | O::LocalTee { local_index } => {
                parts += 8 * open.iter_mut().map(|set| u64::from(set.insert(*local_index))).sum::<u64>();
            }
            _ => {}
        }
        let (of_this, may_be_constant) = match operator {
            // And its fuel, and what it takes and leaves.
            O::Block { blockty } | O::Loop { blockty } | O::If { blockty } => {
                let (params, results) = arity(program, *blockty);
                (9 + 8 * (params + results) as u64, false)
            }
            O::GlobalGet { global_index } => (9, !program.is_mutable[*global_index as usize]),
            O::Call { function_index } => {
                let results = program.function_type(*function_index).results().len() as u64;
                let is_imported = (*function_index as usize) < program.imports.len();
                (1 + 8 * results + if is_imported { 16 } else { 0 }, false)
            }
            O::CallIndirect { type_index, .. } => {
                (17 + 8 * program.types[*type_index as usize].results().len() as u64, false)
            }
            O::Select => (17, true),
            O::MemorySize { .. } => (9, true),
            O::MemoryGrow { .. } => (9, false),
            operator if is_load(operator) => (17, false),
            operator if is_store(operator) => (9, false),
            operator if is_numeric(operator) => (9, true),
            _ => (1, false),
        };
        parts += of_this;
        constants += u64::from(may_be_constant);
    }
    (parts, constants)
}

/// Cost at which a straight run is split and fuel checked.
pub(super) const LONG_RUN: i64 = 8_192;

fn is_store(operator: &Operator<'_>) -> bool {
    format!("{operator:?}").contains("Store")
}

fn is_load(operator: &Operator<'_>) -> bool {
    format!("{operator:?}").contains("Load")
}

/// Whether an operator computes on integers alone.
fn is_numeric(operator: &Operator<'_>) -> bool {
    let name = format!("{operator:?}");
    let is_access = name.contains("Load") || name.contains("Store");
    (name.starts_with("I32") || name.starts_with("I64")) && !is_access
}
