//! What is admitted compiles on every engine.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Policy, Wasmi, Wasmtime};
use hotcell_differential::fuzz::Compiles;
use libfuzzer_sys::fuzz_target;

static ENGINES: LazyLock<(Compiles<Wasmtime>, Compiles<Wasmi>)> =
    LazyLock::new(|| (Compiles::new(&Policy::strict()).unwrap(), Compiles::new(&Policy::strict()).unwrap()));

fuzz_target!(|bytes: &[u8]| {
    let (wasmtime, wasmi) = &*ENGINES;
    assert_eq!(wasmtime.check(bytes).unwrap(), wasmi.check(bytes).unwrap());
});
