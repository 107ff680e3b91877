//! Traces: equal on every backend, and complete.

use std::{fs, path::Path};

use hotcell::{
    Contract, LoadError, Policy, Recorded, Reply, Sandbox, Tiered, Wasmi, Wasmtime, admit::COMMAND, backend::Backend,
    trace::Trace,
};
use hotcell_differential::{Configuration, traced::TracedRuns};

const MODULES: u64 = 300;

#[test]
fn a_trace_accounts_for_all_fuel_of_generated_modules_and_is_the_same_on_each_backend() {
    let (mut ended, mut frames, mut differences) = (std::collections::BTreeMap::new(), 0, Vec::new());
    for configuration in Configuration::USUAL {
        let (one, other) = (TracedRuns::<Wasmtime>::new(configuration), TracedRuns::<Wasmi>::new(configuration));
        let (one, other) = (one.unwrap(), other.unwrap());
        for seed in 0..MODULES {
            match (one.compare(seed), other.compare(seed)) {
                (Ok(one), Ok(other)) if one == other => {
                    for call in one {
                        *ended.entry(call.code).or_insert(0) += 1;
                        frames += call.trace.backtrace.runs.len();
                        let innermost = call.trace.backtrace.innermost();
                        assert!(innermost.is_none_or(|frame| frame.offset.is_some()), "{:?}", call.trace.backtrace);
                    }
                }
                (Ok(one), Ok(other)) => differences.push(format!("{seed} {configuration:?}\n{one:?}\n{other:?}")),
                (one, other) => {
                    differences.extend([one.err(), other.err()].into_iter().flatten().map(|it| it.to_string()))
                }
            }
        }
    }
    println!("{ended:?}, {frames} frames");
    assert!(differences.is_empty(), "{}: {}", differences.len(), differences[..differences.len().min(3)].join("\n"));
    for code in ["ok", "out-of-fuel", "stack-overflow", "host-call-limit"] {
        assert!(ended.get(code).is_some_and(|calls| *calls >= 4), "hardly any call ends in {code}");
    }
}

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entry(contract: &Contract) -> &str {
    if *contract == Contract::Command { COMMAND } else { "process" }
}

/// A call without tracing, and one with.
fn both<B: Backend>(module: &[u8], input: &[u8], policy: &Policy) -> Result<(u64, Recorded<Reply>), LoadError> {
    let sandbox = Sandbox::<B>::on(policy.clone()).unwrap();
    let contract = Contract::of(module, "process");
    let plain = sandbox.load_with::<()>(module, &sandbox.imports(), &contract)?;
    let plain = plain.call(entry(&contract), input);
    let usage = plain.map_or_else(|error| error.report.usage, |reply| reply.report.usage);
    let traced = sandbox.load_traced::<()>(module, &sandbox.imports(), &contract)?;
    Ok((usage.fuel_used.unwrap(), traced.call(entry(&contract), input)))
}

fn trace_of<B: Backend>(name: &str, module: &[u8], input: &[u8], policy: &Policy) -> Trace {
    let (fuel, recorded) = both::<B>(module, input, policy).unwrap_or_else(|error| panic!("{name}: {error}"));
    let usage = recorded.outcome.map_or_else(|error| error.report.usage, |reply| reply.report.usage);
    let trace = recorded.trace.unwrap();
    assert_eq!(usage.fuel_used, Some(fuel), "{name}");
    assert_eq!(trace.profile.fuel(), fuel, "{name}");
    trace
}

const GUESTS: [&str; 11] = [
    "kernels.wasm",
    "markdown.wasm",
    "wordcount.wasm",
    "languages/assemblyscript/plugin.wasm",
    "languages/c/plugin.wasm",
    "languages/c/command.wasm",
    "languages/cpp/plugin.wasm",
    "languages/go/plugin.wasm",
    "languages/rust/plugin.wasm",
    "languages/rust/wasi.wasm",
    "languages/zig/plugin.wasm",
];

#[test]
fn a_trace_accounts_for_all_fuel_of_guests() {
    let input = br#"{"text":"to be or not to be"}"#;
    for name in GUESTS {
        let module = read(name);
        let trace = trace_of::<Wasmtime>(name, &module, input, &Policy::default());
        assert_eq!(trace_of::<Wasmi>(name, &module, input, &Policy::default()), trace, "{name}");
        assert_eq!(trace_of::<Tiered>(name, &module, input, &Policy::default()), trace, "{name}");
        println!("{name:<40} {:>9} fuel on {} paths", trace.profile.fuel(), trace.profile.paths.len());
    }
}
