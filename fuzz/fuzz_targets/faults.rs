//! After a fault all is as before.

#![no_main]

use hotcell::{Wasmi, Wasmtime};
use hotcell_differential::fuzz;
use libfuzzer_sys::fuzz_target;

// The host functions panic on purpose: the fuzzer's own hook would end the process at a panic that is caught. One that
// is not caught still ends it.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |seed: u64| {
    fuzz::injected_faults::<Wasmtime>(seed).unwrap();
    fuzz::injected_faults::<Wasmi>(seed).unwrap();
});
