#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod any;
mod backends;
#[cfg(feature = "toml")]
mod policy_file;
mod sandbox;

pub use any::{AnyPlugin, AnySandbox, AnySession};
#[cfg(feature = "wasmi")]
pub use backends::Wasmi;
pub use backends::{BackendInfo, DefaultBackend, backends, sandbox};
#[cfg(feature = "wasmtime")]
pub use backends::{Wasmtime, WasmtimeOptions};
#[cfg(feature = "toml")]
pub use policy_file::{PolicyFileError, parse_policy};
pub use sandbox::Sandbox;

pub use hotcell_core::{
    Admitted, BackendError, Blame, Budget, CallError, CancelToken, Clock, Contract, Enforcement, Fault, Field, HostCx,
    HostError, HostOptions, Imports, Instant, LoadError, ModuleSummary, Offered, Phase, Plugin, Policy, PolicyError,
    Preset, Proposal, Rejection, Reply, Report, Rules, Session, Signature, TrapKind, ValType, Value, Values, admit,
    backend, plugin::TypedFunc, policy, time, verdict,
};

/// The guide's examples, run as tests.
#[cfg(all(doctest, feature = "toml"))]
#[doc = include_str!("../docs/embed.md")]
struct Guide;
