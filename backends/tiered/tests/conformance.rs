//! Holds the backend to the contract, check by check.

fn main() {
    hotcell_conformance::test::<hotcell_tiered::Tiered<hotcell_wasmi::Wasmi, hotcell_wasmtime::Wasmtime>>();
}
