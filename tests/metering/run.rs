//! Calls on one backend or on both, and everything about them that must not depend on the backend.

use hotcell::{
    CallError, Contract, Imports, LoadError, Plugin, Policy, Rules, Sandbox, Session, Value, Wasmi, Wasmtime,
    backend::{Backend, HostFn},
    policy::Floats,
    verdict::Usage,
};

/// What the test host keeps for one instance: what it was called with, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) calls: u64,
    /// A hash of all arguments, and of the fuel that was left at each call.
    pub(crate) seen: u64,
}

impl Host {
    fn note(&mut self, values: &[u64]) {
        self.calls += 1;
        for value in values {
            self.seen = (self.seen ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        }
    }
}

/// A backend that can offer the host functions below.
pub(crate) trait Engine:
    Backend
    + HostFn<(), ()>
    + HostFn<(), i64>
    + HostFn<(i32,), ()>
    + HostFn<(i32,), i32>
    + HostFn<(i32, i64), (i64, i32)>
    + HostFn<(f32, f64), f64>
{
}

impl<B> Engine for B where
    B: Backend
        + HostFn<(), ()>
        + HostFn<(), i64>
        + HostFn<(i32,), ()>
        + HostFn<(i32,), i32>
        + HostFn<(i32, i64), (i64, i32)>
        + HostFn<(f32, f64), f64>
{
}

/// The host functions that modules may import, in the text format.
pub(crate) const IMPORTS: &str = r#"
    (import "env" "nop" (func $nop))
    (import "env" "left" (func $left (result i64)))
    (import "env" "charge" (func $charge (param i32)))
    (import "env" "step" (func $step (param i32) (result i32)))
    (import "env" "pair" (func $pair (param i32 i64) (result i64 i32)))
    (import "env" "mix" (func $mix (param f32 f64) (result f64)))
    (import "env" "again" (func $again (param i32) (result i32)))
"#;

/// A backend under one policy, with its host functions.
pub(crate) struct Bench<B: Engine> {
    sandbox: Sandbox<B>,
    imports: Imports<Host, B>,
}

impl<B: Engine> Bench<B> {
    pub(crate) fn new(policy: &Policy) -> Self {
        let sandbox = Sandbox::<B>::on(policy.clone()).unwrap();
        let imports = host_functions(&sandbox);
        Self { sandbox, imports }
    }

    pub(crate) fn load(&self, wasm: &[u8]) -> Result<Plugin<B, Host>, LoadError> {
        self.sandbox.load_with(wasm, &self.imports, &Contract::None)
    }

    /// One call on a fresh instance.
    pub(crate) fn call(&self, wasm: &[u8], export: &str, params: &[Value]) -> Observed {
        match self.load(wasm) {
            Ok(plugin) => Guest::new(&plugin).call(export, params),
            Err(error) => Observed::refused(&error),
        }
    }
}

fn host_functions<B: Engine>(sandbox: &Sandbox<B>) -> Imports<Host, B> {
    let mut imports = sandbox.imports::<Host>();
    imports
        .func("env", "nop", |cx, ()| {
            let left = cx.remaining_fuel().unwrap_or(0);
            cx.state().note(&[1, left]);
            Ok(())
        })
        .unwrap()
        .func("env", "left", |cx, ()| {
            let left = cx.remaining_fuel().unwrap_or(0);
            cx.state().note(&[2, left]);
            Ok(left.cast_signed())
        })
        .unwrap()
        .func("env", "charge", |cx, (fuel,): (i32,)| {
            cx.state().note(&[3, u64::from(fuel.cast_unsigned())]);
            cx.charge(u64::from(fuel.cast_unsigned()))
        })
        .unwrap()
        .func("env", "step", |cx, (value,): (i32,)| {
            cx.state().note(&[4, u64::from(value.cast_unsigned())]);
            cx.charge(7)?;
            Ok(value.wrapping_mul(3).wrapping_add(1))
        })
        .unwrap()
        .func("env", "pair", |cx, (a, b): (i32, i64)| {
            cx.state().note(&[5, u64::from(a.cast_unsigned()), b.cast_unsigned()]);
            Ok((b, a))
        })
        .unwrap()
        .func("env", "mix", |cx, (a, b): (f32, f64)| {
            cx.state().note(&[6, u64::from(a.to_bits()), b.to_bits()]);
            Ok(b)
        })
        .unwrap()
        .func("env", "again", |cx, (value,): (i32,)| {
            cx.state().note(&[7, u64::from(value.cast_unsigned())]);
            let results = cx.call("again", &[Value::I32(value)])?;
            match results[..] {
                [Value::I32(result)] => Ok(result),
                _ => Ok(0),
            }
        })
        .unwrap();
    imports
}

/// Everything that a call did, as far as anybody outside can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The code of the verdict; `ok` for a success.
    pub(crate) code: &'static str,
    pub(crate) phase: &'static str,
    pub(crate) values: Vec<Value>,
    pub(crate) usage: Usage,
    pub(crate) host: Host,
    pub(crate) globals: Vec<Option<Value>>,
    pub(crate) memory: Memory,
    /// What a backend says about a failure of its own.
    pub(crate) message: Option<String>,
}

