//! The values that a compiler merges where ways through a body come together: at the end of a block and at the head of a
//! loop, one for each local that is set inside.
//!
//! Such a value has a place in the frame besides its local's. A local that is not set inside has one value there, whichever
//! way was taken.

use alloc::vec::Vec;

/// The walk over one body, kept to reuse its allocations.
#[derive(Default)]
pub(super) struct Merges {
    /// Number of the current operator.
    time: u32,
    /// When each open block was opened, and when each local was set last.
    opened: Vec<u32>,
    set: Vec<u32>,
}

impl Merges {
    /// Begins a body with so many locals.
    pub(super) fn begin(&mut self, locals: u64) {
        self.time = 0;
        self.opened.clear();
        self.set.clear();
        self.set.resize(usize::try_from(locals).unwrap_or(usize::MAX), 0);
    }

    /// A block, a loop, or an `if` begins.
    pub(super) fn open(&mut self) {
        self.time = self.time.saturating_add(1);
        self.opened.push(self.time);
    }

    /// One ends; or the function does.
    pub(super) fn close(&mut self) {
        self.opened.pop();
    }

    /// A local is set: the number of open blocks in which it had not been.
    pub(super) fn set(&mut self, local: u32) -> u32 {
        let Some(last) = self.set.get_mut(local as usize) else { return 0 };
        // Those that count it already are the outer ones.
        let before = self.opened.partition_point(|opened| *opened <= *last);
        *last = self.time;
        u32::try_from(self.opened.len() - before).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_each_local_that_is_set_in_it_once() {
        let mut merges = Merges::default();
        merges.begin(2);
        assert_eq!(merges.set(0), 0, "no block");
        merges.open();
        merges.open();
        assert_eq!([merges.set(0), merges.set(0), merges.set(2)], [2, 0, 0]);
        merges.close();
        assert_eq!([merges.set(0), merges.set(1)], [0, 1]);
        merges.open();
        assert_eq!([merges.set(1), merges.set(0), merges.set(1)], [1, 1, 0]);
        merges.close();
        merges.close();
        assert_eq!(merges.set(1), 0);
        merges.open();
        assert_eq!(merges.set(1), 1, "another block");
    }
}
