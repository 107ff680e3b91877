//! The cost of hotcell on top of its engines: prints one row for each comparison, and fails when a bound is exceeded.
//!
//! `cargo bench --bench overhead [-- FILTER]`; with `-- --test` each comparison runs once.

use std::{env, process::ExitCode};

use hotcell_bench::{cases, estimate::Verdict};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let filter = arguments.iter().find(|argument| !argument.starts_with("--"));
    let mut passed = true;
    println!(
        "{:<36} {:>7} {:>17} {:>7}  {:<9} {:>7} {:>12} {:>12}",
        "path", "ratio", "95 %", "bound", "", "rounds", "ours", "raw"
    );
    for case in cases::all() {
        let id = case.id();
        if filter.is_some_and(|filter| !id.contains(filter.as_str())) {
            continue;
        }
        let mut pair = case.pair();
        if is_test {
            pair.round(1);
            continue;
        }
        let ratio = pair.measure();
        let (ours, raw) = pair.seconds();
        let verdict = match ratio.verdict(case.bound) {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::NoResult => "no result",
        };
        passed &= verdict == "pass";
        println!(
            "{id:<36} {:>7.3} {:>8.3}-{:<8.3} {:>7.2}  {verdict:<9} {:>7} {:>12} {:>12}",
            ratio.median,
            ratio.low,
            ratio.high,
            case.bound,
            pair.rounds().len(),
            time(ours),
            time(raw),
        );
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-6 => format!("{:.1} ns", seconds * 1e9),
        seconds if seconds < 1e-3 => format!("{:.2} µs", seconds * 1e6),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}
