//! Mutations of good modules never panic and never differ.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::{Comparison, fuzz};
use libfuzzer_sys::fuzz_target;

static BACKENDS: LazyLock<Comparison<Wasmtime, Wasmi>> = LazyLock::new(|| Comparison::new().unwrap());

fuzz_target!(|seed: u64| {
    fuzz::mutations(&BACKENDS, seed).unwrap();
});
