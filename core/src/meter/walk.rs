//! The walk over a body's operators: finds the straight runs and their costs, and leaves a list of edits.

use alloc::{vec, vec::Vec};

use wasm_encoder::{BlockType, Encode};
use wasmparser::{FunctionBody, Operator};

use super::{
    block_types::BlockTypes,
    context::Context,
    cost,
    emit::Target,
    linkage::Callee,
    nan::{Float, hides_nan_bits, open_nan},
    runs::{RunId, Runs},
    tracing,
};
use crate::{
    admit::{BodyShape, Bulk, Growth, is_straight},
    fences::LARGE_BODY,
    value::ValType,
};

/// Width of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Bits32,
    Bits64,
}

impl Width {
    pub(super) fn of(is_64: bool) -> Self {
        if is_64 { Self::Bits64 } else { Self::Bits32 }
    }

    /// The type of such an index.
    pub(super) fn value_type(self) -> ValType {
        match self {
            Self::Bits32 => ValType::I32,
            Self::Bits64 => ValType::I64,
        }
    }

    /// Width of the count of a copy from one object to another: the narrower of the two index types.
    pub(super) fn min(self, other: Self) -> Self {
        Self::of(self == Self::Bits64 && other == Self::Bits64)
    }
}

/// An edit between two of the guest's operators. Small, because a body may have one for every other byte.
pub(super) struct Edit {
    /// Offset, and number of the guest's bytes that it replaces.
    pub(super) at: u32,
    pub(super) replaces: u32,
    pub(super) what: What,
}

pub(super) enum What {
    /// A straight run begins.
    Run(RunId),
    /// A straight run begins where fuel is checked: at the head of a loop, or after a long run.
    CheckedRun(RunId),
    /// A straight run begins after a call.
    RunAfterCall(RunId),
    /// Fuel is checked before an operator that may call a host function, which must not run when no fuel is left.
    BeforeCall {
        is_checked: bool,
    },
    /// A direct call of a function of the module.
    Call(Callee),
    TailCall(Callee),
    /// A direct call of an imported function, whose index has changed.
    Import {
        function: u32,
        is_tail: bool,
    },
    /// A `ref.func` of a function of the module.
    Reference(u32),
    /// An operator on the local that was moved.
    Local {
        access: Access,
        local: u32,
    },
    BeforeTailCall {
        is_checked: bool,
    },
    /// An unconditional branch, or `return` as a branch out of all blocks.
    Branch {
        depth: u32,
    },
    /// Bytes of [`Walk::encoded`].
    Encoded {
        begin: u32,
        end: u32,
    },
    Bulk(Bulk),
    Init(Target),
    /// Clamps a 64-bit length.
    Clamp,
    BeforeGrowth(Width),
    Growth(Growth),
    /// With log2 of the page size.
    AfterMemoryGrowth(Width, u32),
    AfterTableGrowth(Width),
    /// The opcode of a far `if`.
    OpenFarIf,
    /// After its type.
    SkipFarArm {
        through: BlockType,
    },
    FarElse,
    /// Closes a block that the rewrite opened inside one of the guest's.
    End,
    /// A far conditional branch.
    FarBranchIf {
        depth: u32,
        through: BlockType,
    },
    Canonicalise(Float),
    /// Notes where a traced guest is.
    Place {
        at: u32,
        is_tail_call: bool,
    },
    /// Another function takes the place of a traced one.
    Replaced,
}

/// An open block.
struct Block {
    kind: Kind,
    /// Its block type; `None` for the function itself.
    ty: Option<wasmparser::BlockType>,
    /// Whether its beginning is reachable.
    is_reachable: bool,
    jumps: Jumps,
    /// Whether it contains an additional block of the rewrite: it is the first arm of a far `if`.
    is_doubled: bool,
    /// Number of doubled blocks around it.
    doubled_outside: u32,
}

impl Block {
    fn new(kind: Kind, ty: Option<wasmparser::BlockType>, is_reachable: bool, doubled_outside: u32) -> Self {
        Self { kind, ty, is_reachable, jumps: Jumps::None, is_doubled: false, doubled_outside }
    }
}

/// Branches to the end of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Jumps {
    None,
    /// One conditional branch: it ends the run `before`, and `after` begins behind it.
    One {
        before: RunId,
        after: RunId,
    },
    Several,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Loop,
    If,
}

