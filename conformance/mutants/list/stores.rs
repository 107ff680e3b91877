//! What an instance is made of, and where it lives.

use std::{
    hint::black_box,
    sync::{Arc, PoisonError},
};

use hotcell_core::{Budget, HostOptions, Instant, ModuleSummary, Policy, admit::Exports, backend::Accounts};

use super::{ALL, Fault, KEPT, MINE, Mutant, SeqCst};

/// Needs so much of the stack that it is called on.
#[inline(never)]
fn deep(kib: usize) -> u8 {
    let frame = black_box([1; 1 << 10]);
    if kib == 0 { frame[0] } else { deep(kib - 1).wrapping_add(black_box(&frame)[9]) }
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("hands the memory of an instance to the next", "isolation.fresh")
        .invoke(|call| {
            let outcome = call.run();
            *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = call.store.memory().to_vec();
            outcome
        })
        .instantiated(|store| {
            let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
            store.memory().iter_mut().zip(&*kept).for_each(|(byte, kept)| *byte = *kept);
        }),
    Mutant::new("makes a store with accounts of its own", "arming.budget").instantiate(|accounts| {
        let exports = Arc::new(Exports::new(ModuleSummary::default()));
        let budget = Budget::new(&Policy::default(), &exports, Instant(0), None);
        *accounts = Accounts::new(budget, &HostOptions::default());
        Ok(())
    }),
    Mutant::new("works only on the thread that made the instance", "lifecycle.outlives")
        .instantiated(|_| MINE.set(1))
        .invoke(|call| {
            assert_eq!(MINE.get(), 1, "another thread");
            call.run()
        }),
    Mutant::new("is busy before the host says so", "busy.one_too_many").instantiate(|_| {
        match ALL.fetch_add(1, SeqCst) {
            0..3 => Ok(()),
            _ => Err(Fault::Busy { allowed: 3 }),
        }
    }),
    Mutant::new("keeps every module", "lifecycle.flat").compile(|_, module| {
        std::mem::forget(module.clone());
        Ok(())
    }),
    Mutant::new("runs guests on the stack of the host's thread", "limits.stack.everything")
        .invoke(|call| {
            black_box(deep(128));
            call.run()
        })
        .that_kills(),
];
