//! What an optimising compiler may compute more than once.
//!
//! It takes pure operators out of the code and computes each where its value is needed: by a store, a call, a branch. What was computed in a place that dominates this one is used again; otherwise the whole chain of operators is
//! computed anew. So a value that is kept in a local and used in many arms costs its chain in each of them, in time, and in
//! places of the frame.
//!
//! This walk does the same with the numbers alone. Every value has the weight of its chain: the operators that may still
//! have to be computed for it. Where an operator needs a value that no dominating place has computed, the weight is
//! charged to that operator; to the entry of a loop, if the compiler moves the chain in front of it. The first time is
//! free, because the operators have been paid for where they stand.

mod chain;
mod flow;
mod needed;
mod operators;

use alloc::vec::Vec;

use wasmparser::{BlockType, FuncValidator, Operator, ValidatorResources};

use self::{
    chain::Chain,
    flow::{Frame, Log},
    needed::Needed,
    operators::{Makes, What},
};
use super::{summary::Memory, validated::Validated};

/// Operands of operands that are marked as computed together.
const TOGETHER: usize = 8;

/// Parts per unit of fuel, as at the entry of a loop.
const PARTS_PER_UNIT: u64 = 16;

/// More fuel for the operator at byte `at` of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) at: u32,
    pub(crate) units: u32,
}

/// A sum over pure operators: the parts of work, as [`speculated`](crate::meter::speculated), and the parts of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    work: u32,
    frame: u32,
}

impl Sum {
    fn add(self, other: Self) -> Self {
        Self { work: self.work.saturating_add(other.work), frame: self.frame.saturating_add(other.frame) }
    }

    /// What is missing to it from `from`.
    fn since(self, from: Self) -> Self {
        Self { work: self.work.saturating_sub(from.work), frame: self.frame.saturating_sub(from.frame) }
    }

    fn min(self, other: Self) -> Self {
        Self { work: self.work.min(other.work), frame: self.frame.min(other.frame) }
    }

    fn max(self, other: Self) -> Self {
        Self { work: self.work.max(other.work), frame: self.frame.max(other.frame) }
    }

    /// With the places of constants, which only loops keep: there are at most as many as other operands.
    fn with_constants(self, in_loop: bool) -> Self {
        Self { frame: if in_loop { self.frame.saturating_mul(2) } else { self.frame }, ..self }
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// The value of an operand or a local.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    /// Index of its definition.
    id: u32,
    /// Values with different origins are different to the compiler. Those with the same may be.
    origin: u32,
    /// The sum over the body before the oldest operator of its chain.
    start: Sum,
    /// Upper bound of its chain; nothing for a value that no pure operator makes.
    weight: Sum,
}

/// What is known of a value besides its chain.
#[derive(Clone, Copy, Default)]
struct Definition {
    /// Number of the operator that made it, and of its basic block.
    time: u32,
    block: u32,
    /// The sum over the body behind it.
    end: Sum,
    /// The part of its chain from before its basic block.
    older: Sum,
    /// The place that computes it.
    placed: Place,
    /// What it weighs itself, and its operands; zero if there are less.
    own: Sum,
    operands: [u32; 3],
    /// Whether it has more operands than that.
    has_more: bool,
    /// Whether something has needed it, and the number of the chain that was walked last and has it.
    is_needed: bool,
    walk: u32,
    /// The operand that is certainly computed with it; zero if none.
    with: u32,
    what: What,
}

/// A basic block in which something is computed.
#[derive(Clone, Copy, Default)]
struct Place {
    block: u32,
    depth: u32,
    time: u32,
}

impl Place {
    /// Whether it is on this path of dominators.
    fn holds_on(self, path: &[Block]) -> bool {
        self.time > 0 && path.get(self.depth as usize).is_some_and(|block| block.id == self.block)
    }
}

/// A basic block on the path of dominators to the current one.
#[derive(Clone, Copy)]
struct Block {
    id: u32,
    /// The sum over the body before it.
    start: Sum,
}

/// A loop around the current operator.
#[derive(Clone, Copy)]
struct Loop {
    at: u32,
    time: u32,
    /// Depth of the block before it.
    depth: u32,
}

/// A local of the current body.
#[derive(Clone, Copy, Default)]
struct Local {
    value: Value,
    /// When it was set to it.
    since: u32,
}

/// The walk over one body, kept to reuse its allocations.
#[derive(Default)]
pub(super) struct Copies {
    /// Offset of the body in the module.
    begin: usize,
    /// Number of the current operator, and its byte in the body.
    time: u32,
    at: u32,
    is_reachable: bool,
    /// Whether it has blocks that no policy allows: it is read only to say so.
    is_foreign: bool,
    /// Whether the compiler may find code unreachable that is not so by its types.
    is_doubtful: bool,
    /// Whether its blocks are too many to follow locals through them: everything may then have to be computed everywhere.
    is_tangled: bool,
    /// The sum over all pure operators so far, and those that were needed.
    sum: Sum,
    needed: Needed,
    /// Those of them that belong to long chains.
    long: Needed,
    chain: Chain,
    definitions: Vec<Definition>,
    locals: Vec<Local>,
    operands: Vec<Value>,
    frames: Vec<Frame>,
    loops: Vec<Loop>,
    path: Vec<Block>,
    /// Number of basic blocks so far.
    blocks: u32,
    log: Log,
    /// Parts of work by byte of the operator, in no order.
    charges: Vec<(u32, u32)>,
    /// Parts of the frame for copies.
    kept: u32,
    /// The maximum number of bytes of each memory.
    memories: Vec<u64>,
}

impl Copies {
    /// Begins a module with bodies of so many bytes together.
    pub(super) fn begin_module(&mut self, bytes: u64) {
        self.log.begin(bytes);
    }

