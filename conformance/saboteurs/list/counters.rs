//! Fuel and stack.

use super::{FUEL_IS_GIVEN, Saboteur, lie};

const FUEL_IS_SET: &str = "let fuel = [[self.store.data().armed.fuel_given()]];";

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "ignores the fuel",
        "limits.fuel.exact",
        &[lie("store.rs", FUEL_IS_SET, "hotcell_core::backend::MOST_FUEL")],
    ),
    Saboteur::new(
        "gives one unit of fuel too many",
        "counters.fuel",
        &[lie("store.rs", FUEL_IS_SET, "self.store.data().armed.fuel_given().saturating_add(1)")],
    ),
    Saboteur::new(
        "goes on when fuel has run out",
        "limits.fuel.exact",
        &[lie("call.rs", FUEL_IS_GIVEN, goes_on_after!("OutOfFuel"))],
    ),
    Saboteur::new(
        "goes on when the stack has run out",
        "counters.stack",
        &[lie("call.rs", FUEL_IS_GIVEN, goes_on_after!("StackOverflow"))],
    ),
    Saboteur::new(
        "leaves the stack to the engine",
        "counters.stack",
        &[lie("store.rs", "write(stack, &mut self.store, [[self.stack_cells]])", "i64::MAX")],
    ),
    Saboteur::new(
        "has an engine whose stack ends before the guest's",
        "counters.stack",
        &[lie("mod.rs", "config.set_max_recursion_depth(frames)", "config.set_max_recursion_depth(frames / 32)")],
    ),
    Saboteur::new(
        "loses fuel at the end of a slice",
        "counters.fuel",
        &[lie("call.rs", "store::set_counter(&mut self.0, counter, [[value]])", "value - 1")],
    ),
    Saboteur::new(
        "takes the end of a slice for the end of the fuel",
        "counters.fuel",
        &[lie(
            "call.rs",
            FUEL_IS_GIVEN,
            "caller.0.data_mut().armed.park(Fault::OutOfFuel);
            Err(hotcell_core::backend::HostStop)",
        )],
    ),
    Saboteur::new(
        "gives a slice and does not count it",
        "counters.trap",
        &[lie(
            "call.rs",
            "store::set_counter(&mut self.0, counter, [[value]])",
            "match counter {
                Counter::Fuel => return,
                Counter::Stack => value,
            }",
        )],
    ),
    Saboteur::new(
        "calls host functions for a guest without fuel",
        "counters.host",
        &[lie("call.rs", FUEL_IS_GIVEN, goes_on_after!("OutOfFuel"))],
    ),
    Saboteur::new(
        "gives all the fuel in one slice",
        "deadline.jump",
        &[lie("store.rs", "let slice = [[data.armed.slice(fuel)]];", "fuel.cast_signed()")],
    ),
    Saboteur::new(
        "goes on with the fuel that the last call left",
        "limits.fuel.largest",
        &[lie("store.rs", "self.store.data_mut().armed.rearm(deadline, cancel);\n        [[self.begin()]]", "()")],
    ),
    Saboteur::new(
        "takes fuel and does not give it back",
        "abi.counts",
        &[lie(
            "store.rs",
            "fn set_fuel(&mut self, fuel: u64) {\n        [[set_fuel(&mut self.store, fuel)]]",
            "if fuel < self::fuel(&self.store) {
                set_fuel(&mut self.store, fuel);
            }",
        )],
    ),
    Saboteur::new(
        "reports one unit of fuel as used, whatever was",
        "counters.bulk",
        &[lie("store.rs", "Some([[fuel(&self.store)]])", "self.store.data().armed.fuel_given().saturating_sub(1)")],
    ),
    Saboteur::new(
        "reports no fuel as used",
        "limits.fuel.exact",
        &[lie("store.rs", "Some([[fuel(&self.store)]])", "self.store.data().armed.fuel_given()")],
    ),
];
