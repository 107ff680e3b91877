//! The cost of exact metering compared with the engines' own fuel, and with none; and the cost of the rewrite compared
//! with one plain validation.
//!
//! `cargo run --release --example metering_cost` prints ratios: interleaved rounds in one process, the median of the
//! rounds' ratios.

use std::{fs, hint::black_box, time::Instant};

use hotcell::{
    Contract, Offered, Plugin, Policy, Sandbox, Signature, Value, Wasmi, Wasmtime, admit,
    admit::{ExternType, summarize},
    backend::{Backend, SandboxBackend},
    policy::Metering,
};
use wasmparser::{Parser, Payload, Validator};

const ROUNDS: usize = 31;

/// Recursion: calls and little else.
const FIB: &str = r#"(module (func $fib (export "run") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
        (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                       (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;

/// A hash over memory: one tight loop.
const HASH: &str = r#"(module (memory 1) (func (export "run") (param $n i32) (result i32) (local $h i32)
    (loop $again
        (local.set $h (i32.mul (i32.xor (local.get $h) (i32.load8_u (i32.and (local.get $n) (i32.const 65535))))
                               (i32.const 16777619)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $h)))"#;

/// A sieve: nested loops and branches over memory.
const SIEVE: &str = r#"(module (memory 4) (func (export "run") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $count i32)
    (local.set $i (i32.const 2))
    (loop $outer
        (if (i32.eqz (i32.load8_u (local.get $i)))
            (then
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (local.set $j (i32.add (local.get $i) (local.get $i)))
                (block $done (loop $inner
                    (br_if $done (i32.ge_u (local.get $j) (local.get $n)))
                    (i32.store8 (local.get $j) (i32.const 1))
                    (local.set $j (i32.add (local.get $j) (local.get $i)))
                    (br $inner)))))
        (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $count)))"#;

fn policy(metering: Metering, counts: bool) -> Policy {
    let policy = Policy::default().with(|rules| {
        rules.metering = metering;
        if !counts {
            (rules.limits.fuel, rules.abi) = (None, None);
        }
    });
    policy.expect("the policy is right")
}

fn load<B: Backend>(policy: Policy, text: &str) -> Plugin<B> {
    let sandbox = Sandbox::<B>::on(policy).expect("the backend takes the policy");
    let wasm = wat::parse_str(text).expect("the kernel assembles");
    sandbox.load_with(&wasm, &sandbox.imports(), &Contract::None).expect("the kernel is admitted")
}

/// The median over rounds of the ratio of call times: `ours / theirs`.
fn ratio<B: Backend>(ours: &Plugin<B>, theirs: &Plugin<B>, argument: i32) -> f64 {
    let run = |plugin: &Plugin<B>| {
        let begin = Instant::now();
        let (results, _) = plugin.call_values("run", &[Value::I32(argument)], (), None).expect("the kernel runs");
        (results, begin.elapsed().as_secs_f64())
    };
    median(|| {
        let ((one, ours), (other, theirs)) = (run(ours), run(theirs));
        assert_eq!(one, other, "metering changes no result");
        ours / theirs
    })
}

/// The median over rounds.
fn median(round: impl FnMut() -> f64) -> f64 {
    let mut ratios: Vec<f64> = std::iter::repeat_with(round).take(ROUNDS).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

fn rows<B: Backend>(scale: i32) {
    for (name, text, argument) in [("fib", FIB, 20), ("hash", HASH, 100_000 * scale), ("sieve", SIEVE, 200_000)] {
        let exact = load::<B>(policy(Metering::Exact, true), text);
        let engine = load::<B>(policy(Metering::Engine, true), text);
        let nothing = load::<B>(policy(Metering::Engine, false), text);
        println!(
            "{:<9} {name:<6} {:>8.2} {:>8.2}",
            <B as SandboxBackend>::ID,
            ratio(&exact, &engine, argument),
            ratio(&exact, &nothing, argument),
        );
    }
}

/// The time of the rewrite, as a multiple of a validation's, and the size of its code, as a multiple of the guest's.
fn rewrite_row(guest: &str) {
    let module = fs::read(format!("{}/guests/{guest}.wasm", env!("CARGO_MANIFEST_DIR"))).expect("the guest is there");
    let (exact, engine) = (policy(Metering::Exact, true), policy(Metering::Engine, true));
    let offered = everything_imported(&module, &exact);
    let admitted = |policy| admit(&module, policy, &offered, &Contract::None).expect("the guest is admitted");
    let seconds = |work: &dyn Fn()| {
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64()
    };
    let ratio = median(|| {
        let with = seconds(&|| drop(black_box(admitted(&exact))));
        let without = seconds(&|| drop(black_box(admitted(&engine))));
        let validation = seconds(&|| drop(black_box(Validator::new().validate_all(&module))));
        (with - without) / validation
    });
    let growth = code_bytes(admitted(&exact).bytes()) as f64 / code_bytes(&module) as f64;
    println!("{guest:<16} {ratio:>8.2} {growth:>8.2}");
}

fn everything_imported(module: &[u8], policy: &Policy) -> Offered {
    let mut offered = Offered::default();
    for import in summarize(module, policy).expect("the guest is valid").imports {
        if let ExternType::Function(ty) = import.ty {
            let ty = (*ty).clone();
            offered.offer(Signature { module: import.module, name: import.name, ty }).expect("it is imported once");
        }
    }
    offered
}

/// Bytes of the code section.
fn code_bytes(module: &[u8]) -> usize {
    let sections = Parser::new(0).parse_all(module).flatten();
    let code = sections.filter_map(|payload| match payload {
        Payload::CodeSectionStart { range, .. } => Some(range.len()),
        _ => None,
    });
    code.sum()
}

fn main() {
    println!("{:<9} {:<6} {:>8} {:>8}", "backend", "kernel", "/ engine", "/ none");
    rows::<Wasmtime>(20);
    rows::<Wasmi>(1);
    println!("\n{:<16} {:>8} {:>8}", "rewrite of", "/ valid.", "code");
    for guest in ["markdown", "ledger-check", "kv", "wordcount"] {
        rewrite_row(guest);
    }
}
