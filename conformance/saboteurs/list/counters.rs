//! Fuel and stack.

use super::{Saboteur, lie};

const FUEL_IS_SET: &str = "let fuel = [[self.store.data().armed.fuel_given()]];";
const VERDICT: &str = "Some([fuel, stack]) => [[verdict(fault, fuel, stack)]]";
const CALL_BEGINS: &str = "let mut step = [[start(&mut store)]]";
const SLICE_BEGINS: &str = "store::set_engine_fuel(&mut store, needs.max(SLICE))";
const CALL_ENDS: &str = "return Ok(results)";

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new("ignores the fuel", "limits.fuel.exact", &[lie("store.rs", FUEL_IS_SET, "MOST_FUEL")]),
    Saboteur::new(
        "gives one unit of fuel too many",
        "counters.fuel",
        &[lie("store.rs", FUEL_IS_SET, "self.store.data().armed.fuel_given().saturating_add(1)")],
    ),
    Saboteur::new(
        "takes the counters' trap for the guest's when fuel runs out",
        "limits.fuel.exact",
        &[lie("convert.rs", VERDICT, "verdict(fault, fuel.max(0), stack)")],
    ),
    Saboteur::new(
        "takes the counters' trap for the guest's when the stack runs out",
        "counters.stack",
        &[lie("convert.rs", VERDICT, "verdict(fault, fuel, stack.max(0))")],
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
        &[
            lie(
                "call.rs",
                CALL_BEGINS,
                "crate::MINE.set(0);
                start(&mut store)",
            ),
            lie(
                "call.rs",
                SLICE_BEGINS,
                "crate::MINE.set(crate::MINE.get() + 1);
                store::set_engine_fuel(&mut store, needs.max(SLICE))",
            ),
            lie(
                "call.rs",
                CALL_ENDS,
                "let left = store::fuel(&store).saturating_sub(crate::MINE.get());
                store::set_fuel(&mut store, left);
                return Ok(results)",
            ),
        ],
    ),
    Saboteur::new(
        "takes the end of a slice for the end of the fuel",
        "counters.fuel",
        &[lie("call.rs", SLICE_BEGINS, "return Err(Fault::OutOfFuel)")],
    ),
    Saboteur::new(
        "goes on with the fuel that the last call left",
        "limits.fuel.largest",
        &[lie("store.rs", "self.store.data_mut().armed.rearm(deadline, cancel);\n        [[self.refill()]]", "()")],
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
        "reports no fuel as used",
        "limits.fuel.exact",
        &[lie("store.rs", "Some([[fuel(&self.store)]])", "self.store.data().armed.fuel_given()")],
    ),
];
