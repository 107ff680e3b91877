//! Mutations of good modules never panic and never differ.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_conformance::{differential::Arena, fuzz};
use libfuzzer_sys::fuzz_target;

static ARENA: LazyLock<Arena<Wasmtime, Wasmi>> = LazyLock::new(|| Arena::new().unwrap());

fuzz_target!(|seed: u64| {
    fuzz::mutants(&ARENA, seed).unwrap();
});
