//! What host functions see, and what they may do.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[
    Saboteur::new(
        "shows host functions no memory",
        "host.memory",
        &[lie("call.rs", "([[bytes]], &mut data.state)", "drop(bytes); &mut []")],
    ),
    Saboteur::new(
        "does not let host functions charge",
        "host.charge",
        &[lie("call.rs", "store::set_fuel(&mut self.0, fuel)", "drop(fuel)")],
    ),
    Saboteur::new(
        "hides from host functions what fuel remains",
        "host.remaining",
        &[lie("call.rs", "Some(store::fuel(&self.0))", "None")],
    ),
    Saboteur::new(
        "lets a second host function take a name",
        "host.names",
        &[lie("call.rs", "if [[offered.is_err()]]", "drop(offered); false")],
    ),
    Saboteur::new(
        "looks for host functions in one module only",
        "host.names",
        &[lie("call.rs", "linker.func_wrap([[&module]], &name, host)", r#""env""#)],
    ),
    Saboteur::new(
        "gives a call from a host function a budget of its own",
        "host.reentry_budget",
        &[lie(
            "call.rs",
            "self.0.get_export(export)",
            "let given = self.0.data().armed.fuel_given();
            store::set_fuel(&mut self.0, given);
            self.0.get_export(export)",
        )],
    ),
    Saboteur::new(
        "hides from host functions all that is named like the counters",
        "host.reentry_hidden",
        &[lie(
            "call.rs",
            "self.0.get_export(export)",
            r#"self.0.get_export(export).filter(|_| !export.starts_with("__hotcell"))"#,
        )],
    ),
    Saboteur::new(
        "gives a call from a host function a stack of its own",
        "counters.stack_nested",
        &[lie(
            "call.rs",
            "self.0.get_export(export)",
            "if let Some([_, stack]) = self.0.data().counters {
                stack.set(&mut self.0, Val::I64(1 << 20)).unwrap();
            }
            self.0.get_export(export)",
        )],
    ),
];
