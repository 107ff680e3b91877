//! What an instance is made of.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[Saboteur::new(
    "hands the memory of an instance to the next",
    "isolation.fresh",
    &[
        lie(
            "call.rs",
            "return Ok(results)",
            "if let Some(memory) = store.data().memory {
                *crate::KEPT.lock().unwrap() = memory.data(&store).to_vec();
            }
            return Ok(results)",
        ),
        lie(
            "store.rs",
            "made.refill()",
            "made.refill();
            let kept = crate::KEPT.lock().unwrap();
            if let Some(memory) = made.store.data().memory {
                let memory = memory.data_mut(&mut made.store);
                let length = memory.len().min(kept.len());
                memory[..length].copy_from_slice(&kept[..length]);
            }",
        ),
    ],
)];
