//! Tells the linker where the board's memories are, and assembles the guests that are here as text.

#[path = "src/policy.rs"]
mod policy;
#[path = "build/worst.rs"]
mod worst;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let worst_case = env::var_os("CARGO_FEATURE_WORST_CASE").is_some();
    let out = PathBuf::from(env::var("OUT_DIR")?);

    println!("cargo::rerun-if-changed=boards");
    println!("cargo::rustc-link-search={}", out.display());
    let board = if worst_case { "boards/large.x" } else { "boards/small.x" };
    fs::copy(board, out.join("memory.x"))?;

    println!("cargo::rerun-if-changed=guests");
    for guest in ["endless", "greedy"] {
        fs::write(out.join(guest).with_extension("wasm"), wat::parse_file(format!("guests/{guest}.wat"))?)?;
    }
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/policy.rs");
    if worst_case {
        fs::write(out.join("code.wasm"), wat::parse_str(worst::code())?)?;
        fs::write(out.join("calls.wasm"), wat::parse_str(worst::calls())?)?;
        fs::write(out.join("entities.wasm"), wat::parse_str(worst::entities())?)?;
        fs::write(out.join("memory.wasm"), wat::parse_str(worst::memory())?)?;
    }
    Ok(())
}
