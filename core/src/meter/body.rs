//! The rewrite of one function body.
//!
//! The guest's operators are copied byte for byte: next to nothing of theirs is renumbered, because types, functions,
//! globals and locals are only ever appended. Between them stand the rewrite's own. One walk over the operators finds the straight runs and
//! what each costs; since a run's cost is known only at its end but taken at its beginning, the walk leaves a list of
//! edits, and the body is written from that list.

use alloc::{vec, vec::Vec};

use wasm_encoder::{BlockType, InstructionSink, ValType};
use wasmparser::{FunctionBody, Operator};

use super::{
    LARGE_BODY, cost,
    emit::{Counters, Emitter, Stop, Temporaries, encode_locals},
    linkage::Linkages,
    nan::{Float, hides_nan_bits, open_nan},
    runs::{RunId, Runs},
};
use crate::{
    admit::{BodyShape, FuncType, Passed},
    value,
};

/// What the rewrite must know of the module.
pub(super) struct Context<'a> {
    pub(super) counts: bool,
    pub(super) canonicalises: bool,
    pub(super) counters: Counters,
    pub(super) linkages: Linkages,
    passed: &'a Passed,
    /// Result types that need a block type of their own, in the order in which they are appended to the types.
    pub(super) wide_results: Vec<Vec<ValType>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(passed: &'a Passed, counts: bool, canonicalises: bool) -> Self {
        let fuel = u32::try_from(passed.globals.len()).unwrap_or(u32::MAX);
        let mut wide_results: Vec<Vec<ValType>> = Vec::new();
        for ty in passed.types.iter().flatten().filter(|ty| counts && ty.results.len() > 1) {
            let results: Vec<ValType> = ty.results.iter().copied().map(encoded).collect();
            if !wide_results.contains(&results) {
                wide_results.push(results);
            }
        }
        let linkages = match counts {
            true => Linkages::of(passed, passed.types.len() + wide_results.len()),
            false => Linkages::none(passed),
        };
        Self { counts, canonicalises, counters: Counters { fuel, stack: fuel + 1 }, linkages, passed, wide_results }
    }

    pub(super) fn function_type(&self, index: u32) -> &FuncType {
        match self.passed.types.get(index as usize) {
            Some(Some(ty)) => ty,
            _ => unreachable!("admission has seen that this is a function type"),
        }
    }

    /// The type of a block with a function's results.
    fn result_block(&self, ty: &FuncType) -> BlockType {
        match ty.results.as_slice() {
            [] => BlockType::Empty,
            [one] => BlockType::Result(encoded(*one)),
            several => {
                let several: Vec<ValType> = several.iter().copied().map(encoded).collect();
                let position = self.wide_results.iter().position(|results| *results == several).unwrap_or(0);
                let index = self.passed.types.len() + position;
                BlockType::FunctionType(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    }

    fn is_imported(&self, function: u32) -> bool {
        (function as usize) < self.passed.imported_functions
    }

    fn memory(&self, index: u32) -> Width {
        Width::of(self.passed.summary.memories.get(index as usize).is_some_and(|memory| memory.memory64))
    }

    fn page_size_log2(&self, index: u32) -> u32 {
        self.passed.summary.memories.get(index as usize).map_or(0, |memory| memory.page_size_log2)
    }

    fn table(&self, index: u32) -> Width {
        Width::of(self.passed.summary.tables.get(index as usize).is_some_and(|table| table.table64))
    }
}

/// Width of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Bits32,
    Bits64,
}

impl Width {
    fn of(is_64: bool) -> Self {
        if is_64 { Self::Bits64 } else { Self::Bits32 }
    }

    /// Of a count of what goes from one object to another: the narrower index holds it.
    fn min(self, other: Self) -> Self {
        Self::of(self == Self::Bits64 && other == Self::Bits64)
    }
}

/// Something between two of the guest's operators. Small, because a body may have one for every other byte.
struct Edit {
    /// Where, and how many of the guest's bytes it stands for.
    at: u32,
    replaces: u32,
    /// Blocks open there, the body's own included.
    depth: u32,
    what: What,
}

enum What {
    /// A straight run begins.
    Run(RunId),
    /// A straight run begins at the head of a loop.
    LoopRun(RunId),
    /// A straight run begins after a call.
    RunAfterCall(RunId),
    /// A host function must not run for a guest that has no fuel left: where one may be called, fuel is checked.
    BeforeCall {
        is_checked: bool,
    },
    /// A call by name of a function that takes the stack counter.
    Call {
        callee: u32,
    },
    TailCall {
        callee: u32,
    },
    /// An operator on the local that was moved.
    Local {
        access: Access,
        local: u32,
    },
    BeforeTailCall {
        is_checked: bool,
    },
    Return {
        depth: u32,
    },
    Bytes(Width),
    Elements(Width),
    BeforeGrowth(Width),
    /// With log2 of the size of a page.
    AfterMemoryGrowth(Width, u32),
    AfterTableGrowth(Width),
    Unfuse,
    BranchIf {
        depth: u32,
    },
    Canonicalise(Float),
}

/// A block that is open.
struct Block {
    kind: Kind,
    /// Whether its beginning can be reached.
    is_reachable: bool,
    jumps: Jumps,
    has_params: bool,
}

/// What jumps to the end of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Jumps {
    None,
    /// One conditional branch: it ends a run, and another begins behind it.
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

/// Rewrites one body. One that `takes_stack` gets the stack counter as a parameter behind its own.
pub(super) fn rewrite_body(
    body: &FunctionBody<'_>,
    shape: BodyShape,
    takes_stack: bool,
    context: &Context<'_>,
) -> Vec<u8> {
    let ty = context.function_type(shape.ty);
    let mut frame = Frame::read(body, ty, shape);
    let (mut locals, moved) = match takes_stack {
        true => frame.take_stack(),
        false => (Temporaries::new(frame.locals), None),
    };
    let walk = Walk::over(body, shape, moved, context);

    let bytes = body.as_bytes();
    let begin = body.range().start;
    let mut operators = Vec::with_capacity(bytes.len() * 2);
    // The one place where the guest is stopped is behind the body: too far for some branches of a large one.
    let stop = |depth| if shape.words > LARGE_BODY { Stop::Here } else { Stop::Branch(depth) };
    let mut emitter = Emitter { out: &mut operators, context, locals: &mut locals, stop: stop(0) };
    if context.counts {
        if let Stop::Branch(_) = emitter.stop {
            InstructionSink::new(emitter.out).block(BlockType::Empty);
        }
        emitter.enter(walk.runs.entry_cost() + cost::entry(frame.cells), frame.cells, takes_stack);
        InstructionSink::new(emitter.out).block(context.result_block(ty));
    }
    let mut copied = walk.start;
    for edit in walk.edits {
        let at = edit.at as usize;
        emitter.out.extend_from_slice(&bytes[copied - begin..at - begin]);
        copied = at + edit.replaces as usize;
        emitter.stop = stop(edit.depth);
        edit.what.emit(&mut emitter, &walk.runs, frame.cells);
    }
    emitter.out.extend_from_slice(&bytes[copied - begin..]);
    if context.counts {
        // The guest's last `end` closes the block around its body.
        emitter.stop = stop(0);
        // With tail calls any function may return to the host in place of an exported one. Without, one that takes the
        // stack is behind its entrance.
        let may_return_to_host = (shape.is_exported && !takes_stack) || context.passed.has_tail_calls;
        emitter.leave(may_return_to_host.then_some(frame.cells));
        if let Stop::Branch(_) = emitter.stop {
            InstructionSink::new(emitter.out).return_().end();
            emitter.stop();
        }
        InstructionSink::new(emitter.out).end();
    }

    let mut result = Vec::with_capacity(operators.len() + 32);
    encode_locals(&mut result, &frame.groups, locals.added());
    result.append(&mut operators);
    result
}

impl What {
    fn emit(self, emitter: &mut Emitter<'_>, runs: &Runs, frame_cells: i64) {
        match self {
            Self::Run(run) => emitter.charge(runs.cost(run)),
            Self::LoopRun(run) => emitter.charge_and_check(runs.cost(run), runs.ahead(run)),
            Self::RunAfterCall(run) => emitter.resume(runs.cost(run)),
            Self::BeforeCall { is_checked } => {
                if is_checked {
                    emitter.charge_and_check(0, 0);
                }
                emitter.save();
            }
            Self::Call { callee } => emitter.call(callee),
            Self::TailCall { callee } => emitter.tail_call(callee, frame_cells),
            Self::Local { access, local } => emitter.access(access, local),
            Self::BeforeTailCall { is_checked } => {
                if is_checked {
                    emitter.charge_and_check(0, 0);
                }
                emitter.save_without_frame(frame_cells);
            }
            Self::Return { depth } => {
                InstructionSink::new(emitter.out).br(depth);
            }
            Self::Bytes(width) => emitter.charge_bytes(width),
            Self::Elements(width) => emitter.charge_elements(width),
            Self::BeforeGrowth(width) => emitter.before_growth(width),
            Self::AfterMemoryGrowth(width, page_size_log2) => emitter.after_memory_growth(width, page_size_log2),
            Self::AfterTableGrowth(width) => emitter.after_table_growth(width),
            Self::Unfuse => emitter.unfuse(),
            Self::BranchIf { depth } => emitter.branch_if(depth),
            Self::Canonicalise(float) => emitter.canonicalise(float),
        }
    }
}

/// What an operator does with a local.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    Get,
    Set,
    Tee,
}

