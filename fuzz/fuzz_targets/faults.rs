//! After a fault all is as before.

#![no_main]

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|seed: u64| {
    fuzz::injected_faults::<Wasmtime>(seed).unwrap();
    fuzz::injected_faults::<Wasmi>(seed).unwrap();
});
