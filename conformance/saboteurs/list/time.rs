//! Deadlines, cancelling, and neighbours.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "never looks at the clock",
        "deadline.jump",
        &[lie(
            "call.rs",
            "store.data().armed.check()?",
            r"if let Err(fault @ Fault::Cancelled) = store.data().armed.check() { return Err(fault) }",
        )],
    )
    .that_hangs(),
    Saboteur::new(
        "never looks at the cancel flag",
        "cancel.loop",
        &[lie(
            "call.rs",
            "store.data().armed.check()?",
            r"if let Err(fault @ Fault::DeadlineExceeded) = store.data().armed.check() { return Err(fault) }",
        )],
    )
    .that_hangs(),
    Saboteur::new(
        "kills the neighbours of a call whose deadline has passed",
        "deadline.neighbour",
        &[
            lie(
                "call.rs",
                "let mut step = [[start(&mut store)]]",
                "crate::MINE.set(crate::ALL.load(crate::SeqCst)); start(&mut store)",
            ),
            lie(
                "call.rs",
                "store.data().armed.check()?",
                r"store.data().armed.check().inspect_err(|_| drop(crate::ALL.fetch_add(1, crate::SeqCst)))?;
                if crate::ALL.load(crate::SeqCst) != crate::MINE.get() { return Err(Fault::DeadlineExceeded) }",
            ),
        ],
    ),
    Saboteur::new(
        "looks at the clock of host functions only when the guest goes on",
        "deadline.jump_in_host",
        &[lie(
            "call.rs",
            r"fn is_clock_due(&mut self) -> bool {
        [[true]]",
            "false",
        )],
    ),
    Saboteur::new(
        "counts slices instead of time",
        "deadline.stands_still",
        &[
            lie("call.rs", "let mut step = [[start(&mut store)]]", "crate::MINE.set(0); start(&mut store)"),
            lie(
                "call.rs",
                "store.data().armed.check()?",
                r"crate::MINE.set(crate::MINE.get() + 1);
                if crate::MINE.get() > 100 { return Err(Fault::DeadlineExceeded) }",
            ),
        ],
    ),
];
