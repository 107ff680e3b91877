//! The backends do not differ on any bytes.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::Comparison;
use libfuzzer_sys::fuzz_target;

static BACKENDS: LazyLock<Comparison<Wasmtime, Wasmi>> = LazyLock::new(|| Comparison::new().unwrap());

fuzz_target!(|case: (u64, &[u8])| {
    BACKENDS.compare_module(case.0, case.1).unwrap();
});
