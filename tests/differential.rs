//! The differential run on the two backends of this workspace, a few thousand modules of it.

use hotcell::{Wasmi, Wasmtime};
use hotcell_conformance::{
    Subject,
    differential::{Arena, Regime, Stats, reference::Held},
};

const MODULES: u64 = 3_000;

#[test]
fn the_backends_do_not_differ() {
    let arena = Arena::<Wasmtime, Wasmi>::new().unwrap();
    let mut stats = Stats::default();
    let mut differences = Vec::new();
    for seed in 0..MODULES {
        match arena.compare(seed) {
            Ok(more) => stats.add(&more),
            Err(difference) => differences.push(difference.to_string()),
        }
    }
    println!("{stats:#?}");
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences.join("\n"));
    let rejected: u64 = stats.rejected.values().sum();
    assert!(rejected * 50 <= stats.modules, "{rejected} of {} modules are not admitted", stats.modules);
    for code in ["ok", "out-of-fuel", "stack-overflow", "host-call-limit", "reentry-denied"] {
        assert!(stats.calls.get(code).is_some_and(|calls| *calls >= 10), "hardly any call ends in {code}");
    }
    assert!(stats.transparent * 3 >= stats.all_calls(), "most calls end: {stats:?}");
}

/// Modules that are held against the reference under each regime.
const COUNTED: u64 = 150;

fn agrees_with_the_reference<B: Subject>() {
    let (mut calls, mut differences) = (0, Vec::new());
    for regime in Regime::ALL {
        let held = Held::<B>::new(regime).unwrap();
        for seed in 0..COUNTED {
            match held.compare(seed) {
                Ok(more) => calls += more,
                Err(difference) => differences.push(difference.to_string()),
            }
        }
    }
    println!("{calls} calls");
    assert!(differences.is_empty(), "{}:\n{}", differences.len(), differences[..differences.len().min(5)].join("\n"));
    assert!(calls > COUNTED * 100, "{calls}");
}

#[test]
fn wasmtime_counts_as_the_reference_does() {
    agrees_with_the_reference::<Wasmtime>();
}

#[test]
fn wasmi_counts_as_the_reference_does() {
    agrees_with_the_reference::<Wasmi>();
}
