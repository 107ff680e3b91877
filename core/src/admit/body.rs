//! Checks function bodies against their caps while the validator walks them.

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use wasmparser::{BlockType, FuncValidator, FunctionBody, Operator, ValidatorResources};

use super::{
    constants,
    merges::Merges,
    summary::FuncType,
    validate::{block_arity, cap, invalid, malformed},
    validated::Validated,
};
use crate::{policy::ModuleCaps, value::ValType, verdict::Rejection};

/// Basic blocks that an operator costs a compiler: those that it opens, that the compiler makes of it, and that the
/// rewrite adds to it. Measured on functions with many live locals, where a block is expensive.
fn blocks_of(operator: &Operator<'_>, validated: &Validated) -> u64 {
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
            if (*function_index as usize) < validated.imported_functions =>
        {
            3
        }
        O::CallIndirect { .. } | O::ReturnCallIndirect { .. } if validated.tables_reach_host => 5,
        O::CallIndirect { .. } | O::ReturnCallIndirect { .. } | O::TableFill { .. } => 2,
        O::MemoryGrow { .. } | O::TableGrow { .. } => 4,
        O::TableCopy { .. } | O::TableInit { .. } => 8,
        _ => 0,
    }
}

/// Control-flow edges that an operator adds, each of which carries every local that its target merges.
fn branches_of(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::Br { .. } | Operator::BrIf { .. } => 1,
        Operator::BrTable { targets } => u64::from(targets.len()),
        _ => 0,
    }
}

/// Approximate words of an interpreter's code for an operator and what the rewrite adds to it. Never too few.
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

/// Words of an ordinary operator.
const WORDS: u64 = 4;

/// What an engine may keep in a function's frame for an operator, besides locals and operands, in [`KEPT_PER_CELL`]ths
/// of a stack cell.
///
/// In the worst case a compiler has a spill slot for every value that an operator makes, and for every one that it
/// [merges](super::merges): it does not always reuse a free slot. The address of an imported function and the type of an indirect call are such values too. How many bytes
/// an engine has for a cell is documented at its own limit.
mod kept {
    pub(super) const ANY: u32 = 1;
    /// A value of 8 bytes.
    pub(super) const SCALAR: u32 = 8;
    /// A value of 16 bytes: a vector, or a float, whose register is as wide.
    pub(super) const VECTOR: u32 = 16;
    /// A value of this type.
    pub(super) const fn size(ty: super::ValType) -> u32 {
        use super::ValType as V;
        match ty {
            V::V128 | V::F32 | V::F64 => VECTOR,
            V::I32 | V::I64 | V::FuncRef | V::OtherRef => SCALAR,
        }
    }
    /// The address in a memory or a table that an operator accesses.
    pub(super) const ADDRESS: u32 = 8;
}

/// The unit of [`BodyShape::kept`](super::BodyShape::kept), as a fraction of a stack cell.
pub(crate) const KEPT_PER_CELL: u32 = 24;

/// [`mod@kept`], and whether the result may be a constant.
pub(super) fn value(operator: &Operator<'_>, opcode: u8, validated: &Validated) -> (u32, bool) {
    match is_straight(opcode) {
        true => STRAIGHT_VALUES[usize::from(opcode)],
        false => other_value(operator, opcode, validated),
    }
}

/// [`value`] for straight code, by opcode: a table, because it is read for most operators of a module. 0 for all other
/// code.
const STRAIGHT_VALUES: [(u32, bool); 256] = {
    let mut values = [(0, false); 256];
    let mut opcode = 0;
    while opcode < 256 {
        if is_straight(opcode as u8) {
            values[opcode] = straight_value(opcode as u8);
        }
        opcode += 1;
    }
    values
};

const fn straight_value(opcode: u8) -> (u32, bool) {
    match opcode {
        // `select` of any type, constants that are floats, and operators that compute a float; all other constants and
        // numeric operators.
        0x1b | 0x43..=0x44 | 0x8b..=0xa6 | 0xb2..=0xbb | 0xbe..=0xbf => (kept::ANY + kept::VECTOR, true),
        0x41..=0x42 | 0x45..=0xc4 => (kept::ANY + kept::SCALAR, true),
        // Loads of floats, other loads, and stores.
        0x2a..=0x2b => (kept::ANY + kept::ADDRESS + kept::VECTOR, false),
        0x28..=0x35 => (kept::ANY + kept::ADDRESS + kept::SCALAR, false),
        0x36..=0x3e => (kept::ANY + kept::ADDRESS, false),
        _ => (kept::ANY, false),
    }
}