/// The operator `br_table`.
const BR_TABLE: u8 = 0x0e;

/// What an operator does with a local.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    Get,
    Set,
    Tee,
}

/// A declared local whose index became the parameter's.
#[derive(Clone, Copy)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// The walk over a body's operators.
pub(super) struct Walk<'a> {
    context: &'a Context<'a>,
    block_types: &'a mut BlockTypes,
    shape: BodyShape,
    /// Whether conditional branches are shortened: engines cannot encode far ones.
    is_large: bool,
    moved: Option<Moved>,
    /// Offset of the first operator.
    pub(super) start: usize,
    pub(super) edits: Vec<Edit>,
    /// Replacements of operators whose size is not fixed.
    pub(super) encoded: Vec<u8>,
    blocks: Vec<Block>,
    is_reachable: bool,
    pub(super) runs: Runs,
    /// Cost of the current run so far.
    run_cost: i32,
    /// A result with open NaN bits, made by the previous operator.
    pending_nan: Option<(usize, Float)>,
}

impl<'a> Walk<'a> {
    pub(super) fn over(
        body: &FunctionBody<'_>,
        shape: BodyShape,
        moved: Option<Moved>,
        context: &'a Context<'a>,
        block_types: &'a mut BlockTypes,
    ) -> Self {
        let Ok(mut operators) = body.get_operators_reader() else {
            unreachable!("admission has read the operators");
        };
        let mut walk = Self {
            context,
            block_types,
            shape,
            is_large: shape.words > context.tracing.map_or(LARGE_BODY, |_| LARGE_BODY / tracing::GROWTH),
            moved,
            start: operators.original_position(),
            edits: Vec::new(),
            encoded: Vec::new(),
            blocks: vec![Block::new(Kind::Block, None, true, 0)],
            is_reachable: true,
            runs: Runs::new(),
            run_cost: 0,
            pending_nan: None,
        };
        let (code, begin) = (body.as_bytes(), body.range().start);
        while !operators.eof() {
            let at = operators.original_position();
            // Match by reference: moving an `Operator` costs as much as decoding it.
            let operator = operators.read();
            let Ok(operator) = &operator else {
                unreachable!("admission has read the operators");
            };
            walk.operator(operator, at, operators.original_position(), code[at - begin]);
        }
        walk
    }

    /// Handles one operator, from `at` to `end`. Straight code neither branches nor calls, and its cost does not depend
    /// on operands.
    fn operator(&mut self, operator: &Operator<'_>, at: usize, end: usize, opcode: u8) {
        let is_straight = is_straight(opcode);
        if let Some((at, float)) = self.pending_nan.take()
            && !hides_nan_bits(float, operator)
        {
            self.edit(at, 0, What::Canonicalise(float));
        }
        if self.context.tracing.is_some() && self.is_reachable {
            self.note_place(operator, at, opcode);
        }
        self.renumber(operator, at, end);
        if self.is_reachable {
            self.charge(cost::operator(operator, self.shape.locals));
            if !is_straight {
                self.count(operator, at, end);
            }
            if self.context.canonicalises {
                self.pending_nan = open_nan(operator).map(|float| (end, float));
            }
        }
        if !is_straight {
            self.control(operator, at, end);
        }
        if self.run_cost >= cost::LONG_RUN && self.is_reachable && !self.blocks.is_empty() {
            self.begin_checked_run(end);
        }
    }

    /// Notes where the guest is, in front of an operator that may end it.
    fn note_place(&mut self, operator: &Operator<'_>, at: usize, opcode: u8) {
        if tracing::may_end(opcode) {
            let is_tail_call = matches!(operator, Operator::ReturnCall { .. } | Operator::ReturnCallIndirect { .. });
            self.place(at, is_tail_call);
            if is_tail_call {
                self.edit(at, 0, What::Replaced);
            }
        }
    }

    fn place(&mut self, offset: usize, is_tail_call: bool) {
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        self.edit(offset, 0, What::Place { at, is_tail_call });
    }

