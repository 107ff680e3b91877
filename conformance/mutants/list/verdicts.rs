//! Traps, faults and panics.

use hotcell_core::{TrapKind, backend::MeteredBy};

use super::{ALL, Call, Fault, Mutant, SeqCst, broken};

/// One trap in place of another.
pub(super) fn mistake(call: &mut Call<'_, Fault>, one: TrapKind, other: TrapKind) -> Result<(), Fault> {
    call.run().map_err(|fault| match fault {
        Fault::Trap(kind) if kind == one => Fault::Trap(other),
        fault => fault,
    })
}

/// Another fault in place of the one with this code that core has parked.
fn hide(call: &mut Call<'_, Fault>, code: &str, change: fn(Fault) -> Fault) -> Result<(), Fault> {
    call.run().map_err(|fault| match call.store.accounts().take_parked() {
        Some(parked) if parked.code() == code => change(parked),
        parked => parked.unwrap_or(fault),
    })
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("swallows a trap", "traps.call").invoke(|call| match call.run() {
        Err(Fault::Trap(_)) => Ok(()),
        outcome => outcome,
    }),
    Mutant::new("takes one trap for another", "traps.entry")
        .invoke(|call| mistake(call, TrapKind::IntegerOverflow, TrapKind::IntegerDivisionByZero)),
    Mutant::new("takes the end of a table for the end of a memory", "traps.bulk")
        .invoke(|call| mistake(call, TrapKind::TableOutOfBounds, TrapKind::MemoryOutOfBounds)),
    Mutant::new("does not know a trap without a code", "traps.segments").not_instantiated(|fault, _| match fault {
        Fault::Trap(TrapKind::TableOutOfBounds) => broken().into(),
        fault => fault,
    }),
    Mutant::new("takes what the guest did for its own failure", "traps.entry")
        .invoke(|call| call.run().map_err(|_| broken().into())),
    Mutant::new("gives back other data when it makes no instance", "traps.segments").not_instantiated(
        |fault, metered_by| {
            *metered_by = MeteredBy::Nobody;
            fault
        },
    ),
    Mutant::new("takes a host function's error for a trap", "host.error")
        .invoke(|call| hide(call, "host-function", |_| Fault::Trap(TrapKind::Unreachable))),
    Mutant::new("takes a host function's error for the engine's", "host.error")
        .invoke(|call| hide(call, "host-function", |_| broken().into())),
    Mutant::new("lets a host function's panic out", "host.panic")
        .invoke(|call| hide(call, "host-function-panicked", |panic| panic!("{panic}"))),
    Mutant::new("is broken after a host function's panic", "isolation.panic")
        .invoke(|call| {
            hide(call, "host-function-panicked", |panic| {
                ALL.store(1, SeqCst);
                panic
            })
        })
        .instantiate(|_| if ALL.load(SeqCst) == 0 { Ok(()) } else { Err(broken().into()) }),
];
