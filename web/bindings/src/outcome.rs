//! How a request ends, as JSON: the codes and messages are those of every other build.

use std::error::Error;

use hotcell::{CallError, LoadError, PolicyError, PolicyFileError, Rejection, Report, verdict::Escaped};
use serde::Serialize;

/// A request that failed.
#[derive(Serialize)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
    /// Where in the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// Where in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// Everything that is wrong with a module that was not admitted; the first is the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejections: Vec<JsonRejection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Box<JsonReport>>,
}

impl Failure {
    fn new(code: &'static str, message: String) -> Self {
        Self { code, message, phase: None, offset: None, line: None, rejections: Vec::new(), report: None }
    }

    /// A request that makes no sense.
    pub(crate) fn caller(message: String) -> Self {
        Self::new("request", message)
    }

    /// Text that does not assemble.
    pub(crate) fn text(message: &str, line: usize) -> Self {
        let message = Escaped(message).to_string();
        Self { phase: Some("admit"), line: Some(line), ..Self::new("text", message) }
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::new(error.code(), chain(&error))
    }
}

impl From<PolicyFileError> for Failure {
    fn from(error: PolicyFileError) -> Self {
        match error {
            PolicyFileError::Policy(error) => error.into(),
            error => Self::new("policy", error.to_string()),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Rejected(rejection) => Self {
                phase: Some("admit"),
                offset: rejection.offset,
                rejections: rejection.all().map(JsonRejection::from).collect(),
                ..Self::new(rejection.code(), rejection.reason.to_string())
            },
            error => Self { phase: Some(error.phase().name()), ..Self::new(error.code(), chain(&error)) },
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self {
            phase: Some(error.phase.name()),
            report: Some(Box::new(JsonReport::from(&*error.report))),
            ..Self::new(error.code(), chain(&error.fault))
        }
    }
}

/// One reason why a module was not admitted.
#[derive(Serialize)]
struct JsonRejection {
    code: &'static str,
    offset: Option<u64>,
    message: String,
}

impl From<&Rejection> for JsonRejection {
    fn from(rejection: &Rejection) -> Self {
        Self { code: rejection.code(), offset: rejection.offset, message: rejection.reason.to_string() }
    }
}

/// What a call used. Numbers above 2^53 lose their last digits in JavaScript: fuel is text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JsonReport {
    backend: &'static str,
    backend_version: &'static str,
    policy: String,
    fuel_used: Option<String>,
    peak_memory_bytes: u64,
    refused_growths: u64,
    host_calls: u64,
    guest_ms: f64,
    stdout: String,
    stderr: String,
}

impl From<&Report> for JsonReport {
    fn from(report: &Report) -> Self {
        let usage = &report.usage;
        Self {
            backend: report.backend,
            backend_version: report.backend_version,
            policy: report.policy.to_string(),
            fuel_used: usage.fuel_used.map(|fuel| fuel.to_string()),
            peak_memory_bytes: usage.peak_memory_bytes,
            refused_growths: usage.refused_growths,
            host_calls: usage.host_calls,
            guest_ms: report.guest_time.as_secs_f64() * 1e3,
            stdout: String::from_utf8_lossy(&report.output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&report.output.stderr).into_owned(),
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