    /// Edits operators whose function or local has another index now. Also in unreachable code, which is validated too.
    fn renumber(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        use Operator as O;
        let linkages = &self.context.linkages;
        if !linkages.renumbers() {
            return;
        }
        // Those edits come behind the ones in front of the call.
        let is_counted = self.context.counts && self.is_reachable;
        let (access, index) = match operator {
            O::LocalGet { local_index } => (Access::Get, *local_index),
            O::LocalSet { local_index } => (Access::Set, *local_index),
            O::LocalTee { local_index } => (Access::Tee, *local_index),
            O::Call { function_index } => {
                match linkages.callee(*function_index) {
                    Some(callee) => self.edit(at, end - at, What::Call(callee)),
                    None if !is_counted => self.renumber_import(*function_index, at, end, false),
                    None => {}
                }
                return;
            }
            O::ReturnCall { function_index } => {
                match linkages.callee(*function_index) {
                    Some(callee) => self.edit(at, end - at, What::TailCall(callee)),
                    None if !is_counted => self.renumber_import(*function_index, at, end, true),
                    None => {}
                }
                return;
            }
            O::RefFunc { function_index } => {
                self.edit(at, end - at, What::Reference(linkages.index(*function_index)));
                return;
            }
            _ => return,
        };
        if let Some(moved) = self.moved
            && moved.from == index
        {
            self.edit(at, end - at, What::Local { access, local: moved.to });
        }
    }

    fn renumber_import(&mut self, function: u32, at: usize, end: usize, is_tail: bool) {
        if let Some(function) = self.context.linkages.moved_import(function) {
            self.edit(at, end - at, What::Import { function, is_tail });
        }
    }

    /// Edits around operators whose cost depends on operands, and around calls.
    fn count(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        use Operator as O;
        let context = self.context;
        if !context.counts {
            match operator {
                O::MemoryGrow { mem } => self.edit(at, end - at, What::Growth(Growth::Memory(*mem))),
                O::TableGrow { table } => self.edit(at, end - at, What::Growth(Growth::Table(*table))),
                _ if context.clamps => self.clamp(operator, at),
                _ => {}
            }
            return;
        }
        match operator {
            O::MemoryFill { mem } => self.check(at, What::Bulk(Bulk::MemoryFill { memory: *mem })),
            O::MemoryCopy { dst_mem, src_mem } => {
                self.check(at, What::Bulk(Bulk::MemoryCopy { to: *dst_mem, from: *src_mem }));
            }
            O::MemoryInit { mem, .. } => self.check(at, What::Init(Target::Memory(*mem))),
            O::TableFill { table } => self.check(at, What::Bulk(Bulk::TableFill { table: *table })),
            O::TableCopy { dst_table, src_table } => {
                self.check(at, What::Bulk(Bulk::TableCopy { to: *dst_table, from: *src_table }));
            }
            O::TableInit { table, .. } => self.check(at, What::Init(Target::Table(*table))),
            O::MemoryGrow { mem } => {
                let width = context.memory(*mem);
                self.edit(at, 0, What::BeforeGrowth(width));
                self.edit(at, end - at, What::Growth(Growth::Memory(*mem)));
                self.check(end, What::AfterMemoryGrowth(width, context.page_size_log2(*mem)));
            }
            O::TableGrow { table } => {
                let width = context.table(*table);
                self.edit(at, 0, What::BeforeGrowth(width));
                self.edit(at, end - at, What::Growth(Growth::Table(*table)));
                self.check(end, What::AfterTableGrowth(width));
            }
            O::Call { function_index } => {
                if context.is_imported(*function_index) {
                    self.edit(at, 0, What::BeforeCall { is_checked: true });
                    self.renumber_import(*function_index, at, end, false);
                }
                self.begin_run(end, What::RunAfterCall);
            }
            O::CallIndirect { .. } => {
                self.edit(at, 0, What::BeforeCall { is_checked: context.tables_reach_host() });
                self.begin_run(end, What::RunAfterCall);
            }
            O::ReturnCall { function_index } if context.is_imported(*function_index) => {
                self.edit(at, 0, What::BeforeTailCall { is_checked: true });
                self.renumber_import(*function_index, at, end, true);
            }
            O::ReturnCallIndirect { .. } => {
                self.edit(at, 0, What::BeforeTailCall { is_checked: context.tables_reach_host() });
            }
            _ => {}
        }
    }

