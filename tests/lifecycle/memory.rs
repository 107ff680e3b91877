//! Plugins come and go, and the host's memory stays as it was.

#![cfg(target_os = "linux")]

use std::fs;

use hotcell::{Policy, Sandbox, backend::Backend};

use crate::{child, guest::guest};

on_each_backend! {
    thousands_of_loads_leave_nothing_behind
}

/// Pages of this process that are in memory, in bytes.
fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

/// In a process of its own: the other tests use memory too.
fn thousands_of_loads_leave_nothing_behind<B: Backend>() {
    if !child::is_child() {
        child::passes(child::again(&format!("memory::{}::thousands_of_loads_leave_nothing_behind", B::ID)));
        return;
    }
    // Code and a large data segment, so that a module that stays is seen to stay.
    let functions: String =
        (0..4).map(|n| format!("(func (param i32) (result i32) (i32.add (local.get 0) (i32.const {n})))")).collect();
    let wasm = guest(&format!(
        r#"{functions} (data (i32.const 2048) "{}")
        (func (export "process") (param i32 i32) (result i64) (i64.const 0x00000800_00000010))"#,
        "x".repeat(32 << 10)
    ));
    let load_and_drop = |times: usize| {
        for _ in 0..times {
            let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
            let plugin = sandbox.load(&wasm, "process").unwrap();
            assert_eq!(plugin.call("process", b"input").unwrap().bytes, [b'x'; 16]);
        }
    };
    // Held over all loads, so that the engine is one.
    let _engine = Sandbox::<B>::on(Policy::default()).unwrap();
    load_and_drop(200);
    let before = resident_bytes();
    load_and_drop(2_000);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "2,000 loads left {} KiB behind", grown >> 10);
}
