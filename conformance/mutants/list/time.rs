//! Deadlines, cancelling, and neighbours.

use super::{FUEL_IS_GIVEN, Mutant, mutation};

const CALL_BEGINS: &str = "let outcome = [[call(&mut store)]]";

/// Gives fuel until a call has ended with this fault, then to none that is running.
macro_rules! ends_all_with {
    ($fault:literal) => {
        concat!(
            "let given = refill(&mut caller, stack);
            let armed = &mut caller.0.data_mut().armed;
            let parked = armed.take_parked();
            if let Some(Fault::",
            $fault,
            ") = parked {
                crate::ALL.fetch_add(1, crate::SeqCst);
            }
            let is_over = crate::ALL.load(crate::SeqCst) != crate::MINE.get();
            let parked = parked.or(is_over.then_some(Fault::",
            $fault,
            "));
            let given = if is_over { Err(hotcell_core::backend::HostStop) } else { given };
            parked.into_iter().for_each(|fault| armed.park(fault));
            given"
        )
    };
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "never looks at the clock",
        "deadline.jump",
        &[mutation("call.rs", FUEL_IS_GIVEN, goes_on_after!("DeadlineExceeded"))],
    ),
    Mutant::new(
        "never looks at the cancel flag",
        "cancel.loop",
        &[mutation("call.rs", FUEL_IS_GIVEN, goes_on_after!("Cancelled"))],
    ),
    Mutant::new(
        "forgets the cancel token when it is armed again",
        "cancel.session",
        &[mutation(
            "store.rs",
            "self.store.data_mut().armed.rearm(deadline, cancel)",
            "self.store.data_mut().armed.rearm(deadline, None)",
        )],
    ),
    Mutant::new(
        "forgets the deadline when it is armed again",
        "deadline.host",
        &[mutation(
            "store.rs",
            "self.store.data_mut().armed.rearm(deadline, cancel)",
            "self.store.data_mut().armed.rearm(None, cancel)",
        )],
    ),
    Mutant::new(
        "counts slices instead of time",
        "deadline.stands_still",
        &[
            mutation(
                "call.rs",
                CALL_BEGINS,
                "crate::MINE.set(0);
                call(&mut store)",
            ),
            mutation(
                "call.rs",
                FUEL_IS_GIVEN,
                "crate::MINE.set(crate::MINE.get() + 1);
                if crate::MINE.get() > 100 {
                    caller.0.data_mut().armed.park(Fault::DeadlineExceeded);
                }
                match crate::MINE.get() {
                    0..=100 => refill(&mut caller, stack),
                    _ => Err(hotcell_core::backend::HostStop),
                }",
            ),
        ],
    ),
    Mutant::new(
        "kills the neighbours of a call whose deadline has passed",
        "deadline.neighbour",
        &[
            mutation(
                "call.rs",
                CALL_BEGINS,
                "crate::MINE.set(crate::ALL.load(crate::SeqCst));
                call(&mut store)",
            ),
            mutation("call.rs", FUEL_IS_GIVEN, ends_all_with!("DeadlineExceeded")),
        ],
    ),
    Mutant::new(
        "cancels the neighbours of a call that is cancelled",
        "cancel.neighbour",
        &[
            mutation(
                "call.rs",
                CALL_BEGINS,
                "crate::MINE.set(crate::ALL.load(crate::SeqCst));
                call(&mut store)",
            ),
            mutation("call.rs", FUEL_IS_GIVEN, ends_all_with!("Cancelled")),
        ],
    ),
    Mutant::new(
        "does not look at the clock when a host function returns",
        "deadline.host",
        &[mutation("call.rs", "fn is_clock_due(&mut self) -> bool {\n        [[true]]", "false")],
    ),
    Mutant::new(
        "makes memory on the guest's time",
        "deadline.memory",
        &[mutation(
            "store.rs",
            "Ok(self.armed.grow_memory(current, desired, maximum))",
            "if desired >= 1 << 27 {
                std::thread::sleep(core::time::Duration::from_millis(150));
            }
            Ok(self.armed.grow_memory(current, desired, maximum))",
        )],
    ),
    Mutant::new(
        "has a clock of its own",
        "deadline.report",
        &[mutation(
            "mod.rs",
            "Accounts::new(budget, &self.options)",
            "Accounts::new(budget, &HostOptions { slice: self.options.slice, ..HostOptions::default() })",
        )],
    ),
];
