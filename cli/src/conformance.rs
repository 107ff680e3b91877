//! `hotcell conformance`

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use hotcell_conformance::{BackendUnderTest, Check, Counts, Entry, Report, Suite as Checks, Verdict};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    args::{ConformanceArgs, Suite},
    backends::chosen,
    outcome::{Failure, SCHEMA, exit, exit_with, is_watched, print_json},
};

/// The family of the official scripts.
const SPEC: &str = "spec";

/// Runs the wanted checks on the wanted backends.
pub(crate) fn run(args: &ConformanceArgs) -> ExitCode {
    match reports(args) {
        Err(failure) => failure.finish(args.json),
        Ok(reports) => {
            let code = if reports.iter().all(Report::is_conforming) { "ok" } else { "not-conforming" };
            let printed = if args.json { print_object(code, &reports) } else { print_tables(&reports) };
            match printed {
                Ok(()) => exit_with(code),
                Err(error) => exit(Err(error)),
            }
        }
    }
}

/// Prints the list: id, need and sentence.
pub(crate) fn list(args: &ConformanceArgs) -> ExitCode {
    #[cfg(feature = "wasmtime")]
    let checks = Checks::<hotcell::Wasmtime>::new();
    #[cfg(not(feature = "wasmtime"))]
    let checks = Checks::<hotcell::Wasmi>::new();
    let mut out = io::stdout().lock();
    let mut wanted = checks.checks().iter().filter(|check| is_wanted(args, check));
    exit(wanted.try_for_each(|check| writeln!(out, "{} ({}): {}", check.id(), check.need(), check.proves())))
}

fn reports(args: &ConformanceArgs) -> Result<Vec<Report>, Failure> {
    let wanted = chosen(args.backend.as_deref())?;
    let reports: Vec<Report> = wanted
        .iter()
        .filter_map(|backend| match backend.id {
            #[cfg(feature = "wasmtime")]
            "wasmtime" => Some(report::<hotcell::Wasmtime>(args)),
            #[cfg(feature = "wasmi")]
            "wasmi" => Some(report::<hotcell::Wasmi>(args)),
            #[cfg(feature = "tiered")]
            "tiered" => Some(report::<hotcell::Tiered>(args)),
            _ => None,
        })
        .collect();
    match reports.iter().all(|report| report.counts.checks > 0) {
        true => Ok(reports),
        false => Err(Failure::no_such_check()),
    }
}

fn report<B: BackendUnderTest>(args: &ConformanceArgs) -> Report {
    let checks = Checks::<B>::new();
    let wanted = |check: &Check| is_wanted(args, check);
    let bar = bar(args, B::ID, checks.checks().iter().filter(|check| wanted(check)).count());
    let report = checks.run(wanted, |entry| {
        bar.set_message(entry.id.clone());
        bar.inc(1);
    });
    bar.finish_and_clear();
    report
}

fn is_wanted(args: &ConformanceArgs, check: &Check) -> bool {
    let in_suite = match args.suite {
        None => true,
        Some(Suite::Contract) => check.family() != SPEC,
        Some(Suite::Spec) => check.family() == SPEC,
        Some(Suite::Differential) => false,
    };
    in_suite && args.filter.as_ref().is_none_or(|filter| check.id().contains(filter.as_str()))
}

/// A progress bar that shows the last check, if standard error is a terminal.
fn bar(args: &ConformanceArgs, backend: &'static str, checks: usize) -> ProgressBar {
    if args.json || !is_watched(args.quiet) {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(checks as u64).with_prefix(backend);
    match ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {elapsed} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn print_object(code: &'static str, reports: &[Report]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Json<'a> {
        schema: u32,
        verdict: &'static str,
        code: &'static str,
        reports: &'a [Report],
    }
    let verdict = if code == "ok" { "ok" } else { "error" };
    print_json(&Json { schema: SCHEMA, verdict, code, reports })
}

fn print_tables(reports: &[Report]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    reports.iter().try_for_each(|report| print_table(&mut out, report))
}

fn print_table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{} {}", report.backend, report.backend_version)?;
    writeln!(
        out,
        "{:<12} {:>6} {:>6} {:>8} {:>11} {:>6} {:>10} {:>7} {:>8}",
        "family", "checks", "passed", "declared", "unsupported", "FAILED", "assertions", "modules", "time"
    )?;
    let mut took = Duration::ZERO;
    for (family, counts, time) in report.families() {
        line(out, family, &counts, time)?;
        took += time;
    }
    line(out, "all", &report.counts, took)?;
    let words = |entry: &Entry| match &entry.verdict {
        Verdict::Passed => None,
        Verdict::Unsupported { reason } => Some(format!("unsupported: {reason}")),
        Verdict::ExpectedFailure { reason, failure } => Some(format!("declared: {reason}: {failure}")),
        Verdict::Failed { .. } | Verdict::UnexpectedPass { .. } => {
            entry.verdict.failure().map(|failure| format!("FAILED: {failure}\n    {}", entry.proves))
        }
    };
    // Many checks may have the same message.
    let mut said: Vec<(&str, String, usize)> = Vec::new();
    for entry in &report.checks {
        for words in entry.notes.iter().cloned().chain(words(entry)) {
            match said.iter_mut().find(|(_, other, _)| *other == words) {
                Some((_, _, more)) => *more += 1,
                None => said.push((&entry.id, words, 0)),
            }
        }
    }
    for (id, words, more) in said {
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        writeln!(out, "  {id}{more}: {words}")?;
    }
    writeln!(out, "{}\n", report.counts)?;
    out.flush()
}

fn line(out: &mut impl Write, family: &str, counts: &Counts, took: Duration) -> io::Result<()> {
    let Counts { checks, passed, expected_failures, unsupported, failed, assertions, modules, .. } = counts;
    let took = format!("{:.1} s", took.as_secs_f64());
    writeln!(
        out,
        "{family:<12} {checks:>6} {passed:>6} {expected_failures:>8} {unsupported:>11} {failed:>6} {assertions:>10} \
         {modules:>7} {took:>8}"
    )
}
