//! Traces: equal on every backend, and complete.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use hotcell::{
    Contract, HostCx, LoadError, Metering, Policy, Proposal, Recorded, Reply, Sandbox, Symbols, Tiered, Wasmi,
    Wasmtime, admit::COMMAND, backend::Backend, policy::Unknown, trace::Trace,
};
use hotcell_differential::{Configuration, traced::TracedRuns};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const MODULES: u64 = 300;

#[test]
fn a_trace_accounts_for_all_fuel_of_generated_modules_and_is_the_same_on_each_backend() {
    let (mut ended, mut frames, mut differences) = (BTreeMap::new(), 0, Vec::new());
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

const GUESTS: [&str; 13] = [
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
    "traps/c.wasm",
    "traps/go.wasm",
    "traps/rust.wasm",
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

/// The names of the guest's functions where it failed, each with its line, and how often what repeats does.
fn backtrace<B: Backend>(name: &str, input: &str, policy: &Policy) -> Vec<String> {
    let module = read(name);
    let symbols = Symbols::of(&module);
    let (fuel, recorded) = both::<B>(&module, input.as_bytes(), policy).unwrap();
    let trace = recorded.trace.unwrap();
    assert_eq!(trace.profile.fuel(), fuel);
    let mut lines = vec![recorded.outcome.unwrap_err().code().to_owned()];
    for run in &trace.backtrace.runs {
        for frame in &run.frames {
            let name = symbols.name(frame.function).unwrap();
            let source = frame.offset.and_then(|offset| symbols.source(offset));
            let source = source.map(|source| format!(" {}:{}", source.file, source.line.unwrap()));
            lines.push(name + &source.unwrap_or_default());
        }
        lines.extend((run.times > 1).then(|| format!("{} times", run.times)));
    }
    lines.extend(trace.is_own_stack_exceeded.then(|| "own stack".to_owned()));
    lines
}

fn on_all(name: &str, input: &str, policy: &Policy) -> Vec<String> {
    let lines = backtrace::<Wasmtime>(name, input, policy);
    assert_eq!(backtrace::<Wasmi>(name, input, policy), lines, "{name}");
    assert_eq!(backtrace::<Tiered>(name, input, policy), lines, "{name}");
    lines
}

#[test]
fn a_trap_has_the_same_backtrace_on_each_backend() {
    let policy = Policy::default();
    let expected = ["divide ./trap.c:12", "evaluate ./trap.c:45", "process ./trap.c:49"];
    assert_eq!(on_all("traps/c.wasm", "1/0", &policy), [&["trap-integer-division-by-zero"], &expected[..]].concat());
    let panicking = ["core::panicking::panic_fmt", "core::panicking::panic_bounds_check"];
    let expected = ["trap::Picker::pick", "trap::answer", "process"];
    let expected = [&["trap-unreachable", "__rustc::rust_begin_unwind"], &panicking[..], &expected].concat();
    assert_eq!(on_all("traps/rust.wasm", "9", &policy), expected);
    let panicking = ["runtime.abort", "runtime.fatalpanic", "runtime.gopanic", "runtime.goPanicIndex"];
    let expected = ["main.turn", "main.process", "process"];
    let expected = [&["trap-unreachable"], &panicking[..], &expected].concat();
    assert_eq!(on_all("traps/go.wasm", "9", &policy), expected);
}

#[test]
fn other_faults_have_a_backtrace_too() {
    let policy = Policy::default();
    let mut lines = on_all("traps/c.wasm", "r", &policy);
    assert!(lines[4].ends_with(" times"), "{lines:?}");
    lines.remove(4);
    let cycle = ["even ./trap.c:23", "odd ./trap.c:24", "even ./trap.c:23"];
    assert_eq!(lines, [&["stack-overflow"], &cycle[..], &["evaluate ./trap.c:35", "process ./trap.c:49"]].concat());
    let expected = ["deep ./trap.c:29", "deep ./trap.c:30", "4 times", "evaluate ./trap.c:37", "process ./trap.c:49"];
    let expected = [&["trap-memory-out-of-bounds"], &expected[..], &["own stack"]].concat();
    assert_eq!(on_all("traps/c.wasm", "d", &policy), expected);
    assert_eq!(on_all("traps/c.wasm", "b", &policy), ["bad-output", "process ./trap.c:54"]);
    let lines = on_all("traps/c.wasm", "l", &policy.with(|rules| rules.limits.fuel = Some(100_000)).unwrap());
    assert!(lines.len() == 3 && lines[1].starts_with("evaluate ./trap.c:3"), "{lines:?}");
}

/// Calls its host, then traps.
const ASKING: &str = r#"(module (import "env" "ask" (func $ask))
    (func (export "f") (call $ask) (unreachable)))"#;

#[test]
fn a_repeated_run_ends_in_front_of_an_effect() {
    let sandbox = Sandbox::<Wasmi>::on(Policy::default()).unwrap();
    let module = wat::parse_str(ASKING).unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let asked = calls.clone();
    let mut imports = sandbox.imports::<()>();
    let asking = move |_: &mut HostCx<'_, Wasmi, ()>, ()| {
        asked.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    imports.func("env", "ask", asking).unwrap();
    let traced = sandbox.load_traced(&module, &imports, &Contract::None).unwrap();
    let first = traced.call_values("f", &[], (), None);
    assert_eq!((first.outcome.unwrap_err().code(), first.was_refused), ("trap-unreachable", false));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let again = traced.repeated().call_values("f", &[], (), None);
    assert!(again.was_refused && again.outcome.is_err());
    assert_eq!(again.trace.unwrap().backtrace.innermost().unwrap().function, 1);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "the host function ran again");
}

