//! What the command line grants to a program for WASI.

use std::path::Path;

use hotcell::{Policy, WasiConfig, wasi::ConfigError};

use crate::{args::RunArgs, outcome::Failure};

/// What the guest gets beyond the sandbox; none where nothing is asked for.
pub(crate) fn config(args: &RunArgs, policy: &Policy) -> Result<Option<WasiConfig>, Failure> {
    let asks = args.wasi.real_clock || args.wasi.real_random || !args.wasi.env.is_empty() || !args.arguments.is_empty();
    let config = asks.then(|| granted(args, policy)).transpose();
    config.map_err(|error| Failure::arguments("wrong-arguments", error.to_string()))
}

fn granted(args: &RunArgs, policy: &Policy) -> Result<WasiConfig, ConfigError> {
    let name = args.module.file_stem().unwrap_or(Path::new("plugin").as_os_str()).to_string_lossy();
    let arguments = [&*name].into_iter().chain(args.arguments.iter().map(String::as_str));
    let mut config = WasiConfig::sandbox().random_seed(policy.rules().random_seed).args(arguments)?;
    for (name, value) in &args.wasi.env {
        config = config.env(name, value)?;
    }
    if args.wasi.real_clock {
        config = config.real_clock();
    }
    if args.wasi.real_random {
        config = config.real_randomness();
    }
    Ok(config)
}
