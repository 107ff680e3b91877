//! Backends that say they have 64-bit indices. The engine has them where no memory with a large maximum grows, so that it does
//! what these checks ask, but for the mutation.

use super::{Mutant, Mutation, mutation};

const HAS_THEM: Mutation = mutation(
    "mod.rs",
    "[[Enforcement::Unsupported { reason: \"wasmi 1.1 panics when a 64-bit memory with a large maximum grows\" }]]",
    "Enforcement::Enforced",
);
const ALLOWS_THEM: Mutation = mutation("mod.rs", "config.wasm_memory64([[false]])", "allows(Proposal::Memory64)");
const MODULE_IS_COMPILED: &str = "wasmi::Module::new(&Engine::new(&self.config), [[admitted.bytes()]])";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "panics where bytes of a 64-bit memory are copied",
        "values.bulk64",
        &[
            HAS_THEM,
            ALLOWS_THEM,
            mutation(
                "mod.rs",
                MODULE_IS_COMPILED,
                "let bytes = admitted.bytes();
                let copies = bytes.windows(2).any(|bytes| bytes == [0xfc, 0x0a]);
                assert!(!copies || admitted.summary().memories.iter().all(|memory| !memory.memory64));
                bytes",
            ),
        ],
    ),
    Mutant::new(
        "takes no memories with indices of both widths",
        "values.bulk_between",
        &[
            HAS_THEM,
            ALLOWS_THEM,
            mutation(
                "mod.rs",
                MODULE_IS_COMPILED,
                "let memories = &admitted.summary().memories;
                assert!(memories.iter().all(|memory| memory.memory64) || memories.iter().all(|memory| !memory.memory64));
                admitted.bytes()",
            ),
        ],
    ),
    Mutant::new(
        "has 64-bit indices, and reports no fuel as used",
        "counters.bulk64",
        &[
            HAS_THEM,
            ALLOWS_THEM,
            mutation("store.rs", "Some([[fuel(&self.store)]])", "self.store.data().armed.fuel_given()"),
        ],
    ),
    Mutant::new(
        "has 64-bit indices, and takes every trap for one of a table",
        "traps.bulk64",
        &[
            HAS_THEM,
            ALLOWS_THEM,
            mutation("convert.rs", "TrapCode::MemoryOutOfBounds => [[TrapKind::MemoryOutOfBounds]]", "TrapKind::TableOutOfBounds"),
        ],
    ),
    Mutant::new(
        "refuses nothing that a 64-bit memory asks for",
        "limits.memory.wide",
        &[
            HAS_THEM,
            ALLOWS_THEM,
            mutation(
                "store.rs",
                "Ok(self.armed.grow_table(current, desired, maximum))",
                "Ok(desired < 1 << 20)",
            ),
        ],
    ),
];
