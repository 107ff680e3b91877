use std::sync::Arc;

use hotcell_core::{Backend, Clock, HostOptions, Loader, Policy, PolicyError};

#[cfg(feature = "wasmtime")]
use crate::backends::WasmtimeOptions;
use crate::sandbox::Sandbox;

/// Makes a [`Sandbox`]: what the embedder decides, beside the policy.
#[must_use = "a builder makes nothing before `build`"]
pub struct SandboxBuilder<B: Backend> {
    policy: Policy,
    host: HostOptions,
    options: B::Options,
}

/// Options of a backend of which wasmtime is a part.
#[cfg(feature = "wasmtime")]
pub trait HasWasmtime {
    /// Those of wasmtime.
    fn wasmtime(&mut self) -> &mut WasmtimeOptions;
}

#[cfg(feature = "wasmtime")]
impl HasWasmtime for WasmtimeOptions {
    fn wasmtime(&mut self) -> &mut WasmtimeOptions {
        self
    }
}

#[cfg(feature = "tiered")]
impl HasWasmtime for crate::backends::TieredOptions {
    fn wasmtime(&mut self) -> &mut WasmtimeOptions {
        &mut self.second
    }
}

#[cfg(feature = "wasmtime")]
impl<B: Backend<Options: HasWasmtime>> SandboxBuilder<B> {
    /// Keeps compiled code in this cache, and takes it from there.
    #[cfg(all(feature = "cache", unix))]
    pub fn cache(mut self, cache: crate::CodeCache) -> Self {
        self.options.wasmtime().cache = Some(cache);
        self
    }

    /// Compiles in processes of their own, which have limits: a module that needs more is refused with `compile-limit`.
    #[cfg(all(feature = "worker", unix))]
    pub fn compile_worker(mut self, worker: crate::CompileWorker) -> Self {
        self.options.wasmtime().worker = Some(worker);
        self
    }
}

impl<B: Backend> SandboxBuilder<B> {
    /// A sandbox for `policy`, with the operating system's clock, at most [256](HostOptions::MAX_INSTANCES) instances, and
    /// the backend's own defaults.
    pub fn new(policy: Policy) -> Self {
        Self { policy, host: HostOptions::default(), options: B::Options::default() }
    }

    /// On another backend, with that backend's default options.
    pub fn on<Other: Backend>(self) -> SandboxBuilder<Other> {
        SandboxBuilder { policy: self.policy, host: self.host, options: Other::Options::default() }
    }

    /// The clock for deadlines and reports.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.host.clock = clock;
        self
    }

    /// How many instances may exist at once; one more is [`Fault::Busy`](crate::Fault::Busy).
    pub fn max_instances(mut self, instances: u32) -> Self {
        self.host.max_instances = instances;
        self
    }

    /// Fuel after which a guest that may be interrupted asks whether it may go on: see [`HostOptions::slice`].
    pub fn slice(mut self, fuel: u64) -> Self {
        self.host.slice = fuel;
        self
    }

    /// All that the embedder decides for every backend.
    pub fn host(mut self, host: HostOptions) -> Self {
        self.host = host;
        self
    }

    /// What the embedder decides about this backend.
    pub fn options(mut self, options: B::Options) -> Self {
        self.options = options;
        self
    }

    /// The sandbox.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn build(self) -> Result<Sandbox<B>, PolicyError> {
        Ok(Sandbox { loader: Loader::new(self.policy, &self.host, &self.options)? })
    }
}
