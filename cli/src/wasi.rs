//! What the command line grants to a program for WASI.

use std::path::Path;

use hotcell::{Policy, WasiConfig, wasi::ConfigError};

use crate::{args::WasiArgs, outcome::Failure, read::name_of};

/// What the guest gets beyond the sandbox; none where nothing is asked for.
pub(crate) fn config(
    module: &Path,
    args: &WasiArgs,
    arguments: &[String],
    policy: &Policy,
) -> Result<Option<WasiConfig>, Failure> {
    let asks = args.real_clock || args.real_random || !args.env.is_empty() || !arguments.is_empty();
    let config = asks.then(|| granted(module, args, arguments, policy)).transpose();
    config.map_err(|error| Failure::arguments("wrong-arguments", error.to_string()))
}

fn granted(module: &Path, args: &WasiArgs, given: &[String], policy: &Policy) -> Result<WasiConfig, ConfigError> {
    let name = name_of(module);
    let arguments = [&*name].into_iter().chain(given.iter().map(String::as_str));
    let mut config = WasiConfig::sandbox().random_seed(policy.rules().random_seed).args(arguments)?;
    for (name, value) in &args.env {
        config = config.env(name, value)?;
    }
    if args.real_clock {
        config = config.real_clock();
    }
    if args.real_random {
        config = config.real_randomness();
    }
    Ok(config)
}
