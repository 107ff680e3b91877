//! In place of the cache of compiled code, where a build has no compiler or the system no permissions to rest it on.

use std::{path::Path, process::ExitCode};

use hotcell::{AnyPlugin, SandboxOptions, verdict::Tier};

use crate::{
    args::{CacheArgs, CacheCommand, Common, CompileArgs, WhereArgs},
    contract::ConventionOf,
    outcome::Failure,
};

/// The subcommand of builds that keep code.
pub(crate) const BEHIND: &str = "compile-behind";

impl CacheArgs {
    /// What a command that runs a module says to its backend.
    pub(crate) fn options(&self, _common: &Common) -> Result<SandboxOptions, Failure> {
        match &self.place.cache {
            Some(_) => Err(unsupported()),
            None => Ok(limited()),
        }
    }
}

/// Modules are compiled in this process.
pub(crate) fn limited() -> SandboxOptions {
    SandboxOptions::default()
}

/// Nothing is kept.
pub(crate) fn compile_for_the_next(_: &SandboxOptions, _: &Path, _: &Common, _: &dyn AnyPlugin, _: Option<Tier>) {}

/// Nothing is kept.
pub(crate) fn compile_module(_: &Path, _: &Common, _: &WhereArgs, _: ConventionOf<'_>) -> ExitCode {
    ExitCode::FAILURE
}

/// `hotcell compile`
pub(crate) fn compile(args: &CompileArgs) -> ExitCode {
    unsupported().finish(args.common.json)
}

/// `hotcell cache`
pub(crate) fn cache(command: &CacheCommand) -> ExitCode {
    let (CacheCommand::Show(place) | CacheCommand::Verify(place) | CacheCommand::Clear(place)) = command;
    unsupported().finish(place.json)
}

fn unsupported() -> Failure {
    Failure::cache("this build keeps no compiled code: that needs the backend wasmtime, and Unix")
}
