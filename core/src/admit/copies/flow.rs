//! Blocks, branches and joins of the walk: which place dominates which, and which locals become parameters of a block.

mod edges;

use alloc::vec::Vec;

use super::{Copies, Definition, Local, Loop, Place, Sum, Value};

/// Entries of the log that are read for one operator of a body, on average.
const READ: u64 = 64;
/// And for each body.
const READ_AT_LEAST: u64 = 1 << 16;
/// Entries that are read beyond that for a byte of all bodies: large functions with a dispatcher need it, and a module has few
/// of them. More end the reading of logs.
const READ_IN_MODULE: u64 = 64;

/// A value that a local had. It is read at the end of every block around.
#[derive(Clone, Copy)]
struct Entry {
    local: u32,
    old: Local,
    /// When it was replaced.
    time: u32,
    /// When it was computed in a place that dominated the replacement.
    placed: u32,
}

/// What locals had since the blocks around were opened, in order.
#[derive(Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    /// By number, how long the log was when something branched.
    snapshots: Vec<u32>,
    read: u64,
    /// Entries that may still be read in the module, beyond those of each body.
    credit: u64,
    /// For each local the number of the join that has seen it, and its index there.
    seen: Vec<(u32, u32)>,
    joins: u32,
    merged: Vec<Merged>,
}

impl Log {
    /// Begins a module with bodies of so many bytes together.
    pub(super) fn begin(&mut self, bytes: u64) {
        self.credit = READ_IN_MODULE * bytes;
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.snapshots.clear();
        self.seen.clear();
        (self.read, self.joins) = (0, 0);
    }

    fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }
}

/// A local at a join: its values at the first and at the last branch to it.
#[derive(Clone, Copy)]
struct Merged {
    local: u32,
    first: Value,
    last: Value,
    /// The longest chain that it had in between.
    longest: Value,
}

/// An edge to a join.
#[derive(Clone, Copy)]
struct Edge {
    time: u32,
    block: u32,
    at: u32,
    /// The sum over the body before it.
    sum: Sum,
    /// When the innermost loop around it began.
    in_loop: u32,
    /// Differences of what the locals weigh here and at the edge before.
    work: i64,
    frame: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Loop,
    /// The first arm of an `if`.
    If,
}

/// An open block.
pub(super) struct Frame {
    kind: Kind,
    is_reachable: bool,
    /// Operands below it.
    height: usize,
    params: u32,
    pub(super) results: u32,
    /// Of an `if`, its parameters.
    saved: Vec<Value>,
    /// The edge into it: that of a loop, and the one that passes an `if` by.
    entry: Edge,
    depth: u32,
    log: u32,
    edges: Vec<Edge>,
    /// The number of the snapshot at the first edge, and the lengths of the log at the first and at the last one.
    snapshot: u32,
    first: u32,
    last: u32,
    /// The values that the first edge carries.
    carried: Vec<Value>,
    /// Depth of the block that dominates all its edges so far.
    lowest: u32,
    /// The least depth that the path had since something in it branched to blocks around, and the outermost of them.
    outside: u32,
    outermost: u32,
}

impl Frame {
    pub(super) fn function(results: u32) -> Self {
        let entry = Edge { time: 0, block: 0, at: 0, sum: Sum::default(), in_loop: 0, work: 0, frame: 0 };
        Self {
            kind: Kind::Block,
            is_reachable: true,
            height: 0,
            params: 0,
            results,
            saved: Vec::new(),
            entry,
            depth: 0,
            log: 0,
            edges: Vec::new(),
            snapshot: 0,
            first: 0,
            last: 0,
            carried: Vec::new(),
            lowest: u32::MAX,
            outside: u32::MAX,
            outermost: u32::MAX,
        }
    }
}

impl Copies {
    fn edge(&self) -> Edge {
        let in_loop = self.loops.last().map_or(0, |innermost| innermost.time);
        Edge { time: self.time, block: self.block().id, at: self.at, sum: self.sum, in_loop, work: 0, frame: 0 }
    }

    fn open(&mut self, kind: Kind, (params, results): (u32, u32)) {
        let frame = Frame {
            kind,
            is_reachable: self.is_reachable,
            height: self.operands.len().saturating_sub(params as usize),
            params,
            entry: self.edge(),
            depth: self.depth(),
            log: self.log.len(),
            ..Frame::function(results)
        };
        self.frames.push(frame);
    }

    pub(super) fn open_block(&mut self, types: (u32, u32)) {
        self.open(Kind::Block, types);
    }

    pub(super) fn open_loop(&mut self, types: (u32, u32)) {
        if self.is_reachable {
            self.may_need(types.0 as usize);
        }
        self.open(Kind::Loop, types);
        if self.is_reachable {
            let edge = self.edge();
            if let Some(frame) = self.frames.last_mut() {
                frame.first = frame.log;
                frame.edges.push(edge);
            }
            self.loops.push(Loop { at: self.at, time: self.time, depth: self.depth() });
            self.enter_block();
        }
    }