/// [`value`] for all other operators.
fn other_value(operator: &Operator<'_>, opcode: u8, validated: &Validated) -> (u32, bool) {
    use Operator as O;
    let sum = |types: &[ValType]| types.iter().map(|ty| kept::size(*ty)).sum::<u32>();
    let results = |ty: u32| sum(validated.results(ty));
    match operator {
        // The fuel counter is merged as locals are, and what the block takes and leaves.
        O::Block { blockty } | O::Loop { blockty } | O::If { blockty } => {
            let carried = match blockty {
                BlockType::Empty => 0,
                BlockType::Type(ty) => kept::size((*ty).into()),
                BlockType::FuncType(ty) => sum(validated.params_of(*ty)) + results(*ty),
            };
            (kept::ANY + kept::SCALAR + carried, false)
        }
        O::Call { function_index } => {
            // The address of the function, and of its instance.
            let imported = (*function_index as usize) < validated.imported_functions;
            let ty = validated.functions.get(*function_index as usize).copied().unwrap_or_default();
            (kept::ANY + results(ty) + if imported { kept::VECTOR } else { 0 }, false)
        }
        O::CallIndirect { type_index, .. } => (kept::ANY + results(*type_index) + kept::VECTOR, false),
        // An immutable global may be constant.
        O::GlobalGet { global_index } => {
            let global = validated.globals.get(*global_index as usize);
            (
                kept::ANY + global.map_or(0, |global| kept::size(global.ty)),
                global.is_some_and(|global| !global.is_mutable),
            )
        }
        O::TypedSelect { .. } => (kept::ANY + kept::VECTOR, true),
        O::RefNull { .. } | O::RefIsNull | O::MemorySize { .. } | O::TableSize { .. } => {
            (kept::ANY + kept::SCALAR, true)
        }
        O::MemoryGrow { .. } | O::TableGrow { .. } | O::RefFunc { .. } => (kept::ANY + kept::SCALAR, false),
        O::TableGet { .. } => (kept::ANY + kept::ADDRESS + kept::SCALAR, false),
        O::TableSet { .. } => (kept::ANY + kept::ADDRESS, false),
        // Two results of 8 bytes.
        O::I64Add128 | O::I64Sub128 | O::I64MulWideS | O::I64MulWideU => (kept::ANY + kept::VECTOR, true),
        O::I32TruncSatF32S
        | O::I32TruncSatF32U
        | O::I32TruncSatF64S
        | O::I32TruncSatF64U
        | O::I64TruncSatF32S
        | O::I64TruncSatF32U
        | O::I64TruncSatF64S
        | O::I64TruncSatF64U => (kept::ANY + kept::SCALAR, true),
        _ if opcode == VECTOR_PREFIX && is_vector_access(operator) => (kept::ANY + kept::ADDRESS + kept::VECTOR, true),
        _ if opcode == VECTOR_PREFIX => (kept::ANY + kept::VECTOR, true),
        _ => (kept::ANY, false),
    }
}

const LOCAL_SET: u8 = 0x21;
const LOCAL_TEE: u8 = 0x22;

/// The index in an operator on a local that is valid.
fn local_of(code: &[u8]) -> u32 {
    let bytes = code.iter().skip(1).take(5);
    let mut index = 0;
    for (at, byte) in bytes.enumerate() {
        index |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    index
}

/// Whether a vector operator accesses memory.
pub(super) fn is_vector_access(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::V128Load { .. }
            | O::V128Load8x8S { .. }
            | O::V128Load8x8U { .. }
            | O::V128Load16x4S { .. }
            | O::V128Load16x4U { .. }
            | O::V128Load32x2S { .. }
            | O::V128Load32x2U { .. }
            | O::V128Load8Splat { .. }
            | O::V128Load16Splat { .. }
            | O::V128Load32Splat { .. }
            | O::V128Load64Splat { .. }
            | O::V128Load32Zero { .. }
            | O::V128Load64Zero { .. }
            | O::V128Store { .. }
            | O::V128Load8Lane { .. }
            | O::V128Load16Lane { .. }
            | O::V128Load32Lane { .. }
            | O::V128Load64Lane { .. }
            | O::V128Store8Lane { .. }
            | O::V128Store16Lane { .. }
            | O::V128Store32Lane { .. }
            | O::V128Store64Lane { .. }
    )
}

/// A bulk operator on memories or tables with these indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bulk {
    MemoryFill { memory: u32 },
    MemoryCopy { to: u32, from: u32 },
    TableFill { table: u32 },
    TableCopy { to: u32, from: u32 },
}

