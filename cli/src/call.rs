use std::{
    io::{self, Write},
    process::ExitCode,
};

use hotcell::{Contract, ModuleSummary, Report, Value, admit::ExternType, verdict::Escaped};

use crate::{
    args::CallArgs,
    backends::open_sandbox,
    cache::{compile_for_the_next, compile_module},
    contract::Convention,
    explain::Again,
    interrupt::cancel_on_ctrl_c,
    outcome::{Failure, Success, exit, succeed},
    progress::with_progress,
    read::{name_of, read_module},
    values::{parse_value, shown},
};

/// `hotcell call`
pub(crate) fn call(args: &CallArgs) -> ExitCode {
    let json = args.common.json;
    let Answer { values, report, is_cached } = match answer(args) {
        Ok(answer) => answer,
        Err(failure) => return failure.finish(json),
    };
    if !json {
        let mut out = io::stdout().lock();
        let written = values.iter().try_for_each(|value| writeln!(out, "{}", shown(value))).and_then(|()| out.flush());
        if written.is_err() {
            return exit(written);
        }
    }
    let results = Some(values.iter().map(Value::to_string).collect());
    succeed(&Success { output: None, results, kind: None, report: &report, is_cached }, json, args.common.quiet)
}

struct Answer {
    values: Vec<Value>,
    report: Report,
    /// Whether the module's code was compiled before.
    is_cached: bool,
}

fn answer(args: &CallArgs) -> Result<Answer, Failure> {
    let policy = args.common.policy()?;
    let module = read_module(&args.module, &policy)?;
    let cancel = cancel_on_ctrl_c(&policy)?;
    let options = args.cache.options(&args.common)?;
    let sandbox = open_sandbox(args.common.backend.as_deref(), policy.clone(), &options)?.named(name_of(&args.module));
    let contract = contract(args);
    let plugin = with_progress("compiling", args.common.quiet, || sandbox.load(&module, &contract))?;
    let params = parse_arguments(plugin.summary(), &args.export, &args.arguments)?;
    let outcome = plugin.call_values(&args.export, &params, cancel.clone());
    let tier = outcome.as_ref().map_or_else(|error| error.report.tier, |(_, report)| report.tier);
    compile_for_the_next(&options, &args.module, &args.common, &*plugin, tier);
    let (values, report) = match outcome {
        Ok(results) => results,
        Err(error) if args.explain.no_explain => return Err(error.into()),
        Err(error) => {
            let again = Again { module: &module, policy: &policy, options: &options };
            return Err(again.explain(error, |sandbox| {
                let traced = sandbox.load_traced(&module, &contract)?.repeated();
                Ok(traced.call_values_with(&args.export, &params, (), cancel.clone()))
            }));
        }
    };
    Ok(Answer { values, report, is_cached: plugin.is_cached() })
}

/// The version is checked only if one was given: most modules that are called this way are not plugins.
fn contract(args: &CallArgs) -> Contract {
    if args.common.abi.is_some() { Contract::Abi } else { Contract::None }
}

/// What another process does behind `hotcell call`, for the next one.
pub(crate) fn compile(args: &CallArgs) -> ExitCode {
    compile_module(&args.module, &args.common, &args.cache.place, &|_| Convention::Own(contract(args)))
}

/// Parses the arguments by the export's own signature.
fn parse_arguments(summary: &ModuleSummary, name: &str, arguments: &[String]) -> Result<Vec<Value>, Failure> {
    let ty = summary.exports.iter().find_map(|export| match &export.ty {
        ExternType::Function(ty) if export.name == name => Some(ty),
        _ => None,
    });
    let Some(ty) = ty else {
        let functions: Vec<String> = summary
            .exports
            .iter()
            .filter(|export| matches!(export.ty, ExternType::Function(_)))
            .take(20)
            .map(|export| Escaped(&export.name).to_string())
            .collect();
        let message = format!(
            "the module exports no function `{}`; its functions are: {}",
            Escaped(name),
            if functions.is_empty() { "none".to_owned() } else { functions.join(", ") },
        );
        return Err(Failure::arguments("no-such-export", message));
    };
    let wrong = |what: String| Failure::arguments("wrong-arguments", format!("`{}` is {ty}: {what}", Escaped(name)));
    if ty.params.len() != arguments.len() {
        return Err(wrong(format!("{} arguments were given", arguments.len())));
    }
    ty.params
        .iter()
        .zip(arguments)
        .map(|(ty, text)| parse_value(*ty, text).ok_or_else(|| wrong(format!("`{}` is no {ty}", Escaped(text)))))
        .collect()
}
