//! The backends of this build. The only file that depends on their features.

#[cfg(any(feature = "wasmtime", feature = "wasmi"))]
use hotcell_core::Backend;
use hotcell_core::{Enforcement, Field, HostOptions, Policy, PolicyError};
use hotcell_wasi::WasiConfig;

use crate::any::AnySandbox;
#[cfg(any(feature = "wasmtime", feature = "wasmi"))]
use crate::builder::SandboxBuilder;

#[cfg(feature = "wasmi")]
pub use hotcell_wasmi::Wasmi;
#[cfg(all(feature = "cache", unix))]
pub use hotcell_wasmtime::{CacheEntry, CodeCache, EntryName, InsecureCache};
#[cfg(all(feature = "worker", unix))]
pub use hotcell_wasmtime::{CompileLimits, CompileWorker, WorkerUnavailable, serve_compile_worker};
#[cfg(feature = "wasmtime")]
pub use hotcell_wasmtime::{Options as WasmtimeOptions, Wasmtime};

/// wasmi, which answers at once, and wasmtime, which takes over when it has compiled.
#[cfg(feature = "tiered")]
pub type Tiered = hotcell_tiered::Tiered<Wasmi, Wasmtime>;
/// What a host decides about both engines of [`Tiered`].
#[cfg(feature = "tiered")]
pub type TieredOptions = hotcell_tiered::Options<(), WasmtimeOptions>;

cfg_if::cfg_if! {
    if #[cfg(feature = "wasmtime")] {
        /// The backend of a sandbox when none is named: wasmtime if the build has it, otherwise wasmi.
        pub type DefaultBackend = Wasmtime;
    } else if #[cfg(feature = "wasmi")] {
        /// The backend of a sandbox when none is named: wasmtime if the build has it, otherwise wasmi.
        pub type DefaultBackend = Wasmi;
    } else {
        /// This build has no backend: enable the feature `wasmtime` or `wasmi` of hotcell.
        pub enum DefaultBackend {}

        impl crate::Sandbox<DefaultBackend> {
            /// Fails: this build has no backend.
            ///
            /// # Errors
            ///
            /// [`PolicyError::NoBackend`], always.
            pub fn new(_policy: Policy) -> Result<Self, PolicyError> {
                Err(no_backend("default"))
            }
        }
    }
}

/// What the embedder decides, for a backend that is chosen at run time.
#[derive(Clone, Default)]
pub struct SandboxOptions {
    /// For every backend.
    pub host: HostOptions,
    /// What guests get of WASI beyond a sandbox without an outside: see [`SandboxBuilder::wasi`](crate::SandboxBuilder::wasi).
    pub wasi: Option<WasiConfig>,
    /// For wasmtime, wherever it is part of the backend.
    #[cfg(feature = "wasmtime")]
    pub wasmtime: WasmtimeOptions,
}

type Make = fn(Policy, &SandboxOptions) -> Result<Box<dyn AnySandbox>, PolicyError>;

/// A backend of this build.
#[derive(Clone, Copy, Debug)]
pub struct BackendInfo {
    /// Its id.
    pub id: &'static str,
    /// Version of its engine.
    pub version: &'static str,
    /// Whether it generates machine code.
    pub is_jit: bool,
    /// How it enforces each field of a policy.
    pub enforcement: fn(Field) -> Enforcement,
    make: Make,
}

impl BackendInfo {
    /// A sandbox on this backend.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn sandbox(&self, policy: Policy, options: &SandboxOptions) -> Result<Box<dyn AnySandbox>, PolicyError> {
        (self.make)(policy, options)
    }

    #[cfg(any(feature = "wasmtime", feature = "wasmi"))]
    fn of<B: Backend>(make: Make) -> Self {
        Self { id: B::ID, version: B::version(), is_jit: B::JIT, enforcement: B::enforcement, make }
    }
}

/// A sandbox on one backend, with that backend's own options.
#[cfg(any(feature = "wasmtime", feature = "wasmi"))]
fn make<B: Backend>(
    policy: Policy,
    SandboxOptions { host, wasi, .. }: &SandboxOptions,
    options: B::Options,
) -> Result<Box<dyn AnySandbox>, PolicyError> {
    let builder = SandboxBuilder::<B>::new(policy).host(host.clone()).options(options);
    let builder = wasi.iter().fold(builder, |builder, wasi| builder.wasi(wasi.clone()));
    Ok(Box::new(builder.build()?))
}

/// The backends of this build: wasmtime, wasmi, tiered.
pub fn backends() -> Vec<BackendInfo> {
    vec![
        #[cfg(feature = "wasmtime")]
        BackendInfo::of::<Wasmtime>(|policy, options| make::<Wasmtime>(policy, options, options.wasmtime.clone())),
        #[cfg(feature = "wasmi")]
        BackendInfo::of::<Wasmi>(|policy, options| make::<Wasmi>(policy, options, ())),
        #[cfg(feature = "tiered")]
        BackendInfo::of::<Tiered>(|policy, options| {
            let second = options.wasmtime.clone();
            make::<Tiered>(policy, options, TieredOptions { second, ..TieredOptions::default() })
        }),
    ]
}

/// A sandbox on the backend with this name, chosen at run time.
///
/// # Errors
///
/// [`PolicyError::NoBackend`] when the build has none with that name; otherwise as [`BackendInfo::sandbox`].
pub fn sandbox(backend: &str, policy: Policy, options: &SandboxOptions) -> Result<Box<dyn AnySandbox>, PolicyError> {
    let info = backends().into_iter().find(|info| info.id == backend).ok_or_else(|| no_backend(backend))?;
    info.sandbox(policy, options)
}

fn no_backend(backend: &str) -> PolicyError {
    let available = match (cfg!(feature = "wasmtime"), cfg!(feature = "wasmi")) {
        (true, true) if cfg!(feature = "tiered") => "wasmtime, wasmi, tiered",
        (true, true) => "wasmtime, wasmi (the feature `tiered` of hotcell adds tiered)",
        (true, false) => "wasmtime (the feature `wasmi` of hotcell adds wasmi)",
        (false, true) => "wasmi (the feature `wasmtime` of hotcell adds wasmtime)",
        (false, false) => "none (enable the feature `wasmtime` or `wasmi` of hotcell)",
    };
    PolicyError::NoBackend { backend: backend.to_owned(), available }
}
