//! Numbers for the `metrics` crate, if the feature of that name is on. The page about services lists them.

use super::trace::Loaded;
use crate::verdict::{LoadError, Report};

/// A module was loaded, or refused.
pub(super) fn load(backend: &'static str, name: Option<&str>, outcome: Result<Loaded, &LoadError>) {
    #[cfg(feature = "metrics")]
    {
        let code = outcome.as_ref().map_or_else(|error| error.code(), |_| "ok");
        let is_cached = outcome.as_ref().is_ok_and(|loaded| loaded.is_cached);
        let labels = [
            ("plugin", alloc::string::String::from(name.unwrap_or_default())),
            ("backend", backend.into()),
            ("code", code.into()),
            ("cached", if is_cached { "true" } else { "false" }.into()),
        ];
        metrics::counter!("hotcell_loads_total", &labels).increment(1);
        if let Ok(loaded) = outcome {
            metrics::histogram!("hotcell_load_seconds", &labels).record(loaded.time);
        }
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (backend, name, outcome);
}

/// An operation ended with this code.
pub(super) fn call(report: &Report, code: &'static str) {
    #[cfg(feature = "metrics")]
    {
        let Report { backend, tier, name, usage, guest_time, .. } = report;
        let labels = [
            ("plugin", alloc::string::String::from(name.as_deref().unwrap_or_default())),
            ("backend", (*backend).into()),
            ("tier", tier.map_or(*backend, |tier| tier.backend).into()),
        ];
        let with_code = [labels.as_slice(), &[("code", code.into())]].concat();
        metrics::counter!("hotcell_calls_total", &with_code).increment(1);
        metrics::counter!("hotcell_fuel_total", &labels).increment(usage.fuel_used.unwrap_or(0));
        metrics::histogram!("hotcell_guest_seconds", &labels).record(*guest_time);
        metrics::histogram!("hotcell_peak_memory_bytes", &labels).record(usage.peak_memory_bytes as f64);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (report, code);
}

/// So many more instances exist.
pub(super) fn instances(backend: &'static str, more: f64) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("hotcell_instances", "backend" => backend).increment(more);
    #[cfg(not(feature = "metrics"))]
    let _ = (backend, more);
}

/// So many more instances may exist.
pub(super) fn slots(backend: &'static str, more: f64) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("hotcell_instances_allowed", "backend" => backend).increment(more);
    #[cfg(not(feature = "metrics"))]
    let _ = (backend, more);
}
