//! Fuel and stack.

use super::{FUEL_IS_GIVEN, Mutant, mutation};

const FUEL_IS_SET: &str = "let fuel = [[self.store.data().armed.fuel_given()]];";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "ignores the fuel",
        "limits.fuel.exact",
        &[mutation("store.rs", FUEL_IS_SET, "hotcell_core::backend::MOST_FUEL")],
    ),
    Mutant::new(
        "gives one unit of fuel too many",
        "counters.fuel",
        &[mutation("store.rs", FUEL_IS_SET, "self.store.data().armed.fuel_given().saturating_add(1)")],
    ),
    Mutant::new(
        "goes on when fuel has run out",
        "limits.fuel.exact",
        &[mutation("call.rs", FUEL_IS_GIVEN, goes_on_after!("OutOfFuel"))],
    ),
    Mutant::new(
        "goes on when the stack has run out",
        "counters.stack",
        &[mutation("call.rs", FUEL_IS_GIVEN, goes_on_after!("StackOverflow"))],
    ),
    Mutant::new(
        "leaves the stack to the engine",
        "counters.stack",
        &[mutation("store.rs", "write(stack, &mut self.store, [[self.stack_cells]])", "i64::MAX")],
    ),
    Mutant::new(
        "has an engine whose stack ends before the guest's",
        "counters.stack",
        &[mutation("mod.rs", "config.set_max_recursion_depth(frames)", "config.set_max_recursion_depth(frames / 32)")],
    ),
    Mutant::new(
        "loses fuel at the end of a slice",
        "counters.fuel",
        &[mutation("call.rs", "store::set_counter(&mut self.0, counter, [[value]])", "value - 1")],
    ),
    Mutant::new(
        "takes the end of a slice for the end of the fuel",
        "counters.fuel",
        &[mutation(
            "call.rs",
            FUEL_IS_GIVEN,
            "caller.0.data_mut().armed.park(Fault::OutOfFuel);
            Err(hotcell_core::backend::HostStop)",
        )],
    ),
    Mutant::new(
        "gives a slice and does not count it",
        "counters.trap",
        &[mutation(
            "call.rs",
            "store::set_counter(&mut self.0, counter, [[value]])",
            "match counter {
                Counter::Fuel => return,
                Counter::Stack => value,
            }",
        )],
    ),
    Mutant::new(
        "calls host functions for a guest without fuel",
        "counters.host",
        &[mutation("call.rs", FUEL_IS_GIVEN, goes_on_after!("OutOfFuel"))],
    ),
    Mutant::new(
        "gives all the fuel in one slice",
        "deadline.jump",
        &[mutation("store.rs", "let slice = [[data.armed.slice(fuel)]];", "fuel.cast_signed()")],
    ),
    Mutant::new(
        "goes on with the fuel that the last call left",
        "limits.fuel.largest",
        &[mutation("store.rs", "self.store.data_mut().armed.rearm(deadline, cancel);\n        [[self.begin()]]", "()")],
    ),
    Mutant::new(
        "takes fuel and does not give it back",
        "abi.counts",
        &[mutation(
            "store.rs",
            "fn set_fuel(&mut self, fuel: u64) {\n        [[set_fuel(&mut self.store, fuel)]]",
            "if fuel < self::fuel(&self.store) {
                set_fuel(&mut self.store, fuel);
            }",
        )],
    ),
    Mutant::new(
        "reports one unit of fuel as used, whatever was",
        "counters.bulk",
        &[mutation(
            "store.rs",
            "Some([[fuel(&self.store)]])",
            "self.store.data().armed.fuel_given().saturating_sub(1)",
        )],
    ),
    Mutant::new(
        "reports no fuel as used",
        "limits.fuel.exact",
        &[mutation("store.rs", "Some([[fuel(&self.store)]])", "self.store.data().armed.fuel_given()")],
    ),
];
