use std::{fs, path::Path, process::ExitCode};

use hotcell::{Policy, Reply, SandboxOptions};

use crate::{
    args::RunArgs,
    backends::open_sandbox,
    cache::{compile_for_the_next, compile_module},
    contract::{Kind, convention_of},
    explain::Again,
    interrupt::cancel_on_ctrl_c,
    outcome::{Failure, Success, exit, succeed},
    progress::with_progress,
    read::{STDIN, check_input, name_of, read_input, read_module},
    terminal::write_reply,
    wasi,
};

/// What another process does behind `hotcell run`, for the next one.
pub(crate) fn compile(args: &RunArgs) -> ExitCode {
    compile_module(&args.module, &args.common, &args.cache.place, &convention_of(false, &args.entry))
}

/// `hotcell run`
pub(crate) fn run(args: &RunArgs) -> ExitCode {
    let json = args.common.json;
    let Answer { reply, kind, is_cached } = match answer(args) {
        Ok(answer) => answer,
        Err(failure) => return failure.finish(json),
    };
    let to_stdout = args.output == Path::new(STDIN);
    if !to_stdout && let Err(error) = fs::write(&args.output, &reply.bytes) {
        return Failure::file("write", &args.output, &error).finish(json);
    }
    if to_stdout && !json {
        let written = write_reply(&reply.bytes, !args.common.quiet);
        if written.is_err() {
            return exit(written);
        }
    }
    succeed(
        &Success { output: Some(&reply.bytes), results: None, kind: Some(kind), report: &reply.report, is_cached },
        json,
        args.common.quiet,
    )
}

struct Answer {
    reply: Reply,
    kind: Kind,
    /// Whether the module's code was compiled before.
    is_cached: bool,
}

fn answer(args: &RunArgs) -> Result<Answer, Failure> {
    let policy = args.common.policy()?;
    let module = read_module(&args.module, &policy)?;
    let convention = convention_of(false, &args.entry)(&module);
    let input = input(args, &policy)?;
    let cancel = cancel_on_ctrl_c(&policy)?;
    let options = SandboxOptions {
        wasi: wasi::config(&args.module, &args.wasi, &args.arguments, &policy)?,
        ..args.cache.options(&args.common)?
    };
    let sandbox = open_sandbox(args.common.backend.as_deref(), policy.clone(), &options)?.named(name_of(&args.module));
    let load = || convention.load(&sandbox, &module, &args.config);
    let plugin = with_progress("compiling", args.common.quiet, load)?;
    let outcome = convention.call(&*plugin, &args.entry, &input, cancel.clone());
    let tier = outcome.as_ref().map_or_else(|error| error.report.tier, |reply| reply.report.tier);
    compile_for_the_next(&options, &args.module, &args.common, &*plugin, tier);
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) if args.explain.no_explain => return Err(error.into()),
        Err(error) => {
            let again = Again { module: &module, policy: &policy, options: &options };
            return Err(again.explain(error, |sandbox| {
                let traced = convention.load_traced(sandbox, &module, &args.config)?.repeated();
                Ok(convention.record(&*traced, &args.entry, &input, cancel.clone()))
            }));
        }
    };
    Ok(Answer { reply, kind: convention.kind(plugin.summary()), is_cached: plugin.is_cached() })
}

/// Standard input has one thing: the module, where that is there.
fn input(args: &RunArgs, policy: &Policy) -> Result<Vec<u8>, Failure> {
    let module_is_stdin = args.module == Path::new(STDIN);
    match (&args.text, args.input.as_deref()) {
        (Some(text), _) => check_input(text.clone().into_bytes(), policy),
        (None, None) if module_is_stdin => Ok(Vec::new()),
        (None, Some(path)) if module_is_stdin && path == Path::new(STDIN) => Err(Failure::arguments(
            "wrong-arguments",
            "the module and the input cannot both be standard input: give the input with --text, or name a file"
                .to_owned(),
        )),
        (None, path) => read_input(path, policy),
    }
}