    /// Clamps the 64-bit length of a bulk operator, when the guest does not count.
    fn clamp(&mut self, operator: &Operator<'_>, at: usize) {
        let context = self.context;
        let is_wide = match operator {
            Operator::MemoryFill { mem } => context.memory(*mem) == Width::Bits64,
            Operator::MemoryCopy { dst_mem, src_mem } => {
                context.memory(*dst_mem).min(context.memory(*src_mem)) == Width::Bits64
            }
            Operator::TableFill { table } => context.table(*table) == Width::Bits64,
            Operator::TableCopy { dst_table, src_table } => {
                context.table(*dst_table).min(context.table(*src_table)) == Width::Bits64
            }
            _ => false,
        };
        if is_wide {
            self.edit(at, 0, What::Clamp);
        }
    }

    /// Follows control flow: where runs begin and end.
    fn control(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        use Operator as O;
        match operator {
            O::Block { blockty } => self.open(Kind::Block, *blockty),
            O::Loop { blockty } => {
                self.open(Kind::Loop, *blockty);
                if self.is_reachable {
                    self.begin_checked_run(end);
                }
            }
            O::If { blockty } => self.open_if(*blockty, at, end),
            O::Else => self.otherwise(at, end),
            O::End => self.close(at, end),
            O::Br { relative_depth } => {
                let depth = self.depth(*relative_depth);
                if depth != *relative_depth {
                    self.edit(at, end - at, What::Branch { depth });
                }
                self.jump(*relative_depth, Jumps::Several);
                self.stop();
            }
            O::BrIf { relative_depth } => self.branch_if(*relative_depth, at, end),
            O::BrTable { targets } => {
                for depth in targets.targets().flatten().chain([targets.default()]) {
                    self.jump(depth, Jumps::Several);
                }
                self.branch_table(targets, at, end);
                self.stop();
            }
            O::Return => {
                if self.is_reachable && self.context.counts {
                    let outermost = u32::try_from(self.blocks.len() - 1).unwrap_or(u32::MAX);
                    let depth = self.depth(outermost);
                    self.edit(at, end - at, What::Branch { depth });
                }
                self.stop();
            }
            O::Unreachable | O::ReturnCall { .. } | O::ReturnCallIndirect { .. } => self.stop(),
            _ => {}
        }
    }

    fn open(&mut self, kind: Kind, ty: wasmparser::BlockType) {
        let doubled = self.doubled();
        self.blocks.push(Block::new(kind, Some(ty), self.is_reachable, doubled));
    }

    /// Number of open blocks that are doubled.
    fn doubled(&self) -> u32 {
        self.blocks.last().map_or(0, |block| block.doubled_outside + u32::from(block.is_doubled))
    }

    /// The depth, in the rewritten body, of a block of the guest.
    fn depth(&self, depth: u32) -> u32 {
        let target = self.blocks.len().checked_sub(depth as usize + 1).map(|index| &self.blocks[index]);
        depth + target.map_or(0, |target| self.doubled() - target.doubled_outside)
    }

    fn open_if(&mut self, ty: wasmparser::BlockType, at: usize, end: usize) {
        self.open(Kind::If, ty);
        if self.is_large
            && let Some(block) = self.blocks.last_mut()
        {
            block.is_doubled = true;
            let params = self.types_of(Some(ty), true);
            let through = self.block_types.of(&params, &params);
            self.edit(at, 1, What::OpenFarIf);
            self.edit(end, 0, What::SkipFarArm { through });
        }
        if self.is_reachable {
            self.begin_run(end, What::Run);
        }
    }

    fn otherwise(&mut self, at: usize, end: usize) {
        let falls_through = self.is_reachable;
        let Some(block) = self.blocks.last_mut() else { return };
        // From here on the block ends like any other: the then-branch jumps to its end.
        block.kind = Kind::Block;
        if falls_through {
            block.jumps = Jumps::Several;
        }
        let is_doubled = core::mem::take(&mut block.is_doubled);
        self.is_reachable = block.is_reachable;
        if is_doubled {
            self.edit(at, end - at, What::FarElse);
        }
        if self.is_reachable {
            self.begin_run(end, What::Run);
        }
    }

    /// Adds to the cost of the current run.
    fn charge(&mut self, cost: i32) {
        self.runs.add(cost);
        self.run_cost += cost;
    }

