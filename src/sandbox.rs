use std::sync::Arc;

use hotcell_core::{
    Backend, Contract, Imports, LoadError, Loader, Plugin, Policy, PolicyError, Traced, admit::imports_from,
};
use hotcell_wasi::WasiConfig;

use crate::{backends::DefaultBackend, builder::SandboxBuilder};

/// One policy on one backend, which loads plugins. Cheap to make again: wasmtime shares an engine among all sandboxes
/// whose policies compile to the same code and use the same pool; wasmi has one engine per module and worker thread.
pub struct Sandbox<B = DefaultBackend> {
    loader: Loader<B>,
    /// What guests get of WASI; none where the policy denies it.
    wasi: Option<WasiConfig>,
}

#[cfg(any(feature = "wasmtime", feature = "wasmi"))]
impl Sandbox {
    /// A sandbox on the default backend.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn new(policy: Policy) -> Result<Self, PolicyError> {
        Self::on(policy)
    }

    /// A sandbox with more than a policy to say: a clock, a number of instances, a cache, another backend.
    pub fn builder(policy: Policy) -> SandboxBuilder<DefaultBackend> {
        SandboxBuilder::new(policy)
    }
}

impl<B: Backend> Sandbox<B> {
    /// A sandbox on the backend `B`: `Sandbox::<Wasmtime>::on(policy)`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn on(policy: Policy) -> Result<Self, PolicyError> {
        SandboxBuilder::new(policy).build()
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        self.loader.policy()
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        self.loader.backend()
    }

    /// The same sandbox, whose plugins have this name in events, messages, reports and numbers. They share its instances and its
    /// engine with those of the others.
    pub fn named(&self, name: impl Into<Arc<str>>) -> Self {
        Self { loader: self.loader.named(name), wasi: self.wasi.clone() }
    }

    #[cfg(any(feature = "wasmtime", feature = "wasmi"))]
    pub(crate) fn compile(&self, admitted: &hotcell_core::Admitted<'_>) -> Result<(), hotcell_core::BackendError> {
        self.loader.compile(admitted).map(drop)
    }

    pub(crate) fn with(loader: Loader<B>, wasi: Option<WasiConfig>) -> Self {
        Self { loader, wasi }
    }

    /// A set of host functions, for plugins whose state is a `T`: at first those of WASI, where the policy allows it, and no
    /// others.
    pub fn imports<T: Send + 'static>(&self) -> Imports<T, B> {
        let mut imports = self.loader.imports();
        let offered = self.wasi.as_ref().map_or(Ok(()), |wasi| hotcell_wasi::offer(&mut imports, wasi.clone()));
        match offered {
            Ok(()) => imports,
            Err(_) => unreachable!("nothing else is offered yet"),
        }
    }

    /// What a module gets beside host functions of the embedder's: WASI, if that is wanted. One that imports nothing from it
    /// does not wait for it.
    pub(crate) fn imports_for<T: Send + 'static>(&self, module: &[u8], with_wasi: bool) -> Imports<T, B> {
        match with_wasi && imports_from(module, hotcell_wasi::MODULE) {
            true => self.imports(),
            false => self.loader.imports(),
        }
    }

    /// Loads a plugin that imports nothing, or WASI where the policy allows it, and exports the byte contract with this entry.
    ///
    /// # Errors
    ///
    /// [`LoadError::Rejected`] when the policy does not admit the module; [`LoadError::Backend`] when the engine fails.
    pub fn load(&self, bytes: &[u8], entry: &str) -> Result<Plugin<B>, LoadError> {
        self.load_with(bytes, &self.imports_for(bytes, true), &Contract::bytes(entry))
    }

    /// Loads a module with host functions, under any contract.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_with<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &Imports<T, B>,
        contract: &Contract,
    ) -> Result<Plugin<B, T>, LoadError> {
        self.loader.load(bytes, imports, contract)
    }

    /// Loads a module to see inside of it: where a call fails, and where its fuel goes.
    ///
    /// # Errors
    ///
    /// As [`Loader::load_traced`].
    pub fn load_traced<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &Imports<T, B>,
        contract: &Contract,
    ) -> Result<Traced<B, T>, LoadError> {
        self.loader.load_traced(bytes, imports, contract)
    }
}
