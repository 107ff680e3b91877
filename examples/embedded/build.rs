//! Tells the linker where `memory.x` is, and assembles the guest that is here as text.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rerun-if-changed=guests/endless.wat");
    println!("cargo::rustc-link-search={}", env::var("CARGO_MANIFEST_DIR")?);
    let endless = wat::parse_file("guests/endless.wat")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("endless.wasm"), endless)?;
    Ok(())
}
