use std::sync::Arc;

use hotcell_core::{Backend, Clock, HostOptions, Loader, Policy, PolicyError, policy::Wasi};
use hotcell_wasi::WasiConfig;

#[cfg(feature = "wasmtime")]
use crate::backends::WasmtimeOptions;
use crate::sandbox::Sandbox;

/// Makes a [`Sandbox`]: what the embedder decides, beside the policy.
#[must_use = "a builder makes nothing before `build`"]
pub struct SandboxBuilder<B: Backend> {
    policy: Policy,
    host: HostOptions,
    wasi: Option<WasiConfig>,
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
        Self { policy, host: HostOptions::default(), wasi: None, options: B::Options::default() }
    }

    /// On another backend, with that backend's default options.
    pub fn on<Other: Backend>(self) -> SandboxBuilder<Other> {
        let Self { policy, host, wasi, options: _ } = self;
        SandboxBuilder { policy, host, wasi, options: Other::Options::default() }
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

    /// What guests get of WASI beyond a sandbox without an outside: arguments, files, the real clock. Its seed stands in place of
    /// the policy's. The policy must allow WASI.
    pub fn wasi(mut self, config: WasiConfig) -> Self {
        self.wasi = Some(config);
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
    /// [`PolicyError`] names the field that the backend cannot enforce, or that contradicts what was given here.
    pub fn build(self) -> Result<Sandbox<B>, PolicyError> {
        let rules = self.policy.rules();
        let wasi = match (rules.wasi, self.wasi) {
            (Wasi::Sandbox, Some(config)) => Some(config),
            (Wasi::Sandbox, None) => Some(WasiConfig::sandbox().random_seed(rules.random_seed)),
            (_, None) => None,
            (_, Some(_)) => {
                return Err(PolicyError::Contradiction {
                    reason: "the policy denies WASI (wasi), and the host grants it",
                });
            }
        };
        Ok(Sandbox::with(Loader::new(self.policy, &self.host, &self.options)?, wasi))
    }
}