/// A memory that is too large to print.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) Vec<u8>);

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hash = self.0.iter().fold(0u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        write!(f, "{} bytes, hash {hash:016x}", self.0.len())
    }
}

impl Observed {
    pub(crate) fn fuel(&self) -> u64 {
        self.usage.fuel_used.expect("the policy counts")
    }

    fn refused(error: &LoadError) -> Self {
        let message = Some(format!("{error}: {:?}", std::error::Error::source(error)));
        Self { message, ..Self::failed(error.code(), error.phase().name(), Usage::default()) }
    }

    fn failed(code: &'static str, phase: &'static str, usage: Usage) -> Self {
        Self {
            code,
            phase,
            values: Vec::new(),
            usage,
            host: Host::default(),
            globals: Vec::new(),
            memory: Memory::default(),
            message: None,
        }
    }

    fn not_instantiated(error: &CallError) -> Self {
        let message = (error.code() == "backend").then(|| format!("{:?}", error.fault));
        Self { message, ..Self::failed(error.code(), error.phase.name(), error.report.usage) }
    }
}

/// An instance on which several calls are made in turn; a fresh one after each failure.
pub(crate) struct Guest<'p, B: Engine> {
    plugin: &'p Plugin<B, Host>,
    session: Option<Session<B, Host>>,
    globals: Vec<String>,
}

impl<'p, B: Engine> Guest<'p, B> {
    pub(crate) fn new(plugin: &'p Plugin<B, Host>) -> Self {
        let globals = plugin.summary().exports.iter();
        let globals = globals.filter(|export| matches!(export.ty, hotcell::admit::ExternType::Global(_)));
        Self { plugin, session: None, globals: globals.map(|export| export.name.clone()).collect() }
    }

    pub(crate) fn call(&mut self, export: &str, params: &[Value]) -> Observed {
        let mut session = match self.session.take().map_or_else(|| self.plugin.session(Host::default()), Ok) {
            Ok(session) => session,
            Err(error) => return Observed::not_instantiated(&error),
        };
        let outcome = session.call_values(export, params);
        let mut observed = Observed {
            host: session.state().clone(),
            globals: self.globals.iter().map(|global| session.global(global)).collect(),
            memory: Memory(session.memory().to_vec()),
            ..Observed::failed("ok", "call", session.usage())
        };
        match outcome {
            Ok(values) => {
                observed.values = values;
                self.session = Some(session);
            }
            Err(fault) => {
                observed.code = fault.code();
                observed.message = (fault.code() == "backend").then(|| format!("{fault:?}"));
            }
        }
        observed
    }
}

/// Both backends under one policy.
pub(crate) struct Both {
    pub(crate) wasmtime: Bench<Wasmtime>,
    pub(crate) wasmi: Bench<Wasmi>,
}

impl Both {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self { wasmtime: Bench::new(policy), wasmi: Bench::new(policy) }
    }

    /// One call on a fresh instance of each: the same in every respect, or the reason why not.
    pub(crate) fn call(&self, wasm: &[u8], export: &str, params: &[Value]) -> Result<Observed, String> {
        same(self.wasmtime.call(wasm, export, params), self.wasmi.call(wasm, export, params))
    }
}

/// What both backends did, when it is the same.
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
