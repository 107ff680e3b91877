//! Everything at once, on 64 threads.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::{Comparison, fuzz::{self, BehindAbi}};
use libfuzzer_sys::fuzz_target;

static BACKENDS: LazyLock<(Comparison<Wasmtime, Wasmi>, BehindAbi<Wasmtime, Wasmi>)> =
    LazyLock::new(|| (Comparison::new().unwrap(), BehindAbi::new().unwrap()));

// As in `faults`: panics on purpose are caught, and others end the process.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |seed: u32| {
    fuzz::soak(&BACKENDS.0, &BACKENDS.1, 64, seed.into(), 256).unwrap();
});
