//! Deadlines, cancelling, and neighbours.

use std::{thread, time::Duration};

use super::{ALL, AnyStore, Call, Fault, GROW, HostStop, MINE, Mutant, REFILL, SeqCst, counters::go_on_after};

/// Gives fuel until a call has ended with this fault, then to none that is running.
fn end_all_with(call: &mut Call<'_, HostStop>, fault: fn() -> Fault) -> Result<(), HostStop> {
    let given = call.run();
    if call.name != REFILL {
        return given;
    }
    let parked = call.store.accounts().take_parked();
    if parked.as_ref().is_some_and(|parked| parked.code() == fault().code()) {
        ALL.fetch_add(1, SeqCst);
    }
    let is_over = ALL.load(SeqCst) != MINE.get();
    if let Some(fault) = parked.or_else(|| is_over.then(fault)) {
        call.store.accounts().park(fault);
    }
    if is_over { Err(HostStop) } else { given }
}

/// Remembers how many calls had ended when this one began.
fn look_around(call: &mut Call<'_, Fault>) -> Result<(), Fault> {
    MINE.set(ALL.load(SeqCst));
    call.run()
}

/// Forgets, when an operation begins, what may interrupt it.
fn forget(store: &mut dyn AnyStore) {
    store.accounts().rearm(None, None);
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("never looks at the clock", "deadline.jump").host(|call| go_on_after(call, "deadline-exceeded")),
    Mutant::new("never looks at the cancel flag", "cancel.loop").host(|call| go_on_after(call, "cancelled")),
    Mutant::new("forgets the cancel token when it is armed again", "cancel.session").begin(forget),
    Mutant::new("forgets the deadline when it is armed again", "deadline.host").begin(forget),
    Mutant::new("counts slices instead of time", "deadline.stands_still")
        .invoke(|call| {
            MINE.set(0);
            call.run()
        })
        .host(|call| {
            MINE.set(MINE.get() + u64::from(call.name == REFILL));
            if MINE.get() <= 100 {
                return call.run();
            }
            call.store.accounts().park(Fault::DeadlineExceeded);
            Err(HostStop)
        }),
    Mutant::new("kills the neighbours of a call whose deadline has passed", "deadline.neighbour")
        .host(|call| end_all_with(call, || Fault::DeadlineExceeded))
        .invoke(look_around),
    Mutant::new("cancels the neighbours of a call that is cancelled", "cancel.neighbour")
        .host(|call| end_all_with(call, || Fault::Cancelled))
        .invoke(look_around),
    Mutant::new("makes memory on the guest's time", "deadline.memory").host(|call| {
        if call.name == GROW {
            thread::sleep(Duration::from_millis(150));
        }
        call.run()
    }),
    Mutant::new("takes the time of host functions off the clock", "deadline.report").host(|call| {
        let begin = call.store.accounts().clock().now();
        let outcome = call.run();
        let elapsed = call.store.accounts().clock().now().since(begin);
        call.store.accounts().stop_the_clock(elapsed);
        outcome
    }),
];
