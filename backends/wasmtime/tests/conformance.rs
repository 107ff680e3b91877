//! Holds the backend to the contract, check by check.

fn main() {
    hotcell_conformance::test::<hotcell_wasmtime::Wasmtime>();
}
