//! The `hotcell` program: runs untrusted WebAssembly plugins under one policy.

mod args;
mod backends;
mod bench;
#[cfg(all(feature = "wasmtime", unix))]
mod cache;
#[cfg(not(all(feature = "wasmtime", unix)))]
#[path = "no_cache.rs"]
mod cache;
mod call;
mod conformance;
mod contract;
mod differential;
mod explain;
mod flags;
mod generate;
mod guest_output;
mod inspect;
mod interrupt;
mod json;
mod new;
mod outcome;
mod policy;
mod profile;
mod progress;
mod read;
mod recognise;
mod run;
mod terminal;
mod values;
mod wasi;

use std::{
    env,
    io::{self, Write},
    process::{self, ExitCode},
};

use clap::{CommandFactory, Parser, error::ErrorKind};

use args::{BehindCommand, Cli, Command};

fn main() -> ExitCode {
    // A process that compiles for this one does no more than that.
    #[cfg(all(feature = "wasmtime", unix))]
    hotcell::serve_compile_worker();
    let args = values::normalised(env::args_os(), cache::BEHIND);
    let command = Cli::try_parse_from(args).unwrap_or_else(|error| {
        let _ = error.print();
        if error.kind() == ErrorKind::InvalidSubcommand {
            let _ =
                writeln!(io::stderr(), "\nA file is run by its path, and there is none of this name: hotcell ./FILE");
        }
        process::exit(error.exit_code())
    });
    match command.command {
        Command::Run(args) => run::run(&args),
        Command::Call(args) => call::call(&args),
        Command::Compile(args) => cache::compile(&args),
        Command::Cache { command } => cache::cache(&command),
        Command::CompileBehind { command: BehindCommand::Run(args) } => run::compile(&args),
        Command::CompileBehind { command: BehindCommand::Call(args) } => call::compile(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Policy(common) => policy::show(&common),
        Command::Conformance(args) => match args.suite {
            Some(args::Suite::Differential) if args.is_about_checks() => {
                let message = "--filter, --backend and --list choose checks; the differential suite has none";
                Cli::command().error(ErrorKind::ArgumentConflict, message).exit()
            }
            Some(args::Suite::Differential) => differential::run(&args),
            _ if args.list => conformance::list(&args),
            _ => conformance::run(&args),
        },
        Command::DifferentialChild(args) => differential::child(&args),
        Command::Profile(args) => profile::profile(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::New { language, name } => new::new(language, &name),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { directory } => generate::man(&directory),
        Command::Backends { json } => backends::show(json),
    }
}
