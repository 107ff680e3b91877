//! The caps on function bodies, held while the validator walks them.

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use wasmparser::{BlockType, FuncValidator, FunctionBody, Operator, ValidatorResources};

use super::{
    pass::{Passed, block_arity, cap, invalid, malformed},
    summary::FuncType,
};
use crate::{policy::Shape, verdict::Rejection};

/// What an operator costs a compiler in blocks: those that it opens, that the compiler makes of it, and that the rewrite
/// puts beside it. Measured on functions with many live locals, where a block is dear.
fn blocks_of(operator: &Operator<'_>, passed: &Passed) -> u64 {
    use Operator as O;
    match operator {
        O::Loop { .. } => 4,
        O::Block { .. }
        | O::If { .. }
        | O::TableGet { .. }
        | O::MemoryFill { .. }
        | O::MemoryCopy { .. }
        | O::MemoryInit { .. } => 1,
        O::Call { function_index } | O::ReturnCall { function_index }
            if (*function_index as usize) < passed.imported_functions =>
        {
            3
        }
        O::CallIndirect { .. } | O::ReturnCallIndirect { .. } if passed.tables_reach_host => 5,
        O::CallIndirect { .. } | O::ReturnCallIndirect { .. } | O::TableFill { .. } => 2,
        O::MemoryGrow { .. } | O::TableGrow { .. } => 4,
        O::TableCopy { .. } | O::TableInit { .. } => 8,
        _ => 0,
    }
}

/// Edges that an operator adds to the control flow, each of which carries every local that its target merges.
fn branches_of(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::Br { .. } | Operator::BrIf { .. } => 1,
        Operator::BrTable { targets } => u64::from(targets.len()),
        _ => 0,
    }
}

/// About how many words of an interpreter's code an operator and what the rewrite puts beside it become. Never too few.
fn words_of(operator: &Operator<'_>) -> u64 {
    use Operator as O;
    match operator {
        O::BrTable { targets } => WORDS + 2 * u64::from(targets.len()),
        O::Call { .. }
        | O::CallIndirect { .. }
        | O::ReturnCall { .. }
        | O::ReturnCallIndirect { .. }
        | O::MemoryGrow { .. }
        | O::MemoryFill { .. }
        | O::MemoryCopy { .. }
        | O::MemoryInit { .. }
        | O::TableGrow { .. }
        | O::TableFill { .. }
        | O::TableCopy { .. }
        | O::TableInit { .. } => 36,
        O::Loop { .. } => 20,
        O::If { .. } | O::BrIf { .. } => 8,
        _ => WORDS,
    }
}

/// Words of an operator that is nothing special.
const WORDS: u64 = 4;

/// Whether an operator with this first byte is straight code: no block, no branch, no call, [`WORDS`] words. Most of a
/// body is, and need not be decoded for more than the validator.
pub(crate) fn is_straight(opcode: u8) -> bool {
    // `drop` and `select`; locals and globals; loads and stores; constants and numeric operators.
    matches!(opcode, 0x1a..=0x1b | 0x20..=0x24 | 0x28..=0x3e | 0x41..=0xc4)
}

/// The first byte of a constant, for all but vectors.
fn is_constant(opcode: u8) -> bool {
    matches!(opcode, 0x41..=0x44)
}

/// The first byte of a vector operator.
const VECTOR_PREFIX: u8 = 0xfd;

/// The totals over all bodies of a module.
pub(super) struct Bodies<'p> {
    shape: &'p Shape,
    locals: u64,
    blocks: u64,
    loops: u64,
    br_table: u64,
    has_tail_calls: bool,
    /// For every function, imported ones first, whether an operator names it to call it.
    called: Vec<bool>,
    /// Whether each block that is open in the current body is a loop. Kept to reuse its allocation.
    open: Vec<bool>,
}

/// What was measured of one body.
pub(super) struct Measure {
    /// Most operands that are ever on its stack.
    pub(super) height: u32,
    pub(super) operators: u32,
    /// See [`words_of`].
    pub(super) words: u64,
    pub(super) has_vectors: bool,
}

