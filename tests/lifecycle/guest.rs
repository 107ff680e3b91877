//! Small guests, and policies that differ from the default in one thing.

use hotcell::{Policy, Rules};

/// Assembles text.
pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A guest of the byte contract: `body` has its imports, if any, and its entries. Its input is put at 1024.
pub(crate) fn guest(body: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module {body}
            (memory (export "memory") 1)
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024)))"#
    ))
}

/// The default policy with a change.
pub(crate) fn policy(change: impl FnOnce(&mut Rules)) -> Policy {
    Policy::default().with(change).unwrap()
}
