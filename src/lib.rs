#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod any;
mod backends;
mod builder;
pub mod log;
#[cfg(feature = "toml")]
mod policy_file;
#[cfg(feature = "reload")]
pub mod reload;
mod sandbox;
#[cfg(feature = "symbols")]
mod symbols;

pub use any::{AnyCx, AnyImports, AnyPlugin, AnySession, AnyTraced};
#[cfg(feature = "wasmi")]
pub use backends::Wasmi;
pub use backends::{AnySandbox, BackendInfo, DefaultBackend, SandboxOptions, backends, sandbox};
#[cfg(all(feature = "cache", unix))]
pub use backends::{CacheEntry, CodeCache, EntryName, InsecureCache};
#[cfg(all(feature = "worker", unix))]
pub use backends::{CompileLimits, CompileWorker, WorkerUnavailable, serve_compile_worker};
#[cfg(feature = "tiered")]
pub use backends::{Tiered, TieredOptions};
#[cfg(feature = "wasmtime")]
pub use backends::{Wasmtime, WasmtimeOptions};
#[cfg(feature = "wasmtime")]
pub use builder::HasWasmtime;
pub use builder::SandboxBuilder;
#[cfg(feature = "toml")]
pub use policy_file::{PolicyFileError, parse_policy};
#[cfg(feature = "reload")]
pub use reload::PluginDir;
pub use sandbox::Sandbox;
#[cfg(feature = "symbols")]
pub use symbols::{Source, Symbols};

#[cfg(feature = "extism")]
pub use hotcell_extism as extism;

pub use hotcell_core::{
    Admitted, BackendError, Blame, Budget, CallError, CancelToken, Clock, Contract, Enforcement, Fault, Field, Guest,
    HostCx, HostError, HostOptions, Identity, Imports, Instant, LoadError, ModuleSummary, Offered, Output, Phase,
    Plugin, Policy, PolicyError, Preset, Proposal, Recorded, Rejection, Reply, Report, Rules, Session, Signature,
    Traced, TrapKind, ValType, Value, Values, admit, backend,
    plugin::TypedFunc,
    policy::{self, Floats, Metering},
    time, trace, verdict,
};

#[cfg(feature = "json")]
pub use hotcell_core::plugin::{Json, JsonError};
pub use hotcell_wasi::{self as wasi, WasiConfig};

/// The examples of the pages, run as tests.
#[cfg(all(doctest, feature = "toml", feature = "wasmtime"))]
mod pages {
    #[doc = include_str!("../docs/tutorial.md")]
    struct Tutorial;
    #[cfg(all(feature = "cache", feature = "tiered", feature = "worker", unix))]
    #[doc = include_str!("../docs/embed.md")]
    struct Embed;
    #[doc = include_str!("../docs/guests.md")]
    struct Guests;
    #[doc = include_str!("../docs/errors.md")]
    struct Errors;
    #[doc = include_str!("../docs/debugging.md")]
    struct Debugging;
    #[doc = include_str!("../docs/profiling.md")]
    struct Profiling;
    #[doc = include_str!("../docs/deployment.md")]
    struct Deployment;
    #[cfg(feature = "reload")]
    #[doc = include_str!("../docs/service.md")]
    struct Service;
    #[doc = include_str!("../docs/faq.md")]
    struct Faq;
    #[cfg(feature = "extism")]
    #[doc = include_str!("../docs/from-extism.md")]
    struct FromExtism;
    #[doc = include_str!("../docs/from-wasmtime.md")]
    struct FromWasmtime;
    #[cfg(feature = "wasmi")]
    #[doc = include_str!("../docs/embedded.md")]
    struct Embedded;
    #[doc = include_str!("../docs/browser.md")]
    struct Browser;
}
