//! The walk over a body's operators: it finds the straight runs and what each costs, and leaves a list of edits.

use alloc::{vec, vec::Vec};

use wasmparser::{FunctionBody, Operator};

use super::{
    LARGE_BODY,
    context::Context,
    cost,
    linkage::Callee,
    nan::{Float, hides_nan_bits, open_nan},
    runs::{RunId, Runs},
};
use crate::admit::{BodyShape, is_straight};

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

    /// Of a count of what goes from one object to another: the narrower index holds it.
    fn min(self, other: Self) -> Self {
        Self::of(self == Self::Bits64 && other == Self::Bits64)
    }
}

/// Something between two of the guest's operators. Small, because a body may have one for every other byte.
pub(super) struct Edit {
    /// Where, and how many of the guest's bytes it stands for.
    pub(super) at: u32,
    pub(super) replaces: u32,
    pub(super) what: What,
}

pub(super) enum What {
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
    /// A call of a function of the module by name.
    Call(Callee),
    TailCall(Callee),
    /// A function of the module, as a value.
    Reference(u32),
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

/// What an operator does with a local.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    Get,
    Set,
    Tee,
}

/// A local whose index became the parameter's.
#[derive(Clone, Copy)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// The walk over a body's operators.
pub(super) struct Walk<'a> {
    context: &'a Context<'a>,
    is_large: bool,
    moved: Option<Moved>,
    /// Where the operators begin.
    pub(super) start: usize,
    pub(super) edits: Vec<Edit>,
    blocks: Vec<Block>,
    is_reachable: bool,
    pub(super) runs: Runs,
    /// A result whose NaN bits are open, made by the operator before.
    pending_nan: Option<(usize, Float)>,
}

impl<'a> Walk<'a> {
    pub(super) fn over(
        body: &FunctionBody<'_>,
        shape: BodyShape,
        moved: Option<Moved>,
        context: &'a Context<'a>,
    ) -> Self {
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
        let (code, begin) = (body.as_bytes(), body.range().start);
        while !operators.eof() {
            let at = operators.original_position();
            // Matched where it lies: to move it costs as much as to read it.
            let operator = operators.read();
            let Ok(operator) = &operator else {
                unreachable!("admission has read the operators");
            };
            walk.operator(operator, at, operators.original_position(), is_straight(code[at - begin]));
        }
        walk
    }

    /// One operator, from `at` to `end`. Straight code neither branches nor calls, and has no cost of its own.
    fn operator(&mut self, operator: &Operator<'_>, at: usize, end: usize, is_straight: bool) {
        if let Some((at, float)) = self.pending_nan.take()
            && !hides_nan_bits(float, operator)
        {
            self.edit(at, 0, What::Canonicalise(float));
        }
        self.renumber(operator, at, end);
        if self.is_reachable {
            self.runs.add(cost::operator(operator));
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
    }

    /// What refers to something that is elsewhere now. Types are checked where nothing is reached, too.
    fn renumber(&mut self, operator: &Operator<'_>, at: usize, end: usize) {
        use Operator as O;
        let linkages = &self.context.linkages;
        if !linkages.renumbers() {
            return;
        }
        let (access, index) = match operator {
            O::LocalGet { local_index } => (Access::Get, *local_index),
            O::LocalSet { local_index } => (Access::Set, *local_index),
            O::LocalTee { local_index } => (Access::Tee, *local_index),
            O::Call { function_index } => {
                if let Some(callee) = linkages.callee(*function_index) {
                    self.edit(at, end - at, What::Call(callee));
                }
                return;
            }
            O::ReturnCall { function_index } => {
                if let Some(callee) = linkages.callee(*function_index) {
                    self.edit(at, end - at, What::TailCall(callee));
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
                if context.is_imported(*function_index) {
                    self.edit(at, 0, What::BeforeCall { is_checked: true });
                }
                self.begin_run(end, What::RunAfterCall);
            }
            O::CallIndirect { .. } => {
                self.edit(at, 0, What::BeforeCall { is_checked: context.tables_reach_host() });
                self.begin_run(end, What::RunAfterCall);
            }
            O::ReturnCall { function_index } if context.is_imported(*function_index) => {
                self.edit(at, 0, What::BeforeTailCall { is_checked: true });
            }
            O::ReturnCallIndirect { .. } => {
                self.edit(at, 0, What::BeforeTailCall { is_checked: context.tables_reach_host() });
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
        let [at, replaces] = [at, replaces].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        self.edits.push(Edit { at, replaces, what });
    }
}
