//! Loading: what a cache, two tiers and a compile worker give. Prints one row for each promise, and fails when a bound is
//! exceeded.
//!
//! `cargo bench --bench load`; with `-- --test` each comparison runs once. Wall-clock times of interleaved rounds: what is
//! compared uses several threads and processes. The rows of whole processes need `target/release/hotcell`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use hotcell::{
    CodeCache, CompileWorker, Contract, Offered, Plugin, Policy, Sandbox, SandboxBuilder, Tiered, Value, Wasmi,
    Wasmtime, admit, backend::SandboxBackend,
};
use hotcell_bench::estimate::Estimate;

const MARKDOWN: &[u8] = include_bytes!("../guests/markdown.wasm");
const README: &[u8] = include_bytes!("../README.md");
const ENTRY: &str = "process";
/// Rounds of a guest that takes about two seconds on the interpreter.
const LONG: i64 = 100_000_000;

/// How often a row is repeated.
struct Effort {
    is_test: bool,
}

impl Effort {
    fn of(&self, full: usize) -> usize {
        if self.is_test { 1 } else { full }
    }
}

/// What is promised of the ratio of two times, or of the difference.
enum Bound {
    Most(f64),
    Least(f64),
    /// At most so many seconds more.
    More(f64),
}

fn main() -> ExitCode {
    hotcell::serve_compile_worker();
    let effort = Effort { is_test: env::args().any(|argument| argument == "--test") };
    println!("{:<58} {:>9} {:>19} {:>9}  {:<9} {:>9} {:>9}", "", "median", "95 %", "bound", "", "ours", "other");
    let rows: [fn(&Effort) -> bool; 7] =
        [cached_and_compiled, cached_and_bare, first_answers, long_calls, steady_calls, workers, processes];
    // All rows are printed, whatever the first ones say.
    let passed = rows.map(|row| row(&effort));
    ExitCode::from(u8::from(!effort.is_test && passed.contains(&false)))
}

/// Runs both sides in turns, prints the row, and says whether the bound is kept.
fn row(name: &str, bound: &Bound, rounds: usize, mut ours: impl FnMut(), mut other: impl FnMut()) -> bool {
    let pairs: Vec<(f64, f64)> = (0..rounds)
        .map(|round| match round % 2 {
            0 => (seconds(&mut ours), seconds(&mut other)),
            _ => {
                let other = seconds(&mut other);
                (seconds(&mut ours), other)
            }
        })
        .collect();
    print_row(name, bound, &pairs)
}

fn print_row(name: &str, bound: &Bound, pairs: &[(f64, f64)]) -> bool {
    let samples: Vec<f64> = pairs
        .iter()
        .map(|(ours, other)| match bound {
            Bound::Most(_) => ours / other,
            Bound::Least(_) => other / ours,
            Bound::More(_) => 1e3 * (ours - other),
        })
        .collect();
    let estimate = Estimate::of(&samples);
    let (text, is_kept) = match bound {
        Bound::Most(bound) => (format!("≤ {bound}"), estimate.low <= *bound),
        Bound::Least(bound) => (format!("≥ {bound}"), estimate.high >= *bound),
        Bound::More(bound) => (format!("+ {} ms", bound * 1e3), estimate.low <= bound * 1e3),
    };
    let middle = |of: fn(&(f64, f64)) -> f64| Estimate::of(&pairs.iter().map(of).collect::<Vec<_>>()).median;
    println!(
        "{name:<58} {:>9.3} {:>9.3}-{:<9.3} {text:>9}  {:<9} {:>9} {:>9}",
        estimate.median,
        estimate.low,
        estimate.high,
        if is_kept { "pass" } else { "FAIL" },
        time(middle(|pair| pair.0)),
        time(middle(|pair| pair.1)),
    );
    is_kept
}

fn seconds(run: &mut impl FnMut()) -> f64 {
    let begin = Instant::now();
    run();
    begin.elapsed().as_secs_f64()
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-6 => format!("{:.0} ns", seconds * 1e9),
        seconds if seconds < 1e-3 => format!("{:.1} µs", seconds * 1e6),
        seconds => format!("{:.1} ms", seconds * 1e3),
    }
}

