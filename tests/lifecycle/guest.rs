//! Small guests, and policies that differ from the default in one thing.

use hotcell::{Contract, Plugin, Policy, Rules, Sandbox, backend::Backend};

/// Assembles text.
pub fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A guest of the byte contract: `body` has its imports, if any, and its entries. Its input is put at 1024.
pub fn guest(body: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module {body}
            (memory (export "memory") 1)
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024)))"#
    ))
}

/// The default policy with a change.
pub fn policy(change: impl FnOnce(&mut Rules)) -> Policy {
    Policy::default().with(change).unwrap()
}

/// A plugin that imports nothing, without a contract: for calls with values.
pub fn plugin<B: Backend>(policy: Policy, wasm: &[u8]) -> Plugin<B> {
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    sandbox.load_with(wasm, &sandbox.imports(), &Contract::None).unwrap()
}

/// A plugin of the byte contract that imports nothing. Its entry is `process`.
pub fn byte_plugin<B: Backend>(policy: Policy, wasm: &[u8]) -> Plugin<B> {
    Sandbox::<B>::on(policy).unwrap().load(wasm, "process").unwrap()
}
