//! Calls that begin on one engine and begin again on another: nobody can tell but by the clock and by the report's tier.

use std::sync::{Arc, Mutex, PoisonError};

use hotcell_conformance::BackendUnderTest;
use hotcell_core::{
    Contract, HostOptions, Imports, LoadError, Loader, Plugin, PolicyError, Value, admit::ExternType, verdict::Usage,
};

use crate::{
    Case, Configuration, Difference, Numbers, argument,
    host::{Host, Notes, define},
};

/// Fuel after which a call begins again, unless it has ended or called its host by then.
const SLICES: [u64; 5] = [1, 7, 61, 1_000, 30_000];

/// A backend, and one whose every call begins on its first engine and again on its second, at different points.
pub struct Superseded<B: BackendUnderTest, S: BackendUnderTest> {
    configuration: Configuration,
    plain: Once<B>,
    superseding: Vec<Once<S>>,
}

/// Counts of what was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Calls.
    pub calls: u64,
    /// Calls that began again.
    pub began_again: u64,
    /// Calls that called their host first, and stayed.
    pub stayed: u64,
}

/// A backend that makes each call on an instance of its own.
struct Once<B: BackendUnderTest> {
    loader: Loader<B>,
    imports: Imports<Outside, B>,
}

/// What host functions observed, in whichever instance.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<Host>>);

impl Notes for Outside {
    fn note(&mut self, arguments: &[u64], fuel_left: Option<u64>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(arguments, fuel_left);
    }
}

/// Every observable effect of a call, and where it ended.
struct Seen {
    effects: Effects,
    tier: Option<&'static str>,
}

#[derive(Debug, PartialEq)]
struct Effects {
    code: &'static str,
    phase: &'static str,
    values: Vec<Value>,
    usage: Usage,
    host: Host,
}

impl<B: BackendUnderTest> Once<B> {
    fn new(configuration: Configuration, slice: u64, options: &B::Options) -> Result<Self, PolicyError> {
        let host = HostOptions { slice, ..HostOptions::default() };
        let loader = Loader::<B>::new(configuration.policy(), &host, options)?;
        let mut imports = loader.imports();
        define(&mut imports).expect("no two of them have the same name");
        Ok(Self { loader, imports })
    }

    /// Loads a module, and waits for what is compiled behind.
    fn load(&self, wasm: &[u8]) -> Result<Plugin<B, Outside>, LoadError> {
        let plugin = self.loader.load(wasm, &self.imports, &Contract::None);
        self.loader.backend().finish_compiling();
        plugin
    }
}

fn call<B: BackendUnderTest>(plugin: &Plugin<B, Outside>, export: &str, arguments: &[Value]) -> Seen {
    let outside = Outside::default();
    let (code, phase, values, report) = match plugin.call_values(export, arguments, outside.clone(), None) {
        Ok((values, report)) => ("ok", "call", values, report),
        Err(error) => (error.fault.code(), error.phase.name(), Vec::new(), *error.report),
    };
    let host = outside.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Seen {
        effects: Effects { code, phase, values, usage: report.usage, host },
        tier: report.tier.map(|tier| tier.backend),
    }
}

impl<B: BackendUnderTest, S: BackendUnderTest> Superseded<B, S> {
    /// Makes the engines. `options` are those with which a call begins on the first engine.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when a backend cannot enforce the configuration's policy.
    pub fn new(configuration: Configuration, options: &S::Options) -> Result<Self, PolicyError> {
        let superseding = SLICES.iter().map(|slice| Once::new(configuration, *slice, options));
        Ok(Self {
            configuration,
            plain: Once::new(configuration, HostOptions::SLICE, &B::Options::default())?,
            superseding: superseding.collect::<Result<_, _>>()?,
        })
    }

    /// Compares the calls of the module of `seed`.
    ///
    /// # Errors
    ///
    /// The first [`Difference`].
    pub fn compare(&self, seed: u64) -> Result<Counts, Difference> {
        let wasm = Case::new(seed, self.configuration).wasm;
        let differ = |what: String, one: String, other: String| Difference {
            seed,
            configuration: self.configuration.name(),
            what,
            one,
            other,
            wasm: wasm.clone(),
        };
        let mut counts = Counts::default();
        let plain = self.plain.load(&wasm);
        for (once, slice) in self.superseding.iter().zip(SLICES) {
            let (plain, plugin) = match (&plain, once.load(&wasm)) {
                (Ok(plain), Ok(plugin)) => (plain, plugin),
                (Err(one), Err(other)) if one.code() == other.code() => return Ok(counts),
                (one, other) => {
                    let code = |error: Option<&LoadError>| format!("{:?}", error.map(LoadError::code));
                    return Err(differ("load".into(), code(one.as_ref().err()), code(other.as_ref().err())));
                }
            };
            let mut numbers = Numbers::new(seed ^ 0x5eed);
            for export in &plain.summary().exports {
                let ExternType::Function(ty) = &export.ty else { continue };
                let arguments: Vec<Value> = ty.params.iter().map(|ty| argument(*ty, &mut numbers)).collect();
                let (one, other) = (call(plain, &export.name, &arguments), call(&plugin, &export.name, &arguments));
                if one.effects != other.effects || one.effects.code == "backend" {
                    let what = format!("{} {arguments:?}, beginning again after {slice}", export.name);
                    return Err(differ(what, format!("{:?}", one.effects), format!("{:?}", other.effects)));
                }
                counts.calls += 1;
                let has_begun_again = other.tier == Some(B::ID);
                counts.began_again += u64::from(has_begun_again);
                counts.stayed += u64::from(!has_begun_again && one.effects.usage.host_calls > 0);
            }
        }
        Ok(counts)
    }
}