/// A directory of this process's own.
fn scratch(name: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("hotcell-load-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

fn load<B: hotcell::backend::Backend>(sandbox: &Sandbox<B>) -> Plugin<B> {
    sandbox.load(MARKDOWN, ENTRY).expect("the guest loads")
}

fn cached_and_compiled(effort: &Effort) -> bool {
    let directory = scratch("compiled");
    let cache = CodeCache::in_dir(&directory).expect("a directory of ours");
    let cached = Sandbox::builder(Policy::default()).cache(cache).build().expect("the policy");
    let plain = Sandbox::new(Policy::default()).expect("the policy");
    load(&cached);
    let name = "markdown.wasm from the cache, against compiling it";
    let is_kept = row(name, &Bound::Least(150.0), effort.of(15), || drop(load(&cached)), || drop(load(&plain)));
    let _ = fs::remove_dir_all(directory);
    is_kept
}

/// The least that a cache must do: one hash for the name, one for the seal, and the engine's own part.
#[expect(unsafe_code, reason = "what the cache is held against")]
fn cached_and_bare(effort: &Effort) -> bool {
    let directory = scratch("bare");
    let cache = CodeCache::in_dir(&directory).expect("a directory of ours");
    let cached = Sandbox::builder(Policy::default()).cache(cache).build().expect("the policy");
    load(&cached);
    let admitted = admit(MARKDOWN, cached.policy(), &Offered::default(), &Contract::bytes(ENTRY)).expect("admitted");
    let mut config = hotcell_wasmtime::config::sandbox_config(cached.policy());
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(
        hotcell_wasmtime::config::pooling_config(cached.policy(), 16),
    ));
    let engine = wasmtime::Engine::new(&config).expect("the configuration");
    let code = wasmtime::Module::new(&engine, admitted.bytes()).and_then(|module| module.serialize());
    let file = directory.join("bare");
    fs::write(&file, code.expect("it compiles")).expect("a file");
    let bare = || {
        std::hint::black_box(blake3::hash(MARKDOWN));
        let code = fs::read(&file).expect("the file");
        std::hint::black_box(blake3::keyed_hash(&[7; 32], &code));
        // SAFETY: this process has just written it.
        std::hint::black_box(unsafe { wasmtime::Module::deserialize(&engine, &code) }.expect("its own code"));
    };
    let name = "the same, against hash, seal and bare deserialization";
    let is_kept = row(name, &Bound::Most(1.3), effort.of(101), || drop(load(&cached)), bare);
    let _ = fs::remove_dir_all(directory);
    is_kept
}

fn first_answers(effort: &Effort) -> bool {
    let tiered = SandboxBuilder::<Tiered>::new(Policy::default()).build().expect("the policy");
    let wasmi = Sandbox::<Wasmi>::on(Policy::default()).expect("the policy");
    fn answer<B: hotcell::backend::Backend>(sandbox: &Sandbox<B>) -> f64 {
        seconds(&mut || drop(load(sandbox).call(ENTRY, README).expect("a reply")))
    }
    let pairs: Vec<(f64, f64)> = (0..effort.of(21))
        .map(|_| {
            let ours = answer(&tiered);
            // The next round's side must not share the machine with this one's compiler.
            tiered.backend().finish_compiling();
            (ours, answer(&wasmi))
        })
        .collect();
    print_row("first answer of tiered, nothing cached, against wasmi", &Bound::Most(1.2), &pairs)
}

/// A guest that computes for as long as it is told.
fn long_guest() -> Vec<u8> {
    wat::parse_str(
        r#"(module (func (export "f") (param i64) (result i64) (local i64)
            (loop $again
                (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 31)) (local.get 0)))
                (br_if $again (i64.ne (i64.const 0) (local.tee 0 (i64.sub (local.get 0) (i64.const 1))))))
            (local.get 1)))"#,
    )
    .expect("it is text")
}

fn long_policy() -> Policy {
    Policy::default().with(|rules| (rules.abi, rules.limits.fuel) = (None, None)).expect("the rules")
}

