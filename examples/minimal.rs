//! The smallest host: one plugin, one call, on the first backend of the build. Its size is what hotcell adds to a
//! program.
//!
//! `cargo run --release -p hotcell --example minimal [--no-default-features --features wasmi]`

use std::error::Error;

use hotcell::{Contract, Policy, SandboxOptions, backends};

const PLUGIN: &[u8] = include_bytes!("../guests/ledger-check.wasm");
const JOURNAL: &[u8] = include_bytes!("../guests/ledger-check/sample.journal");

fn main() -> Result<(), Box<dyn Error>> {
    let backends = backends();
    let backend = backends.first().ok_or("this build has no backend")?;
    let sandbox = backend.sandbox(Policy::default(), &SandboxOptions::default())?;
    let plugin = sandbox.load(PLUGIN, &Contract::bytes("process"))?;
    let reply = plugin.call("process", JOURNAL, None)?;
    print!("{}", String::from_utf8_lossy(&reply.bytes));
    Ok(())
}
