//! The backends do not differ on generated modules.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::Comparison;
use libfuzzer_sys::fuzz_target;

static BACKENDS: LazyLock<Comparison<Wasmtime, Wasmi>> = LazyLock::new(|| Comparison::new().unwrap());

fuzz_target!(|seed: u64| {
    BACKENDS.compare(seed).unwrap();
});
