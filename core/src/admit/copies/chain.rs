//! Short chains, operator by operator.

use alloc::vec::Vec;

use super::{Block, Copies, Definition, Sum, needed::Needed};

/// Operators of a short chain.
const SHORT: usize = 48;

/// The operators that have to be computed for a value, each once.
#[derive(Default)]
pub(super) struct Chain {
    ids: Vec<u32>,
    /// Number of walks so far in this body.
    walks: u32,
}

impl Chain {
    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.walks = 0;
    }

    pub(super) fn sum(&self, definitions: &[Definition]) -> Sum {
        self.ids.iter().fold(Sum::default(), |sum, id| sum.add(definitions[*id as usize].own))
    }

    /// What does not stand in this basic block.
    pub(super) fn older(&self, definitions: &[Definition], block: u32) -> Sum {
        let older = self.ids.iter().map(|id| &definitions[*id as usize]).filter(|definition| definition.block != block);
        older.fold(Sum::default(), |sum, definition| sum.add(definition.own))
    }

    /// What something has needed before, and does not stand in this basic block. From now on all of it was needed.
    pub(super) fn repeated(&self, definitions: &mut [Definition], block: Block, long: &Needed) -> Sum {
        let mut sum = Sum::default();
        for id in &self.ids {
            let definition = &mut definitions[*id as usize];
            let was_needed = core::mem::replace(&mut definition.is_needed, true) || long.has(definition.end);
            if was_needed && definition.block != block.id {
                sum = sum.add(definition.own);
            }
        }
        sum
    }
}

impl Copies {
    /// Walks the chain of these values, up to what is computed in a place that dominates this one. Whether it is short.
    pub(super) fn walk(&mut self, values: &[u32]) -> bool {
        self.walk_until(values, |definition, path| definition.placed.holds_on(path))
    }

    /// The same for another place, up to what is computed where it stands.
    pub(super) fn walk_elsewhere(&mut self, values: &[u32]) -> bool {
        self.walk_until(values, |Definition { placed, block, .. }, _| placed.time > 0 && placed.block == *block)
    }

    fn walk_until(&mut self, values: &[u32], is_placed: impl Fn(&Definition, &[Block]) -> bool) -> bool {
        let Self { chain, definitions, path, .. } = self;
        chain.ids.clear();
        chain.walks += 1;
        let mut next = 0;
        let mut waiting = values;
        let mut operands;
        loop {
            for &id in waiting {
                let definition = &mut definitions[id as usize];
                if definition.own.is_nothing() || definition.walk == chain.walks || is_placed(definition, path) {
                    continue;
                }
                if chain.ids.len() == SHORT || definition.has_more {
                    return false;
                }
                definition.walk = chain.walks;
                chain.ids.push(id);
            }
            let Some(id) = chain.ids.get(next) else { return true };
            operands = definitions[*id as usize].operands;
            waiting = &operands;
            next += 1;
        }
    }
}
