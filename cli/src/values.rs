//! The forms of values on the command line.

use std::{ffi::OsString, path::Path, time::Duration};

use clap::CommandFactory;
use hotcell::{
    ValType, Value,
    policy::{
        Abi,
        text::{parse_deadline, parse_unlimited},
    },
};

use crate::args::Cli;

/// A limit that may be given as none.
#[derive(Clone, Copy)]
pub(crate) struct Limit<N>(pub Option<N>);

pub(crate) fn parse_unlimited_arg(text: &str) -> Result<Limit<u64>, String> {
    parse_unlimited(text).map(Limit)
}

pub(crate) fn parse_deadline_arg(text: &str) -> Result<Limit<Duration>, String> {
    parse_deadline(text).map(Limit)
}

pub(crate) fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) fn parse_abi(text: &str) -> Result<Abi, String> {
    let form = || "write EXPORT=VERSION, for example __hotcell_abi_version=1 or abi_version=1-3".to_owned();
    let (export, versions) = text.split_once('=').ok_or_else(form)?;
    let (min, max) = versions.split_once('-').unwrap_or((versions, versions));
    let version = |text: &str| text.parse().map_err(|_| form());
    Ok(Abi { export: export.to_owned(), min: version(min)?, max: version(max)? })
}

/// Parses a number of this type, in any form that a person or this program writes.
pub(crate) fn parse_value(ty: ValType, text: &str) -> Option<Value> {
    let text = &text.replacen(MINUS, "-", 1);
    let text = text.strip_prefix(&*ty.to_string()).and_then(|text| text.strip_prefix(':')).unwrap_or(text.as_str());
    Some(match ty {
        ValType::I32 => {
            let value = parse_integer(text)?;
            Value::I32(i32::try_from(value).or_else(|_| u32::try_from(value).map(u32::cast_signed)).ok()?)
        }
        ValType::I64 => {
            let value = parse_integer(text)?;
            Value::I64(i64::try_from(value).or_else(|_| u64::try_from(value).map(u64::cast_signed)).ok()?)
        }
        ValType::F32 => Value::F32(match nan_bits(text) {
            Some(bits) => u32::try_from(bits).ok().filter(|bits| f32::from_bits(*bits).is_nan())?,
            None => grouped(text)?.parse::<f32>().ok()?.to_bits(),
        }),
        ValType::F64 => Value::F64(match nan_bits(text) {
            Some(bits) => Some(bits).filter(|bits| f64::from_bits(*bits).is_nan())?,
            None => grouped(text)?.parse::<f64>().ok()?.to_bits(),
        }),
        ValType::V128 | ValType::FuncRef | ValType::OtherRef => return None,
    })
}

/// Signed or unsigned, decimal or `0x`.
fn parse_integer(text: &str) -> Option<i128> {
    let text = grouped(text)?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let digits_of = |digits: &str, radix| match digits.starts_with(['-', '+']) {
        true => None,
        false => i128::from_str_radix(digits, radix).ok(),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => digits_of(hex, 16),
        None => digits_of(digits, 10),
    };
    value?.checked_mul(sign)
}

/// The number without the underscores between its digits.
fn grouped(text: &str) -> Option<String> {
    let is_grouped = !text.starts_with('_') && !text.ends_with('_');
    is_grouped.then(|| text.replace('_', ""))
}

/// The bits of `nan:0x7fc00000`.
fn nan_bits(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("nan:0x")?, 16).ok()
}

/// A number as it is printed: without its type.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    text.split_once(':').map_or(text.clone(), |(_, number)| number.to_owned())
}

/// A minus that does not look like the beginning of a flag.
const MINUS: char = '\u{2212}';

