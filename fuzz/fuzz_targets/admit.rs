//! Admission gives any bytes a verdict, and gives it again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hotcell_differential::fuzz::admission(bytes).unwrap());