    pub(super) fn open_if(&mut self, types: (u32, u32)) {
        if self.is_reachable {
            self.need_operands(1);
        }
        self.open(Kind::If, types);
        if self.is_reachable {
            if let Some(frame) = self.frames.last_mut() {
                frame.saved.extend_from_slice(&self.operands[frame.height..]);
            }
            self.enter_block();
        }
    }

    /// The code behind is unreachable, up to the next join.
    pub(super) fn stop(&mut self) {
        self.is_reachable = false;
    }

    /// A branch to the block at `depth`, which carries the operands on top.
    pub(super) fn branch(&mut self, depth: u32) {
        let Some(target) = self.frames.len().checked_sub(depth as usize + 1) else { return };
        let frame = &self.frames[target];
        let count = if frame.kind == Kind::Loop { frame.params } else { frame.results } as usize;
        if frame.edges.last().is_some_and(|edge| edge.time == self.time) {
            // Another target of the same `br_table`.
            return;
        }
        self.may_need(count);
        // Nothing asks for locals behind the function's end.
        if target == 0 {
            let edge = self.edge();
            return self.frames[0].edges.push(edge);
        }
        self.add_edge(target, count);
        if let Some(innermost) = self.frames.last_mut() {
            innermost.outermost = innermost.outermost.min(u32::try_from(target).unwrap_or(u32::MAX));
        }
    }

    fn add_edge(&mut self, target: usize, count: usize) {
        let (edge, depth, length) = (self.edge(), self.depth(), self.log.len());
        if self.log.snapshots.last() != Some(&length) {
            self.log.snapshots.push(length);
        }
        let snapshot = u32::try_from(self.log.snapshots.len() - 1).unwrap_or(u32::MAX);
        let frame = &mut self.frames[target];
        if frame.edges.is_empty() {
            (frame.snapshot, frame.first) = (snapshot, length);
            frame.carried.extend_from_slice(&self.operands[self.operands.len().saturating_sub(count)..]);
        }
        frame.last = length;
        frame.lowest = frame.lowest.min(depth);
        frame.edges.push(edge);
    }

    pub(super) fn otherwise(&mut self) {
        let Some(index) = self.frames.len().checked_sub(1) else { return };
        if !self.frames[index].is_reachable {
            return;
        }
        if self.is_reachable {
            let results = self.frames[index].results as usize;
            self.may_need(results);
            self.add_edge(index, results);
        }
        self.is_reachable = true;
        let (depth, log, height) = (self.frames[index].depth, self.frames[index].log, self.frames[index].height);
        self.leave_path(index, depth);
        self.frames[index].kind = Kind::Block;
        self.enter_block();
        self.operands.truncate(height);
        let saved = core::mem::take(&mut self.frames[index].saved);
        self.operands.extend_from_slice(&saved);
        // Locals have again what they had before the first arm, and not yet at the edge that ends it.
        self.time = self.time.saturating_add(1);
        self.merge(log, log);
        for index in 0..self.log.merged.len() {
            let Merged { local, first, .. } = self.log.merged[index];
            self.assign(local, first);
        }
    }

    /// The path of dominators ends at `depth` again, in the block with that index.
    fn leave_path(&mut self, index: usize, depth: u32) {
        self.path.truncate(depth as usize + 1);
        let frame = &mut self.frames[index];
        if frame.lowest != u32::MAX {
            frame.lowest = frame.lowest.min(depth);
        }
        frame.outside = frame.outside.min(depth);
    }

    pub(super) fn close(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        if self.frames.len() == 1 || !frame.is_reachable {
            let results = frame.results as usize;
            if self.is_reachable {
                self.need_operands(results);
            }
            self.frames.pop();
            return;
        }
        let index = self.frames.len() - 1;
        let (height, results) = (frame.height, frame.results as usize);
        if frame.kind == Kind::If {
            self.pass_by(index);
        }
        let is_join = self.frames[index].kind != Kind::Loop && !self.frames[index].edges.is_empty();
        if self.frames[index].kind == Kind::Loop {
            self.loops.pop();
            let from = self.frames[index].first;
            self.merge(from, from);
            self.weigh(index);
        }
        if !is_join {
            // Values behind an end that nothing reaches are never used.
            if !self.is_reachable {
                self.operands.truncate(height);
                self.operands.resize(height + results, Value::default());
            }
            return self.leave(None);
        }
        self.join(index, height, results);
    }

    /// The edge of an `if` without `else` that passes it by.
    fn pass_by(&mut self, index: usize) {
        let frame = &mut self.frames[index];
        frame.edges.insert(0, frame.entry);
        frame.first = frame.log;
        if frame.edges.len() == 1 {
            frame.last = frame.log;
        }
        frame.carried = core::mem::take(&mut frame.saved);
        frame.lowest = frame.lowest.min(frame.depth);
        // Its own place in the log is not shared.
        self.log.snapshots.push(frame.log);
        frame.snapshot = u32::try_from(self.log.snapshots.len() - 1).unwrap_or(u32::MAX);
    }

