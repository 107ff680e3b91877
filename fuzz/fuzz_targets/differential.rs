//! The backends do not differ on generated modules.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_conformance::differential::Arena;
use libfuzzer_sys::fuzz_target;

static ARENA: LazyLock<Arena<Wasmtime, Wasmi>> = LazyLock::new(|| Arena::new().unwrap());

fuzz_target!(|seed: u64| {
    ARENA.compare(seed).unwrap();
});
