//! Plugins that import nothing.

use hotcell::{Contract, Plugin, Policy, Sandbox, backend::Backend};

/// Without a contract: for calls with values.
pub(crate) fn plugin<B: Backend>(policy: Policy, wasm: &[u8]) -> Plugin<B> {
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    sandbox.load_with(wasm, &sandbox.imports(), &Contract::None).unwrap()
}

/// With the byte contract; the entry is `process`.
pub(crate) fn byte_plugin<B: Backend>(policy: Policy, wasm: &[u8]) -> Plugin<B> {
    Sandbox::<B>::on(policy).unwrap().load(wasm, "process").unwrap()
}
