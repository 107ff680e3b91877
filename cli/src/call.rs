use std::{
    io::{self, Write},
    process::ExitCode,
};

use hotcell::{Contract, ModuleSummary, Report, ValType, Value, admit::ExternType, verdict::Escaped};

use crate::{
    args::CallArgs,
    backends::open_sandbox,
    cache::{compile_for_the_next, compile_module},
    contract::Convention,
    explain::Again,
    interrupt::cancel_on_ctrl_c,
    outcome::{Failure, Success, exit, succeed},
    progress::with_progress,
    read::read_module,
};

/// `hotcell call`
pub(crate) fn call(args: &CallArgs) -> ExitCode {
    let json = args.common.json;
    let (values, report, is_cached) = match results(args) {
        Ok(results) => results,
        Err(failure) => return failure.finish(json),
    };
    let results: Vec<String> = values.iter().map(Value::to_string).collect();
    if !json {
        let mut out = io::stdout().lock();
        let written = results.iter().try_for_each(|result| writeln!(out, "{result}")).and_then(|()| out.flush());
        if written.is_err() {
            return exit(written);
        }
    }
    succeed(
        &Success { output: None, results: Some(results), kind: None, report: &report, is_cached },
        json,
        args.common.quiet,
    )
}

/// The results, what the call used, and whether the module's code was compiled before.
fn results(args: &CallArgs) -> Result<(Vec<Value>, Report, bool), Failure> {
    let policy = args.common.policy()?;
    let module = read_module(&args.module, &policy)?;
    let cancel = cancel_on_ctrl_c(&policy)?;
    let options = args.cache.options(&args.common)?;
    let sandbox = open_sandbox(args.common.backend.as_deref(), policy.clone(), &options)?;
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
    Ok((values, report, plugin.is_cached()))
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

/// Parses a number of this type: integers signed or unsigned, decimal or `0x`.
fn parse_value(ty: ValType, text: &str) -> Option<Value> {
    let integer = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => text.parse::<i128>().ok(),
    };
    Some(match ty {
        ValType::I32 => {
            let value = integer(text)?;
            Value::I32(i32::try_from(value).or_else(|_| u32::try_from(value).map(u32::cast_signed)).ok()?)
        }
        ValType::I64 => {
            let value = integer(text)?;
            Value::I64(i64::try_from(value).or_else(|_| u64::try_from(value).map(u64::cast_signed)).ok()?)
        }
        ValType::F32 => Value::F32(text.parse::<f32>().ok()?.to_bits()),
        ValType::F64 => Value::F64(text.parse::<f64>().ok()?.to_bits()),
        ValType::V128 | ValType::FuncRef | ValType::OtherRef => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_be_signed_or_unsigned() {
        assert_eq!(parse_value(ValType::I32, "-1"), Some(Value::I32(-1)));
        assert_eq!(parse_value(ValType::I32, "4294967295"), Some(Value::I32(-1)));
        assert_eq!(parse_value(ValType::I32, "4294967296"), None);
        assert_eq!(parse_value(ValType::I64, "0xffffffffffffffff"), Some(Value::I64(-1)));
        assert_eq!(parse_value(ValType::F64, "0.5"), Some(Value::F64(0.5f64.to_bits())));
        assert_eq!(parse_value(ValType::F32, "x"), None);
    }
}
