//! What host functions see, and what they may do.

use hotcell_core::{
    backend::Counter,
    meter::{HOST, MISSING},
};

use super::{Call, Fault, Mutant, Side, Value, values::quiet};

/// A call from a host function, with a counter of its own.
fn own(call: &mut Call<'_, Fault>, counter: Counter, value: i64) -> Result<(), Fault> {
    if call.store.side() == Side::Inside {
        call.store.set_counter(counter, value);
    }
    call.run()
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("shows host functions no memory", "host.memory")
        .memory_mut(|side, bytes| if side == Side::Inside { &mut [] } else { bytes }),
    Mutant::new("shows host functions another memory than the guest's", "host.memory")
        .memory_mut(|side, bytes| if side == Side::Inside { bytes.to_vec().leak() } else { bytes }),
    Mutant::new("does not let host functions charge", "host.charge").set_counter(|store, counter, value| {
        if store.side() == Side::Outside {
            store.set_counter(counter, value);
        }
    }),
    Mutant::new("hides from host functions what fuel remains", "host.remaining").counter(|store, counter| {
        match (store.side(), counter) {
            (Side::Inside, Counter::Fuel) => 0,
            _ => store.counter(counter),
        }
    }),
    Mutant::new("goes on where an import is missing", "host.unknown")
        .host(|call| if call.name == MISSING { Ok(()) } else { call.run() }),
    Mutant::new("defines all host functions in one module", "host.names")
        .import(|module| if module == HOST { module } else { "env" }),
    Mutant::new("passes a host function's arguments from last to first", "host.types").host(|call| call.reversed()),
    Mutant::new("quiets the NaNs that a host function gets", "host.values").host(|call| call.arguments(quiet)),
    Mutant::new("loses what a host function returns", "host.values")
        .host(|call| call.results(|value| Value::zero(value.ty()))),
    Mutant::new("goes on where a host function has stopped it", "host.error").host(|call| call.run().or(Ok(()))),
    Mutant::new("runs a host function twice", "host.state").host(|call| call.run().and_then(|()| call.run())),
    Mutant::new("gives a call from a host function a budget of its own", "host.reentry_budget").invoke(|call| {
        let given = call.store.accounts().fuel_given().cast_signed();
        own(call, Counter::Fuel, given)
    }),
    Mutant::new("hides from host functions all that is named like the counters", "host.reentry_hidden").invoke(
        |call| match call.store.side() == Side::Inside && call.name.starts_with("__hotcell") {
            true => Err(Fault::NoSuchExport { export: call.name.to_owned() }),
            false => call.run(),
        },
    ),
    Mutant::new("gives a call from a host function a stack of its own", "counters.stack_nested")
        .invoke(|call| own(call, Counter::Stack, 1 << 20)),
];
