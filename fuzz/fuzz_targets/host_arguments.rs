//! Host functions reach what is inside the guest's memory, and nothing else.

#![no_main]

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|seed: u64| {
    fuzz::host_arguments::<Wasmtime>(seed).unwrap();
    fuzz::host_arguments::<Wasmi>(seed).unwrap();
});