    fn close(&mut self, at: usize, end: usize) {
        let Some(block) = self.blocks.pop() else { return };
        if block.is_doubled {
            self.edit(at, 0, What::End);
        }
        let falls_through = self.is_reachable;
        // The condition of an `if` without `else` may skip it.
        let passes_by = block.kind == Kind::If && block.is_reachable;
        let joins = passes_by || block.jumps != Jumps::None;
        self.is_reachable |= joins;
        // No run begins after the body's own `end`.
        if self.blocks.is_empty() || !joins {
            return;
        }
        if falls_through {
            self.charge(cost::edge(self.shape.locals));
        }
        let join = self.begin_run(end, What::Run);
        if let Jumps::One { before, after } = block.jumps
            && !falls_through
            && !passes_by
        {
            self.runs.take_ahead(before, after, join);
        }
    }

    fn branch_if(&mut self, depth: u32, at: usize, end: usize) {
        if self.is_large {
            // However an engine compiles it, the branch that depends on the condition is short.
            let Some((ty, is_loop)) = self.block(depth).map(|block| (block.ty, block.kind == Kind::Loop)) else {
                return;
            };
            let taken = self.types_of(ty, is_loop);
            let through = self.block_types.of(&taken, &taken);
            let depth = self.depth(depth);
            self.edit(at, end - at, What::FarBranchIf { depth, through });
        }
        if !self.is_reachable {
            return;
        }
        let before = self.runs.current();
        let after = self.begin_run(end, What::Run);
        self.jump(depth, Jumps::One { before, after });
    }

    /// Re-encodes a `br_table` when blocks were added around it.
    fn branch_table(&mut self, targets: &wasmparser::BrTable<'_>, at: usize, end: usize) {
        if self.doubled() == 0 {
            return;
        }
        let begin = self.encoded.len();
        self.encoded.push(BR_TABLE);
        targets.len().encode(&mut self.encoded);
        for depth in targets.targets().flatten().chain([targets.default()]) {
            self.depth(depth).encode(&mut self.encoded);
        }
        let [begin, behind] = [begin, self.encoded.len()].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        self.edit(at, end - at, What::Encoded { begin, end: behind });
    }

    /// The types of the parameters or of the results of a block.
    fn types_of(&self, ty: Option<wasmparser::BlockType>, params: bool) -> Vec<ValType> {
        let of_function = |index: u32| {
            let ty = self.context.function_type(index);
            if params { ty.params.clone() } else { ty.results.clone() }
        };
        match ty {
            None => of_function(self.shape.ty),
            Some(wasmparser::BlockType::FuncType(index)) => of_function(index),
            Some(wasmparser::BlockType::Type(ty)) if !params => vec![ty.into()],
            Some(wasmparser::BlockType::Type(_) | wasmparser::BlockType::Empty) => Vec::new(),
        }
    }

    fn block(&mut self, depth: u32) -> Option<&mut Block> {
        let index = self.blocks.len().checked_sub(depth as usize + 1)?;
        self.blocks.get_mut(index)
    }

    /// Notes a branch to the block at `depth`.
    fn jump(&mut self, depth: u32, jumps: Jumps) {
        if self.is_reachable
            && let Some(block) = self.block(depth)
            && block.kind != Kind::Loop
        {
            block.jumps = if block.jumps == Jumps::None { jumps } else { Jumps::Several };
        }
    }

    fn stop(&mut self) {
        self.is_reachable = false;
    }

    fn begin_run(&mut self, at: usize, what: impl FnOnce(RunId) -> What) -> RunId {
        let run = self.runs.begin();
        self.run_cost = 0;
        if self.context.counts {
            self.edit(at, 0, what(run));
        }
        run
    }

    /// Begins a run where fuel is checked.
    fn begin_checked_run(&mut self, at: usize) {
        if self.context.tracing.is_some() {
            self.place(at, false);
        }
        self.begin_run(at, What::CheckedRun);
    }

    /// Adds an edit that charges and checks fuel in the middle of a run.
    fn check(&mut self, at: usize, what: What) {
        self.runs.check();
        self.edit(at, 0, what);
    }

    fn edit(&mut self, at: usize, replaces: usize, what: What) {
        // A body is far smaller than 4 GiB.
        let [at, replaces] = [at, replaces].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        self.edits.push(Edit { at, replaces, what });
    }
}
