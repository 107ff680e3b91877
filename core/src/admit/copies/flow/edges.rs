//! What the edges to a join compute for the locals that become parameters there.

use alloc::vec::Vec;

use super::{
    super::{Copies, Definition, Local, Sum},
    Edge, Entry,
};

/// The edges to a join.
struct Edges {
    edges: Vec<Edge>,
    /// The sum over the body before the oldest operator of all chains that they carry.
    oldest: Sum,
    /// When the last loop began that contains one of them.
    in_loop: u32,
    /// The values that they carry, and from which edge to which.
    carried: Vec<(usize, usize, u32)>,
}

/// Values and edges that are looked at one by one.
const FEW: usize = 64;

impl Copies {
    /// Charges the edges of a block for the locals that they carry as parameters: those that were read last.
    pub(super) fn weigh(&mut self, index: usize) {
        let edges = core::mem::take(&mut self.frames[index].edges);
        if self.is_tangled {
            edges.iter().for_each(|edge| self.charge(edge.at, self.sum));
            return;
        }
        let in_loop = edges.iter().map(|edge| edge.in_loop).max().unwrap_or_default();
        let mut edges = Edges { edges, oldest: self.sum, in_loop, carried: Vec::new() };
        let from = self.frames[index].first as usize;
        for Entry { old, time, placed, .. } in self.log.entries.iter().skip(from) {
            edges.carry(&self.definitions, *old, (*time).min(*placed));
        }
        for merged in &self.log.merged {
            let local = self.locals[merged.local as usize];
            let placed = self.place(local.value.id).map_or(u32::MAX, |place| place.time);
            edges.carry(&self.definitions, local, placed);
        }
        let are_few = edges.carried.len() * edges.edges.len() <= FEW;
        let (mut work, mut frame) = (0, 0);
        let mut values = Vec::new();
        for (number, edge) in edges.edges.iter().enumerate() {
            work += edge.work;
            frame += edge.frame;
            let clamp = |sum: i64| u32::try_from(sum.max(0)).unwrap_or(u32::MAX);
            // All chains together lie in that part of the body.
            let most = edge.sum.since(edges.oldest);
            let mut sum = Sum { work: clamp(work), frame: clamp(frame) }.min(most.with_constants(true));
            // Chains that have operators in common, if they are short.
            if are_few && !sum.is_nothing() {
                let is_here = |(low, high, _): &&(usize, usize, u32)| (*low..*high).contains(&number);
                values.clear();
                values.extend(edges.carried.iter().filter(is_here).map(|(_, _, id)| *id));
                if self.walk_elsewhere(&values) {
                    let exact = self.chain.older(&self.definitions, edge.block);
                    sum = sum.min(exact.with_constants(edge.in_loop > 0));
                }
            }
            self.charge(edge.at, sum);
        }
    }
}

impl Edges {
    /// A local had this value until `until`.
    fn carry(&mut self, definitions: &[Definition], local: Local, until: u32) {
        let Local { value, since } = local;
        if value.weight.is_nothing() {
            return;
        }
        let low = self.edges.partition_point(|edge| edge.time < since);
        let high = self.edges.partition_point(|edge| edge.time < until);
        if low >= high {
            return;
        }
        let definition = definitions[value.id as usize];
        // In its own basic block only what is older than that is computed again.
        let middle = self.edges.partition_point(|edge| edge.block <= definition.block).clamp(low, high);
        self.carried.push((low, high, value.id));
        self.oldest = self.oldest.min(value.start);
        let in_loop = definition.time < self.in_loop;
        self.add(low, middle, definition.older.with_constants(in_loop));
        self.add(middle, high, value.weight.with_constants(in_loop));
    }

    fn add(&mut self, from: usize, to: usize, sum: Sum) {
        if from >= to {
            return;
        }
        let (work, frame) = (i64::from(sum.work), i64::from(sum.frame));
        self.edges[from].work += work;
        self.edges[from].frame += frame;
        if let Some(behind) = self.edges.get_mut(to) {
            behind.work -= work;
            behind.frame -= frame;
        }
    }
}
