//! Fuel and stack.

use hotcell_core::backend::Counter;

use super::{AnyStore, Call, Fault, HostStop, MINE, Mutant, REFILL, Side};

/// Gives the next slice in place of the fault with this code.
pub(super) fn go_on_after(call: &mut Call<'_, HostStop>, code: &str) -> Result<(), HostStop> {
    let outcome = call.run();
    if outcome.is_ok() || call.name != REFILL {
        return outcome;
    }
    match call.store.accounts().take_parked() {
        Some(fault) if fault.code() == code => {
            // The guest takes what is left from the other counter.
            let fuel = call.store.counter(Counter::Fuel);
            call.store.set_counter(Counter::Stack, fuel);
            Ok(())
        }
        parked => {
            parked.into_iter().for_each(|fault| call.store.accounts().park(fault));
            outcome
        }
    }
}

/// Sets a counter; where the embedder gives fuel, to another value.
fn give(store: &mut dyn AnyStore, counter: Counter, value: i64, change: fn(&mut dyn AnyStore, i64) -> i64) {
    let is_given = (store.side(), counter) == (Side::Outside, Counter::Fuel);
    let value = if is_given { change(store, value) } else { value };
    store.set_counter(counter, value);
}

/// Reads a counter; the embedder sees so much fuel as used.
pub(super) fn report(store: &mut dyn AnyStore, counter: Counter, used: u64) -> i64 {
    if (store.side(), counter) != (Side::Outside, Counter::Fuel) {
        return store.counter(counter);
    }
    let reserve = store.accounts().fuel_left(0);
    store.accounts().fuel_given().saturating_sub(used + reserve).cast_signed()
}

fn other(counter: Counter) -> Counter {
    match counter {
        Counter::Fuel => Counter::Stack,
        Counter::Stack => Counter::Fuel,
    }
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new("ignores the fuel", "limits.fuel.exact")
        .set_counter(|store, counter, value| give(store, counter, value, |_, _| i64::MAX)),
    Mutant::new("gives one unit of fuel too many", "counters.fuel")
        .set_counter(|store, counter, value| give(store, counter, value, |_, value| value + 1)),
    Mutant::new("goes on when fuel has run out", "limits.fuel.exact").host(|call| go_on_after(call, "out-of-fuel")),
    Mutant::new("goes on when the stack has run out", "counters.stack")
        .host(|call| go_on_after(call, "stack-overflow")),
    Mutant::new("leaves the stack to the engine", "counters.stack").set_counter(|store, counter, value| {
        match (store.side(), counter) {
            (Side::Outside, Counter::Stack) => store.set_counter(counter, i64::MAX),
            _ => store.set_counter(counter, value),
        }
    }),
    Mutant::new("has an engine whose stack ends before the guest's", "counters.stack")
        .config(|config| _ = config.set_max_recursion_depth(40)),
    Mutant::new("loses fuel at the end of a slice", "counters.fuel").set_counter(|store, counter, value| {
        let lost = i64::from(store.side() == Side::Inside);
        store.set_counter(counter, value - lost);
    }),
    Mutant::new("takes the end of a slice for the end of the fuel", "counters.fuel").host(|call| {
        if call.name != REFILL {
            return call.run();
        }
        call.store.accounts().park(Fault::OutOfFuel);
        Err(HostStop)
    }),
    Mutant::new("gives a slice and does not count it", "counters.trap").set_counter(|store, counter, value| {
        match (store.side(), counter) {
            (Side::Inside, Counter::Fuel) => {}
            _ => store.set_counter(counter, value),
        }
    }),
    Mutant::new("calls host functions for a guest without fuel", "counters.host")
        .host(|call| go_on_after(call, "out-of-fuel")),
    Mutant::new("gives all the fuel in one slice", "deadline.overshoot").set_counter(|store, counter, value| {
        give(store, counter, value, |store, value| store.accounts().fuel_left(value).cast_signed());
    }),
    Mutant::new("goes on with the fuel that the last call left", "limits.fuel.largest")
        .instantiated(|_| MINE.set(0))
        .set_counter(|store, counter, value| {
            give(store, counter, value, |store, value| match MINE.replace(1) {
                0 => value,
                _ => store.counter(Counter::Fuel),
            });
        }),
    Mutant::new("takes fuel and does not give it back", "abi.counts").instantiated(|_| MINE.set(0)).set_counter(
        |store, counter, value| {
            give(store, counter, value, |store, value| match MINE.replace(1) {
                0 => value,
                _ => value.min(store.counter(Counter::Fuel)),
            });
        },
    ),
    Mutant::new("reports one unit of fuel as used, whatever was", "counters.bulk")
        .counter(|store, counter| report(store, counter, 1)),
    Mutant::new("reports no fuel as used", "limits.fuel.exact").counter(|store, counter| report(store, counter, 0)),
    Mutant::new("takes one counter for the other", "counters.exhausted")
        .counter(|store, counter| store.counter(other(counter)))
        .set_counter(|store, counter, value| store.set_counter(other(counter), value)),
    Mutant::new("gives no fuel", "counters.fuel")
        .set_counter(|store, counter, value| give(store, counter, value, |_, _| 0)),
];
