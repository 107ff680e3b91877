//! Policies of every kind are enforced or refused.

#![no_main]

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|seed: u64| {
    fuzz::policies::<Wasmtime, Wasmi>(seed).unwrap();
});
