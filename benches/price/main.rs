//! Nanoseconds per unit of fuel, for every kind of operator and every shape that a guest could repeat, on both
//! backends: a deadline can be late by a slice of the most expensive one.
//!
//! `cargo bench --bench price` prints the table, most expensive first; `-- NAME` only the kinds whose name contains
//! NAME. With `-- --test` each runs once and briefly.

use std::{env, time::Instant};

use hotcell::{
    Contract, Plugin, Policy, Proposal, Sandbox, Value, Wasmi, Wasmtime,
    backend::{Backend, HostFn},
    policy::Floats,
};
use hotcell_bench::kinds::{Kind, kinds};

/// Maximum nanoseconds per unit on a quiet machine.
const MOST_NANOS: f64 = 40.0;
/// Maximum as a multiple of the backend's median.
const MOST_OF_MEDIAN: f64 = 30.0;
/// Number of rounds, of which the minimum counts.
const ROUNDS: usize = 5;
/// Nanoseconds that a round should last.
const ROUND_NANOS: f64 = 8_000_000.0;

fn main() {
    let mut arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    arguments.retain(|argument| !argument.starts_with("--"));
    let chosen = |kind: &Kind| arguments.is_empty() || arguments.iter().any(|part| kind.name.contains(part.as_str()));
    let mut rows: Vec<(String, [f64; 2])> = Vec::new();
    for floats in [Floats::Allow, Floats::Canonical] {
        for kind in kinds().into_iter().filter(chosen) {
            let is_float = ["f32", "f64"].iter().any(|ty| kind.name.contains(ty));
            if floats == Floats::Canonical && !is_float {
                continue;
            }
            let name =
                if floats == Floats::Canonical { format!("{}, canonical", kind.name) } else { kind.name.clone() };
            let module = kind.module();
            let wasm = wat::parse_str(&module).unwrap_or_else(|error| panic!("{name}: {error}\n{module}"));
            let nanos =
                [price::<Wasmtime>(&name, &wasm, floats, is_test), price::<Wasmi>(&name, &wasm, floats, is_test)];
            rows.push((name, nanos));
        }
    }
    show(rows);
}

fn show(mut rows: Vec<(String, [f64; 2])>) {
    let medians = [0, 1].map(|backend| median(rows.iter().map(|(_, nanos)| nanos[backend]).collect()));
    rows.sort_by(|a, b| worst(b.1).total_cmp(&worst(a.1)));
    println!("| ns per unit of fuel | wasmtime | wasmi | |\n|---|---|---|---|");
    let mut outside = 0;
    for (name, nanos) in &rows {
        let is_outside = (0..2).any(|at| nanos[at] > MOST_NANOS || nanos[at] > MOST_OF_MEDIAN * medians[at]);
        outside += usize::from(is_outside);
        println!("| {name} | {:.2} | {:.2} | {} |", nanos[0], nanos[1], if is_outside { "outside" } else { "" });
    }
    println!("| median | {:.2} | {:.2} | |", medians[0], medians[1]);
    println!("\n{} kinds, {outside} outside of {MOST_NANOS} ns or {MOST_OF_MEDIAN} medians of the backend", rows.len());
}

fn worst(nanos: [f64; 2]) -> f64 {
    nanos[0].max(nanos[1])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Nanoseconds per unit of fuel on the backend `B`: the minimum of some rounds.
fn price<B: Backend + HostFn<(), ()>>(name: &str, wasm: &[u8], floats: Floats, is_test: bool) -> f64 {
    let plugin = load::<B>(wasm, floats);
    let mut rounds = 1i32;
    let measure = |rounds: i32| {
        let mut session = plugin.session(()).expect("an instance is made");
        // Touching memory for the first time is a kind of its own.
        if !name.contains("first") {
            session.call_values("run", &[Value::I32(rounds)]).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let begin = Instant::now();
        session.call_values("run", &[Value::I32(rounds)]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let nanos = begin.elapsed().as_secs_f64() * 1e9;
        (nanos, nanos / session.usage().fuel_used.unwrap_or(1).max(1) as f64)
    };
    if is_test || name.contains("first") {
        return measure(1).1;
    }
    while measure(rounds).0 < ROUND_NANOS / 4.0 && rounds < 1 << 24 {
        rounds *= 4;
    }
    (0..ROUNDS).map(|_| measure(rounds).1).fold(f64::INFINITY, f64::min)
}

fn load<B: Backend + HostFn<(), ()>>(wasm: &[u8], floats: Floats) -> Plugin<B> {
    let policy = Policy::ceiling().with(|rules| {
        rules.floats = floats;
        // A limit for the growths that must be refused.
        rules.limits.memory_bytes = 256 << 20;
        // Chains that are computed in many arms have large frames.
        rules.limits.stack_bytes = 32 << 20;
        for proposal in [Proposal::TailCall, Proposal::WideArithmetic] {
            rules.proposals.allow(proposal);
        }
    });
    let sandbox = Sandbox::<B>::on(policy.expect("the policy is right")).expect("the backend takes the policy");
    let mut imports = sandbox.imports::<()>();
    imports.func("env", "nop", |_, ()| Ok(())).expect("the name is free");
    sandbox.load_with(wasm, &imports, &Contract::None).unwrap_or_else(|error| panic!("{error}"))
}
