use hotcell_core::{Backend, Contract, HostOptions, Imports, LoadError, Loader, Plugin, Policy, PolicyError};

use crate::backends::DefaultBackend;

/// One policy on one backend, which loads plugins. Cheap to make again: wasmtime shares an engine among all sandboxes
/// whose policies compile to the same code and use the same pool; wasmi has one engine per module and worker thread.
pub struct Sandbox<B = DefaultBackend> {
    loader: Loader<B>,
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
}

impl<B: Backend> Sandbox<B> {
    /// A sandbox on the backend `B`: `Sandbox::<Wasmtime>::on(policy)`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn on(policy: Policy) -> Result<Self, PolicyError> {
        Self::with_options(policy, &HostOptions::default())
    }

    /// A sandbox with the embedder's own clock and number of instances.
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn with_options(policy: Policy, options: &HostOptions) -> Result<Self, PolicyError> {
        Ok(Self { loader: Loader::new(policy, options)? })
    }

    /// A sandbox with the backend that `make` returns for the policy and the options.
    ///
    /// # Errors
    ///
    /// As [`on`](Self::on).
    pub fn with_backend(
        policy: Policy,
        options: &HostOptions,
        make: impl FnOnce(&Policy, &HostOptions) -> Result<B, PolicyError>,
    ) -> Result<Self, PolicyError> {
        Ok(Self { loader: Loader::with_backend(policy, options, make)? })
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        self.loader.policy()
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        self.loader.backend()
    }

    /// An empty set of host functions, for plugins whose state is a `T`.
    pub fn imports<T: Send + 'static>(&self) -> Imports<T, B> {
        self.loader.imports()
    }

    /// Loads a plugin that imports nothing and exports the byte contract with this entry.
    ///
    /// # Errors
    ///
    /// [`LoadError::Rejected`] when the policy does not admit the module; [`LoadError::Backend`] when the engine fails.
    pub fn load(&self, bytes: &[u8], entry: &str) -> Result<Plugin<B>, LoadError> {
        self.load_with(bytes, &self.imports(), &Contract::bytes(entry))
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
}
