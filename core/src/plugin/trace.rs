//! Events for the `tracing` crate, if the feature of that name is on.

use crate::verdict::{Fault, LoadError, Phase, Report};

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