impl<'p> Bodies<'p> {
    pub(super) fn new(shape: &'p Shape) -> Self {
        Self {
            shape,
            locals: 0,
            blocks: 0,
            loops: 0,
            br_table: 0,
            has_tail_calls: false,
            called: Vec::new(),
            open: Vec::new(),
        }
    }

    /// For every function up to the last that any body so far calls by name, whether one does.
    pub(super) fn into_called(self) -> Vec<bool> {
        self.called
    }

    /// Whether any body so far makes tail calls.
    pub(super) fn has_tail_calls(&self) -> bool {
        self.has_tail_calls
    }

    /// Checks one body. `params` counts the parameters of its type.
    pub(super) fn check(
        &mut self,
        body: &FunctionBody<'_>,
        validator: &mut FuncValidator<ValidatorResources>,
        params: u64,
        passed: &Passed,
    ) -> Result<Measure, Rejection> {
        let shape = self.shape;
        let start = body.range().start as u64;
        let locals = self.locals(body, validator, params)?;

        let mut operators = body.get_operators_reader().map_err(malformed)?;
        let (mut blocks, mut branches, mut constants) = (0, 0, 0);
        let (mut loop_nesting, mut deepest_loop) = (0, 0);
        let (mut height, mut count, mut words, mut has_vectors) = (0, 0, 0, false);
        self.open.clear();
        let code = body.as_bytes();
        while !operators.eof() {
            let offset = operators.original_position();
            let at = offset as u64;
            count += 1;
            let opcode = code.get(offset - body.range().start).copied().unwrap_or_default();
            if is_straight(opcode) {
                words += WORDS;
                constants += u64::from(is_constant(opcode));
                operators.visit_operator(&mut validator.visitor(offset)).map_err(malformed)?.map_err(invalid)?;
                height = height.max(validator.operand_stack_height());
                cap("module.operand_height", height, shape.operand_height, at)?;
                continue;
            }
            let operator = operators.read().map_err(malformed)?;
            blocks += blocks_of(&operator, passed);
            branches += branches_of(&operator);
            words += words_of(&operator);
            has_vectors |= opcode == VECTOR_PREFIX;
            match &operator {
                Operator::Block { blockty } | Operator::If { blockty } => {
                    self.open.push(false);
                    self.block(*blockty, &passed.types, at)?;
                }
                Operator::Loop { blockty } => {
                    self.loops += 1;
                    loop_nesting += 1;
                    deepest_loop = deepest_loop.max(loop_nesting);
                    self.open.push(true);
                    self.block(*blockty, &passed.types, at)?;
                    cap("module.loops_total", self.loops, shape.loops_total, at)?;
                    cap("module.loop_nesting", loop_nesting, shape.loop_nesting, at)?;
                }
                Operator::End if self.open.pop() == Some(true) => loop_nesting -= 1,
                Operator::BrTable { targets } => {
                    let targets = u64::from(targets.len());
                    self.br_table += targets;
                    cap("module.br_table", targets, shape.br_table, at)?;
                    cap("module.br_table_total", self.br_table, shape.br_table_total, at)?;
                }
                Operator::ReturnCall { .. } | Operator::ReturnCallIndirect { .. } => self.has_tail_calls = true,
                Operator::V128Const { .. } => constants += 1,
                _ => {}
            }
            validator.op(offset, &operator).map_err(invalid)?;
            if let Operator::Call { function_index } | Operator::ReturnCall { function_index } = operator {
                // It exists: the validator has seen it.
                mark(&mut self.called, function_index);
            }
            height = height.max(validator.operand_stack_height());
            cap("module.operand_height", height, shape.operand_height, at)?;
        }
        operators.finish().map_err(malformed)?;

        self.blocks += blocks;
        cap("module.blocks", blocks, shape.blocks, start)?;
        cap("module.blocks_total", self.blocks, shape.blocks_total, start)?;
        cap("module.branches", branches, shape.branches, start)?;
        cap("module.locals_x_loop_nesting", locals * deepest_loop, shape.locals_x_loop_nesting, start)?;
        cap("module.locals_x_blocks", locals * blocks, shape.locals_x_blocks, start)?;
        cap("module.locals_x_branches", locals * branches, shape.locals_x_branches, start)?;
        if constants > shape.constants {
            cap("module.constants", distinct_constants(body)?, shape.constants, start)?;
        }
        Ok(Measure { height, operators: count, words, has_vectors })
    }