fn long_calls(effort: &Effort) -> bool {
    let (guest, rounds) = (long_guest(), if effort.is_test { LONG / 1_000 } else { LONG });
    fn run<B: hotcell::backend::Backend>(sandbox: &Sandbox<B>, guest: &[u8], rounds: i64) {
        let plugin = sandbox.load_with(guest, &sandbox.imports::<()>(), &Contract::None).expect("it loads");
        plugin.call_values("f", &[Value::I64(rounds)], (), None).expect("it ends");
    }
    let tiered = SandboxBuilder::<Tiered>::new(long_policy()).build().expect("the policy");
    let wasmtime = Sandbox::<Wasmtime>::on(long_policy()).expect("the policy");
    let name = "long call on tiered, nothing cached, against compiling first";
    let ours = || run(&tiered, &guest, rounds);
    row(name, &Bound::Most(1.05), effort.of(9), ours, || run(&wasmtime, &guest, rounds))
}

fn steady_calls(effort: &Effort) -> bool {
    let tiered = SandboxBuilder::<Tiered>::new(Policy::default()).build().expect("the policy");
    let wasmtime = Sandbox::<Wasmtime>::on(Policy::default()).expect("the policy");
    let (ours, other) = (load(&tiered), load(&wasmtime));
    tiered.backend().finish_compiling();
    let name = "fresh call on tiered, compiled, against wasmtime";
    let fresh = |plugin: &dyn Fn()| (0..200).for_each(|_| plugin());
    let is_fresh_kept = row(
        name,
        &Bound::Most(1.05),
        effort.of(51),
        || fresh(&|| drop(ours.call(ENTRY, b"hot").expect("a reply"))),
        || fresh(&|| drop(other.call(ENTRY, b"hot").expect("a reply"))),
    );
    let (mut ours, mut other) = (ours.session(()).expect("an instance"), other.session(()).expect("an instance"));
    let (fast, plain) = (ours.func::<u32, u32>("alloc"), other.func::<u32, u32>("alloc"));
    let (fast, plain) = (fast.expect("it is there"), plain.expect("it is there"));
    let is_typed_kept = row(
        "typed call on tiered, compiled, against wasmtime",
        &Bound::Most(1.15),
        effort.of(51),
        || (0..2_000).for_each(|_| assert!(ours.call_typed(&fast, 0u32).is_ok())),
        || (0..2_000).for_each(|_| assert!(other.call_typed(&plain, 0u32).is_ok())),
    );
    is_fresh_kept && is_typed_kept
}

fn workers(effort: &Effort) -> bool {
    let worker = CompileWorker::this_program().expect("main serves");
    let there = Sandbox::builder(Policy::default()).compile_worker(worker).build().expect("the policy");
    let here = Sandbox::new(Policy::default()).expect("the policy");
    let name = "compiling markdown.wasm in a worker, against in the process";
    row(name, &Bound::More(0.015), effort.of(11), || drop(load(&there)), || drop(load(&here)))
}

/// Whole processes: the first run, and the later ones.
fn processes(effort: &Effort) -> bool {
    let program = env::current_exe().ok().and_then(|this| Some(this.parent()?.parent()?.join("hotcell")));
    let Some(program) = program.filter(|program| program.exists()) else {
        println!("target/release/hotcell is not built: no rows of whole processes");
        return effort.is_test;
    };
    let directory = scratch("processes");
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/markdown.wasm");
    let run = |extra: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("run").arg(&module).arg("--input").arg(&input).args(["--quiet"]).args(extra);
        assert!(command.stdout(Stdio::null()).status().expect("it runs").success());
    };
    let cache = directory.to_str().expect("a path of ours").to_owned();
    let first = || {
        let _ = fs::remove_dir_all(&directory);
        seconds(&mut || run(&["--cache", &cache]))
    };
    // Another process compiles for the next run; the next measurement waits for that.
    let wait = || {
        let begin = Instant::now();
        let has_entry = || fs::read_dir(&directory).is_ok_and(|files| files.count() > 1);
        while !has_entry() && begin.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(50));
        }
    };
    let wasmi = || seconds(&mut || run(&["--backend", "wasmi"]));
    let (mut firsts, mut laters) = (Vec::new(), Vec::new());
    for _ in 0..effort.of(11) {
        let ours = first();
        wait();
        firsts.push((ours, wasmi()));
        laters.push((seconds(&mut || run(&["--cache", &cache])), wasmi()));
    }
    let _ = fs::remove_dir_all(&directory);
    let is_first_kept = print_row("first `hotcell run markdown.wasm`, against wasmi's", &Bound::Most(1.3), &firsts);
    print_row("later ones, against wasmi's", &Bound::Most(0.75), &laters) && is_first_kept
}
