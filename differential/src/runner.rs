//! One backend under one policy, and every observable effect of a call.

use std::fmt;

use hotcell_core::{
    CallError, Contract, HostOptions, Imports, LoadError, Loader, ModuleSummary, Plugin, Policy, PolicyError, Session,
    Traced, Value,
    admit::ExternType,
    backend::{Instance, Store},
    verdict::Usage,
};

use super::host::{Host, define};
use hotcell_conformance::BackendUnderTest;

/// Fuel of a slice that every other call exceeds.
const SHORT_SLICE: u64 = 61;

/// A backend under one policy, with its host functions.
pub struct Runner<B: BackendUnderTest> {
    loader: Loader<B>,
    imports: Imports<Host, B>,
}

impl<B: BackendUnderTest> Runner<B> {
    /// Makes an engine for `policy`. A JIT gets short slices, so that an effect of slices shows as a difference between
    /// backends.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when the backend cannot enforce the policy.
    pub fn new(policy: &Policy) -> Result<Self, PolicyError> {
        let slice = if B::JIT { SHORT_SLICE } else { HostOptions::SLICE };
        let loader =
            Loader::<B>::new(policy.clone(), &HostOptions { slice, ..HostOptions::default() }, &B::Options::default())?;
        let mut imports = loader.imports::<Host>();
        define(&mut imports).expect("no two of them have the same name");
        Ok(Self { loader, imports })
    }

    /// Admits, compiles and links a module.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`].
    pub fn load(&self, wasm: &[u8]) -> Result<Plugin<B, Host>, LoadError> {
        self.load_as(wasm, &Contract::None)
    }

    /// Loads a module with another contract.
    ///
    /// # Errors
    ///
    /// As [`Loader::load`].
    pub fn load_as(&self, wasm: &[u8], contract: &Contract) -> Result<Plugin<B, Host>, LoadError> {
        self.loader.load(wasm, &self.imports, contract)
    }

    /// As [`load`](Self::load), for tracing.
    ///
    /// # Errors
    ///
    /// As [`Loader::load_traced`].
    pub fn load_traced(&self, wasm: &[u8]) -> Result<Traced<B, Host>, LoadError> {
        self.loader.load_traced(wasm, &self.imports, &Contract::None)
    }

    /// One call on a new instance.
    pub fn call(&self, wasm: &[u8], export: &str, params: &[Value]) -> Observed {
        match self.load(wasm) {
            Ok(plugin) => Guest::new(&plugin).call(export, params),
            Err(error) => Observed::refused(&error),
        }
    }
}

/// Every observable effect of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The code of the verdict; `ok` for a success.
    pub code: &'static str,
    /// The phase in which it ended.
    pub phase: &'static str,
    /// Results, floats as bits.
    pub values: Vec<Value>,
    /// Fuel, memory peak, refused growths, host calls.
    pub usage: Usage,
    /// What the host functions observed.
    pub host: Host,
    /// Exported globals, in order.
    pub globals: Vec<Option<Value>>,
    /// The exported memory.
    pub memory: Memory,
    /// The backend's message for a failure of its own.
    pub message: Option<String>,
}

/// A memory, too large to print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Memory(pub Vec<u8>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.0.iter().fold(0u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        write!(f, "{} bytes, hash {hash:016x}", self.0.len())
    }
}

impl Observed {
    fn ended(code: &'static str, phase: &'static str, usage: Usage) -> Self {
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

    /// For a module that was not loaded.
    pub(super) fn refused(error: &LoadError) -> Self {
        let message = Some(format!("{error}: {:?}", std::error::Error::source(error)));
        Self { message, ..Self::ended(error.code(), error.phase().name(), Usage::default()) }
    }

    fn not_instantiated(error: &CallError) -> Self {
        let message = (error.code() == "backend").then(|| format!("{:?}", error.fault));
        Self { message, ..Self::ended(error.code(), error.phase.name(), error.report.usage) }
    }

    /// Fuel used.
    ///
    /// # Panics
    ///
    /// If the policy does not count fuel.
    pub fn fuel(&self) -> u64 {
        self.usage.fuel_used.expect("the policy counts")
    }

    /// Without what only `metering = exact` counts.
    #[must_use]
    pub fn without_fuel(mut self) -> Self {
        self.usage.fuel_used = None;
        self.host.fuel = 0;
        self
    }
}

/// An instance for several calls in sequence; replaced after each failure.
pub struct Guest<'p, B: BackendUnderTest> {
    plugin: &'p Plugin<B, Host>,
    session: Option<Session<B, Host>>,
    globals: Vec<String>,
}

impl<'p, B: BackendUnderTest> Guest<'p, B> {
    /// Instantiates nothing yet.
    pub fn new(plugin: &'p Plugin<B, Host>) -> Self {
        Self { plugin, session: None, globals: exported_globals(plugin.summary()) }
    }

    /// A call under the policy's budget.
    pub fn call(&mut self, export: &str, params: &[Value]) -> Observed {
        let mut session = match self.session() {
            Ok(session) => session,
            Err(observed) => return *observed,
        };
        let outcome = session.call_values(export, params);
        let mut observed = Observed {
            host: session.state().clone(),
            globals: self.globals.iter().map(|global| session.global(global)).collect(),
            memory: Memory(session.memory().to_vec()),
            ..Observed::ended("ok", "call", session.usage())
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

    /// A call on a new instance with `fuel` instead of the policy's.
    pub fn call_with_fuel(&mut self, export: &str, params: &[Value], fuel: u64) -> Observed {
        self.session = None;
        let mut session = match self.session() {
            Ok(session) => session,
            Err(observed) => return *observed,
        };
        let instance = session.as_native();
        instance.arm(None, None);
        instance.set_fuel(fuel);
        let outcome = instance.call_values(export, params);
        let left = instance.fuel();
        let mut usage = instance.data().accounts.usage(left);
        usage.fuel_used = left.map(|left| fuel - left);
        let mut observed = Observed {
            host: instance.data().state.clone(),
            globals: self.globals.iter().map(|global| instance.global(global)).collect(),
            memory: Memory(instance.memory().to_vec()),
            ..Observed::ended("ok", "call", usage)
        };
        match outcome {
            Ok(values) => observed.values = values,
            Err(fault) => observed.code = fault.code(),
        }
        observed
    }

    fn session(&mut self) -> Result<Session<B, Host>, Box<Observed>> {
        match self.session.take() {
            Some(session) => Ok(session),
            None => self.plugin.session(Host::default()).map_err(|error| Box::new(Observed::not_instantiated(&error))),
        }
    }
}

fn exported_globals(summary: &ModuleSummary) -> Vec<String> {
    let globals = summary.exports.iter().filter(|export| matches!(export.ty, ExternType::Global(_)));
    globals.map(|export| export.name.clone()).collect()
}