/// The command line as the parser takes it: with `run` in the place where a file stands for it, and with the minus of what
/// `call` is given written so that it is no flag's.
pub(crate) fn normalised(args: impl Iterator<Item = OsString>, behind: &str) -> Vec<OsString> {
    let mut args = with_implied_run(args, behind);
    if args.iter().take(3).any(|arg| arg == "call") {
        for arg in args.iter_mut().take_while(|arg| *arg != "--") {
            let number = arg.to_str().and_then(|text| text.strip_prefix('-')).filter(|rest| {
                rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') || matches!(*rest, "inf" | "nan")
            });
            if let Some(number) = number {
                *arg = format!("{MINUS}{number}").into();
            }
        }
    }
    args
}

/// The command line, with `run` in the place where a file stands for it: `hotcell FILE`.
fn with_implied_run(args: impl Iterator<Item = OsString>, behind: &str) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let at = if args.get(1).is_some_and(|arg| arg == behind) { 2 } else { 1 };
    let Some(first) = args.get(at).and_then(|first| first.to_str()) else { return args };
    let is_command = Cli::command().get_subcommands().any(|command| command.get_name() == first) || first == "help";
    let is_flag = first.starts_with('-') && first != "-";
    let path = Path::new(first);
    let is_module = path.extension().is_some_and(|extension| extension == "wasm" || extension == "wat");
    if !is_command && !is_flag && (first == "-" || is_module || path.is_file()) {
        args.insert(at, "run".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_be_signed_or_unsigned() {
        for (text, expected) in [
            ("-1", Some(-1)),
            ("4294967295", Some(-1)),
            ("4294967296", None),
            ("1_000_000", Some(1_000_000)),
            ("0xff", Some(255)),
            ("-0x80000000", Some(i32::MIN)),
            ("i32:7", Some(7)),
            ("+7", Some(7)),
            ("--7", None),
            ("0x-7", None),
            ("_7", None),
            ("", None),
            ("i64:7", None),
        ] {
            assert_eq!(parse_value(ValType::I32, text), expected.map(Value::I32), "{text}");
        }
        assert_eq!(parse_value(ValType::I64, "0xffffffffffffffff"), Some(Value::I64(-1)));
    }

    #[test]
    fn floats_have_all_their_forms() {
        for (text, expected) in
            [("0.5", 0.5), ("-inf", f32::NEG_INFINITY), ("inf", f32::INFINITY), ("1_000.5", 1000.5), ("1e3", 1000.0)]
        {
            assert_eq!(parse_value(ValType::F32, text), Some(Value::F32(expected.to_bits())), "{text}");
            assert_eq!(parse_value(ValType::F64, text), Some(Value::F64(f64::from(expected).to_bits())), "{text}");
        }
        assert_eq!(parse_value(ValType::F32, "nan:0x7fc00001"), Some(Value::F32(0x7fc0_0001)));
        assert_eq!(parse_value(ValType::F32, "nan:0x1"), None);
        assert_eq!(parse_value(ValType::F32, "x"), None);
    }

    #[test]
    fn what_is_printed_is_read_again() {
        for value in [Value::I32(-7), Value::I64(i64::MIN), Value::F32(0x7fc0_0000), Value::F64(0.1f64.to_bits())] {
            assert_eq!(parse_value(value.ty(), &shown(&value)), Some(value));
        }
    }

    #[test]
    fn a_file_stands_for_its_run() {
        let implied = |args: &[&str]| {
            let args = with_implied_run(args.iter().map(OsString::from), "behind");
            args.iter().map(|arg| arg.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        for (args, expected) in [
            (&["hotcell", "a.wasm", "--json"][..], "hotcell run a.wasm --json"),
            (&["hotcell", "-"], "hotcell run -"),
            (&["hotcell", "behind", "a.wasm"], "hotcell behind run a.wasm"),
            (&["hotcell", "run", "a.wasm"], "hotcell run a.wasm"),
            (&["hotcell", "walk"], "hotcell walk"),
            (&["hotcell", "--help"], "hotcell --help"),
            (&["hotcell"], "hotcell"),
        ] {
            assert_eq!(implied(args), expected);
        }
    }
}
