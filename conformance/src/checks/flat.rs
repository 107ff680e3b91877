//! Loading and dropping plugins does not grow the host's memory.

use std::fs;

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Present, ensure, ensure_eq},
    fixture::{Fixture, byte_plugin, policy, wasm},
    tally,
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "lifecycle.flat",
            "Two thousand loads, calls and drops leave no memory behind.",
            leaves_nothing_behind::<B>,
        )
        .alone(),
    ]
}

/// The growth that thousands of loads may cause: a small part of their size, so that free heap memory hides no leak.
const MOST: u64 = 64 << 20;

fn leaves_nothing_behind<B: BackendUnderTest>() -> Outcome {
    // Code and a large data segment, so that a leaked module is noticed.
    let functions: String =
        (0..4).map(|n| format!("(func (param i32) (result i32) (i32.add (local.get 0) (i32.const {n})))")).collect();
    let wasm = wasm(&format!(
        r#"(module {functions}
            (memory (export "memory") 4) (data (i32.const 2048) "{}")
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64) (i64.const 0x00000800_00000010)))"#,
        "x".repeat(200 << 10)
    ));
    let load_and_drop = |times: usize| -> Outcome {
        for _ in 0..times {
            let plugin = byte_plugin::<B>(policy(|_| ()), &wasm)?;
            ensure_eq!(plugin.call("process", b"input")?.bytes, [b'x'; 16]);
        }
        Ok(())
    };
    // Kept over all loads, so that they share the engine.
    let _engine = Fixture::<B>::on(policy(|_| ()))?;
    load_and_drop(200)?;
    let before = resident_bytes()?;
    load_and_drop(2_000)?;
    let grown = resident_bytes()?.saturating_sub(before);
    ensure!(grown < MOST, "2,000 loads left {} KiB behind", grown >> 10);
    tally::note(format!("2,000 loads left {} KiB behind", grown >> 10));
    Ok(())
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> Result<u64, Failure> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).present()?.parse()?;
    Ok(pages * 4_096)
}