    /// Begins a body.
    pub(super) fn begin(&mut self, at: usize, ty: u32, locals: u64, validated: &Validated) {
        self.begin = at;
        let results = validated.results(ty).len();
        if self.memories.is_empty() {
            let maximum =
                |memory: &Memory| memory.maximum_bytes.unwrap_or(if memory.memory64 { u64::MAX } else { 1 << 32 });
            self.memories.extend(validated.summary.memories.iter().map(maximum));
        }
        (self.time, self.blocks, self.kept) = (0, 0, 0);
        (self.is_reachable, self.is_doubtful, self.is_tangled, self.is_foreign) = (true, false, false, false);
        self.sum = Sum::default();
        self.needed.clear();
        self.long.clear();
        self.chain.clear();
        self.definitions.clear();
        // The zero of locals, and what nobody asks for.
        self.definitions.push(Definition::default());
        self.locals.clear();
        self.locals.resize(usize::try_from(locals).unwrap_or(usize::MAX), Local::default());
        // Parameters are no constants.
        let parameter = self.opaque();
        for local in self.locals.iter_mut().take(usize::try_from(validated.params(ty)).unwrap_or(usize::MAX)) {
            local.value = parameter;
        }
        self.operands.clear();
        self.loops.clear();
        self.path.clear();
        self.log.clear();
        self.charges.clear();
        self.enter_block();
        self.frames.clear();
        self.frames.push(Frame::function(u32::try_from(results).unwrap_or(u32::MAX)));
    }

    /// Ends a body: adds what its operators cost more, and returns what its frame has more.
    pub(super) fn finish(&mut self, extras: &mut Vec<Extra>) -> u32 {
        self.charges.sort_unstable_by_key(|charge| charge.0);
        let most = u64::from(self.sum.work) / PARTS_PER_UNIT;
        for charges in self.charges.chunk_by(|one, other| one.0 == other.0) {
            let parts: u64 = charges.iter().map(|charge| u64::from(charge.1)).sum();
            // Everything together is computed once at most for one operator.
            let units = (parts / PARTS_PER_UNIT).min(most);
            if units > 0 {
                extras.push(Extra { at: charges[0].0, units: u32::try_from(units).unwrap_or(u32::MAX) });
            }
        }
        self.kept
    }

