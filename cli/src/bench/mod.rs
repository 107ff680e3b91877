//! `hotcell bench`: the cost of a plugin on each engine, and the number of calls from which a JIT pays.

mod break_even;
mod measure;
mod picture;
mod show;

use std::{fs, path::Path, process::ExitCode};

use indicatif::{ProgressBar, ProgressStyle};

use self::measure::Bench;
use crate::{
    args::BenchArgs,
    outcome::{Failure, exit, is_watched, print_json},
    read::{read_input, read_module},
};

/// The default plugin: a guest of this repository, and an input for it.
const SAMPLE: &[u8] = include_bytes!("../../../guests/ledger-check.wasm");
const SAMPLE_INPUT: &[u8] = include_bytes!("../../../guests/ledger-check/sample.journal");

/// `hotcell bench`
pub(crate) fn bench(args: &BenchArgs) -> ExitCode {
    let json = args.common.json;
    let measured = match run(args) {
        Ok(measured) => measured,
        Err(failure) => return failure.finish(json),
    };
    if let Some(file) = &args.svg {
        let written = picture::draw(&measured)
            .and_then(|svg| fs::write(file, svg).map_err(|error| Failure::file("write", file, &error)));
        if let Err(failure) = written {
            return failure.finish(json);
        }
    }
    exit(if json { print_json(&show::Json::from(&measured)) } else { show::table(&measured) })
}

fn run(args: &BenchArgs) -> Result<Bench, Failure> {
    let policy = args.common.policy()?;
    let (name, module, input) = match &args.module {
        Some(path) => (name(path), read_module(path, &policy)?, read_input(args.input.as_deref(), &policy)?),
        None => ("ledger-check".to_owned(), SAMPLE.to_vec(), SAMPLE_INPUT.to_vec()),
    };
    let progress = Progress::new(args.common.quiet);
    measure::measure(&measure::Measured { name, module, input, entry: &args.entry }, policy, &args.common, &progress)
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A progress bar, if standard error is a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    const STEPS: u64 = 1_000;

    fn new(quiet: bool) -> Self {
        if !is_watched(quiet) {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(Self::STEPS);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Sets the current step.
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    /// Sets the share of the work that is done, from 0 to 1.
    pub(crate) fn done(&self, share: f64) {
        self.0.set_position((share * Self::STEPS as f64) as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
