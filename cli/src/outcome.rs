//! How a command ends: one verdict, as text or as JSON.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use hotcell::{
    BackendError, CallError, Fault, LoadError, Phase, PolicyError, PolicyFileError, Rejection, Report,
    verdict::{Escaped, ReachedLimit, Reason},
};
use serde::Serialize;

pub(crate) use crate::json::SCHEMA;
use crate::{
    contract::Kind,
    explain::Explanation,
    flags::with_flag,
    guest_output::{GuestLines, text},
    json::{Json, JsonRejection, JsonReport},
    terminal::ERROR,
};

/// A verdict other than success.
pub(crate) struct Failure {
    code: &'static str,
    phase: Option<&'static str>,
    message: String,
    offset: Option<u64>,
    rejections: Vec<JsonRejection>,
    limit: Option<Box<ReachedLimit>>,
    report: Option<Box<Report>>,
    explanation: Option<Box<Explanation>>,
}

impl Failure {
    fn new(code: &'static str, message: String) -> Self {
        let (phase, offset, limit, report, explanation) = (None, None, None, None, None);
        Self { code, phase, message, offset, rejections: Vec::new(), limit, report, explanation }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::new("io", format!("cannot {what} {}: {error}", Escaped(&path.to_string_lossy())))
    }

    /// Standard input or output that failed.
    pub(crate) fn stream(what: &str, error: &io::Error) -> Self {
        Self::new("io", format!("cannot {what}: {error}"))
    }

    /// A policy file that cannot be used.
    pub(crate) fn policy_file(path: &Path, error: &PolicyFileError) -> Self {
        Self::new("policy", format!("{}: {error}", Escaped(&path.to_string_lossy())))
    }

    /// A policy file that is too long.
    pub(crate) fn long_policy(path: &Path, allowed: u64) -> Self {
        let path = path.to_string_lossy();
        Self::new("policy", format!("{}: longer than {allowed} bytes, the most of a policy file", Escaped(&path)))
    }

    /// An input of `len` bytes, or of unknown length, which is more than the policy allows.
    pub(crate) fn input_too_large(len: Option<u64>, allowed: u64) -> Self {
        let fault = Fault::InputTooLarge { len: len.unwrap_or(allowed + 1), allowed };
        let message = match len {
            Some(_) => fault.to_string(),
            None => format!("the input is longer than the {allowed} bytes that the policy allows (limits.input_bytes)"),
        };
        Self { phase: Some(Phase::Alloc.name()), ..Self::new(fault.code(), with_flag(&message, "limits.input_bytes")) }
    }

    /// A file that is something else than a module.
    pub(crate) fn not_a_module(message: &'static str) -> Self {
        Rejection::new(Some(0), Reason::NotWebAssembly { message }).into()
    }

    /// Text that does not assemble.
    pub(crate) fn text(message: &str) -> Self {
        Self { phase: Some("admit"), ..Self::new("text", lines(message)) }
    }

    /// A directory of compiled code that cannot be used.
    pub(crate) fn cache(message: &str) -> Self {
        Self::new("cache", lines(message))
    }

    /// A filter that leaves no check to run.
    pub(crate) fn no_such_check() -> Self {
        Self::new("no-such-check", "no check of this build has such an id".to_owned())
    }

    /// An export that is not a function, or arguments of the wrong types.
    pub(crate) fn arguments(code: &'static str, message: String) -> Self {
        Self { phase: Some("call"), ..Self::new(code, message) }
    }

    /// Two backends that disagree.
    pub(crate) fn different(one: &str, other: &str) -> Self {
        Self::new("backend", format!("{one} and {other} give different replies"))
    }

    /// A picture that cannot be drawn.
    pub(crate) fn picture(error: &dyn Error) -> Self {
        Self::new("io", format!("cannot draw the picture: {}", chain(error)))
    }

    /// A profile without a call.
    pub(crate) fn no_profile() -> Self {
        Self::new("backend", "nothing was recorded".to_owned())
    }

    /// The verdict and its message, to end with once more.
    pub(crate) fn again(&self) -> Self {
        Self { phase: self.phase, ..Self::new(self.code, self.message.clone()) }
    }

