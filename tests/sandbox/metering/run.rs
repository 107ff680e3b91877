//! Calls on both backends, whose observable effects must be equal.

use hotcell::{Policy, Rules, Value, Wasmi, Wasmtime, policy::Floats};
use hotcell_differential::{Observed, Runner};

/// Host functions that modules may import, in the text format.
pub(crate) const IMPORTS: &str = r#"
    (import "env" "nop" (func $nop))
    (import "env" "charge" (func $charge (param i32)))
    (import "env" "step" (func $step (param i32) (result i32)))
    (import "env" "pair" (func $pair (param i32 i64) (result i64 i32)))
    (import "env" "mix" (func $mix (param f32 f64) (result f64)))
    (import "env" "again" (func $again (param i32) (result i32)))
"#;

/// Both backends under one policy.
pub(crate) struct Both {
    pub(crate) wasmtime: Runner<Wasmtime>,
    pub(crate) wasmi: Runner<Wasmi>,
}

impl Both {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self { wasmtime: Runner::new(policy).unwrap(), wasmi: Runner::new(policy).unwrap() }
    }

    /// One call on a new instance of each: the common result, or the difference.
    pub(crate) fn call(&self, wasm: &[u8], export: &str, params: &[Value]) -> Result<Observed, String> {
        same(self.wasmtime.call(wasm, export, params), self.wasmi.call(wasm, export, params))
    }
}

/// The common result of both backends, if it is equal.
pub(crate) fn same(wasmtime: Observed, wasmi: Observed) -> Result<Observed, String> {
    match wasmtime == wasmi {
        true => Ok(wasmtime),
        false => Err(format!("wasmtime: {wasmtime:?}\n   wasmi: {wasmi:?}")),
    }
}

/// The policy of these tests: the default one, with canonical NaNs, no deadline, start functions and this much fuel.
pub(crate) fn policy(fuel: impl Into<Option<u64>>, change: impl FnOnce(&mut Rules)) -> Policy {
    Policy::default()
        .with(|rules| {
            rules.floats = Floats::Canonical;
            rules.limits.fuel = fuel.into();
            rules.limits.deadline = None;
            rules.unbounded = true;
            rules.limits.reentry = 2;
            rules.module.start = true;
            change(rules);
        })
        .unwrap()
}

/// A module from text, with the imports of the test host.
pub(crate) fn wasm(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {IMPORTS} {body})")).unwrap_or_else(|error| panic!("{error}\n{body}"))
}

/// A module from text that imports nothing.
pub(crate) fn plain(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {body})")).unwrap_or_else(|error| panic!("{error}\n{body}"))
}
