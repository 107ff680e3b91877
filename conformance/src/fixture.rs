//! Fixtures of the checks: policies, small guests, and a loader that says what failed.

use hotcell_core::{Contract, HostOptions, Imports, LoadError, Loader, Plugin, Policy, PolicyError, Proposal, Rules};

use crate::{BackendUnderTest, Failure, tally};

/// Fuel for a guest that a deadline or a token must end: enough for seconds, so that a backend which never ends it
/// fails the check and does not hang the suite.
pub(crate) const BACKSTOP: Option<u64> = Some(3_000_000_000);

/// The default policy with a change, and without vectors, which not every backend supports.
pub(crate) fn policy(change: impl FnOnce(&mut Rules)) -> Policy {
    let policy = Policy::default().with(|rules| {
        rules.proposals.deny(Proposal::Simd);
        change(rules);
    });
    policy.unwrap_or_else(|error| panic!("the suite's own policy: {error}"))
}

/// Assembles text.
pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("the suite's own guest: {error}\n{text}"))
}

/// A guest of the byte contract: `body` has its imports, if any, and its entries. Its input is at address 1024.
pub(crate) fn guest(body: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module {body}
            (memory (export "memory") 1)
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024)))"#
    ))
}

/// One policy on one engine.
pub(crate) struct Fixture<B: BackendUnderTest>(Loader<B>);

impl<B: BackendUnderTest> Fixture<B> {
    pub(crate) fn on(policy: Policy) -> Result<Self, PolicyError> {
        Self::with_options(policy, &HostOptions::default())
    }

    pub(crate) fn with_options(policy: Policy, options: &HostOptions) -> Result<Self, PolicyError> {
        Ok(Self(Loader::new(policy, options, &B::Options::default())?))
    }

    pub(crate) fn loader(&self) -> &Loader<B> {
        &self.0
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.0.policy()
    }

    pub(crate) fn imports<T: Send + 'static>(&self) -> Imports<T, B> {
        self.0.imports()
    }

    /// Loads a guest of the byte contract that imports nothing; its entry is `process`.
    pub(crate) fn load(&self, wasm: &[u8]) -> Result<Plugin<B>, LoadError> {
        self.load_with(wasm, &self.imports(), &Contract::bytes("process"))
    }

    pub(crate) fn load_with<T: Send + 'static>(
        &self,
        wasm: &[u8],
        imports: &Imports<T, B>,
        contract: &Contract,
    ) -> Result<Plugin<B, T>, LoadError> {
        tally::module();
        self.0.load(wasm, imports, contract)
    }
}

/// A plugin of the byte contract that imports nothing; its entry is `process`.
pub(crate) fn byte_plugin<B: BackendUnderTest>(policy: Policy, wasm: &[u8]) -> Result<Plugin<B>, Failure> {
    Ok(Fixture::on(policy)?.load(wasm)?)
}

/// A plugin without a contract that imports nothing: for calls with values.
pub(crate) fn plain_plugin<B: BackendUnderTest>(policy: Policy, wasm: &[u8]) -> Result<Plugin<B>, Failure> {
    let fixture = Fixture::<B>::on(policy)?;
    Ok(fixture.load_with(wasm, &fixture.imports(), &Contract::None)?)
}

/// A plugin of the byte contract with the host functions that `define` adds.
pub(crate) fn hosted_plugin<B: BackendUnderTest, T: Send + 'static>(
    policy: Policy,
    wasm: &[u8],
    define: impl FnOnce(&mut Imports<T, B>) -> Result<(), Failure>,
) -> Result<Plugin<B, T>, Failure> {
    let fixture = Fixture::<B>::on(policy)?;
    let mut imports = fixture.imports();
    define(&mut imports)?;
    Ok(fixture.load_with(wasm, &imports, &Contract::bytes("process"))?)
}