    /// A plugin that uses more fuel than it may.
    pub(crate) fn over_budget(message: String) -> Self {
        Self::new("over-budget", message)
    }

    /// With where the guest was, and the offset of its trap.
    pub(crate) fn explained(self, explanation: Explanation, offset: Option<u64>) -> Self {
        Self { explanation: Some(Box::new(explanation)), offset, ..self }
    }

    /// Prints the failure and returns its exit code.
    pub(crate) fn finish(&self, json: bool) -> ExitCode {
        if json {
            let report = self.report.as_deref().map(|report| JsonReport::new(report, None));
            let printed = print_json(&Json {
                offset: self.offset,
                limit: self.limit.as_deref().map(Into::into),
                rejections: &self.rejections,
                explanation: self.explanation.as_deref(),
                report,
                ..Json::new(verdict(self.code), self.code, self.phase, &self.message)
            });
            if printed.is_err() {
                return ExitCode::from(1);
            }
        } else {
            let _ = self.print();
        }
        ExitCode::from(exit_code(self.code))
    }

    fn print(&self) -> io::Result<()> {
        let phase = self.phase.map(|phase| format!(" in {phase}")).unwrap_or_default();
        let offset = self.offset.map(|offset| format!(" at offset {offset:#x}")).unwrap_or_default();
        let mut err = io::BufWriter::new(anstream::stderr().lock());
        if let Some(report) = &self.report {
            write!(err, "{}", GuestLines(report))?;
        }
        writeln!(err, "hotcell: {ERROR}{}{ERROR:#}{phase}{offset}: {}", self.code, self.message)?;
        if let Some(explanation) = &self.explanation {
            let explanation = explanation.to_string();
            explanation.trim_end().lines().try_for_each(|line| writeln!(err, "{line}"))?;
        }
        if let Some(report) = self.report.as_deref() {
            writeln!(err, "{}", Line(report))?;
        }
        for rejection in self.rejections.iter().skip(1) {
            writeln!(err, "hotcell: also {rejection}")?;
        }
        err.flush()
    }

    /// Code, message, offset, and all reasons of a rejection.
    pub(crate) fn into_parts(self) -> (&'static str, String, Option<u64>, Vec<JsonRejection>) {
        (self.code, self.message, self.offset, self.rejections)
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::new(error.code(), chain(&error))
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self {
            phase: Some("admit"),
            offset: rejection.offset,
            rejections: rejection.all().map(JsonRejection::from).collect(),
            ..Self::new(rejection.code(), rejection.reason.to_string())
        }
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        LoadError::from(error).into()
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Rejected(rejection) => rejection.into(),
            error => Self { phase: Some(error.phase().name()), ..Self::new(error.code(), chain(&error)) },
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let message = sources(error.message(), &error);
        let message = error.fault.limit().map_or(message.clone(), |key| with_flag(&message, key));
        let CallError { fault, phase, limit, report } = error;
        Self { phase: Some(phase.name()), limit, report: Some(report), ..Self::new(fault.code(), message) }
    }
}

/// Prints a success: `human` as text, or the JSON object.
pub(crate) fn succeed(success: &Success<'_>, json: bool, quiet: bool) -> ExitCode {
    if json {
        let report = JsonReport::new(success.report, Some(success.is_cached));
        return exit(print_json(&Json {
            output_base64: success.output.map(base64),
            output_text: success.output.and_then(text),
            results: success.results.clone(),
            kind: success.kind.map(Kind::name),
            report: Some(report),
            ..Json::new("ok", "ok", Some("call"), "ok")
        }));
    }
    if !quiet {
        let cached = if success.is_cached { ", code from the cache" } else { "" };
        let kind = success.kind.map_or("", Kind::words);
        let line = Line(success.report);
        let mut err = io::BufWriter::new(io::stderr().lock());
        let _ = writeln!(err, "{}{line}{kind}{cached}", GuestLines(success.report));
        let _ = err.flush();
    }
    ExitCode::SUCCESS
}

/// Reports that a module was admitted.
pub(crate) fn admitted(json: bool) -> ExitCode {
    if !json {
        return exit(writeln!(io::stdout(), "admitted"));
    }
    exit(print_json(&Json::new("ok", "ok", Some("admit"), "admitted")))
}

