//! Where a guest failed: it is run again, traced, if that changes nothing outside.

use std::{cmp, fmt, time::Duration};

use hotcell::{
    AnySandbox, CallError, Fault, LoadError, Metering, Policy, Recorded, SandboxOptions, Symbols, TrapKind, backends,
    trace::{Backtrace, Frame, Trace},
    verdict::Escaped,
};
use serde::Serialize;

use crate::outcome::Failure;

/// Longest that is waited for an explanation.
const PATIENCE: Duration = Duration::from_secs(10);
/// Fuel beyond which it is worth to compile the module for a JIT: an interpreter takes longer than a second.
const LONG: u64 = 50_000_000;

/// Bytes of a module that a JIT compiles for longer than anybody waits.
const LARGE: usize = 4 << 20;

/// A call that is run again.
pub(crate) struct Again<'a> {
    pub(crate) module: &'a [u8],
    pub(crate) policy: &'a Policy,
    pub(crate) options: &'a SandboxOptions,
}

/// Where a call failed, or why that cannot be said.
#[derive(Default, Serialize)]
pub(crate) struct Explanation {
    /// The guest's functions, the innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    backtrace: Vec<Run>,
    /// How many of those come before frames that are left out, and the number of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<(usize, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Frames that follow one another so many times.
#[derive(Serialize)]
struct Run {
    times: u64,
    frames: Vec<Place>,
}

/// A function, and where in it the guest was.
#[derive(Serialize)]
struct Place {
    function: u32,
    name: Option<String>,
    offset: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

impl Again<'_> {
    /// The failure of a call, with where it was. `record` loads the module in a sandbox and makes the call again.
    pub(crate) fn explain<R>(
        &self,
        error: CallError,
        record: impl Fn(&AnySandbox) -> Result<Recorded<R>, LoadError>,
    ) -> Failure {
        let recorded = self.recorded(&error, record);
        let trap = matches!(error.fault, Fault::Trap(_));
        let is_out_of_bounds = matches!(error.fault, Fault::Trap(TrapKind::MemoryOutOfBounds));
        let expected = error.code();
        let failure = Failure::from(error);
        let Some(Recorded { outcome, trace: Some(trace), was_refused }) = recorded else { return failure };
        let note = |note: String| Explanation { note: Some(note), ..Explanation::default() };
        let found = outcome.err().map_or("ok", |error| error.code());
        if was_refused {
            let note = note(
                "it calls a host function that changes something outside, so it is not run again to see where".into(),
            );
            return failure.explained(note, None);
        }
        if found != expected {
            let note = note(match found {
                "deadline-exceeded" => "it was run again to see where, and that took too long".to_owned(),
                found => format!("it was run again to see where, and ended with {found}"),
            });
            return failure.explained(note, None);
        }
        let offset = trace.backtrace.innermost().filter(|_| trap).and_then(|frame| frame.offset);
        let explanation = self.explanation(&trace, is_out_of_bounds);
        failure.explained(explanation, offset.map(u64::from))
    }

    fn explanation(&self, trace: &Trace, is_out_of_bounds: bool) -> Explanation {
        let symbols = Symbols::of(self.module);
        let Backtrace { runs, gap } = &trace.backtrace;
        let run = |frames: &[Frame]| frames.iter().map(|frame| Place::new(*frame, &symbols)).collect();
        let note = (is_out_of_bounds && trace.is_own_stack_exceeded)
            .then(|| "the guest's own stack in linear memory is full: link it with a larger one".to_owned());
        Explanation {
            backtrace: runs.iter().map(|it| Run { times: it.times, frames: run(&it.frames) }).collect(),
            gap: *gap,
            note,
        }
    }

    fn recorded<R>(
        &self,
        error: &CallError,
        record: impl Fn(&AnySandbox) -> Result<Recorded<R>, LoadError>,
    ) -> Option<Recorded<R>> {
        if !is_explained(&error.fault) || self.policy.rules().metering != Metering::Exact {
            return None;
        }
        let policy = self.policy.with(|rules| {
            let deadline = rules.limits.deadline.map_or(PATIENCE, |deadline| cmp::min(deadline, PATIENCE));
            rules.limits.deadline = Some(deadline);
        });
        let policy = policy.ok()?;
        let is_long = error.report.usage.fuel_used.is_none_or(|fuel| fuel > LONG) && self.module.len() < LARGE;
        // A JIT compiles first, and then is faster. No code is kept.
        let mut engines: Vec<_> = backends().into_iter().filter(|backend| backend.id != "tiered").collect();
        engines.sort_by_key(|backend| backend.is_jit != is_long);
        let options = SandboxOptions {
            host: self.options.host.clone(),
            wasi: self.options.wasi.clone(),
            ..SandboxOptions::default()
        };
        engines.iter().find_map(|backend| record(&backend.sandbox(policy.clone(), &options).ok()?).ok())
    }
}

/// Whether the guest's functions say anything about such a fault. An exit code is what a program says itself.
fn is_explained(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Trap(_)
            | Fault::StackOverflow
            | Fault::OutOfFuel
            | Fault::DeadlineExceeded
            | Fault::HostCallLimit { .. }
            | Fault::ReentryDenied { .. }
            | Fault::ImportMissing { .. }
            | Fault::BadAlloc { .. }
            | Fault::BadOutput { .. }
            | Fault::OutputTooLarge { .. }
            | Fault::GuestError { .. }
            | Fault::Abi(_)
    )
}

impl Place {
    fn new(Frame { function, offset }: Frame, symbols: &Symbols<'_>) -> Self {
        let source = offset.and_then(|offset| symbols.source(offset));
        Self {
            function,
            name: symbols.name(function).map(|name| Escaped(&name).to_string()),
            offset,
            line: source.as_ref().and_then(|source| source.line),
            file: source.map(|source| Escaped(&source.file).to_string()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "function {}", self.function)?,
        }
        if let Some(offset) = self.offset {
            write!(f, " at {offset:#x}")?;
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, ", {file}:{line}"),
            (Some(file), None) => write!(f, ", {file}"),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.backtrace.iter().enumerate() {
            if let Some((_, frames)) = self.gap.filter(|(before, _)| *before == index) {
                writeln!(f, "  … {frames} more …")?;
            }
            for (position, place) in run.frames.iter().enumerate() {
                let word = if index == 0 && position == 0 { "in" } else { "by" };
                writeln!(f, "  {word} {place}")?;
            }
            if run.times > 1 {
                let frames =
                    if run.frames.len() == 1 { "this".to_owned() } else { format!("these {}", run.frames.len()) };
                writeln!(f, "     {frames}, {} times", run.times)?;
            }
        }
        match &self.note {
            Some(note) => writeln!(f, "  note: {note}"),
            None => Ok(()),
        }
    }
}