    fn join(&mut self, index: usize, height: usize, results: usize) {
        let falls_through = self.is_reachable;
        let edges = self.frames[index].edges.len();
        let is_merge = falls_through || edges > 1;
        if falls_through {
            self.may_need(results);
            let edge = self.edge();
            self.frames[index].edges.push(edge);
        }
        let (first, last, snapshot) = {
            let frame = &self.frames[index];
            (frame.first, frame.last, frame.snapshot)
        };
        let first = if is_merge { first } else { self.log.snapshots[snapshot as usize].max(first) };
        self.merge(first, last.max(first));
        if is_merge {
            self.weigh(index);
        }
        let depth = self.frames[index].lowest;
        self.leave_path(index, depth);
        self.enter_block();
        self.is_reachable = true;
        self.time = self.time.saturating_add(1);
        for at in 0..self.log.merged.len() {
            let Merged { local, first, last, longest } = self.log.merged[at];
            let current = if falls_through { self.locals[local as usize].value } else { last };
            let value = if is_merge { self.merged(first, current, longest) } else { first };
            self.assign(local, value);
        }
        let carried = core::mem::take(&mut self.frames[index].carried);
        if !falls_through {
            self.operands.truncate(height);
            self.operands.extend_from_slice(&carried);
        }
        if is_merge {
            for (at, first) in (height..self.operands.len()).zip(carried) {
                let current = self.operands[at];
                let longest = if current.weight.work > first.weight.work { current } else { first };
                self.operands[at] = self.merged(first, current, longest);
            }
        }
        if !is_merge {
            // The locals are again as at the branch: other blocks that it led to need not read the log up to here.
            self.log.snapshots[snapshot as usize] = self.log.len();
        }
        self.leave(Some(depth));
    }

    /// A value that has come on several edges: a parameter of the basic block, if it was not the same on all of them.
    fn merged(&mut self, first: Value, current: Value, longest: Value) -> Value {
        let value = match first.origin == current.origin {
            true => first,
            // The compiler may find that nothing comes on the other edges.
            false if self.is_doubtful => longest,
            false => return self.opaque(),
        };
        // To compute it is not to compute the value that it may be.
        let definition = Definition {
            placed: Place::default(),
            own: value.weight,
            operands: [0; 3],
            has_more: false,
            is_needed: true,
            with: 0,
            ..self.definitions[value.id as usize]
        };
        Value { id: self.define(definition), ..value }
    }

    /// Removes the innermost block, whose end was a join if the path was left down to `depth`.
    fn leave(&mut self, depth: Option<u32>) {
        let Some(frame) = self.frames.pop() else { return };
        let lowest = depth.unwrap_or(u32::MAX).min(frame.outside);
        let index = self.frames.len();
        let Some(around) = self.frames.last_mut() else { return };
        if around.lowest != u32::MAX {
            around.lowest = around.lowest.min(lowest);
        }
        if (frame.outermost as usize) < index {
            around.outside = around.outside.min(lowest);
            around.outermost = around.outermost.min(frame.outermost);
        }
    }

    // Locals.

    /// Sets a local, and notes what it had.
    pub(super) fn assign(&mut self, local: u32, value: Value) {
        let Some(old) = self.locals.get(local as usize).copied() else { return };
        if old.value.id == value.id {
            return;
        }
        if self.frames.len() > 1 {
            let placed = self.place(old.value.id).map_or(u32::MAX, |place| place.time);
            self.log.entries.push(Entry { local, old, time: self.time, placed });
        }
        self.locals[local as usize] = Local { value, since: self.time };
    }

    /// Reads the log behind `first`: what each local had there, and behind `last`.
    fn merge(&mut self, first: u32, last: u32) {
        let Self { log, locals, .. } = self;
        log.merged.clear();
        if self.is_tangled {
            return;
        }
        log.joins += 1;
        log.seen.resize(locals.len(), (0, 0));
        for index in first as usize..log.entries.len() {
            let Entry { local, old, .. } = log.entries[index];
            let seen = &mut log.seen[local as usize];
            if seen.0 != log.joins {
                *seen = (log.joins, log.merged.len() as u32);
                let current = locals[local as usize].value;
                let longest = if current.weight.work > old.value.weight.work { current } else { old.value };
                log.merged.push(Merged { local, first: old.value, last: current, longest });
                continue;
            }
            let merged = &mut log.merged[seen.1 as usize];
            if old.value.weight.work > merged.longest.weight.work {
                merged.longest = old.value;
            }
        }
        for index in (last as usize..log.entries.len()).rev() {
            let Entry { local, old, .. } = log.entries[index];
            let seen = log.seen[local as usize];
            if seen.0 == log.joins {
                log.merged[seen.1 as usize].last = old.value;
            }
        }
        let read = u64::from(log.len().saturating_sub(first));
        log.read += read;
        if log.read > READ_AT_LEAST + READ * u64::from(self.time) {
            match log.credit.checked_sub(read) {
                Some(credit) => log.credit = credit,
                None => self.is_tangled = true,
            }
        }
    }
}