#[test]
fn only_a_guest_that_counts_is_traced() {
    let policy = Policy::default().with(|rules| rules.metering = Metering::Engine).unwrap();
    let sandbox = Sandbox::<Wasmi>::on(policy).unwrap();
    let module = wat::parse_str("(module)").unwrap();
    let error = sandbox.load_traced::<()>(&module, &sandbox.imports(), &Contract::None).err().unwrap();
    assert_eq!(error.code(), "policy-mismatch");
}

/// A tail call takes the place of its caller, also in the backtrace; one that traps is still in it.
#[test]
fn tail_calls_leave_their_callers() {
    let module = wat::parse_str(
        r#"(module (type $t (func)) (table 1 funcref)
            (func (export "f") (call $tail) (nop))
            (func $tail (return_call $end))
            (func $end (unreachable))
            (func (export "g") (call $null) (nop))
            (func $null (return_call_indirect (type $t) (i32.const 0))))"#,
    )
    .unwrap();
    let policy = Policy::default().with(|rules| rules.proposals.allow(Proposal::TailCall)).unwrap();
    let sandbox = Sandbox::<Wasmtime>::on(policy).unwrap();
    let traced = sandbox.load_traced::<()>(&module, &sandbox.imports(), &Contract::None).unwrap();
    let functions = |export: &str| -> Vec<u32> {
        let trace = traced.call_values(export, &[], (), None).trace.unwrap();
        trace.backtrace.runs.iter().flat_map(|run| &run.frames).map(|frame| frame.function).collect()
    };
    assert_eq!(functions("f"), [2, 0]);
    assert_eq!(functions("g"), [4, 3]);
}

/// The functions of the rewrite move indices; a trace has those of the module as it came.
#[test]
fn functions_keep_their_indices() {
    let module = wat::parse_str(
        r#"(module (import "env" "nobody" (func $nobody)) (memory 1)
            (func $grow (result i32) (memory.grow (i32.const 1)))
            (func (export "f") (drop (call $grow)) (call $inner))
            (func $inner (call $nobody)))"#,
    )
    .unwrap();
    let policy = Policy::default().with(|rules| rules.imports.unknown = Unknown::Trap).unwrap();
    let sandbox = Sandbox::<Wasmi>::on(policy).unwrap();
    let traced = sandbox.load_traced::<()>(&module, &sandbox.imports(), &Contract::None).unwrap();
    let recorded = traced.call_values("f", &[], (), None);
    assert_eq!(recorded.outcome.unwrap_err().code(), "import-missing");
    let trace = recorded.trace.unwrap();
    let functions = trace.backtrace.runs.iter().flat_map(|run| &run.frames).map(|frame| frame.function);
    assert_eq!(functions.collect::<Vec<_>>(), [3, 2]);
    let called = trace.profile.functions.iter().map(|cost| (cost.function, cost.calls));
    assert_eq!(called.collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1)]);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    wasm: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
}

#[test]
fn the_compiled_plugins_are_those_of_the_sources() {
    let manifest: Manifest = toml::from_str(&String::from_utf8(read("traps/manifest.toml")).unwrap()).unwrap();
    for (name, expected) in manifest.wasm.iter().chain(&manifest.sources) {
        let hash = Sha256::digest(read(&format!("traps/{name}")));
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, *expected, "run guests/traps/build.sh: {name}");
    }
}