/// A local whose index became the parameter's.
#[derive(Clone, Copy)]
struct Moved {
    from: u32,
    to: u32,
}

/// The frame of a function.
struct Frame {
    params: u32,
    /// Locals, parameters included.
    locals: u32,
    groups: Vec<(u32, ValType)>,
    cells: i64,
}

impl Frame {
    fn read(body: &FunctionBody<'_>, ty: &FuncType, shape: BodyShape) -> Self {
        let mut locals = ty.params.len() as u64;
        let mut vectors = ty.params.iter().filter(|ty| **ty == value::ValType::V128).count() as u64;
        let mut groups = Vec::new();
        for group in body.get_locals_reader().into_iter().flatten() {
            let Ok((count, ty)) = group else { unreachable!("admission has read the locals") };
            let ty = encoded(ty.into());
            locals += u64::from(count);
            vectors += if ty == ValType::V128 { count.into() } else { 0 };
            groups.push((count, ty));
        }
        Self {
            params: u32::try_from(ty.params.len()).unwrap_or(u32::MAX),
            locals: u32::try_from(locals).unwrap_or(u32::MAX),
            groups,
            cells: cost::frame_cells(locals, vectors, shape),
        }
    }

    /// Makes room for the parameter: the first local that is declared moves behind the last, and all others stay.
    fn take_stack(&mut self) -> (Temporaries, Option<Moved>) {
        let first = self.groups.iter_mut().find(|(count, _)| *count > 0);
        let moved = first.map(|(count, ty)| {
            *count -= 1;
            *ty
        });
        let locals = Temporaries::with_stack(self.params, moved, self.locals + 1);
        (locals, moved.map(|_| Moved { from: self.params, to: self.locals }))
    }
}

