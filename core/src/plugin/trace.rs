//! Events for the `tracing` crate, if the feature of that name is on.

use alloc::vec::Vec;

use super::Reply;
use crate::{
    value::Value,
    verdict::{CallError, Fault, LoadError, Phase, Report},
};

/// What a successful operation gives, with its report.
pub(super) trait Outcome {
    fn report(&self) -> &Report;
}

impl Outcome for Reply {
    fn report(&self) -> &Report {
        &self.report
    }
}

impl Outcome for (Vec<Value>, Report) {
    fn report(&self) -> &Report {
        &self.1
    }
}

/// A module was loaded, or refused.
pub(super) fn load(backend: &'static str, outcome: Result<(), &LoadError>) {
    #[cfg(feature = "tracing")]
    match outcome {
        Ok(()) => tracing::debug!(backend, "module loaded"),
        Err(error) => {
            tracing::info!(backend, code = error.code(), phase = error.phase().name(), %error, "module refused")
        }
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (backend, outcome);
}

/// An operation ended.
pub(super) fn outcome<R: Outcome>(outcome: &Result<R, CallError>) {
    match outcome {
        Ok(result) => call(result.report(), Ok(())),
        Err(error) => call(&error.report, Err((error.phase, &error.fault))),
    }
}

/// A call ended.
pub(super) fn call(report: &Report, outcome: Result<(), (Phase, &Fault)>) {
    #[cfg(feature = "tracing")]
    {
        let Report { backend, usage, guest_time, .. } = report;
        let (backend, fuel, memory) = (*backend, usage.fuel_used, usage.peak_memory_bytes);
        match outcome {
            Ok(()) => tracing::debug!(backend, fuel, memory, ?guest_time, "call succeeded"),
            Err((phase, fault)) => {
                let (code, phase) = (fault.code(), phase.name());
                tracing::info!(backend, code, phase, fuel, memory, ?guest_time, %fault, "call failed");
            }
        }
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (report, outcome);
}
