//! The memory budget, and growth.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "ignores the memory budget",
        "limits.memory.inclusive",
        &[lie(
            "store.rs",
            "Ok(self.armed.grow_memory(current, desired, maximum))",
            "Ok(maximum.is_none_or(|maximum| desired <= maximum))",
        )],
    ),
    Saboteur::new(
        "allows each memory what all may have together",
        "limits.memory.several",
        &[
            lie(
                "mod.rs",
                "Armed::new(budget, self.options.clock.clone())",
                r"crate::MINE.set(budget.memory_bytes);
                Armed::new(Budget { memory_bytes: u64::MAX, ..budget }, self.options.clock.clone())",
            ),
            lie(
                "store.rs",
                "Ok(self.armed.grow_memory(current, desired, maximum))",
                "Ok(desired as u64 <= crate::MINE.get() && self.armed.grow_memory(current, desired, maximum))",
            ),
            lie(
                "store.rs",
                "self.store.data_mut().armed.rearm(budget)",
                "self.store.data_mut().armed.rearm(Budget { memory_bytes: u64::MAX, ..budget })",
            ),
        ],
    ),
    Saboteur::new(
        "stops one byte below the memory budget",
        "limits.memory.inclusive",
        &[
            lie(
                "mod.rs",
                "Armed::new(budget, self.options.clock.clone())",
                r"Armed::new(Budget { memory_bytes: budget.memory_bytes.saturating_sub(1), ..budget }, self.options.clock.clone())",
            ),
            lie(
                "store.rs",
                "self.store.data_mut().armed.rearm(budget)",
                r"self.store.data_mut().armed.rearm(Budget { memory_bytes: budget.memory_bytes.saturating_sub(1), ..budget })",
            ),
        ],
    ),
    Saboteur::new(
        "ignores the budget of table elements",
        "limits.table.inclusive",
        &[lie(
            "store.rs",
            "Ok(self.armed.grow_table(current, desired, maximum))",
            "Ok(maximum.is_none_or(|maximum| desired <= maximum))",
        )],
    ),
    Saboteur::new(
        "leaves tables out of the memory budget",
        "limits.memory.total",
        &[
            lie(
                "mod.rs",
                "Armed::new(budget, self.options.clock.clone())",
                r"crate::MINE.set(budget.table_elements);
                Armed::new(budget, self.options.clock.clone())",
            ),
            lie(
                "store.rs",
                "Ok(self.armed.grow_table(current, desired, maximum))",
                "Ok(desired as u64 <= crate::MINE.get())",
            ),
        ],
    ),
    Saboteur::new(
        "counts only what grows, not what is declared",
        "limits.memory.inclusive",
        &[lie(
            "store.rs",
            "Ok(self.armed.grow_memory(current, desired, maximum))",
            "Ok(current == 0 || self.armed.grow_memory(current, desired, maximum))",
        )],
    ),
    Saboteur::new(
        "traps where a growth is refused",
        "limits.memory.refused",
        &[lie(
            "store.rs",
            "Ok(self.armed.grow_memory(current, desired, maximum))",
            r"match self.armed.grow_memory(current, desired, maximum) { true => Ok(true), false => Err(LimiterError::ResourceLimiterDeniedAllocation) }",
        )],
    ),
    Saboteur::new(
        "does not count refused growths",
        "limits.memory.refused",
        &[
            lie(
                "mod.rs",
                "Armed::new(budget, self.options.clock.clone())",
                "crate::MINE.set(budget.memory_bytes); Armed::new(budget, self.options.clock.clone())",
            ),
            lie(
                "store.rs",
                "Ok(self.armed.grow_memory(current, desired, maximum))",
                "Ok(desired as u64 <= crate::MINE.get() && self.armed.grow_memory(current, desired, maximum))",
            ),
        ],
    ),
    Saboteur::new(
        "counts growths as refused that no memory could do",
        "limits.memory.impossible",
        &[lie(
            "store.rs",
            "Ok(self.armed.grow_table(current, desired, maximum))",
            r"Ok(self.armed.grow_table(current, if maximum.is_some_and(|maximum| desired > maximum) { u32::MAX as usize } else { desired }, None))",
        )],
    ),
    Saboteur::new(
        "takes back growths that were done",
        "limits.memory.session",
        &[lie(
            "store.rs",
            "Ok(self.armed.grow_memory(current, desired, maximum))",
            r"let granted = self.armed.grow_memory(current, desired, maximum);
                if granted { self.armed.growth_failed();
                } Ok(granted)",
        )],
    ),
];