/// The walk over a body's operators.
struct Walk<'a> {
    context: &'a Context<'a>,
    is_large: bool,
    moved: Option<Moved>,
    /// Where the operators begin.
    start: usize,
    edits: Vec<Edit>,
    blocks: Vec<Block>,
    is_reachable: bool,
    runs: Runs,
    /// A result whose NaN bits are open, made by the operator before.
    pending_nan: Option<(usize, Float)>,
}

impl<'a> Walk<'a> {
    fn over(body: &FunctionBody<'_>, shape: BodyShape, moved: Option<Moved>, context: &'a Context<'a>) -> Self {
        let Ok(mut operators) = body.get_operators_reader() else {
            unreachable!("admission has read the operators");
        };
        let mut walk = Self {
            context,
            is_large: shape.words > LARGE_BODY,
            moved,
            start: operators.original_position(),
            edits: Vec::new(),
            blocks: vec![Block { kind: Kind::Block, is_reachable: true, jumps: Jumps::None, has_params: false }],
            is_reachable: true,
            runs: Runs::new(),
            pending_nan: None,
        };
        while !operators.eof() {
            let at = operators.original_position();
            let Ok(operator) = operators.read() else {
                unreachable!("admission has read the operators");
            };
            walk.operator(&operator, at, operators.original_position());
        }
        walk
    }

