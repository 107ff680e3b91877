//! The backends of this build. The only file that depends on their features.

use std::sync::Arc;

use hotcell_core::{
    Admitted, BackendError, Contract, Enforcement, Field, HostOptions, LoadError, Offered, Policy, PolicyError,
};
#[cfg(any(feature = "wasmtime", feature = "wasmi"))]
use hotcell_core::{Backend, Imports};
use hotcell_wasi::WasiConfig;

#[cfg(any(feature = "wasmtime", feature = "wasmi"))]
use crate::Sandbox;
use crate::any::{AnyImports, AnyPlugin, AnyTraced};
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

/// A sandbox on a backend of this build that was chosen at run time. Everything above it is the same for each.
pub enum AnySandbox {
    /// On wasmtime.
    #[cfg(feature = "wasmtime")]
    Wasmtime(Sandbox<Wasmtime>),
    /// On wasmi.
    #[cfg(feature = "wasmi")]
    Wasmi(Sandbox<Wasmi>),
    /// On both as one.
    #[cfg(feature = "tiered")]
    Tiered(Sandbox<Tiered>),
}

/// Evaluates an expression on the sandbox, whatever its backend is.
macro_rules! on_any {
    ($any:expr, $sandbox:ident => $result:expr) => {
        match *$any {
            #[cfg(feature = "wasmtime")]
            AnySandbox::Wasmtime(ref $sandbox) => $result,
            #[cfg(feature = "wasmi")]
            AnySandbox::Wasmi(ref $sandbox) => $result,
            #[cfg(feature = "tiered")]
            AnySandbox::Tiered(ref $sandbox) => $result,
        }
    };
}

#[cfg_attr(
    not(any(feature = "wasmtime", feature = "wasmi")),
    expect(unused_variables, reason = "there is no backend, and so no sandbox")
)]
impl AnySandbox {
    /// The policy.
    pub fn policy(&self) -> &Policy {
        on_any!(self, sandbox => sandbox.policy())
    }

    /// Notes on the engine's state, such as a fallback that it had to use.
    pub fn notes(&self) -> Vec<String> {
        on_any!(self, sandbox => hotcell_core::SandboxBackend::notes(sandbox.backend()))
    }

    /// Waits until nothing is compiled behind any more.
    pub fn finish_compiling(&self) {
        on_any!(self, sandbox => hotcell_core::SandboxBackend::finish_compiling(sandbox.backend()))
    }

    /// Like [`Sandbox::named`](crate::Sandbox::named).
    pub fn named(&self, name: impl Into<Arc<str>>) -> Self {
        match *self {
            #[cfg(feature = "wasmtime")]
            Self::Wasmtime(ref sandbox) => Self::Wasmtime(sandbox.named(name)),
            #[cfg(feature = "wasmi")]
            Self::Wasmi(ref sandbox) => Self::Wasmi(sandbox.named(name)),
            #[cfg(feature = "tiered")]
            Self::Tiered(ref sandbox) => Self::Tiered(sandbox.named(name)),
        }
    }

    /// What modules may import for which the embedder offers nothing.
    pub fn offered(&self) -> Offered {
        on_any!(self, sandbox => sandbox.imports::<()>().offered().clone())
    }

    /// Compiles a module that was admitted, and keeps nothing: whether its backend takes it.
    ///
    /// # Errors
    ///
    /// As [`Loader::compile`](hotcell_core::Loader::compile).
    pub fn compile(&self, admitted: &Admitted<'_>) -> Result<(), BackendError> {
        on_any!(self, sandbox => sandbox.compile(admitted))
    }

    /// Loads a module without host functions of the embedder's.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::load`](crate::Sandbox::load).
    pub fn load(&self, bytes: &[u8], contract: &Contract) -> Result<Box<dyn AnyPlugin>, LoadError> {
        self.load_with::<()>(bytes, &AnyImports::new(), contract)
    }

    /// Loads a plugin that was built with one of Extism's kits, without host functions of the embedder's.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::load`](crate::Sandbox::load).
    #[cfg(feature = "extism")]
    pub fn load_extism(
        &self,
        bytes: &[u8],
        config: hotcell_extism::ExtismConfig,
    ) -> Result<Box<dyn AnyPlugin>, LoadError> {
        on_any!(self, sandbox => {
            let imports = extism_imports(sandbox, bytes, config);
            Ok(Box::new(sandbox.load_with(bytes, &imports, &hotcell_extism::CONTRACT)?))
        })
    }

    /// Loads a module with host functions, under any contract.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::load`](crate::Sandbox::load).
    pub fn load_with<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &AnyImports<T>,
        contract: &Contract,
    ) -> Result<Box<dyn AnyPlugin<T>>, LoadError> {
        on_any!(self, sandbox => {
            Ok(Box::new(sandbox.load_with(bytes, &any_imports(sandbox, bytes, imports), contract)?))
        })
    }
}

