//! Growth: what a guest asks before a memory or a table grows, whoever meters.

use super::Accounts;
use crate::{
    admit::ModuleSummary,
    policy::{TABLE_ELEMENT_BYTES, largest_memory},
    reserved::GrowthOf,
};

/// Bytes and table elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) bytes: u64,
    pub(super) elements: u64,
}

impl Held {
    /// What a module declares.
    pub(super) fn declared(summary: &ModuleSummary) -> Self {
        let elements = summary.tables.iter().fold(0u64, |sum, table| sum.saturating_add(table.initial));
        let memories = summary.memories.iter().fold(0u64, |sum, memory| sum.saturating_add(memory.initial_bytes));
        Self { bytes: memories.saturating_add(elements.saturating_mul(TABLE_ELEMENT_BYTES)), elements }
    }
}

impl Accounts {
    /// What the function does that a guest [imports](crate::meter::GROW) and calls before a growth by `delta` of what has
    /// `size` now, both in pages or elements: whether it may. Called again for a growth that was granted and that the engine
    /// could not do.
    pub(super) fn ask_growth(&mut self, object: i32, size: i64, delta: i64) -> bool {
        let (growth, has_failed) = GrowthOf::decode(object);
        if has_failed {
            self.growth_failed();
            return false;
        }
        let (size, delta) = (size.cast_unsigned(), delta.cast_unsigned());
        match growth {
            GrowthOf::Memory(index) => self.grow_memory(index, size, delta),
            GrowthOf::Table(index) => self.grow_table(index, size, delta),
        }
    }

    /// Past what the module declares as its maximum, and past the [largest memory](largest_memory) that every engine has, a
    /// growth is refused, but not as the policy's doing.
    fn grow_memory(&mut self, index: u32, size: u64, delta: u64) -> bool {
        let Some(memory) = self.summary().memories.get(index as usize) else { return false };
        let bytes = |pages: u64| pages.saturating_mul(1 << memory.page_size_log2);
        let (current, desired) = (bytes(size), bytes(size.saturating_add(delta)));
        let is_impossible = memory.maximum_bytes.is_some_and(|maximum| desired > maximum)
            || (!memory.memory64 && desired > largest_memory(memory.page_size_log2, false));
        if is_impossible {
            return false;
        }
        let granted = self.record_growth(desired - current, 0);
        if granted {
            self.filling_begins(current, desired);
        }
        granted
    }

    /// Here the budget is asked before the declared maximum; the growth that no table can have is nobody's doing.
    fn grow_table(&mut self, index: u32, size: u64, delta: u64) -> bool {
        let Some(table) = self.summary().tables.get(index as usize) else { return false };
        let desired = size.saturating_add(delta);
        let is_too_large = table.maximum.is_some_and(|maximum| desired > maximum);
        if u32::try_from(desired).is_err() {
            return false;
        }
        let bytes = delta.saturating_mul(TABLE_ELEMENT_BYTES);
        if is_too_large && self.has_room(bytes, delta) {
            return false;
        }
        self.record_growth(bytes, delta)
    }

    /// Whether the budget has room for so much more.
    fn has_room(&self, bytes: u64, elements: u64) -> bool {
        self.held.elements.saturating_add(elements) <= self.budget.table_elements
            && self.held.bytes.saturating_add(bytes) <= self.budget.memory_bytes
    }

    fn record_growth(&mut self, bytes: u64, elements: u64) -> bool {
        let fits = self.has_room(bytes, elements);
        if fits {
            self.before_growth = (self.held, self.peak);
            self.held.bytes = self.held.bytes.saturating_add(bytes);
            self.held.elements = self.held.elements.saturating_add(elements);
            self.peak = self.peak.max(self.held.bytes);
            self.granted = bytes;
        } else {
            self.refused += 1;
        }
        fits
    }

    /// As [`ask_growth`](Self::ask_growth), for a growth of a memory by the embedder.
    pub(crate) fn ask_memory(&mut self, index: u32, size: u64, delta: u64) -> bool {
        self.grow_memory(index, size, delta)
    }

    /// Bytes that the host keeps for the guest, from the same budget. One that has no room for them counts a refused growth.
    pub(crate) fn reserve(&mut self, bytes: u64) -> bool {
        let fits = self.has_room(bytes, 0);
        if fits {
            self.held.bytes += bytes;
            self.reserved += bytes;
            self.peak = self.peak.max(self.held.bytes);
        } else {
            self.refused += 1;
        }
        fits
    }

