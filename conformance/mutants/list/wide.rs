//! Backends that say they have 64-bit indices. The engine has them where no memory with a large maximum grows, so that it
//! does what these checks ask, but for the mutation.

use hotcell_core::{Enforcement, Field, Proposal, TrapKind};

use super::{Mutant, broken, counters::report, limits::grant_tables, verdicts::mistake};

const fn wide(name: &'static str, caught_by: &'static str) -> Mutant {
    Mutant::new(name, caught_by)
        .enforcement(|field, stated| match field {
            Field::Proposal(Proposal::Memory64) => Enforcement::Enforced,
            _ => stated,
        })
        .config(|config| _ = config.wasm_memory64(true))
}

pub(super) const MUTANTS: &[Mutant] = &[
    wide("refuses what copies bytes of a 64-bit memory", "values.bulk64").compile(|admitted, _| {
        let copies = admitted.bytes().windows(2).any(|bytes| bytes == [0xfc, 0x0a]);
        match copies && admitted.summary().memories.iter().any(|memory| memory.memory64) {
            true => Err(broken()),
            false => Ok(()),
        }
    }),
    wide("takes no memories with indices of both widths", "values.bulk_between").compile(|admitted, _| {
        let memories = &admitted.summary().memories;
        match memories.windows(2).any(|pair| pair[0].memory64 != pair[1].memory64) {
            true => Err(broken()),
            false => Ok(()),
        }
    }),
    wide("has 64-bit indices, and reports no fuel as used", "counters.bulk64")
        .counter(|store, counter| report(store, counter, 0)),
    wide("has 64-bit indices, and takes every trap for one of a table", "traps.bulk64")
        .invoke(|call| mistake(call, TrapKind::MemoryOutOfBounds, TrapKind::TableOutOfBounds)),
    wide("refuses nothing that a 64-bit table asks for", "limits.memory.wide").host(grant_tables),
];
