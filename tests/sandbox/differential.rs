//! The differential run on the two backends of this workspace, for a few thousand modules.

use hotcell::{PolicyError, Wasmi, Wasmtime};
use hotcell_conformance::BackendUnderTest;
use hotcell_differential::{Comparison, Configuration, Runner, Stats, frames::Frames, generate, reference::compare};

const MODULES: u64 = 2_000;

#[test]
fn the_backends_do_not_differ() {
    let comparison = Comparison::<Wasmtime, Wasmi>::new().unwrap();
    let mut stats = Stats::default();
    let mut differences = Vec::new();
    for seed in 0..MODULES {
        match comparison.compare(seed) {
            Ok(more) => stats.add(&more),
            Err(difference) => differences.push(difference.to_string()),
        }
    }
    println!("{stats:#?}");
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences.join("\n"));
    let rejected: u64 = stats.rejected.values().sum();
    assert!(rejected * 50 <= stats.modules, "{rejected} of {} modules are not admitted", stats.modules);
    for code in ["ok", "out-of-fuel", "stack-overflow", "host-call-limit", "reentry-denied"] {
        assert!(stats.calls.get(code).is_some_and(|calls| *calls >= 4), "hardly any call ends in {code}");
    }
    assert!(stats.counted > MODULES, "hardly a call is held against the reference: {stats:?}");
    assert!(stats.transparent * 3 >= stats.all_calls(), "most calls end: {stats:?}");
}

/// Modules that are compared with the reference under each configuration, at every budget if a call is short.
const COUNTED: u64 = 100;
const BUDGETS: u64 = 150;

fn agrees_with_the_reference<B: BackendUnderTest>() {
    let (mut calls, mut differences) = (0, Vec::new());
    for (number, configuration) in (0..).zip(Configuration::ALL) {
        let runner = match Runner::<B>::new(&configuration.policy()) {
            Ok(runner) => runner,
            Err(PolicyError::NotEnforceable { .. }) if !Configuration::USUAL.contains(&configuration) => continue,
            Err(error) => panic!("{error}"),
        };
        for seed in number * COUNTED..(number + 1) * COUNTED {
            let wasm = generate::module(seed, configuration.kinds().integers()).0;
            match compare(&runner, configuration, seed, &wasm, BUDGETS) {
                Ok(more) => calls += more,
                Err(difference) => differences.push(difference.to_string()),
            }
        }
    }
    println!("{calls} calls");
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences[..differences.len().min(5)].join("\n"));
    assert!(calls > COUNTED * 200, "{calls}");
}

#[test]
fn wasmtime_counts_as_the_reference_does() {
    agrees_with_the_reference::<Wasmtime>();
}

#[test]
fn wasmi_counts_as_the_reference_does() {
    agrees_with_the_reference::<Wasmi>();
}

/// Straight code of several long runs, and loops out of which a compiler hoists operators: the generator's small bodies
/// have neither.
fn long_bodies_agree<B: BackendUnderTest>() {
    let straight = "local.get 0 i32.const 3 i32.mul local.tee 0 global.set $g ".repeat(5_000);
    let arm = "local.get 1 i64.const 77 i64.mul i64.popcnt local.set 1 ".repeat(40);
    let text = format!(
        r#"(module (global $g (export "g") (mut i32) (i32.const 0))
        (func (export "straight") (param i32) {straight})
        (func (export "straight in a loop") (param i32) (loop {straight} (br_if 0 (i32.and (local.get 0) (i32.const 1)))))
        (func (export "loops") (param i32) (local i64 {locals})
            (local.set 0 (i32.and (local.get 0) (i32.const 7)))
            (loop $outer
                (loop $inner
                    (if (i32.eqz (local.get 0)) (then {arm} (return)))
                    (loop (br_if 1 (i32.eqz (local.get 0))) {arm})
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (br_if $inner (i32.and (local.get 0) (i32.const 1))))
                (br_if $outer (local.get 0)))))"#,
        locals = "i64 ".repeat(70)
    );
    let wasm = wat::parse_str(text).unwrap();
    let runner = Runner::<B>::new(&Configuration::Ample.policy()).unwrap();
    for seed in 0..4 {
        let calls = compare(&runner, Configuration::Ample, seed, &wasm, 60).unwrap();
        assert!(calls > 180, "{calls}");
    }
}

#[test]
fn long_bodies_on_wasmtime_agree_with_the_reference() {
    long_bodies_agree::<Wasmtime>();
}

#[test]
fn long_bodies_on_wasmi_agree_with_the_reference() {
    long_bodies_agree::<Wasmi>();
}

/// Guests that recurse to the end of the stack.
const FRAMES: u64 = 200;

#[test]
fn frames_of_every_shape_end_at_the_same_depth() {
    let frames = Frames::<Wasmtime, Wasmi>::new().unwrap();
    let differences: Vec<_> = (0..FRAMES).filter_map(|seed| frames.compare(seed).err()).collect();
    for difference in &differences {
        println!("seed {}: {}", difference.seed, difference.what);
    }
    let told: Vec<_> = differences.iter().take(5).map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{} of {FRAMES}:\n{}", differences.len(), told.join("\n"));
}

/// Modules whose every call begins again, for each configuration that every backend takes.
const BEGUN_AGAIN: u64 = 150;

#[test]
#[cfg(feature = "tiered")]
fn nobody_can_tell_that_a_call_began_again() {
    use hotcell::{Tiered, TieredOptions};
    use hotcell_differential::superseded::{Counts, Superseded};

    let options = TieredOptions { begins_on_first: true, ..TieredOptions::default() };
    let (mut all, mut differences) = (Counts::default(), Vec::new());
    for (number, configuration) in (0..).zip(Configuration::USUAL) {
        let superseded = Superseded::<Wasmtime, Tiered>::new(configuration, &options).unwrap();
        for seed in number * BEGUN_AGAIN..(number + 1) * BEGUN_AGAIN {
            match superseded.compare(seed) {
                Ok(counts) => {
                    all.calls += counts.calls;
                    all.began_again += counts.began_again;
                    all.stayed += counts.stayed;
                }
                Err(difference) => differences.push(difference.to_string()),
            }
        }
    }
    println!("{all:?}");
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences.join("\n"));
    assert!(all.began_again > all.calls / 4 && all.stayed > all.calls / 50, "{all:?}");
}
