//! The engines of this build, under one type.

use std::sync::Arc;

use hotcell::{
    AnyImports, AnyPlugin, Contract, HostOptions, Policy, PolicyError, Sandbox, Wasmi,
    backend::{Backend, SandboxBackend},
};
use hotcell_js::Js;

use crate::{abi::PageClock, outcome::Failure};

/// A sandbox on one of the engines.
pub(crate) enum AnySandbox {
    Wasmi(Sandbox<Wasmi>),
    Js(Sandbox<Js>),
}

impl AnySandbox {
    pub(crate) fn new(engine: &str, policy: Policy) -> Result<Self, PolicyError> {
        match engine {
            Wasmi::ID => make(policy).map(Self::Wasmi),
            Js::ID => make(policy).map(Self::Js),
            other => Err(PolicyError::NoBackend { backend: other.to_owned(), available: "wasmi, js" }),
        }
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        match self {
            Self::Wasmi(sandbox) => sandbox.backend().notes(),
            Self::Js(sandbox) => sandbox.backend().notes(),
        }
    }

    pub(crate) fn load(
        &self,
        bytes: &[u8],
        imports: &AnyImports,
        contract: &Contract,
    ) -> Result<Box<dyn AnyPlugin>, Failure> {
        match self {
            Self::Wasmi(sandbox) => load(sandbox, bytes, imports, contract),
            Self::Js(sandbox) => load(sandbox, bytes, imports, contract),
        }
    }
}

fn make<B: Backend>(policy: Policy) -> Result<Sandbox<B>, PolicyError> {
    Sandbox::builder(policy).on::<B>().host(HostOptions::new(Arc::new(PageClock))).build()
}

fn load<B: Backend>(
    sandbox: &Sandbox<B>,
    bytes: &[u8],
    imports: &AnyImports,
    contract: &Contract,
) -> Result<Box<dyn AnyPlugin>, Failure> {
    let mut own = sandbox.imports();
    imports.add_to(&mut own).map_err(|error| Failure::caller(error.to_string()))?;
    Ok(Box::new(sandbox.load_with(bytes, &own, contract)?))
}
