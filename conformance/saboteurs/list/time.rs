//! Deadlines, cancelling, and neighbours.

use super::{Saboteur, lie};

const CALL_BEGINS: &str = "let mut step = [[start(&mut store)]]";
const SLICE_ENDS: &str = "store.data().armed.check()?";

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "never looks at the clock",
        "deadline.jump",
        &[lie(
            "call.rs",
            SLICE_ENDS,
            "if let Err(fault @ Fault::Cancelled) = store.data().armed.check() {
                return Err(fault);
            }",
        )],
    ),
    Saboteur::new(
        "never looks at the cancel flag",
        "cancel.loop",
        &[lie(
            "call.rs",
            SLICE_ENDS,
            "if let Err(fault @ Fault::DeadlineExceeded) = store.data().armed.check() {
                return Err(fault);
            }",
        )],
    ),
    Saboteur::new(
        "forgets the cancel token when it is armed again",
        "cancel.session",
        &[lie(
            "store.rs",
            "self.store.data_mut().armed.rearm(deadline, cancel)",
            "self.store.data_mut().armed.rearm(deadline, None)",
        )],
    ),
    Saboteur::new(
        "forgets the deadline when it is armed again",
        "deadline.host",
        &[lie(
            "store.rs",
            "self.store.data_mut().armed.rearm(deadline, cancel)",
            "self.store.data_mut().armed.rearm(None, cancel)",
        )],
    ),
    Saboteur::new(
        "counts slices instead of time",
        "deadline.stands_still",
        &[
            lie(
                "call.rs",
                CALL_BEGINS,
                "crate::MINE.set(0);
                start(&mut store)",
            ),
            lie(
                "call.rs",
                SLICE_ENDS,
                "crate::MINE.set(crate::MINE.get() + 1);
                if crate::MINE.get() > 100 {
                    return Err(Fault::DeadlineExceeded);
                }",
            ),
        ],
    ),
    Saboteur::new(
        "kills the neighbours of a call whose deadline has passed",
        "deadline.neighbour",
        &[
            lie(
                "call.rs",
                CALL_BEGINS,
                "crate::MINE.set(crate::ALL.load(crate::SeqCst));
                start(&mut store)",
            ),
            lie(
                "call.rs",
                SLICE_ENDS,
                "let ended = store.data().armed.check();
                if let Err(Fault::DeadlineExceeded) = ended {
                    crate::ALL.fetch_add(1, crate::SeqCst);
                }
                ended?;
                if crate::ALL.load(crate::SeqCst) != crate::MINE.get() {
                    return Err(Fault::DeadlineExceeded);
                }",
            ),
        ],
    ),
    Saboteur::new(
        "cancels the neighbours of a call that is cancelled",
        "cancel.neighbour",
        &[
            lie(
                "call.rs",
                CALL_BEGINS,
                "crate::MINE.set(crate::ALL.load(crate::SeqCst));
                start(&mut store)",
            ),
            lie(
                "call.rs",
                SLICE_ENDS,
                "let ended = store.data().armed.check();
                if let Err(Fault::Cancelled) = ended {
                    crate::ALL.fetch_add(1, crate::SeqCst);
                }
                ended?;
                if crate::ALL.load(crate::SeqCst) != crate::MINE.get() {
                    return Err(Fault::Cancelled);
                }",
            ),
        ],
    ),
    Saboteur::new(
        "does not look at the clock when a host function returns",
        "deadline.host",
        &[lie("call.rs", "fn is_clock_due(&mut self) -> bool {\n        [[true]]", "false")],
    ),
    Saboteur::new(
        "has a clock of its own",
        "deadline.report",
        &[lie(
            "mod.rs",
            "Armed::new(budget, self.options.clock.clone())",
            "Armed::new(budget, Arc::new(hotcell_core::time::SystemClock::new()))",
        )],
    ),
];
