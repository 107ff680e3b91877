//! `hotcell conformance --suite differential`

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::{Command, ExitCode},
};

use hotcell_differential::{Findings, LongRun, Stats};
use serde::Serialize;

use crate::{
    args::{ConformanceArgs, DifferentialArgs},
    outcome::{SCHEMA, exit, exit_with, print_json},
};

/// The backends that are compared. A build with one backend compares it with itself, with the original modules, and
/// with the reference.
#[cfg(feature = "wasmtime")]
type One = hotcell::Wasmtime;
#[cfg(not(feature = "wasmtime"))]
type One = hotcell::Wasmi;
#[cfg(feature = "wasmi")]
type Other = hotcell::Wasmi;
#[cfg(not(feature = "wasmi"))]
type Other = hotcell::Wasmtime;

/// Runs the cases in child processes, and prints the findings.
pub(crate) fn run(args: &ConformanceArgs) -> ExitCode {
    let findings = match compare(&args.differential) {
        Ok(findings) => findings,
        Err(error) => return fail(&error),
    };
    let code = if findings.files.is_empty() { "ok" } else { "not-conforming" };
    match if args.json { print_object(code, &findings) } else { print(&findings) } {
        Ok(()) => exit_with(code),
        Err(error) => exit(Err(error)),
    }
}

/// Runs the cases in this process.
pub(crate) fn child(args: &DifferentialArgs) -> ExitCode {
    match args.long_run().child::<One, Other>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn compare(args: &DifferentialArgs) -> io::Result<Findings> {
    let program = env::current_exe()?;
    let command = |part: &LongRun| {
        let mut command = Command::new(&program);
        command.arg("differential-child").arg("--findings").arg(&part.directory);
        command.args(["--modules", &part.modules.to_string(), "--seed", &part.seed.to_string()]);
        command
    };
    args.long_run().parent(command, |findings| {
        eprintln!("{} modules, {} findings", findings.stats.modules, findings.files.len());
    })
}

fn print_object(code: &'static str, findings: &Findings) -> io::Result<()> {
    #[derive(Serialize)]
    struct Json<'a> {
        schema: u32,
        verdict: &'static str,
        code: &'static str,
        stats: &'a Stats,
        findings: &'a [PathBuf],
    }
    let verdict = if code == "ok" { "ok" } else { "error" };
    print_json(&Json { schema: SCHEMA, verdict, code, stats: &findings.stats, findings: &findings.files })
}

fn print(findings: &Findings) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let stats = &findings.stats;
    writeln!(
        out,
        "{} modules, {} calls, {} of them on the module as it was too; {} calls counted by the reference",
        stats.modules,
        stats.all_calls(),
        stats.transparent,
        stats.counted
    )?;
    for (what, counts) in [("refused", &stats.rejected), ("ended", &stats.calls)] {
        for (code, count) in counts {
            writeln!(out, "{what:>8}  {code:<32} {count:>10}")?;
        }
    }
    writeln!(out, "{} findings", findings.files.len())?;
    findings.files.iter().try_for_each(|file| writeln!(out, "{}", file.display()))
}

fn fail(error: &io::Error) -> ExitCode {
    eprintln!("hotcell: {error}");
    ExitCode::FAILURE
}

impl DifferentialArgs {
    fn long_run(&self) -> LongRun {
        LongRun { seed: self.seed, modules: self.modules, directory: self.findings.clone() }
    }
}
