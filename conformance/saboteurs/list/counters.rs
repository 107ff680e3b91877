//! Fuel and stack.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "ignores the fuel",
        "limits.fuel.exact",
        &[lie("store.rs", "let fuel = [[self.store.data().armed.fuel_given()]];", "MOST_FUEL")],
    ),
    Saboteur::new(
        "takes the counters' trap for the guest's when fuel runs out",
        "limits.fuel.exact",
        &[lie(
            "convert.rs",
            "Some([fuel, stack]) => [[verdict(fault, fuel, stack)]]",
            "verdict(fault, fuel.max(0), stack)",
        )],
    ),
    Saboteur::new(
        "takes the counters' trap for the guest's when the stack runs out",
        "counters.stack",
        &[lie(
            "convert.rs",
            "Some([fuel, stack]) => [[verdict(fault, fuel, stack)]]",
            "verdict(fault, fuel, stack.max(0))",
        )],
    ),
    Saboteur::new(
        "leaves the stack to the engine",
        "counters.stack",
        &[lie("store.rs", "write(stack, &mut self.store, [[self.stack_cells]])", "i64::MAX")],
    ),
    Saboteur::new(
        "loses fuel at the end of a slice",
        "counters.fuel",
        &[
            lie("call.rs", "let mut step = [[start(&mut store)]]", "crate::MINE.set(0); start(&mut store)"),
            lie(
                "call.rs",
                "store::set_engine_fuel(&mut store, needs.max(SLICE))",
                r"crate::MINE.set(crate::MINE.get() + 1);
                store::set_engine_fuel(&mut store, needs.max(SLICE))",
            ),
            lie(
                "call.rs",
                "return Ok(results)",
                r"let left = store::fuel(&store).saturating_sub(crate::MINE.get());
                store::set_fuel(&mut store, left);
                return Ok(results)",
            ),
        ],
    ),
    Saboteur::new(
        "goes on with the fuel that the last call left",
        "limits.fuel.largest",
        &[lie(
            "store.rs",
            r"self.store.data_mut().armed.rearm(budget);
        [[self.refill()]]",
            "()",
        )],
    ),
    Saboteur::new(
        "goes on with the budget of the first call",
        "limits.memory.session",
        &[lie("store.rs", "self.store.data_mut().armed.rearm(budget)", "drop(budget)")],
    ),
    Saboteur::new(
        "gives no fuel back to those who set it",
        "abi.looping",
        &[lie(
            "store.rs",
            r"fn set_fuel(&mut self, fuel: u64) {
        [[set_fuel(&mut self.store, fuel)]]",
            "drop(fuel)",
        )],
    ),
    Saboteur::new(
        "does not let host functions charge",
        "host.charge",
        &[lie("call.rs", "store::set_fuel(&mut self.0, fuel)", "drop(fuel)")],
    ),
    Saboteur::new(
        "gives a call from a host function a fresh budget",
        "host.reentry_budget",
        &[lie(
            "call.rs",
            "self.0.get_export(export)",
            r"let given = self.0.data().armed.fuel_given();
                store::set_fuel(&mut self.0, given);
                self.0.get_export(export)",
        )],
    ),
    Saboteur::new(
        "reports no fuel as used",
        "limits.fuel.exact",
        &[lie("store.rs", "Some([[fuel(&self.store)]])", "self.store.data().armed.fuel_given()")],
    ),
];
