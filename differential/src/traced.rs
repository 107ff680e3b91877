//! Calls of traced modules: what they give, and the fuel that they use, is as without tracing, and the trace accounts for all of it.

use hotcell_conformance::BackendUnderTest;
use hotcell_core::{CallError, PolicyError, Report, Value, admit::ExternType, trace::Trace, verdict::Usage};

use crate::{Case, Configuration, Difference, Host, Numbers, Runner, argument};

/// A backend that runs modules with and without tracing.
pub struct TracedRuns<B: BackendUnderTest> {
    configuration: Configuration,
    runner: Runner<B>,
}

/// A call, as it ended with and without tracing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedCall {
    /// The code of its verdict.
    pub code: &'static str,
    /// What it did.
    pub trace: Trace,
}

type Outcome = (&'static str, Vec<Value>, Usage);

fn outcome(outcome: Result<(Vec<Value>, Report), CallError>) -> Outcome {
    match outcome {
        Ok((values, report)) => ("ok", values, report.usage),
        Err(error) => (error.fault.code(), Vec::new(), error.report.usage),
    }
}

impl<B: BackendUnderTest> TracedRuns<B> {
    /// Makes the engine.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when the backend cannot enforce the configuration's policy.
    pub fn new(configuration: Configuration) -> Result<Self, PolicyError> {
        Ok(Self { configuration, runner: Runner::new(&configuration.policy())? })
    }

    /// Compares the calls of the module of `seed`, and gives what they did; none of a module that is not admitted.
    ///
    /// # Errors
    ///
    /// The first [`Difference`].
    pub fn compare(&self, seed: u64) -> Result<Vec<TracedCall>, Difference> {
        let wasm = Case::new(seed, self.configuration).wasm;
        let differ = |what: String, one: String, other: String| Difference {
            seed,
            configuration: self.configuration.name(),
            what,
            one,
            other,
            wasm: wasm.clone(),
        };
        let (plain, traced) = match (self.runner.load(&wasm), self.runner.load_traced(&wasm)) {
            (Ok(plain), Ok(traced)) => (plain, traced),
            (Err(one), Err(other)) if one.code() == other.code() => return Ok(Vec::new()),
            (one, other) => {
                return Err(differ("load".into(), format!("{:?}", one.err()), format!("{:?}", other.err())));
            }
        };
        let mut numbers = Numbers::new(seed ^ 0x5eed);
        let mut calls = Vec::new();
        for export in &plain.summary().exports {
            let ExternType::Function(ty) = &export.ty else { continue };
            let arguments: Vec<Value> = ty.params.iter().map(|ty| argument(*ty, &mut numbers)).collect();
            let one = outcome(plain.call_values(&export.name, &arguments, Host::default(), None));
            let recorded = traced.call_values(&export.name, &arguments, Host::default(), None);
            let other = outcome(recorded.outcome);
            let what = || format!("{} {arguments:?}", export.name);
            if one != other || one.0 == "backend" {
                return Err(differ(what(), format!("{one:?}"), format!("{other:?}")));
            }
            let Some(trace) = recorded.trace else { continue };
            let (code, _, usage) = one;
            let (paths, functions) = (trace.profile.fuel(), trace.profile.functions.iter().map(|cost| cost.fuel).sum());
            if [Some(paths), Some(functions)] != [usage.fuel_used; 2] {
                return Err(differ(
                    what(),
                    format!("{usage:?}"),
                    format!("{paths} on all paths, {functions} of all functions: {trace:?}"),
                ));
            }
            calls.push(TracedCall { code, trace });
        }
        Ok(calls)
    }
}
