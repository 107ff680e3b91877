//! The result as text and as JSON.

use std::{
    fmt::Display,
    io::{self, Write},
};

use bytesize::ByteSize;
use serde::Serialize;

use super::{
    break_even::Comparison,
    measure::{Bench, Engine},
};
use crate::{backends::TIERED, outcome::SCHEMA};

/// Prints a table and its conclusion.
pub(crate) fn table(bench: &Bench) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Bench { name, module_bytes, input_bytes, output_bytes, policy, .. } = bench;
    let size = |bytes: &usize| ByteSize(*bytes as u64);
    writeln!(out, "{name}: {} of module, {} in, {} out", size(module_bytes), size(input_bytes), size(output_bytes))?;
    writeln!(out, "policy {}, processor time, medians\n", policy.fingerprint())?;
    let mut row = |what: &str, cell: &dyn Fn(&Engine) -> String| {
        write!(out, "{what:<34}")?;
        for engine in &bench.engines {
            write!(out, " {:>14}", cell(engine))?;
        }
        writeln!(out)
    };
    row("", &|engine| engine.info.id.to_owned())?;
    row("", &|engine| kind(engine).to_owned())?;
    row("admit", &|_| seconds(bench.admit))?;
    row("rewrite", &|_| seconds(bench.rewrite))?;
    row("compile and link", &|engine| seconds(engine.compile))?;
    row("instantiate, ABI check", &|engine| seconds(engine.instantiate))?;
    row("first call", &|engine| seconds(engine.first_call))?;
    row("first answer", &|engine| seconds(bench.total(engine, 1.0)))?;
    row("call, fresh instance", &|engine| seconds(engine.call.median))?;
    row("  95 % interval", &|engine| percent(engine))?;
    row("call, live instance", &|engine| seconds(engine.live_call.median))?;
    row("calls per second, one thread", &|engine| count(1.0 / engine.call.median))?;
    row("fuel per call", &|engine| engine.fuel.map_or("-".to_owned(), |fuel| count(fuel as f64)))?;
    row("fuel per second", &|engine| fuel_per_second(engine).map_or("-".to_owned(), count))?;
    row("peak memory of the guest", &|engine| ByteSize(engine.peak_memory).to_string())?;
    if let Some(advice) = advice(bench) {
        writeln!(out, "\n{advice}")?;
    }
    out.flush()
}

/// What the engine is.
fn kind(engine: &Engine) -> &'static str {
    match engine.info.is_jit {
        _ if engine.info.id == TIERED => "both",
        true => "JIT",
        false => "interpreter",
    }
}

/// Which backend to choose.
pub(crate) fn advice(bench: &Bench) -> Option<String> {
    let (first, second, comparison) = bench.comparison()?;
    let (cheap_first, dear_first, calls) = match comparison {
        Comparison::First => return Some(always(first, second)),
        Comparison::Second => return Some(always(second, first)),
        Comparison::FirstFrom(calls) => (second, first, calls),
        Comparison::SecondFrom(calls) => (first, second, calls),
    };
    let times = cheap_first.call.median / dear_first.call.median;
    let (slow, fast) = (cheap_first.info.id, dear_first.info.id);
    let loses = seconds(dear_first.cost(bench).start - cheap_first.cost(bench).start);
    let tiered = match bench.engines.iter().find(|engine| engine.info.id == TIERED) {
        Some(_) => "\nChoose tiered where code may be generated and you do not want to choose.",
        None => "",
    };
    Some(format!(
        "break-even: {calls} calls. {fast} starts {loses} later and is {times:.1} times as fast per call.\n\
         Choose {slow} for a plugin that is loaded for fewer calls than that, {fast} for one that stays.{tiered}"
    ))
}

fn always(winner: &Engine, loser: &Engine) -> String {
    let (winner, loser) = (winner.info.id, loser.info.id);
    format!("no break-even: {winner} is sooner done than {loser}, however many calls.\nChoose {winner}.")
}

