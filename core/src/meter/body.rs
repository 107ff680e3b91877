//! The rewrite of one function body.
//!
//! The guest's operators are copied byte for byte, except those that name a function of the module or a moved local,
//! and those that the rewrite replaces. Types and globals are only appended. One [walk](Walk) over the operators finds
//! the straight runs and their costs. A run's cost is known only at its end but charged at its beginning, so the walk
//! leaves a list of edits, from which the body is written.

use alloc::vec::Vec;

use wasm_encoder::{InstructionSink, ValType};
use wasmparser::FunctionBody;

use super::{
    block_types::BlockTypes,
    context::{Context, encoded},
    cost,
    emit::Emitter,
    runs::Runs,
    temporaries::{Temporaries, encode_locals},
    walk::{Moved, Walk, What},
};
use crate::{
    admit::{BodyShape, FuncType},
    value,
};

/// A written body.
pub(super) struct Written {
    /// Without the size prefix.
    pub(super) bytes: Vec<u8>,
    /// Offsets in it of branches that are seldom taken.
    pub(super) unlikely: Vec<usize>,
    /// Upper bound of locals and operands.
    pub(super) slots: u64,
}

impl Written {
    /// Encodes locals, then operators with seldom-taken branches at `unlikely`.
    pub(super) fn new(groups: &[(u32, ValType)], added: &[ValType], operators: &[u8], unlikely: Vec<usize>) -> Self {
        let mut bytes = Vec::with_capacity(operators.len() + 32);
        encode_locals(&mut bytes, groups, added);
        let unlikely = unlikely.into_iter().map(|at| bytes.len() + at).collect();
        bytes.extend_from_slice(operators);
        Self { bytes, unlikely, slots: 0 }
    }
}

/// A body of the guest.
pub(super) struct OwnBody<'a> {
    /// Index of its function, in the module as it came.
    pub(super) function: u32,
    pub(super) body: &'a FunctionBody<'a>,
    pub(super) shape: BodyShape,
}

/// Rewrites one body. One that `takes_stack` gets the stack counter as an additional last parameter.
pub(super) fn rewrite_body(
    &OwnBody { function, body, shape }: &OwnBody<'_>,
    takes_stack: bool,
    context: &Context<'_>,
    block_types: &mut BlockTypes,
) -> Written {
    let ty = context.function_type(shape.ty);
    let mut frame = Frame::read(body, ty, shape);
    let (mut locals, moved) = match takes_stack {
        true => frame.take_stack(),
        false => (Temporaries::new(frame.locals), None),
    };
    let Walk { start, edits, encoded, runs, .. } = Walk::over(body, shape, moved, context, block_types);

    let bytes = body.as_bytes();
    let begin = body.range().start;
    let mut operators = Vec::with_capacity(bytes.len() * 2);
    let mut emitter = Emitter { out: &mut operators, context, locals: &mut locals, block_types, unlikely: Vec::new() };
    if context.counts {
        emitter.tell_enter(function);
        emitter.place(offset(start), false);
        emitter.enter(runs.entry_cost() + cost::entry(frame.cells, shape), frame.cells, takes_stack);
        let whole = emitter.block_types.of(&[], &ty.results);
        InstructionSink::new(emitter.out).block(whole);
    }
    let mut copied = start;
    for edit in edits {
        let at = edit.at as usize;
        emitter.out.extend_from_slice(&bytes[copied - begin..at - begin]);
        copied = at + edit.replaces as usize;
        edit.what.emit(&mut emitter, &runs, &encoded, frame.cells);
    }
    emitter.out.extend_from_slice(&bytes[copied - begin..]);
    if context.counts {
        // The guest's last `end` closes the block around its body. With tail calls any function may return to the host
        // in place of an exported one. Without, a function that takes the stack is called through its entrance.
        let may_return_to_host = (shape.is_exported && !takes_stack) || context.has_tail_calls();
        emitter.place(offset(begin + bytes.len() - 1), false);
        emitter.leave(may_return_to_host.then_some(frame.cells));
        emitter.tell_leave();
        InstructionSink::new(emitter.out).end();
    }
    let unlikely = emitter.unlikely;
    let slots = u64::from(locals.count()) + u64::from(shape.height) + OWN_OPERANDS;
    Written { slots, ..Written::new(&frame.groups, locals.added(), &operators, unlikely) }
}