    /// Declares the locals to the validator, group by group, and counts them with the parameters.
    fn locals(
        &mut self,
        body: &FunctionBody<'_>,
        validator: &mut FuncValidator<ValidatorResources>,
        params: u64,
    ) -> Result<u64, Rejection> {
        let mut reader = body.get_locals_reader().map_err(malformed)?;
        let mut locals = params;
        for _ in 0..reader.get_count() {
            let offset = reader.original_position();
            let (count, ty) = reader.read().map_err(malformed)?;
            locals += u64::from(count);
            cap("module.locals", locals, self.shape.locals, offset as u64)?;
            cap("module.locals_total", self.locals + locals, self.shape.locals_total, offset as u64)?;
            validator.define_locals(offset, count, ty).map_err(invalid)?;
        }
        self.locals += locals;
        cap("module.locals", locals, self.shape.locals, body.range().start as u64)?;
        cap("module.locals_total", self.locals, self.shape.locals_total, body.range().start as u64)?;
        Ok(locals)
    }

    /// A block was opened.
    fn block(&self, ty: BlockType, types: &[Option<Arc<FuncType>>], at: u64) -> Result<(), Rejection> {
        cap("module.nesting", self.open.len() as u64, self.shape.nesting, at)?;
        match ty {
            BlockType::FuncType(index) => cap("module.results", block_arity(types, index), self.shape.results, at),
            BlockType::Empty | BlockType::Type(_) => Ok(()),
        }
    }
}

/// Sets the flag of a function.
pub(super) fn mark(flags: &mut Vec<bool>, function: u32) {
    let index = function as usize;
    if index >= flags.len() {
        flags.resize(index + 1, false);
    }
    flags[index] = true;
}

/// How many different constants a body has, by their bits and width.
fn distinct_constants(body: &FunctionBody<'_>) -> Result<u64, Rejection> {
    let mut distinct = BTreeSet::new();
    let mut operators = body.get_operators_reader().map_err(malformed)?;
    while !operators.eof() {
        match operators.read().map_err(malformed)? {
            Operator::I32Const { value } => distinct.insert((32, value as u32 as u128)),
            Operator::F32Const { value } => distinct.insert((32, value.bits() as u128)),
            Operator::I64Const { value } => distinct.insert((64, value as u64 as u128)),
            Operator::F64Const { value } => distinct.insert((64, value.bits() as u128)),
            Operator::V128Const { value } => distinct.insert((128, value.i128() as u128)),
            _ => continue,
        };
    }
    Ok(distinct.len() as u64)
}

#[cfg(test)]
mod tests {
    use wasmparser::{BinaryReader, OperatorsReader};

    use super::*;

    #[test]
    fn straight_code_is_what_its_first_byte_says() {
        for opcode in (0..=u8::MAX).filter(|opcode| is_straight(*opcode)) {
            let bytes = [opcode, 0, 0, 0, 0, 0, 0, 0, 0];
            let operator = OperatorsReader::new(BinaryReader::new(&bytes, 0)).read();
            let operator = operator.unwrap_or_else(|error| panic!("{opcode:#x}: {error}"));
            let (blocks, branches) = (blocks_of(&operator, &Passed::default()), branches_of(&operator));
            assert_eq!((blocks, branches, words_of(&operator)), (0, 0, WORDS), "{operator:?}");
            let is_const = matches!(
                operator,
                Operator::I32Const { .. }
                    | Operator::I64Const { .. }
                    | Operator::F32Const { .. }
                    | Operator::F64Const { .. }
            );
            assert_eq!(is_constant(opcode), is_const, "{operator:?}");
        }
    }
}
