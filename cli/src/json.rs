//! The JSON object of a verdict. The page `docs/json.md` lists its keys.

use hotcell::{Rejection, Report, verdict::ReachedLimit};
use serde::Serialize;

use crate::{explain::Explanation, flags::flag, guest_output::Streams};

/// Version of the JSON objects.
pub(crate) const SCHEMA: u32 = 2;

#[derive(Serialize)]
pub(crate) struct Json<'a> {
    pub schema: u32,
    pub verdict: &'static str,
    pub code: &'static str,
    pub phase: Option<&'static str>,
    pub message: &'a str,
    pub offset: Option<u64>,
    /// The limit that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<JsonLimit<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_base64: Option<String>,
    /// Where the output is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<String>>,
    /// What the module was run as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Everything that is wrong with a module that was not admitted; the first is the verdict.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub rejections: &'a [JsonRejection],
    /// Where a guest was that failed.
    #[serde(flatten)]
    pub explanation: Option<&'a Explanation>,
    pub report: Option<JsonReport>,
}

impl<'a> Json<'a> {
    /// An object that says no more than the verdict.
    pub(crate) fn new(
        verdict: &'static str,
        code: &'static str,
        phase: Option<&'static str>,
        message: &'a str,
    ) -> Self {
        Self {
            schema: SCHEMA,
            verdict,
            code,
            phase,
            message,
            offset: None,
            limit: None,
            output_base64: None,
            output_text: None,
            results: None,
            kind: None,
            rejections: &[],
            explanation: None,
            report: None,
        }
    }
}

/// A limit of the policy.
#[derive(Serialize)]
pub(crate) struct JsonLimit<'a> {
    key: &'static str,
    allowed: &'a str,
    flag: &'static str,
}

impl<'a> From<&'a ReachedLimit> for JsonLimit<'a> {
    fn from(limit: &'a ReachedLimit) -> Self {
        Self { key: limit.key, allowed: &limit.allowed, flag: flag(limit.key) }
    }
}

/// One reason why a module was not admitted.
#[derive(Serialize)]
pub(crate) struct JsonRejection {
    code: &'static str,
    offset: Option<u64>,
    message: String,
    hints: Vec<&'static str>,
}

impl From<&Rejection> for JsonRejection {
    fn from(rejection: &Rejection) -> Self {
        let Rejection { offset, reason, .. } = rejection;
        Self { code: rejection.code(), offset: *offset, message: reason.to_string(), hints: reason.hints() }
    }
}

impl std::fmt::Display for JsonRejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offset = self.offset.map(|offset| format!(" at offset {offset:#x}")).unwrap_or_default();
        write!(f, "{}{offset}: {}", self.code, self.message)
    }
}

#[derive(Serialize)]
pub(crate) struct JsonReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    backend: &'static str,
    backend_version: &'static str,
    /// The engine that answered, of a backend that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached: Option<bool>,
    policy: String,
    fuel_used: Option<u64>,
    peak_memory_bytes: u64,
    refused_growths: u64,
    host_calls: u64,
    /// What the guest wrote to its standard streams, where that is not its reply.
    #[serde(flatten)]
    streams: Streams,
    /// Admission, compilation and linking.
    load_time_us: u128,
    guest_time_us: u128,
    host_time_us: u128,
}

impl JsonReport {
    pub(crate) fn new(report: &Report, cached: Option<bool>) -> Self {
        Self {
            name: report.name.as_deref().map(str::to_owned),
            backend: report.backend,
            backend_version: report.tier.map_or(report.backend_version, |tier| tier.version),
            tier: report.tier.map(|tier| tier.backend),
            cached,
            policy: report.policy.to_string(),
            fuel_used: report.usage.fuel_used,
            peak_memory_bytes: report.usage.peak_memory_bytes,
            refused_growths: report.usage.refused_growths,
            host_calls: report.usage.host_calls,
            streams: (&report.output).into(),
            load_time_us: report.load_time.as_micros(),
            guest_time_us: report.guest_time.as_micros(),
            host_time_us: report.host_time.as_micros(),
        }
    }
}
