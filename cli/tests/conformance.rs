//! The whole conformance suite on each backend of the program, whose checks are compiled there anyway.

use std::process::Command;

fn conforms(backend: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    let output = program.args(["conformance", "--backend", backend]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    print!("{printed}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn wasmtime() {
    conforms("wasmtime");
}

#[test]
fn wasmi() {
    conforms("wasmi");
}

#[test]
fn tiered() {
    conforms("tiered");
}