#[cfg_attr(
    not(any(feature = "wasmtime", feature = "wasmi")),
    expect(unused_variables, reason = "there is no backend, and so no sandbox")
)]
impl AnySandbox {
    /// Loads a module [for tracing](crate::Sandbox::load_traced), without host functions of the embedder's.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::load_traced`](crate::Sandbox::load_traced).
    pub fn load_traced(&self, bytes: &[u8], contract: &Contract) -> Result<Box<dyn AnyTraced>, LoadError> {
        self.load_traced_with::<()>(bytes, &AnyImports::new(), contract)
    }

    /// Loads a module [for tracing](crate::Sandbox::load_traced), with host functions.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::load_traced`](crate::Sandbox::load_traced).
    pub fn load_traced_with<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &AnyImports<T>,
        contract: &Contract,
    ) -> Result<Box<dyn AnyTraced<T>>, LoadError> {
        on_any!(self, sandbox => Ok(Box::new(sandbox.load_traced(bytes, &any_imports(sandbox, bytes, imports), contract)?)))
    }

    /// Loads one of Extism's plugins [for tracing](crate::Sandbox::load_traced).
    ///
    /// # Errors
    ///
    /// As [`Sandbox::load_traced`](crate::Sandbox::load_traced).
    #[cfg(feature = "extism")]
    pub fn load_extism_traced(
        &self,
        bytes: &[u8],
        config: hotcell_extism::ExtismConfig,
    ) -> Result<Box<dyn AnyTraced>, LoadError> {
        on_any!(self, sandbox => {
            let imports = extism_imports(sandbox, bytes, config);
            Ok(Box::new(sandbox.load_traced(bytes, &imports, &hotcell_extism::CONTRACT)?))
        })
    }
}

/// WASI, if that is wanted, and what the embedder offers.
#[cfg(any(feature = "wasmtime", feature = "wasmi"))]
fn any_imports<B: Backend, T: Send + 'static>(
    sandbox: &Sandbox<B>,
    bytes: &[u8],
    imports: &AnyImports<T>,
) -> Imports<T, B> {
    // An embedder that offers functions of WASI means its own.
    let mut own = sandbox.imports_for::<T>(bytes, !imports.offers_from(hotcell_wasi::MODULE));
    // The names are different, and none is one of WASI then.
    imports.add_to(&mut own).expect("no name is taken");
    own
}

#[cfg(all(feature = "extism", any(feature = "wasmtime", feature = "wasmi")))]
fn extism_imports<B: hotcell_extism::ExtismBackend>(
    sandbox: &Sandbox<B>,
    bytes: &[u8],
    config: hotcell_extism::ExtismConfig,
) -> Imports<(), B> {
    let mut imports = sandbox.imports_for::<()>(bytes, true);
    hotcell_extism::offer(&mut imports, config).expect("WASI has other names");
    imports
}

type Make = fn(Policy, &SandboxOptions) -> Result<AnySandbox, PolicyError>;

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
    pub fn sandbox(&self, policy: Policy, options: &SandboxOptions) -> Result<AnySandbox, PolicyError> {
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
) -> Result<Sandbox<B>, PolicyError> {
    let builder = SandboxBuilder::<B>::new(policy).host(host.clone()).options(options);
    wasi.iter().fold(builder, |builder, wasi| builder.wasi(wasi.clone())).build()
}

/// The backends of this build: wasmtime, wasmi, tiered.
pub fn backends() -> Vec<BackendInfo> {
    vec![
        #[cfg(feature = "wasmtime")]
        BackendInfo::of::<Wasmtime>(|policy, options| {
            Ok(AnySandbox::Wasmtime(make(policy, options, options.wasmtime.clone())?))
        }),
        #[cfg(feature = "wasmi")]
        BackendInfo::of::<Wasmi>(|policy, options| Ok(AnySandbox::Wasmi(make(policy, options, ())?))),
        #[cfg(feature = "tiered")]
        BackendInfo::of::<Tiered>(|policy, options| {
            let own = TieredOptions { second: options.wasmtime.clone(), ..TieredOptions::default() };
            Ok(AnySandbox::Tiered(make(policy, options, own)?))
        }),
    ]
}

/// A sandbox on the backend with this name, chosen at run time.
///
/// # Errors
///
/// [`PolicyError::NoBackend`] when the build has none with that name; otherwise as [`BackendInfo::sandbox`].
pub fn sandbox(backend: &str, policy: Policy, options: &SandboxOptions) -> Result<AnySandbox, PolicyError> {
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