fn offset(at: usize) -> u32 {
    // A module is far smaller than 4 GiB.
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Upper bound of operands that the rewrite pushes on top of the guest's.
const OWN_OPERANDS: u64 = 6;

impl What {
    fn emit(self, emitter: &mut Emitter<'_>, runs: &Runs, encoded: &[u8], frame_cells: i64) {
        match self {
            Self::Place { at, is_tail_call } => emitter.place(at, is_tail_call),
            Self::Replaced => emitter.tell_replaced(),
            Self::Run(run) => emitter.charge(runs.cost(run)),
            Self::CheckedRun(run) => emitter.charge_and_check(runs.cost(run), runs.ahead(run)),
            Self::RunAfterCall(run) => emitter.resume(runs.cost(run)),
            Self::BeforeCall { is_checked } => {
                if is_checked {
                    emitter.charge_and_check(0, 0);
                }
                emitter.save();
            }
            Self::Call(callee) => emitter.call(callee),
            Self::TailCall(callee) => emitter.tail_call(callee, frame_cells),
            Self::Import { function, is_tail } => {
                let mut sink = InstructionSink::new(emitter.out);
                if is_tail {
                    sink.return_call(function)
                } else {
                    sink.call(function)
                };
            }
            Self::Reference(function) => emitter.reference(function),
            Self::Local { access, local } => emitter.access(access, local),
            Self::BeforeTailCall { is_checked } => {
                if is_checked {
                    emitter.charge_and_check(0, 0);
                }
                emitter.save_without_frame(frame_cells);
            }
            Self::Branch { depth } => emitter.branch(depth),
            Self::Encoded { begin, end } => emitter.out.extend_from_slice(&encoded[begin as usize..end as usize]),
            Self::Bulk(bulk) => emitter.charge_pieces(emitter.context.pieces(bulk)),
            Self::Init(target) => emitter.charge_init(target),
            Self::Clamp => emitter.clamp(),
            Self::Growth(growth) => {
                let function = emitter.context.grower(growth).function;
                InstructionSink::new(emitter.out).call(function);
            }
            Self::BeforeGrowth(width) => emitter.before_growth(width),
            Self::AfterMemoryGrowth(width, page_size_log2) => emitter.after_memory_growth(width, page_size_log2),
            Self::AfterTableGrowth(width) => emitter.after_table_growth(width),
            Self::OpenFarIf => emitter.open_far_if(),
            Self::SkipFarArm { through } => emitter.skip_far_arm(through),
            Self::FarElse => emitter.far_else(),
            Self::End => emitter.end(),
            Self::FarBranchIf { depth, through } => emitter.far_branch_if(depth, through),
            Self::Canonicalise(float) => emitter.canonicalise(float),
        }
    }
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
        let mut vectors = ty.params.iter().filter(|ty| **ty == value::ValType::V128).count() as u64;
        let mut groups = Vec::new();
        for group in body.get_locals_reader().into_iter().flatten() {
            let Ok((count, ty)) = group else { unreachable!("admission has read the locals") };
            let ty = encoded(ty.into());
            vectors += if ty == ValType::V128 { count.into() } else { 0 };
            groups.push((count, ty));
        }
        Self {
            params: u32::try_from(ty.params.len()).unwrap_or(u32::MAX),
            locals: shape.locals,
            groups,
            cells: cost::frame_cells(vectors, shape),
        }
    }

    /// Inserts the parameter: the first declared local moves behind the last one; all others keep their index.
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
