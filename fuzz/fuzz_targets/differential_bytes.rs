//! The backends do not differ on any bytes.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_conformance::differential::Arena;
use libfuzzer_sys::fuzz_target;

static ARENA: LazyLock<Arena<Wasmtime, Wasmi>> = LazyLock::new(|| Arena::new().unwrap());

fuzz_target!(|case: (u64, &[u8])| {
    ARENA.compare_module(case.0, case.1).unwrap();
});