/// A growth of the memory or table with this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Growth {
    Memory(u32),
    Table(u32),
}

/// Whether an operator with this opcode is straight code: no block, no branch, no call, [`WORDS`] words. Most of a body
/// is straight code, which only the validator needs to decode.
pub(crate) const fn is_straight(opcode: u8) -> bool {
    // `drop` and `select`; locals and `global.set`; loads and stores; constants and numeric operators.
    matches!(opcode, 0x1a..=0x1b | 0x20..=0x22 | 0x24 | 0x28..=0x3e | 0x41..=0xc4)
}

/// The first byte of a vector operator.
pub(super) const VECTOR_PREFIX: u8 = 0xfd;

/// The totals over all bodies of a module.
pub(super) struct Bodies<'p> {
    caps: &'p ModuleCaps,
    locals: u64,
    blocks: u64,
    loops: u64,
    br_table: u64,
    has_tail_calls: bool,
    bulk: BTreeSet<Bulk>,
    growths: BTreeSet<Growth>,
    /// For every function, imported ones first, whether an operator calls it directly.
    called: Vec<bool>,
    /// For each open block of the current body, whether it is a loop. Kept to reuse its allocation.
    open: Vec<bool>,
    merges: Merges,
}

/// Measurements of one body.
pub(super) struct Measure {
    /// Locals, parameters included.
    pub(super) locals: u64,
    /// Maximum height of its operand stack.
    pub(super) height: u32,
    /// See [`words_of`].
    pub(super) words: u64,
    /// See [`mod@kept`].
    pub(super) kept: u32,
    /// Operators that may make a constant.
    pub(super) constants: u32,
}

impl<'p> Bodies<'p> {
    pub(super) fn new(caps: &'p ModuleCaps) -> Self {
        Self {
            caps,
            locals: 0,
            blocks: 0,
            loops: 0,
            br_table: 0,
            has_tail_calls: false,
            bulk: BTreeSet::new(),
            growths: BTreeSet::new(),
            called: Vec::new(),
            open: Vec::new(),
            merges: Merges::default(),
        }
    }

    /// Stores what was found in all bodies.
    pub(super) fn finish(self, validated: &mut Validated) {
        validated.called = self.called;
        validated.bulk = self.bulk.into_iter().collect();
        validated.growths = self.growths.into_iter().collect();
        validated.has_tail_calls = self.has_tail_calls;
    }

    fn note(&mut self, bulk: Bulk) {
        self.bulk.insert(bulk);
    }

