//! `hotcell conformance --suite differential`

use std::{
    env, io,
    process::{Command, ExitCode},
};

use hotcell_conformance::differential::{Findings, LongRun};

use crate::args::DifferentialArgs;

/// The backends that are compared. In a build with one, only what the rewrite does is looked at.
#[cfg(feature = "wasmtime")]
type One = hotcell::Wasmtime;
#[cfg(not(feature = "wasmtime"))]
type One = hotcell::Wasmi;
#[cfg(feature = "wasmi")]
type Other = hotcell::Wasmi;
#[cfg(not(feature = "wasmi"))]
type Other = hotcell::Wasmtime;

/// Runs the cases in children, and says what was found.
pub(crate) fn run(args: &DifferentialArgs) -> ExitCode {
    match compare(args) {
        Ok(findings) => {
            print(&findings);
            ExitCode::from(u8::from(!findings.files.is_empty()))
        }
        Err(error) => fail(&error),
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

fn print(findings: &Findings) {
    let stats = &findings.stats;
    println!(
        "{} modules, {} calls, {} of them on the module as it was too; {} calls counted by the reference",
        stats.modules,
        stats.all_calls(),
        stats.transparent,
        stats.counted
    );
    for (what, counts) in [("refused", &stats.rejected), ("ended", &stats.calls)] {
        for (code, count) in counts {
            println!("{what:>8}  {code:<32} {count:>10}");
        }
    }
    println!("{} findings", findings.files.len());
    for file in &findings.files {
        println!("{}", file.display());
    }
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
