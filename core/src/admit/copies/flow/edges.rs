//! What the edges to a join compute for the locals that become parameters there.

use super::{
    super::{Copies, Local, Sum},
    Edge, Entry,
};

impl Copies {
    /// Charges the edges of a block for the locals that they carry as parameters: those that were read last.
    pub(super) fn weigh(&mut self, index: usize) {
        let mut edges = core::mem::take(&mut self.frames[index].edges);
        if self.is_tangled {
            edges.iter().for_each(|edge| self.charge(edge.at, self.sum));
            return;
        }
        let from = self.frames[index].first as usize;
        let mut oldest = self.sum;
        for at in from..self.log.entries.len() {
            let Entry { old, time, placed, .. } = self.log.entries[at];
            self.carry(&mut edges, old, time.min(placed), &mut oldest);
        }
        for at in 0..self.log.merged.len() {
            let local = self.locals[self.log.merged[at].local as usize];
            let placed = self.place(local.value.id).map_or(u32::MAX, |place| place.time);
            self.carry(&mut edges, local, placed, &mut oldest);
        }
        let (mut work, mut frame) = (0, 0);
        for edge in &edges {
            work += edge.work;
            frame += edge.frame;
            let clamp = |sum: i64| u32::try_from(sum.max(0)).unwrap_or(u32::MAX);
            // All chains together lie in that part of the body.
            let sum = Sum { work: clamp(work), frame: clamp(frame) }.min(edge.sum.since(oldest));
            self.charge(edge.at, sum);
        }
    }

    /// A local had this value until `until`.
    fn carry(&self, edges: &mut [Edge], local: Local, until: u32, oldest: &mut Sum) {
        let Local { value, since } = local;
        if value.weight.is_nothing() {
            return;
        }
        let low = edges.partition_point(|edge| edge.time < since);
        let high = edges.partition_point(|edge| edge.time < until);
        if low >= high {
            return;
        }
        let definition = self.definitions[value.id as usize];
        // In its own basic block only what is older than that is computed again.
        let middle = edges.partition_point(|edge| edge.block <= definition.block).clamp(low, high);
        let mut add = |from: usize, to: usize, sum: Sum| {
            if from < to {
                edges[from].work += i64::from(sum.work);
                edges[from].frame += i64::from(sum.frame);
                if let Some(behind) = edges.get_mut(to) {
                    behind.work -= i64::from(sum.work);
                    behind.frame -= i64::from(sum.frame);
                }
            }
        };
        *oldest = oldest.min(value.start);
        add(low, middle, definition.older);
        add(middle, high, value.weight);
    }
}