fn fuel_per_second(engine: &Engine) -> Option<f64> {
    engine.fuel.map(|fuel| fuel as f64 / engine.call.median)
}

/// Half the width of the interval.
fn percent(engine: &Engine) -> String {
    let call = engine.call;
    format!("±{:.1} %", 50.0 * (call.high - call.low) / call.median)
}

/// A time for text output.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1e-6 => format!("{:.0} ns", seconds * 1e9),
        _ if seconds < 1e-3 => three(seconds * 1e6, "µs"),
        _ if seconds < 1.0 => three(seconds * 1e3, "ms"),
        _ => three(seconds, "s"),
    }
}

/// A number for text output.
pub(crate) fn count(number: f64) -> String {
    match number {
        _ if number < 1e3 => format!("{number:.0}"),
        _ if number < 1e6 => three(number / 1e3, "k"),
        _ if number < 1e9 => three(number / 1e6, "M"),
        _ => three(number / 1e9, "G"),
    }
}

/// Three digits and a unit.
fn three(number: f64, unit: impl Display) -> String {
    let digits = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.digits$} {unit}")
}

/// The JSON object. Times are in microseconds.
#[derive(Serialize)]
pub(crate) struct Json {
    schema: u32,
    verdict: &'static str,
    code: &'static str,
    name: String,
    module_bytes: usize,
    input_bytes: usize,
    output_bytes: usize,
    policy: String,
    admit_us: f64,
    rewrite_us: f64,
    backends: Vec<JsonEngine>,
    break_even: Option<JsonBreakEven>,
    advice: Option<String>,
}

#[derive(Serialize)]
struct JsonEngine {
    backend: &'static str,
    backend_version: &'static str,
    jit: bool,
    compile_us: f64,
    instantiate_us: f64,
    first_call_us: f64,
    call_us: f64,
    call_low_us: f64,
    call_high_us: f64,
    live_call_us: f64,
    fuel_per_call: Option<u64>,
    fuel_per_second: Option<f64>,
    peak_memory_bytes: u64,
}

/// The backend to choose below that many calls, and the one from there on.
#[derive(Serialize)]
struct JsonBreakEven {
    calls: u64,
    below: &'static str,
    from: &'static str,
}

impl From<&Bench> for Json {
    fn from(bench: &Bench) -> Self {
        let us = |seconds: f64| seconds * 1e6;
        let backends = bench.engines.iter().map(|engine| JsonEngine {
            backend: engine.info.id,
            backend_version: engine.info.version,
            jit: engine.info.is_jit,
            compile_us: us(engine.compile),
            instantiate_us: us(engine.instantiate),
            first_call_us: us(engine.first_call),
            call_us: us(engine.call.median),
            call_low_us: us(engine.call.low),
            call_high_us: us(engine.call.high),
            live_call_us: us(engine.live_call.median),
            fuel_per_call: engine.fuel,
            fuel_per_second: fuel_per_second(engine),
            peak_memory_bytes: engine.peak_memory,
        });
        let break_even = bench.comparison().and_then(|(first, second, comparison)| match comparison {
            Comparison::First | Comparison::Second => None,
            Comparison::FirstFrom(calls) => Some(JsonBreakEven { calls, below: second.info.id, from: first.info.id }),
            Comparison::SecondFrom(calls) => Some(JsonBreakEven { calls, below: first.info.id, from: second.info.id }),
        });
        Self {
            schema: SCHEMA,
            verdict: "ok",
            code: "ok",
            name: bench.name.clone(),
            module_bytes: bench.module_bytes,
            input_bytes: bench.input_bytes,
            output_bytes: bench.output_bytes,
            policy: bench.policy.fingerprint().to_string(),
            admit_us: us(bench.admit),
            rewrite_us: us(bench.rewrite),
            backends: backends.collect(),
            break_even,
            advice: advice(bench),
        }
    }
}