    /// Gives back no more than was reserved.
    pub(crate) fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.reserved);
        self.reserved -= bytes;
        self.held.bytes -= bytes;
    }

    /// The engine did not do the growth that was granted last: takes it back. Not the policy's refusal, so it does not
    /// count as one.
    pub(crate) fn growth_failed(&mut self) {
        (self.held, self.peak) = self.before_growth;
        self.filling.take_back();
    }

    /// Whether the engine may add so many bytes to a memory: no more than the module declares, or than was granted last. For
    /// engines that ask somebody before they grow: a second line, behind the guest's own question.
    pub fn has_granted_bytes(&self, more: usize) -> bool {
        more as u64 <= self.granted
    }

    /// As [`has_granted_bytes`](Self::has_granted_bytes), for the elements of a table.
    pub fn has_granted_elements(&self, more: usize) -> bool {
        (more as u64).saturating_mul(TABLE_ELEMENT_BYTES) <= self.granted
    }

    /// Whether the budget has room for what the module declares.
    pub(crate) fn has_room_for_declared(&self) -> bool {
        self.held.bytes <= self.budget.memory_bytes && self.held.elements <= self.budget.table_elements
    }
}

#[cfg(test)]
mod tests {
    use alloc::{sync::Arc, vec::Vec};

    use super::*;
    use crate::{
        admit::{Exports, Memory, Table},
        backend::{Budget, HostOptions},
        policy::Policy,
        time::{Clock, Instant},
    };

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Instant {
            Instant(0)
        }
    }

    const BYTES: Memory = Memory { initial_bytes: 0, maximum_bytes: None, page_size_log2: 0, memory64: false };
    const TABLE: Table = Table { initial: 0, maximum: None, table64: false };

    fn accounts(memory_bytes: u64, table_elements: u64, memories: &[Memory], tables: &[Table]) -> Accounts {
        let (memories, tables): (Vec<Memory>, Vec<Table>) = (memories.to_vec(), tables.to_vec());
        let exports = Arc::new(Exports::new(ModuleSummary { memories, tables, ..ModuleSummary::default() }));
        let mut budget = Budget::new(&Policy::default(), &exports, Instant(0), None);
        (budget.memory_bytes, budget.table_elements) = (memory_bytes, table_elements);
        Accounts::new(budget, &HostOptions::new(Arc::new(Stopped)))
    }

    fn asks(accounts: &mut Accounts, growth: GrowthOf, size: u64, delta: u64) -> bool {
        accounts.ask_growth(growth.encode(false), size.cast_signed(), delta.cast_signed())
    }

    #[test]
    fn the_budget_is_the_sum_and_inclusive() {
        let mut accounts = accounts(100, 10, &[BYTES, BYTES], &[TABLE]);
        assert!(asks(&mut accounts, GrowthOf::Memory(1), 0, 60));
        assert!(asks(&mut accounts, GrowthOf::Table(0), 0, 5));
        assert!(!asks(&mut accounts, GrowthOf::Memory(0), 0, 1), "60 + 5 × 8 is the whole budget");
        assert_eq!(accounts.usage(None).peak_memory_bytes, 100);
        assert_eq!(accounts.usage(None).refused_growths, 1);
    }

    #[test]
    fn what_is_declared_counts() {
        let declared = Memory { initial_bytes: 90, ..BYTES };
        let mut here = accounts(100, 10, &[declared], &[]);
        assert!(here.has_room_for_declared());
        assert!(!asks(&mut here, GrowthOf::Memory(0), 90, 11));
        assert!(asks(&mut here, GrowthOf::Memory(0), 90, 10));
        assert!(!accounts(89, 10, &[declared], &[]).has_room_for_declared());
        assert!(!accounts(89, 9, &[], &[Table { initial: 10, ..TABLE }]).has_room_for_declared());
    }

    #[test]
    fn elements_have_a_limit_of_their_own() {
        let mut accounts = accounts(1_000, 10, &[], &[TABLE]);
        assert!(asks(&mut accounts, GrowthOf::Table(0), 0, 10));
        assert!(!asks(&mut accounts, GrowthOf::Table(0), 10, 1));
    }

    #[test]
    fn the_modules_own_maximum_is_not_the_policys_refusal() {
        let mut accounts =
            accounts(100, 10, &[Memory { maximum_bytes: Some(40), ..BYTES }], &[Table { maximum: Some(4), ..TABLE }]);
        assert!(!asks(&mut accounts, GrowthOf::Memory(0), 0, 50));
        assert!(!asks(&mut accounts, GrowthOf::Table(0), 0, 5));
        assert_eq!(accounts.usage(None).refused_growths, 0);
        assert!(!asks(&mut accounts, GrowthOf::Table(0), 0, 11), "this one is");
        assert_eq!(accounts.usage(None).refused_growths, 1);
    }

    #[test]
    fn a_memory_that_no_engine_has_is_not_the_policys_refusal() {
        let pages = Memory { page_size_log2: 16, ..BYTES };
        let mut accounts = accounts(u64::MAX, u64::MAX, &[BYTES, pages], &[TABLE]);
        let most = largest_memory(0, false);
        assert!(asks(&mut accounts, GrowthOf::Memory(0), 1, most - 1));
        assert!(!asks(&mut accounts, GrowthOf::Memory(0), 1, most));
        assert!(asks(&mut accounts, GrowthOf::Memory(1), 1, (1 << 16) - 1));
        assert!(!asks(&mut accounts, GrowthOf::Memory(1), 1, 1 << 16));
        assert!(!asks(&mut accounts, GrowthOf::Table(0), 1, u32::MAX.into()));
        assert_eq!(accounts.usage(None).refused_growths, 0);
    }

    #[test]
    fn a_growth_that_fails_is_taken_back() {
        let mut accounts = accounts(100, 10, &[BYTES], &[]);
        assert!(asks(&mut accounts, GrowthOf::Memory(0), 0, 10));
        assert!(asks(&mut accounts, GrowthOf::Memory(0), 10, 80));
        accounts.ask_growth(GrowthOf::Memory(0).encode(true), 10, 80);
        assert_eq!(accounts.usage(None).peak_memory_bytes, 10);
        assert!(asks(&mut accounts, GrowthOf::Memory(0), 10, 90));
    }

    #[test]
    fn what_the_host_keeps_is_under_the_same_budget() {
        let mut accounts = accounts(100, 10, &[BYTES], &[]);
        assert!(accounts.reserve(60));
        assert!(!accounts.has_granted_bytes(1), "no engine may grow by it");
        assert!(!asks(&mut accounts, GrowthOf::Memory(0), 0, 41));
        assert!(asks(&mut accounts, GrowthOf::Memory(0), 0, 40));
        assert!(!accounts.reserve(1) && !accounts.reserve(u64::MAX));
        assert_eq!((accounts.usage(None).peak_memory_bytes, accounts.usage(None).refused_growths), (100, 3));
        accounts.release(50);
        assert!(accounts.reserve(50));
        accounts.release(u64::MAX);
        assert!(accounts.reserve(60) && !accounts.reserve(1), "what a memory holds is not given back");
    }

    #[test]
    fn the_second_line_is_what_was_granted_last() {
        let mut accounts = accounts(100, 10, &[Memory { initial_bytes: 7, ..BYTES }], &[TABLE]);
        assert!(accounts.has_granted_bytes(7) && !accounts.has_granted_bytes(8), "what is declared");
        assert!(asks(&mut accounts, GrowthOf::Memory(0), 7, 40));
        assert!(accounts.has_granted_bytes(40) && !accounts.has_granted_bytes(41));
        assert!(asks(&mut accounts, GrowthOf::Table(0), 0, 3));
        assert!(accounts.has_granted_elements(3) && !accounts.has_granted_elements(4));
    }

    #[test]
    fn sums_do_not_overflow() {
        let wide = Memory { memory64: true, ..BYTES };
        let mut accounts = accounts(u64::MAX, u64::MAX, &[wide], &[TABLE]);
        assert!(asks(&mut accounts, GrowthOf::Memory(0), 0, u64::MAX));
        assert!(!asks(&mut accounts, GrowthOf::Table(0), 0, u64::MAX));
        assert!(!asks(&mut accounts, GrowthOf::Table(0), u64::MAX, u64::MAX));
        assert!(!asks(&mut accounts, GrowthOf::Memory(7), 0, 1), "no such memory");
    }
}
