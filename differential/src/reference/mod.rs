//! A reference interpreter that counts fuel and stack as documented (`docs/metering.md`), independently of the rewrite:
//! it runs the original module. It supports integers, locals, globals, control flow, calls, one memory with its bulk
//! operators, a table that does not change, and the host functions of the comparison: what
//! [`Kinds::integers`](super::generate::Kinds::integers) generates. Indices may have 64 bits, and pages one byte.

mod cost;
mod machine;
mod program;
mod runs;

use hotcell_core::{Policy, Value, admit::ExternType};

use self::machine::Machine;
pub use self::program::{Program, Unsupported};
use super::{Configuration, Difference, Guest, Host, Memory, Numbers, Observed, Runner, argument};
use hotcell_conformance::BackendUnderTest;

/// Fuel of the first call, which determines how much is enough.
const PLENTY: u64 = 30_000;

/// Compares a backend with the reference on a module of the integer subset: each export with arguments of the seed, at
/// about `budgets` budgets from zero to one more than enough. Returns the number of calls.
///
/// # Errors
///
/// The first [`Difference`].
pub fn compare<B: BackendUnderTest>(
    runner: &Runner<B>,
    configuration: Configuration,
    seed: u64,
    wasm: &[u8],
    budgets: u64,
) -> Result<u64, Difference> {
    let differ = |what: String, one: String, other: String| Difference {
        seed,
        configuration: configuration.name(),
        what,
        one,
        other,
        wasm: wasm.to_vec(),
    };
    let plugin = runner.load(wasm);
    let plugin = plugin.map_err(|error| differ("load".into(), String::new(), format!("{error:?}")))?;
    let policy = plugin.policy();
    let program = Program::read(wasm);
    let program = program.map_err(|error| differ("read".into(), error.to_string(), String::new()))?;
    let mut guest = Guest::new(&plugin);
    let mut numbers = Numbers::new(seed ^ 0x5eed);
    let mut calls = 0;
    for export in &plugin.summary().exports {
        let ExternType::Function(ty) = &export.ty else { continue };
        let arguments: Vec<Value> = ty.params.iter().map(|ty| argument(*ty, &mut numbers)).collect();
        let plenty = program.call(policy, &export.name, &arguments, PLENTY);
        let executed = plenty.as_ref().map_or(0, |plenty| plenty.executed);
        let enough = plenty.filter(|plenty| plenty.code == "ok").map(|plenty| plenty.executed);
        let steps = (0..=executed.min(PLENTY) + 1).step_by((executed / budgets).max(1) as usize);
        for fuel in steps.chain([executed.saturating_sub(1), executed, PLENTY]) {
            calls += 1;
            let expected = program.call(policy, &export.name, &arguments, fuel);
            let observed = guest.call_with_fuel(&export.name, &arguments, fuel);
            let is_same = match &expected {
                Some(expected) => expected.is(&observed),
                None => observed.phase == "instantiate" && observed.code == "trap-memory-out-of-bounds",
            };
            let is_step = enough.is_none_or(|enough| (fuel >= enough) == (observed.code == "ok"));
            if !is_same || !is_step {
                return Err(differ(
                    format!("{} {arguments:?} with {fuel} fuel, the reference and {}", export.name, B::ID),
                    format!("{expected:?}"),
                    format!("{observed:?}"),
                ));
            }
        }
    }
    Ok(calls)
}

/// How a call on a new instance ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The code of the verdict; `ok` for a success.
    pub code: &'static str,
    /// Results.
    pub values: Vec<Value>,
    /// Fuel in the report.
    pub fuel_used: u64,
    /// Fuel of everything that was executed, whatever the report says.
    pub executed: u64,
    /// What the host functions observed.
    pub host: Host,
    /// Exported globals.
    pub globals: Vec<Option<Value>>,
    /// The exported memory.
    pub memory: Memory,
}

impl Counted {
    /// Whether a backend observed the same.
    fn is(&self, observed: &Observed) -> bool {
        let Self { code, values, fuel_used, executed, host, globals, memory } = self;
        let is_exact = *code != "ok" || fuel_used == executed;
        is_exact
            && *code == observed.code
            && *values == observed.values
            && Some(*fuel_used) == observed.usage.fuel_used
            && *host == observed.host
            && *globals == observed.globals
            && *memory == observed.memory
    }
}

impl Program<'_> {
    /// Calls an export on a new instance with `fuel`; `None` when instantiation fails because an active segment is out
    /// of bounds.
    ///
    /// # Panics
    ///
    /// `export` must be a function of the program, and `params` of its type.
    pub fn call(&self, policy: &Policy, export: &str, params: &[Value], fuel: u64) -> Option<Counted> {
        Some(Machine::instantiate(self, policy, fuel)?.call(export, params))
    }
}