    /// Checks one body of a function with the type `ty`.
    pub(super) fn check(
        &mut self,
        body: &FunctionBody<'_>,
        validator: &mut FuncValidator<ValidatorResources>,
        ty: u32,
        validated: &Validated,
    ) -> Result<Measure, Rejection> {
        let caps = self.caps;
        let start = body.range().start as u64;
        let locals = self.locals(body, validator, validated.params(ty))?;

        let mut operators = body.get_operators_reader().map_err(malformed)?;
        let (mut blocks, mut branches) = (0, 0);
        let (mut loop_nesting, mut deepest_loop) = (0, 0);
        let (mut height, mut words, mut kept, mut constants) = (0, 0, 0u32, 0u32);
        self.open.clear();
        self.merges.begin(locals);
        let code = body.as_bytes();
        while !operators.eof() {
            let offset = operators.original_position();
            let at = offset as u64;
            let code = code.get(offset - body.range().start..).unwrap_or_default();
            let opcode = code.first().copied().unwrap_or_default();
            let (value, is_constant) = STRAIGHT_VALUES[usize::from(opcode)];
            if value > 0 {
                words += WORDS;
                kept = kept.saturating_add(value);
                constants += u32::from(is_constant);
                operators.visit_operator(&mut validator.visitor(offset)).map_err(malformed)?.map_err(invalid)?;
                height = height.max(validator.operand_stack_height());
                cap("module.operand_height", height, caps.operand_height, at)?;
                if let LOCAL_SET | LOCAL_TEE = opcode {
                    kept = kept.saturating_add(self.merged(local_of(code), validator));
                }
                continue;
            }
            let operator = operators.read().map_err(malformed)?;
            blocks += blocks_of(&operator, validated);
            branches += branches_of(&operator);
            words += words_of(&operator);
            let (value, is_constant) = other_value(&operator, opcode, validated);
            kept = kept.saturating_add(value);
            constants += u32::from(is_constant);
            match &operator {
                Operator::Block { blockty } | Operator::If { blockty } => {
                    self.open.push(false);
                    self.merges.open();
                    self.block(*blockty, &validated.types, at)?;
                }
                Operator::Loop { blockty } => {
                    self.loops += 1;
                    loop_nesting += 1;
                    deepest_loop = deepest_loop.max(loop_nesting);
                    self.open.push(true);
                    self.merges.open();
                    self.block(*blockty, &validated.types, at)?;
                    cap("module.loops_total", self.loops, caps.loops_total, at)?;
                    cap("module.loop_nesting", loop_nesting, caps.loop_nesting, at)?;
                }
                Operator::End => {
                    self.merges.close();
                    loop_nesting -= u64::from(self.open.pop() == Some(true));
                }
                Operator::BrTable { targets } => {
                    let targets = u64::from(targets.len());
                    self.br_table += targets;
                    cap("module.br_table", targets, caps.br_table, at)?;
                    cap("module.br_table_total", self.br_table, caps.br_table_total, at)?;
                }
                Operator::ReturnCall { .. } | Operator::ReturnCallIndirect { .. } => self.has_tail_calls = true,
                Operator::MemoryGrow { mem } => {
                    self.growths.insert(Growth::Memory(*mem));
                }
                Operator::TableGrow { table } => {
                    self.growths.insert(Growth::Table(*table));
                }
                Operator::MemoryFill { mem } => self.note(Bulk::MemoryFill { memory: *mem }),
                Operator::MemoryCopy { dst_mem, src_mem } => {
                    self.note(Bulk::MemoryCopy { to: *dst_mem, from: *src_mem })
                }
                Operator::TableFill { table } => self.note(Bulk::TableFill { table: *table }),
                Operator::TableCopy { dst_table, src_table } => {
                    self.note(Bulk::TableCopy { to: *dst_table, from: *src_table });
                }
                _ => {}
            }
            validator.op(offset, &operator).map_err(invalid)?;
            if let Operator::Call { function_index } | Operator::ReturnCall { function_index } = operator {
                // In range: the validator has checked it.
                mark(&mut self.called, function_index);
            }
            height = height.max(validator.operand_stack_height());
            cap("module.operand_height", height, caps.operand_height, at)?;
        }
        operators.finish().map_err(malformed)?;

        self.blocks += blocks;
        cap("module.blocks", blocks, caps.blocks, start)?;
        cap("module.blocks_total", self.blocks, caps.blocks_total, start)?;
        cap("module.branches", branches, caps.branches, start)?;
        cap("module.locals_x_loop_nesting", locals * deepest_loop, caps.locals_x_loop_nesting, start)?;
        cap("module.locals_x_blocks", locals * blocks, caps.locals_x_blocks, start)?;
        cap("module.locals_x_branches", locals * branches, caps.locals_x_branches, start)?;
        if u64::from(constants) > caps.constants {
            let most = constants::most(body, validator, ty, validated)?;
            cap("module.constants", most, caps.constants, start)?;
        }
        Ok(Measure { locals, height, words, kept, constants })
    }

    /// What is kept more because this local is set.
    fn merged(&mut self, local: u32, validator: &FuncValidator<ValidatorResources>) -> u32 {
        match self.merges.set(local) {
            0 => 0,
            blocks => {
                let ty = validator.get_local_type(local).map_or(ValType::V128, ValType::from);
                blocks.saturating_mul(kept::size(ty))
            }
        }
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
            cap("module.locals", locals, self.caps.locals, offset as u64)?;
            cap("module.locals_total", self.locals + locals, self.caps.locals_total, offset as u64)?;
            validator.define_locals(offset, count, ty).map_err(invalid)?;
        }
        self.locals += locals;
        cap("module.locals", locals, self.caps.locals, body.range().start as u64)?;
        cap("module.locals_total", self.locals, self.caps.locals_total, body.range().start as u64)?;
        Ok(locals)
    }

    /// Checks a block that was opened.
    fn block(&self, ty: BlockType, types: &[Option<Arc<FuncType>>], at: u64) -> Result<(), Rejection> {
        cap("module.nesting", self.open.len() as u64, self.caps.nesting, at)?;
        match ty {
            BlockType::FuncType(index) => cap("module.results", block_arity(types, index), self.caps.results, at),
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
            let (blocks, branches) = (blocks_of(&operator, &Validated::default()), branches_of(&operator));
            assert_eq!((blocks, branches, words_of(&operator)), (0, 0, WORDS), "{operator:?}");
        }
    }
}
