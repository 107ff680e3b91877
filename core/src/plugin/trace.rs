//! What an embedder is told of loads and calls beside their results: events for the `tracing` crate, if the feature of that name
//! is on, and [numbers](super::numbers).

use alloc::vec::Vec;
use core::time::Duration;

use super::{Reply, numbers};
use crate::{
    value::Value,
    verdict::{CallError, LoadError, Report},
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

/// A module that was loaded.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(any(feature = "tracing", feature = "metrics")), expect(dead_code, reason = "nobody is told"))]
pub(super) struct Loaded {
    pub is_cached: bool,
    pub time: Duration,
}

/// A module was loaded, or refused.
pub(super) fn load(backend: &'static str, name: Option<&str>, outcome: Result<Loaded, &LoadError>) {
    numbers::load(backend, name, outcome);
    #[cfg(feature = "tracing")]
    match outcome {
        Ok(Loaded { is_cached, time }) => {
            tracing::debug!(plugin = name, backend, is_cached, load_time = ?time, "module loaded")
        }
        Err(error) => {
            let (code, phase) = (error.code(), error.phase().name());
            tracing::info!(plugin = name, backend, code, phase, %error, "module refused")
        }
    }
}

/// An operation ended.
pub(super) fn outcome<R: Outcome>(outcome: &Result<R, CallError>) {
    match outcome {
        Ok(result) => call(result.report(), Ok(())),
        Err(error) => call(&error.report, Err(error)),
    }
}

/// A call ended.
pub(super) fn call(report: &Report, outcome: Result<(), &CallError>) {
    numbers::call(report, outcome.map_or_else(CallError::code, |()| "ok"));
    #[cfg(feature = "tracing")]
    {
        let Report { backend, name, usage, guest_time, .. } = report;
        let (backend, plugin) = (*backend, name.as_deref());
        let (fuel, memory) = (usage.fuel_used, usage.peak_memory_bytes);
        match outcome {
            Ok(()) => tracing::debug!(plugin, backend, fuel, memory, ?guest_time, "call succeeded"),
            Err(error) => {
                let (code, phase) = (error.code(), error.phase.name());
                tracing::info!(plugin, backend, code, phase, fuel, memory, ?guest_time, %error, "call failed");
            }
        }
    }
}
