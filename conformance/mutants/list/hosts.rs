//! What host functions see, and what they may do.

use super::{Mutant, mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "shows host functions no memory",
        "host.memory",
        &[mutation("call.rs", "([[bytes]], &mut data.state)", "drop(bytes); &mut []")],
    ),
    Mutant::new(
        "does not let host functions charge",
        "host.charge",
        &[mutation("call.rs", "store::set_fuel(&mut self.0, fuel)", "drop(fuel)")],
    ),
    Mutant::new(
        "hides from host functions what fuel remains",
        "host.remaining",
        &[mutation("call.rs", "Some(store::fuel(&self.0))", "None")],
    ),
    Mutant::new(
        "lets a second host function take a name",
        "host.names",
        &[mutation("call.rs", "if [[offered.is_err()]]", "drop(offered); false")],
    ),
    Mutant::new(
        "looks for host functions in one module only",
        "host.names",
        &[mutation("call.rs", "linker.func_wrap([[&module]], &name, host)", r#""env""#)],
    ),
    Mutant::new(
        "gives a call from a host function a budget of its own",
        "host.reentry_budget",
        &[mutation(
            "call.rs",
            "self.0.get_export(export)",
            "let given = self.0.data().armed.fuel_given();
            store::set_fuel(&mut self.0, given);
            self.0.get_export(export)",
        )],
    ),
    Mutant::new(
        "hides from host functions all that is named like the counters",
        "host.reentry_hidden",
        &[mutation(
            "call.rs",
            "self.0.get_export(export)",
            r#"self.0.get_export(export).filter(|_| !export.starts_with("__hotcell"))"#,
        )],
    ),
    Mutant::new(
        "gives a call from a host function a stack of its own",
        "counters.stack_nested",
        &[mutation(
            "call.rs",
            "self.0.get_export(export)",
            "if let Some([_, stack]) = self.0.data().counters {
                stack.set(&mut self.0, Val::I64(1 << 20)).unwrap();
            }
            self.0.get_export(export)",
        )],
    ),
];
