//! The memory budget, and growth: core decides, but the backend asks, answers and grows.

use hotcell_core::TrapKind;

use super::{Call, Fault, GROW, HostStop, Mutant, Value};

/// What a guest asks before something grows.
#[derive(Clone, Copy)]
struct Growth {
    /// The number by which the guest names what grows: its index, above two bits.
    object: i32,
    size: i64,
    delta: i64,
}

/// It is a table.
const TABLE: i32 = 1;
/// The engine could not do it.
const FAILED: i32 = 2;
/// The memory with index 1.
const SECOND: i32 = 1 << 2;

impl Growth {
    fn of(call: &Call<'_, HostStop>) -> Option<Self> {
        match *call.params {
            [Value::I32(object), Value::I64(size), Value::I64(delta)] if call.name == GROW && object & FAILED == 0 => {
                Some(Self { object, size, delta })
            }
            _ => None,
        }
    }

    fn is_table(self) -> bool {
        self.object & TABLE != 0
    }
}

/// Asks for another growth than the guest does.
fn ask(call: &mut Call<'_, HostStop>, change: fn(Growth) -> i64) -> Result<(), HostStop> {
    match Growth::of(call) {
        Some(growth) => call.run_with(&[call.params[0], call.params[1], Value::I64(change(growth))]),
        None => call.run(),
    }
}

/// Grants growths, whatever the budget says.
fn grant(call: &mut Call<'_, HostStop>, is_granted: fn(Growth) -> bool) -> Result<(), HostStop> {
    call.run()?;
    if Growth::of(call).is_some_and(is_granted) {
        call.results[0] = Value::I32(1);
    }
    Ok(())
}

pub(super) fn grant_tables(call: &mut Call<'_, HostStop>) -> Result<(), HostStop> {
    grant(call, Growth::is_table)
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("ignores the memory budget", "limits.memory.inclusive")
        .host(|call| grant(call, |growth| !growth.is_table())),
    Mutant::new("holds only the first memory to the budget", "limits.memory.several")
        .host(|call| grant(call, |growth| !growth.is_table() && growth.object >= SECOND)),
    Mutant::new("stops one page below the memory budget", "limits.memory.inclusive")
        .host(|call| ask(call, |growth| growth.delta + growth.delta.signum())),
    Mutant::new("ignores the budget of table elements", "limits.table.inclusive").host(grant_tables),
    Mutant::new("leaves tables out of the memory budget", "limits.memory.total").host(grant_tables),
    Mutant::new("refuses every growth, and asks nobody", "limits.memory.session")
        .host(|call| if call.name == GROW { Ok(()) } else { call.run() }),
    Mutant::new("traps where a growth is refused", "limits.memory.refused").host(|call| {
        call.run()?;
        if Growth::of(call).is_some() && *call.results == [Value::I32(0)] {
            call.store.accounts().park(Fault::Trap(TrapKind::Unreachable));
            return Err(HostStop);
        }
        Ok(())
    }),
    Mutant::new("does not count refused growths", "limits.memory.refused")
        .host(|call| ask(call, |growth| if growth.delta < 1 << 12 { growth.delta } else { 1 << 40 })),
    Mutant::new("does not count refused growths by more bytes than half of all", "limits.memory.byte_pages")
        .host(|call| ask(call, |growth| if growth.delta < 1 << 31 { growth.delta } else { 1 << 40 })),
    Mutant::new("counts growths as refused that no table could do", "limits.memory.impossible")
        .host(|call| ask(call, |growth| if growth.is_table() { 1 << 31 } else { growth.delta })),
    Mutant::new("counts growths as refused that no memory of one-byte pages could do", "limits.memory.largest")
        .host(|call| ask(call, |growth| growth.delta.min(0xffff_fffe - growth.size))),
    Mutant::new("says that it could not grow for the embedder", "limits.memory.embedder").grow_memory(|_| false),
    Mutant::new("takes back growths that were done", "limits.memory.session").host(|call| {
        call.run()?;
        if let Some(Growth { object, .. }) = Growth::of(call) {
            let failed = [Value::I32(object | FAILED), call.params[1], call.params[2]];
            call.run_with(&failed)?;
            call.results[0] = Value::I32(1);
        }
        Ok(())
    }),
];
