//! What is made from the command line's own description: completions for shells, and manual pages.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    args::Cli,
    outcome::{Failure, exit},
};

const NAME: &str = "hotcell";

/// `hotcell completions`
pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let mut out = io::stdout().lock();
    exit(out.write_all(&script).and_then(|()| out.flush()))
}

/// `hotcell man`
pub(crate) fn man(directory: &Path) -> ExitCode {
    match clap_mangen::generate_to(Cli::command(), directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Failure::file("write the manual pages to", directory, &error).finish(false),
    }
}