    /// One operator, from `at` to `end`.
    fn operator(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        if let Some((at, float)) = self.pending_nan.take()
            && !hides_nan_bits(float, operator)
        {
            self.edit(at, 0, What::Canonicalise(float));
        }
        self.renumber(operator, at, end);
        if self.is_reachable {
            self.runs.add(cost::operator(operator));
            self.count(operator, at, end);
            if self.context.canonicalises {
                self.pending_nan = open_nan(operator).map(|float| (end, float));
            }
        }
        self.control(operator, at, end);
    }

    /// What refers to something that is elsewhere now. Types are checked where nothing is reached, too.
    fn renumber(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        use Operator as O;
        let (access, index) = match operator {
            O::LocalGet { local_index } => (Access::Get, *local_index),
            O::LocalSet { local_index } => (Access::Set, *local_index),
            O::LocalTee { local_index } => (Access::Tee, *local_index),
            O::Call { function_index } => {
                if let Some(callee) = self.context.linkages.callee(*function_index) {
                    self.edit(at, end - at, What::Call { callee });
                }
                return;
            }
            O::ReturnCall { function_index } => {
                if let Some(callee) = self.context.linkages.callee(*function_index) {
                    self.edit(at, end - at, What::TailCall { callee });
                }
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

    /// What depends on an operator's operands, and what calls hand over.
    fn count(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        if !self.context.counts {
            return;
        }
        use Operator as O;
        let context = self.context;
        match operator {
            O::MemoryFill { mem } => self.check(at, What::Bytes(context.memory(*mem))),
            O::MemoryInit { .. } => self.check(at, What::Bytes(Width::Bits32)),
            O::MemoryCopy { dst_mem, src_mem } => {
                self.check(at, What::Bytes(context.memory(*dst_mem).min(context.memory(*src_mem))));
            }
            O::MemoryGrow { mem } => {
                let width = context.memory(*mem);
                self.edit(at, 0, What::BeforeGrowth(width));
                self.check(end, What::AfterMemoryGrowth(width, context.page_size_log2(*mem)));
            }
            O::TableFill { table } => self.check(at, What::Elements(context.table(*table))),
            O::TableInit { .. } => self.check(at, What::Elements(Width::Bits32)),
            O::TableCopy { dst_table, src_table } => {
                self.check(at, What::Elements(context.table(*dst_table).min(context.table(*src_table))));
            }
            O::TableGrow { table } => {
                let width = context.table(*table);
                self.edit(at, 0, What::BeforeGrowth(width));
                self.check(end, What::AfterTableGrowth(width));
            }
            O::Call { function_index } => {
                if context.linkages.callee(*function_index).is_none() {
                    let is_checked = context.is_imported(*function_index);
                    self.edit(at, 0, What::BeforeCall { is_checked });
                }
                self.begin_run(end, What::RunAfterCall);
            }
            O::CallIndirect { .. } => {
                // The table may hold an imported function, which does not check by itself.
                let is_checked = context.passed.imported_functions > 0;
                self.edit(at, 0, What::BeforeCall { is_checked });
                self.begin_run(end, What::RunAfterCall);
            }
            O::ReturnCall { function_index } if context.linkages.callee(*function_index).is_none() => {
                let is_checked = context.is_imported(*function_index);
                self.edit(at, 0, What::BeforeTailCall { is_checked });
            }
            O::ReturnCallIndirect { .. } => {
                let is_checked = context.passed.imported_functions > 0;
                self.edit(at, 0, What::BeforeTailCall { is_checked });
            }
            _ => {}
        }
    }

    /// Where control may go, and so where runs begin and end.
    fn control(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        use Operator as O;
        match operator {
            O::Block { blockty } => self.open(Kind::Block, *blockty),
            O::Loop { blockty } => {
                self.open(Kind::Loop, *blockty);
                if self.is_reachable {
                    self.begin_run(end, What::LoopRun);
                }
            }
            O::If { blockty } => {
                self.unfuse(at);
                self.open(Kind::If, *blockty);
                if self.is_reachable {
                    self.begin_run(end, What::Run);
                }
            }
            O::Else => self.otherwise(end),
            O::End => self.close(end),
            O::Br { relative_depth } => {
                self.jump(*relative_depth, Jumps::Several);
                self.stop();
            }
            O::BrIf { relative_depth } => self.branch_if(*relative_depth, at, end),
            O::BrTable { targets } => {
                for depth in targets.targets().flatten().chain([targets.default()]) {
                    self.jump(depth, Jumps::Several);
                }
                self.stop();
            }
            O::Return => {
                if self.is_reachable && self.context.counts {
                    let depth = u32::try_from(self.blocks.len() - 1).unwrap_or(u32::MAX);
                    self.edit(at, end - at, What::Return { depth });
                }
                self.stop();
            }
            O::Unreachable | O::ReturnCall { .. } | O::ReturnCallIndirect { .. } => self.stop(),
            _ => {}
        }
    }

    fn open(&mut self, kind: Kind, ty: wasmparser::BlockType) {
        let has_params = match ty {
            wasmparser::BlockType::FuncType(index) => !self.context.function_type(index).params.is_empty(),
            wasmparser::BlockType::Empty | wasmparser::BlockType::Type(_) => false,
        };
        self.blocks.push(Block { kind, is_reachable: self.is_reachable, jumps: Jumps::None, has_params });
    }

    fn otherwise(&mut self, end: usize) {
        let falls_through = self.is_reachable;
        let Some(block) = self.blocks.last_mut() else { return };
        // From here on the block ends like any other: the then-branch jumps to its end.
        block.kind = Kind::Block;
        if falls_through {
            block.jumps = Jumps::Several;
        }
        self.is_reachable = block.is_reachable;
        if self.is_reachable {
            self.begin_run(end, What::Run);
        }
    }

    fn close(&mut self, end: usize) {
        let Some(block) = self.blocks.pop() else { return };
        let falls_through = self.is_reachable;
        // An `if` without `else` is passed by.
        let passes_by = block.kind == Kind::If && block.is_reachable;
        let joins = passes_by || block.jumps != Jumps::None;
        self.is_reachable |= joins;
        // What stands behind the body's own end is not a run.
        if self.blocks.is_empty() || !joins {
            return;
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
        if !self.is_reachable {
            return;
        }
        self.unfuse(at);
        // Where operands go with the branch, the engine itself branches around their copies.
        let is_loop = self.block(depth).is_some_and(|block| block.kind == Kind::Loop && !block.has_params);
        if self.is_large && is_loop {
            self.edit(at, end - at, What::BranchIf { depth });
        }
        let before = self.runs.current();
        let after = self.begin_run(end, What::Run);
        self.jump(depth, Jumps::One { before, after });
    }

    fn unfuse(&mut self, at: usize) {
        if self.is_large && self.is_reachable {
            self.edit(at, 0, What::Unfuse);
        }
    }

    fn block(&mut self, depth: u32) -> Option<&mut Block> {
        let index = self.blocks.len().checked_sub(depth as usize + 1)?;
        self.blocks.get_mut(index)
    }

    /// Jumps to the block at `depth`.
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
        if self.context.counts {
            self.edit(at, 0, what(run));
        }
        run
    }

    /// Fuel is charged and checked in the middle of a run.
    fn check(&mut self, at: usize, what: What) {
        self.runs.check();
        self.edit(at, 0, what);
    }

    fn edit(&mut self, at: usize, replaces: usize, what: What) {
        // A body is far smaller than the type's end.
        let [at, replaces, depth] = [at, replaces, self.blocks.len()].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        self.edits.push(Edit { at, replaces, depth, what });
    }
}

/// A type of an admitted module, for the encoder.
pub(super) fn encoded(ty: value::ValType) -> ValType {
    match ty {
        value::ValType::I32 => ValType::I32,
        value::ValType::I64 => ValType::I64,
        value::ValType::F32 => ValType::F32,
        value::ValType::F64 => ValType::F64,
        value::ValType::V128 => ValType::V128,
        value::ValType::FuncRef => ValType::FUNCREF,
        value::ValType::OtherRef => unreachable!("no policy allows other references"),
    }
}
