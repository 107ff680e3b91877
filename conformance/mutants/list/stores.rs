//! What an instance is made of, and where it lives.

use super::{Mutant, mutation};

const INSTANCE_IS_MADE: &str = "made.begin()";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "hands the memory of an instance to the next",
        "isolation.fresh",
        &[
            mutation(
                "call.rs",
                "let outcome = [[call(&mut store)]]",
                "let outcome = call(&mut store);
                if let Some(memory) = store.data().memory {
                    *crate::KEPT.lock().unwrap() = memory.data(&store).to_vec();
                }
                outcome",
            ),
            mutation(
                "store.rs",
                INSTANCE_IS_MADE,
                "made.begin();
                let kept = crate::KEPT.lock().unwrap();
                if let Some(memory) = made.store.data().memory {
                    let memory = memory.data_mut(&mut made.store);
                    let length = memory.len().min(kept.len());
                    memory[..length].copy_from_slice(&kept[..length]);
                }",
            ),
        ],
    ),
    Mutant::new(
        "works only on the thread that made the instance",
        "lifecycle.outlives",
        &[
            mutation(
                "store.rs",
                INSTANCE_IS_MADE,
                "made.begin();
                crate::MINE.set(1)",
            ),
            mutation(
                "call.rs",
                "let outcome = [[call(&mut store)]]",
                "assert_eq!(crate::MINE.get(), 1);
                call(&mut store)",
            ),
        ],
    ),
    Mutant::new(
        "is busy before the host says so",
        "busy.one_too_many",
        &[mutation(
            "mod.rs",
            "Accounts::new(budget, &self.options)",
            "let armed = Accounts::new(budget, &self.options);
            if crate::ALL.fetch_add(1, crate::SeqCst) >= 3 {
                return Err(InstantiateError {
                    fault: hotcell_core::Fault::Busy { allowed: 3 },
                    usage: armed.usage(None),
                });
            }
            armed",
        )],
    ),
    Mutant::new(
        "keeps every module",
        "lifecycle.flat",
        &[mutation(
            "mod.rs",
            "compiled.map_err(panicked)?.map_err(backend_error)?",
            "let module = compiled.map_err(panicked)?.map_err(backend_error)?;
            std::mem::forget(module.clone());
            module",
        )],
    ),
    Mutant::new(
        "runs guests on the stack of the host's thread",
        "limits.stack.everything",
        &[mutation(
            "call.rs",
            "let outcome = [[call(&mut store)]]",
            "#[inline(never)]
            fn deeper(kib: usize) -> u8 {
                let frame = std::hint::black_box([1; 1 << 10]);
                if kib == 0 { frame[0] } else { deeper(kib - 1).wrapping_add(std::hint::black_box(&frame)[9]) }
            }
            std::hint::black_box(deeper(128));
            call(&mut store)",
        )],
    )
    .that_kills(),
];
