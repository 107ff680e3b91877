//! The memory budget, and growth.

use super::{Mutant, mutation};

const MEMORY_GROWS: &str = "Ok(self.armed.grow_memory(current, desired, maximum))";
const TABLE_GROWS: &str = "Ok(self.armed.grow_table(current, desired, maximum))";
const BUDGET_COMES: &str = "Accounts::new(budget, &self.options)";
const ARMED_AGAIN: &str = "self.store.data_mut().armed.rearm(deadline, cancel)";
const INSTANCE_IS_MADE: &str = "Ok(instance) => [[Ok(Instance::new(store, instance, self.stack_cells))]]";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "ignores the memory budget",
        "limits.memory.inclusive",
        &[mutation("store.rs", MEMORY_GROWS, "Ok(maximum.is_none_or(|maximum| desired <= maximum))")],
    ),
    Mutant::new(
        "allows each memory what all may have together",
        "limits.memory.several",
        &[
            mutation(
                "mod.rs",
                BUDGET_COMES,
                "crate::MINE.set(budget.memory_bytes);
                Accounts::new(Budget { memory_bytes: u64::MAX, ..budget }, &self.options)",
            ),
            mutation(
                "store.rs",
                MEMORY_GROWS,
                "Ok(desired as u64 <= crate::MINE.get() && self.armed.grow_memory(current, desired, maximum))",
            ),
        ],
    ),
    Mutant::new(
        "stops one byte below the memory budget",
        "limits.memory.inclusive",
        &[mutation(
            "mod.rs",
            BUDGET_COMES,
            "let memory_bytes = budget.memory_bytes.saturating_sub(1);
                Accounts::new(Budget { memory_bytes, ..budget }, &self.options)",
        )],
    ),
    Mutant::new(
        "ignores the budget of table elements",
        "limits.table.inclusive",
        &[mutation("store.rs", TABLE_GROWS, "Ok(maximum.is_none_or(|maximum| desired <= maximum))")],
    ),
    Mutant::new(
        "leaves tables out of the memory budget",
        "limits.memory.total",
        &[
            mutation(
                "mod.rs",
                BUDGET_COMES,
                "crate::MINE.set(budget.table_elements);
                Accounts::new(budget, &self.options)",
            ),
            mutation("store.rs", TABLE_GROWS, "Ok(desired as u64 <= crate::MINE.get())"),
        ],
    ),
    Mutant::new(
        "counts only what grows, not what is declared",
        "limits.memory.inclusive",
        &[mutation("store.rs", MEMORY_GROWS, "Ok(current == 0 || self.armed.grow_memory(current, desired, maximum))")],
    ),
    Mutant::new(
        "traps where a growth is refused",
        "limits.memory.refused",
        &[mutation(
            "store.rs",
            MEMORY_GROWS,
            "match self.armed.grow_memory(current, desired, maximum) {
                true => Ok(true),
                false => Err(LimiterError::ResourceLimiterDeniedAllocation),
            }",
        )],
    ),
    Mutant::new(
        "does not count refused growths",
        "limits.memory.refused",
        &[
            mutation(
                "mod.rs",
                BUDGET_COMES,
                "crate::MINE.set(budget.memory_bytes);
                Accounts::new(budget, &self.options)",
            ),
            mutation(
                "store.rs",
                MEMORY_GROWS,
                "Ok(desired as u64 <= crate::MINE.get() && self.armed.grow_memory(current, desired, maximum))",
            ),
        ],
    ),
    Mutant::new(
        "does not count refused growths by more bytes than half of all",
        "limits.memory.byte_pages",
        &[mutation(
            "store.rs",
            MEMORY_GROWS,
            "Ok(desired.saturating_sub(current) < 1 << 31 && self.armed.grow_memory(current, desired, maximum))",
        )],
    ),
    Mutant::new(
        "counts growths as refused that no table could do",
        "limits.memory.impossible",
        &[mutation(
            "store.rs",
            TABLE_GROWS,
            "let impossible = maximum.is_some_and(|maximum| desired > maximum);
            Ok(self.armed.grow_table(current, if impossible { u32::MAX as usize } else { desired }, None))",
        )],
    ),
    Mutant::new(
        "counts growths as refused that no memory of one-byte pages could do",
        "limits.memory.largest",
        &[mutation(
            "store.rs",
            MEMORY_GROWS,
            "if desired == 0xffff_ffff {
                self.armed.grow_table(0, 1 << 31, None);
            }
            Ok(self.armed.grow_memory(current, desired, maximum))",
        )],
    ),
    Mutant::new(
        "takes back growths that were done",
        "limits.memory.session",
        &[mutation(
            "store.rs",
            MEMORY_GROWS,
            "let granted = self.armed.grow_memory(current, desired, maximum);
            if granted {
                self.armed.growth_failed();
            }
            Ok(granted)",
        )],
    ),
    Mutant::new(
        "goes on with the budget of the first call",
        "limits.memory.session",
        &[mutation("store.rs", ARMED_AGAIN, "drop((deadline, cancel))")],
    ),
    Mutant::new(
        "arms when the instance is made",
        "arming.budget",
        &[
            mutation(
                "mod.rs",
                BUDGET_COMES,
                "let unlimited = Budget { memory_bytes: u64::MAX, table_elements: u64::MAX, ..budget.clone() };
                crate::BUDGET.set(Some(budget));
                Accounts::new(unlimited, &self.options)",
            ),
            mutation(
                "mod.rs",
                INSTANCE_IS_MADE,
                "let mut made = Instance::new(store, instance, self.stack_cells);
                if let Some(budget) = crate::BUDGET.take() {
                    hotcell_core::Instance::arm(&mut made, budget.deadline, budget.cancel);
                }
                Ok(made)",
            ),
        ],
    ),
];