/// The result of a call.
pub(crate) struct Success<'a> {
    pub output: Option<&'a [u8]>,
    pub results: Option<Vec<String>>,
    /// What the module was run as.
    pub kind: Option<Kind>,
    pub report: &'a Report,
    /// Whether the module's code was compiled before.
    pub is_cached: bool,
}

/// Prints one JSON object on standard output.
pub(crate) fn print_json(object: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, object)?;
    writeln!(out)?;
    out.flush()
}

/// The exit code of a command that ends by printing. A closed pipe is no reason for a message.
pub(crate) fn exit(printed: io::Result<()>) -> ExitCode {
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(1),
        Err(error) => Failure::stream("write to standard output", &error).finish(false),
    }
}

/// The exit code of a verdict, for a command that has already printed it.
pub(crate) fn exit_with(code: &str) -> ExitCode {
    ExitCode::from(exit_code(code))
}

/// Whether to show progress: standard error is a terminal.
pub(crate) fn is_watched(quiet: bool) -> bool {
    !quiet && io::stderr().is_terminal()
}

/// The one-line text form of a report.
pub(crate) struct Line<'a>(pub(crate) &'a Report);

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { backend, backend_version, tier, load_time, usage, guest_time, .. } = self.0;
        let (engine, version) = tier.map_or((*backend, *backend_version), |tier| (tier.backend, tier.version));
        write!(f, "{engine} {version}: {guest_time:.1?}")?;
        if let Some(fuel) = usage.fuel_used {
            write!(f, ", {fuel} fuel")?;
        }
        write!(f, ", {} peak memory", bytesize::ByteSize(usage.peak_memory_bytes))?;
        if usage.refused_growths > 0 {
            write!(f, ", {} growths refused (limits.memory_bytes, --max-memory)", usage.refused_growths)?;
        }
        write!(f, ", loaded in {load_time:.1?}")
    }
}

/// The verdict and the exit code of every code. The manual has the same table.
fn class(code: &str) -> (&'static str, u8) {
    match code {
        "ok" => ("ok", 0),
        "cancelled" => ("error", 130),
        "text" | "not-a-core-module" | "malformed" | "invalid" | "proposal-denied" | "limit-exceeded"
        | "import-denied" | "import-mismatch" | "export-missing" | "export-mismatch" | "start-denied"
        | "compile-limit" => ("rejected", 3),
        "abi-missing" | "abi-mismatch" => ("fault", 4),
        "stack-overflow" => ("fault", 5),
        trap if trap.starts_with("trap-") || trap == "import-missing" => ("fault", 5),
        "out-of-fuel" | "host-call-limit" | "reentry-denied" => ("fault", 6),
        "deadline-exceeded" => ("fault", 7),
        "bad-alloc" | "bad-output" | "output-too-large" => ("fault", 8),
        "guest-exit" | "guest-error" => ("fault", 9),
        _ => ("error", 1),
    }
}

fn verdict(code: &str) -> &'static str {
    class(code).0
}

fn exit_code(code: &str) -> u8 {
    class(code).1
}

/// Bytes as text of letters.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// An error with its sources. Our messages are safe to show; those of the sources may not be.
fn chain(error: &dyn Error) -> String {
    sources(error.to_string(), error)
}

/// A message for an error, and its sources.
fn sources(mut message: String, error: &dyn Error) -> String {
    let mut source = error.source();
    while let Some(error) = source {
        message = format!("{message}: {}", Escaped(&error.to_string()));
        source = error.source();
    }
    message
}

/// Text of several lines, each escaped.
fn lines(text: &str) -> String {
    text.lines().map(|line| Escaped(line).to_string()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_library_has_its_class() {
        for kind in hotcell::TrapKind::ALL {
            assert_eq!(class(kind.code()), ("fault", 5));
        }
        for (code, expected) in [
            (hotcell::Fault::OutOfFuel.code(), ("fault", 6)),
            (hotcell::Fault::DeadlineExceeded.code(), ("fault", 7)),
            (hotcell::Fault::StackOverflow.code(), ("fault", 5)),
            (hotcell::Fault::Cancelled.code(), ("error", 130)),
            (hotcell::Fault::Poisoned.code(), ("error", 1)),
        ] {
            assert_eq!(class(code), expected);
        }
    }
}
