//! Everything at once, on 64 threads.

#![no_main]

use std::sync::LazyLock;

use hotcell::{Wasmi, Wasmtime};
use hotcell_conformance::{
    differential::Arena,
    fuzz::{self, BehindAbi},
};
use libfuzzer_sys::fuzz_target;

static BACKENDS: LazyLock<(Arena<Wasmtime, Wasmi>, BehindAbi<Wasmtime, Wasmi>)> =
    LazyLock::new(|| (Arena::new().unwrap(), BehindAbi::new().unwrap()));

fuzz_target!(|seed: u32| {
    fuzz::soak(&BACKENDS.0, &BACKENDS.1, 64, seed.into(), 256).unwrap();
});
