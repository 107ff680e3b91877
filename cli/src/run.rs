use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use hotcell::{Reply, SandboxOptions};

use crate::{
    args::RunArgs,
    backends::open_sandbox,
    cache::{compile_for_the_next, compile_module},
    contract::{Kind, convention_of},
    explain::Again,
    interrupt::cancel_on_ctrl_c,
    outcome::{Failure, Success, exit, succeed},
    progress::with_progress,
    read::{read_input, read_module},
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
    let to_stdout = args.output == Path::new("-");
    if !to_stdout && let Err(error) = fs::write(&args.output, &reply.bytes) {
        return Failure::file("write", &args.output, &error).finish(json);
    }
    if to_stdout && !json {
        let mut out = io::stdout().lock();
        let written = out.write_all(&reply.bytes).and_then(|()| out.flush());
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
    let input = read_input(args.input.as_deref(), &policy)?;
    let cancel = cancel_on_ctrl_c(&policy)?;
    let options = SandboxOptions {
        wasi: wasi::config(&args.module, &args.wasi, &args.arguments, &policy)?,
        ..args.cache.options(&args.common)?
    };
    let sandbox = open_sandbox(args.common.backend.as_deref(), policy.clone(), &options)?;
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
