//! Modules compiled in processes of their own. This program is the parent and, started again, the compiler.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use hotcell::{
    Blame, CodeCache, CompileLimits, CompileWorker, Contract, Phase, Policy, Sandbox, SandboxBuilder, Tiered, Value,
    Wasmi, Wasmtime, backend::SandboxBackend,
};

const MARKDOWN: &[u8] = include_bytes!("../guests/markdown.wasm");
const LIMITS: CompileLimits = CompileLimits { time: Duration::from_secs(2), memory_bytes: 512 << 20 };
/// Far above the limits: only what is not limited comes to it.
const HANG: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    hotcell::serve_compile_worker();
    let mut failed = 0;
    for (name, check) in CHECKS {
        let is_good = panic::catch_unwind(check).is_ok();
        failed += u8::from(!is_good);
        println!("{name}: {}", if is_good { "ok" } else { "FAILED" });
    }
    ExitCode::from(failed)
}

const CHECKS: [(&str, fn()); 5] = [
    ("the_same_code_comes_back", the_same_code_comes_back),
    ("bombs_end_at_the_limits_and_nobody_waits", bombs_end_at_the_limits_and_nobody_waits),
    ("what_cannot_be_compiled_stays_on_the_interpreter", what_cannot_be_compiled_stays_on_the_interpreter),
    ("only_a_limit_that_the_module_reached_is_remembered", only_a_limit_that_the_module_reached_is_remembered),
    ("a_program_that_is_no_worker_is_an_error", a_program_that_is_no_worker_is_an_error),
];

fn worker() -> CompileWorker {
    CompileWorker::this_program().unwrap().with_limits(LIMITS)
}

fn policy(policy: Policy) -> Policy {
    policy.with(|rules| rules.abi = None).unwrap()
}

fn sandbox(policy: Policy) -> Sandbox<Wasmtime> {
    Sandbox::builder(policy).compile_worker(worker()).build().unwrap()
}

/// Locals that differ at many joins: a compiler merges each of them at each, and takes the square of the joins for it.
fn merges(locals: usize, joins: usize) -> Vec<u8> {
    let labels: String = (1..=joins).map(|label| format!("{label} ")).collect();
    let sets: String = (1..locals).map(|local| format!("global.get $g local.set {local} ")).collect();
    let uses: String = (1..locals).map(|local| format!("local.get {local} global.set $g ")).collect();
    let (blocks, ends) = ("block ".repeat(joins), "end ".repeat(joins));
    let text = format!(
        r#"(module (global $g (mut i32) (i32.const 0)) (func (export "f") (param i32) (local {})
            {blocks} local.get 0 if local.get 0 br_table {labels} end {sets} {ends} {uses}))"#,
        "i32 ".repeat(locals - 1)
    );
    wat::parse_str(text).unwrap()
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn the_same_code_comes_back() {
    let input = b"# *hot* cell";
    for policy in [Policy::default(), Policy::strict()] {
        let here = Sandbox::new(policy.clone()).unwrap().load(MARKDOWN, "process").unwrap();
        let there = sandbox(policy).load(MARKDOWN, "process").unwrap();
        let (one, other) = (here.call("process", input).unwrap(), there.call("process", input).unwrap());
        assert_eq!((one.bytes, one.report.usage), (other.bytes, other.report.usage));
    }
}

fn bombs_end_at_the_limits_and_nobody_waits() {
    let neighbour = Sandbox::new(Policy::default()).unwrap().load(MARKDOWN, "process").unwrap();
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let before = resident();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                neighbour.call("process", b"*hot*").unwrap();
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
        for preset in [Policy::strict(), Policy::default(), Policy::ceiling()] {
            let (begin, others) = (Instant::now(), calls.load(Ordering::Relaxed));
            let sandbox = sandbox(policy(preset));
            let outcome = sandbox.load_with(&merges(300, 990), &sandbox.imports::<()>(), &Contract::None);
            let error = outcome.err().expect("no compiler does this within the limits");
            assert_eq!((error.code(), error.phase(), error.blame()), ("compile-limit", Phase::Compile, Blame::Module));
            assert!(begin.elapsed() < HANG);
            assert!(calls.load(Ordering::Relaxed) > others + 10, "the neighbour waited");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more than before");
}

fn what_cannot_be_compiled_stays_on_the_interpreter() {
    let sandbox = SandboxBuilder::<Tiered>::new(policy(Policy::strict())).compile_worker(worker()).build().unwrap();
    let imports = sandbox.imports::<()>();
    let plugin = sandbox.load_with(&merges(300, 990), &imports, &Contract::None).unwrap();
    sandbox.backend().finish_compiling();
    // Its frame may be charged for more merges than a stack holds.
    let report = match plugin.call_values("f", &[Value::I32(1)], (), None) {
        Ok((_, report)) => report,
        Err(error) => *error.report,
    };
    assert_eq!(report.tier.map(|tier| tier.backend), Some(Wasmi::ID));
    let notes = plugin.notes().join("\n");
    assert!(notes.contains("stays on wasmi") && notes.contains("compiling the module needs more than"), "{notes}");
}

/// A worker that does this instead of compiling.
fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

fn only_a_limit_that_the_module_reached_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let limits = CompileLimits { time: Duration::from_millis(300), ..LIMITS };
    let load = |cache: &str, program: &Path, limits: CompileLimits| {
        let cache = CodeCache::in_dir(directory.path().join(cache)).unwrap();
        let worker = CompileWorker::program(program).with_limits(limits);
        let sandbox = Sandbox::builder(Policy::default()).cache(cache).compile_worker(worker).build().unwrap();
        sandbox.load(MARKDOWN, "process").err().map(|error| (error.code(), error.to_string()))
    };
    // Whoever tries again finds no worker.
    let again = |cache: &str, limits| load(cache, Path::new("/no/such/program"), limits).unwrap().0;

    let short = script(directory.path(), "short", "echo memory allocation of 5 bytes failed >&2; exit 1");
    let (code, first) = load("short.cache", &short, limits).unwrap();
    assert_eq!((code, again("short.cache", limits)), ("compile-limit", "compile-limit"), "{first}");
    let others = [
        CompileLimits { memory_bytes: limits.memory_bytes + 1, ..limits },
        CompileLimits { time: limits.time * 2, ..limits },
    ];
    assert_eq!(others.map(|limits| again("short.cache", limits)), ["backend"; 2], "other limits are tried");

    // As where a machine is busy or asleep: its time is over, and it had no processor for it.
    let stopped = script(directory.path(), "stopped", "exec sleep 5");
    let (code, message) = load("stopped.cache", &stopped, limits).unwrap();
    assert_eq!((code, again("stopped.cache", limits)), ("compile-limit", "backend"), "{message}");
    assert!(message.contains("of which it had a processor for"), "{message}");

    let crashing = script(directory.path(), "crashing", "kill -SEGV $$");
    let (code, message) = load("crashing.cache", &crashing, limits).unwrap();
    assert_eq!((code, again("crashing.cache", limits)), ("backend", "backend"), "{message}");
}

fn a_program_that_is_no_worker_is_an_error() {
    for program in ["/bin/true", "/no/such/program"] {
        let builder = Sandbox::builder(Policy::default()).compile_worker(CompileWorker::program(program));
        let error = builder.build().unwrap().load(MARKDOWN, "process").err().unwrap();
        assert_eq!((error.code(), error.blame()), ("backend", Blame::Engine), "{program}");
    }
}
