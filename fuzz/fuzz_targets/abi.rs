//! Random code behind the real ABI.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::fuzz::BehindAbi;
use libfuzzer_sys::fuzz_target;

static BACKENDS: LazyLock<BehindAbi<Wasmtime, Wasmi>> = LazyLock::new(|| BehindAbi::new().unwrap());

fuzz_target!(|seed: u64| {
    BACKENDS.compare(seed).unwrap();
});