    /// One operator, at byte `at` of the module, that is not straight code; `code` begins with it.
    pub(super) fn operator(
        &mut self,
        operator: &Operator<'_>,
        code: &[u8],
        at: usize,
        validator: &FuncValidator<ValidatorResources>,
        validated: &Validated,
    ) {
        use Operator as O;
        if self.is_foreign {
            return;
        }
        self.step(at);
        let arity = || operator.operator_arity(validator).unwrap_or_default();
        let types = |ty: BlockType| match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => {
                (u32::try_from(validated.params(index)).unwrap_or(u32::MAX), validated.results(index).len() as u32)
            }
        };
        match operator {
            O::Block { blockty } => self.open_block(types(*blockty)),
            O::Loop { blockty } => self.open_loop(types(*blockty)),
            O::If { blockty } => self.open_if(types(*blockty)),
            O::Try { .. } | O::TryTable { .. } => (self.is_foreign, self.is_reachable) = (true, false),
            O::Else => self.otherwise(),
            O::End => self.close(),
            _ if !self.is_reachable => {}
            O::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.stop();
            }
            O::BrIf { relative_depth } => {
                self.need_operands(1);
                self.branch(*relative_depth);
                self.enter_block();
            }
            O::BrTable { targets } => {
                self.need_operands(1);
                for depth in targets.targets().flatten().chain([targets.default()]) {
                    self.branch(depth);
                }
                self.stop();
            }
            O::Return => {
                let results = self.frames[0].results;
                self.need_operands(results as usize);
                self.stop();
            }
            O::Unreachable => self.stop(),
            O::ReturnCall { .. } | O::ReturnCallIndirect { .. } => {
                self.need_operands(arity().0 as usize);
                self.stop();
            }
            O::LocalGet { local_index } => self.get(*local_index),
            O::LocalSet { local_index } => self.set(*local_index),
            O::LocalTee { local_index } => self.tee(*local_index),
            O::Drop => drop(self.pop()),
            O::GlobalGet { global_index }
                if validated.globals.get(*global_index as usize).is_some_and(|global| !global.is_mutable) =>
            {
                self.compute(0, 1, operators::CONSTANT, Makes::Constant { is_middle: false });
            }
            _ => {
                let (params, results) = arity();
                match operators::of(operator, code) {
                    Some(sum) => self.compute(params as usize, results as usize, sum, Makes::Choice),
                    None => {
                        self.vector_access(code);
                        self.effect(params as usize, results as usize);
                    }
                }
            }
        }
    }

    fn step(&mut self, at: usize) {
        self.time = self.time.saturating_add(1);
        // A body is far smaller than 4 GiB.
        self.at = u32::try_from(at - self.begin).unwrap_or(u32::MAX);
    }

    // Values.

    /// A value that no pure operator makes.
    fn opaque(&mut self) -> Value {
        let definition = Definition { time: self.time, end: self.sum, what: What::Opaque, ..Definition::default() };
        let id = self.define(definition);
        Value { id, origin: id, ..Value::default() }
    }

    fn define(&mut self, definition: Definition) -> u32 {
        self.definitions.push(definition);
        u32::try_from(self.definitions.len() - 1).unwrap_or(u32::MAX)
    }

    /// A pure operator.
    fn compute(&mut self, params: usize, results: usize, own: Sum, makes: Makes) {
        let before = self.sum;
        let (mut start, mut weight) = (before, own);
        let from = self.operands.len().saturating_sub(params);
        let (with, what) = self.understand(from, makes);
        let mut operands = [0; 3];
        let mut pending = 0;
        for index in from..self.operands.len() {
            let operand = self.operands[index];
            if let Some(place) = operands.get_mut(index - from) {
                *place = operand.id;
            }
            if !operand.weight.is_nothing() && self.place(operand.id).is_none() {
                start = start.min(operand.start);
                weight = weight.add(operand.weight);
                pending += 1;
            }
        }
        let has_more = params > operands.len();
        // Chains that have operators in common, if they are short.
        if pending > 1 && !has_more && self.walk(&operands) {
            weight = own.add(self.chain.sum(&self.definitions));
        }
        self.operands.truncate(from);
        self.sum = before.add(own);
        // The chain lies in that part of the body: no operand counts twice.
        let weight = weight.min(self.sum.since(start));
        let block = self.block();
        let definition = Definition {
            time: self.time,
            block: block.id,
            end: self.sum,
            older: weight.min(block.start.since(start)),
            own,
            operands,
            has_more,
            with,
            what,
            ..Definition::default()
        };
        for _ in 0..results {
            let id = self.define(definition);
            self.operands.push(Value { id, origin: id, start, weight });
        }
    }

    /// An operator that needs its operands here.
    fn effect(&mut self, params: usize, results: usize) {
        self.need_operands(params);
        for _ in 0..results {
            let value = self.opaque();
            self.operands.push(value);
        }
    }

    fn pop(&mut self) -> Value {
        self.operands.pop().unwrap_or_default()
    }

    fn get(&mut self, local: u32) {
        let value = self.locals.get(local as usize).map_or(Value::default(), |local| local.value);
        self.operands.push(value);
    }

    fn set(&mut self, local: u32) {
        let value = self.pop();
        self.assign(local, value);
    }

    fn tee(&mut self, local: u32) {
        let value = self.operands.last().copied().unwrap_or_default();
        self.assign(local, value);
    }

    // Places.

    fn block(&self) -> Block {
        self.path.last().copied().unwrap_or(Block { id: 0, start: Sum::default() })
    }

    /// A basic block begins that the current one dominates.
    fn enter_block(&mut self) {
        self.path.push(Block { id: self.blocks, start: self.sum });
        self.blocks = self.blocks.saturating_add(1);
    }

    /// The place that computes a value, if it dominates this one.
    fn place(&self, id: u32) -> Option<Place> {
        let placed = self.definitions[id as usize].placed;
        placed.holds_on(&self.path).then_some(placed)
    }

    /// Removes operands that are needed here.
    fn need_operands(&mut self, count: usize) {
        let from = self.operands.len().saturating_sub(count);
        for index in from..self.operands.len() {
            self.need(self.operands[index], true);
        }
        self.operands.truncate(from);
    }

    /// A value is needed here, or may be.
    ///
    /// In a loop that it does not change in, the compiler computes it in front of that loop, whether the loop comes here
    /// or not; or, when it visits this block after one behind the loop, here and so once for each round.
    ///
    /// What it was made of is marked as computed only where the compiler cannot know a shorter way to it.
    fn need(&mut self, value: Value, is_certain: bool) {
        if self.is_tangled {
            return self.charge(self.at, self.sum);
        }
        if value.weight.is_nothing() || self.place(value.id).is_some() {
            return;
        }
        let definition = self.definitions[value.id as usize];
        let outside = self.loops.iter().find(|outside| outside.time > definition.time).copied();
        let (at, depth) = outside.map_or((self.at, self.depth()), |outside| (outside.at, outside.depth));
        let block = self.path[depth as usize];
        // What stands in the same basic block is computed once there, and what nothing has needed before is paid for.
        let mut repeated = self.needed.add(value.start, definition.end, block.start).min(value.weight);
        let mut all = value.weight;
        if self.walk(&[value.id]) {
            all = all.min(self.chain.sum(&self.definitions));
            repeated = repeated.min(self.chain.repeated(&mut self.definitions, block, &self.long));
        } else {
            self.long.add(value.start, definition.end, definition.end);
        }
        self.charge(at, repeated.with_constants(outside.is_some()));
        if outside.is_some() {
            self.charge(self.at, Sum { frame: 0, ..all });
        }
        if is_certain {
            let place = Place { block: self.block().id, depth: self.depth(), time: self.time };
            let mut id = value.id;
            for _ in 0..TOGETHER {
                self.definitions[id as usize].placed = place;
                id = self.definitions[id as usize].with;
                if id == 0 || self.place(id).is_some() {
                    break;
                }
            }
        }
    }

    /// The operands on top may be needed here.
    fn may_need(&mut self, count: usize) {
        for index in self.operands.len().saturating_sub(count)..self.operands.len() {
            self.need(self.operands[index], false);
        }
    }

    fn depth(&self) -> u32 {
        u32::try_from(self.path.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    fn charge(&mut self, at: u32, sum: Sum) {
        if sum.work > 0 {
            self.charges.push((at, sum.work));
        }
        self.kept = self.kept.saturating_add(sum.frame);
    }
}

#[cfg(test)]
mod tests;
