//! `hotcell profile`: where a plugin's fuel goes.

mod args;
mod budgets;
mod flame;
mod formats;
mod table;

pub(crate) use args::{AFTER_HELP, ProfileArgs};

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use hotcell::{CancelToken, SandboxOptions, Symbols, backends, trace::Profile, verdict::Escaped};
use serde::Serialize;

use crate::{
    backends::open_sandbox,
    contract::convention_of,
    interrupt::cancel_on_ctrl_c,
    outcome::{Failure, SCHEMA, exit, print_json},
    progress::with_progress,
    read::{read_input, read_module},
    wasi,
};

/// What one run of a module has used, with the names of its functions.
pub(crate) struct Profiled {
    pub(crate) profile: Profile,
    names: BTreeMap<u32, String>,
    pub(crate) fuel_used: u64,
    /// How the call failed, if it did.
    failure: Option<Failure>,
}

impl Profiled {
    /// The name of a function, safe to show.
    pub(crate) fn name(&self, function: Option<u32>) -> String {
        match function.map(|function| (function, self.names.get(&function))) {
            None => "(more call paths)".to_owned(),
            Some((_, Some(name))) => name.clone(),
            Some((function, None)) => format!("function {function}"),
        }
    }
}

/// `hotcell profile`
pub(crate) fn profile(args: &ProfileArgs) -> ExitCode {
    let json = args.common.json;
    let shown = measured(args).and_then(|(profiled, against)| {
        write_files(args, &profiled)?;
        Ok((show(args, &profiled, against.as_ref()), judged(args, &profiled)?))
    });
    match shown {
        Ok((Ok(()), None)) => ExitCode::SUCCESS,
        Ok((Ok(()), Some(failure))) => failure.finish(false),
        Ok((printed, _)) => exit(printed),
        Err(failure) => failure.finish(json),
    }
}

/// The profile of the plugin, and of the one that it is held against.
fn measured(args: &ProfileArgs) -> Result<(Profiled, Option<Profiled>), Failure> {
    let policy = args.common.policy()?;
    let input = read_input(args.input.as_deref(), &policy)?;
    let cancel = cancel_on_ctrl_c(&policy)?;
    let profiled = run(args, &args.module, &input, cancel.clone())?;
    let against = args.against.as_ref().map(|module| run(args, module, &input, cancel)).transpose()?;
    Ok((profiled, against))
}

fn run(args: &ProfileArgs, path: &Path, input: &[u8], cancel: Option<CancelToken>) -> Result<Profiled, Failure> {
    let policy = args.common.policy()?;
    let module = read_module(path, &policy)?;
    let convention = convention_of(false, &args.entry)(&module);
    let options =
        SandboxOptions { wasi: wasi::config(path, &args.wasi, &args.arguments, &policy)?, ..SandboxOptions::default() };
    // Fuel is the same on each of them: the first is the fastest.
    let first = backends().first().map(|backend| backend.id);
    let sandbox = open_sandbox(args.common.backend.as_deref().or(first), policy, &options)?;
    let load = || convention.load_traced(&sandbox, &module, &args.config);
    let traced = with_progress("compiling", args.common.quiet, load)?;
    let recorded = convention.record(&*traced, &args.entry, input, cancel);
    let Some(trace) = recorded.trace else {
        return Err(recorded.outcome.err().map_or_else(Failure::no_profile, Failure::from));
    };
    let (report, failure) = match recorded.outcome {
        Ok(reply) => (reply.report, None),
        Err(error) => ((*error.report).clone(), Some(Failure::from(error))),
    };
    let symbols = Symbols::of(&module);
    let names = trace.profile.functions.iter().filter_map(|cost| {
        let name = symbols.name(cost.function)?;
        Some((cost.function, Escaped(&name).to_string()))
    });
    let fuel_used = report.usage.fuel_used.unwrap_or(0);
    Ok(Profiled { names: names.collect(), profile: trace.profile, fuel_used, failure })
}

fn write_files(args: &ProfileArgs, profiled: &Profiled) -> Result<(), Failure> {
    let write = |path: &Path, text: String| fs::write(path, text).map_err(|error| Failure::file("write", path, &error));
    if let Some(path) = &args.folded {
        write(path, formats::folded(profiled))?;
    }
    if let Some(path) = &args.speedscope {
        write(path, formats::speedscope(profiled, &args.module))?;
    }
    if let Some(path) = &args.svg {
        write(path, flame::draw(profiled))?;
    }
    if let Some(path) = &args.save {
        budgets::save(path, args, profiled.fuel_used)?;
    }
    Ok(())
}

/// Why the command fails although there is a profile.
fn judged(args: &ProfileArgs, profiled: &Profiled) -> Result<Option<Failure>, Failure> {
    if let Some(path) = &args.check
        && let Some(failure) = budgets::check(path, args, profiled.fuel_used)?
    {
        return Ok(Some(failure));
    }
    Ok(profiled.failure.as_ref().map(Failure::again))
}

fn show(args: &ProfileArgs, profiled: &Profiled, against: Option<&Profiled>) -> io::Result<()> {
    if args.common.json {
        return print_json(&Json::new(profiled));
    }
    let mut out = io::stdout().lock();
    match against {
        Some(against) => table::write_difference(&mut out, profiled, against, args.top)?,
        None => table::write(&mut out, profiled, args.top)?,
    }
    out.flush()
}

#[derive(Serialize)]
struct Json {
    schema: u32,
    fuel_used: u64,
    functions: Vec<Function>,
}

#[derive(Serialize)]
struct Function {
    function: u32,
    name: String,
    /// Of itself.
    fuel: u64,
    /// With what it called.
    total: u64,
    calls: u64,
}

impl Json {
    fn new(profiled: &Profiled) -> Self {
        let functions = profiled.profile.functions.iter().map(|cost| Function {
            function: cost.function,
            name: profiled.name(Some(cost.function)),
            fuel: cost.fuel,
            total: cost.total,
            calls: cost.calls,
        });
        Self { schema: SCHEMA, fuel_used: profiled.fuel_used, functions: functions.collect() }
    }
}
