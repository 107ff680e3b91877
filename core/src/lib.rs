//! The contract of hotcell: what a policy is, which modules it admits, what a backend must do, and the one
//! vocabulary of verdicts. No engine is named here but in `fences.rs`, and nothing here needs an operating system.
//!
//! The modules, in the order in which a plugin passes through them:
//!
//! * [`policy`]: the declarative rules, checked when made;
//! * [`mod@admit`]: one pass over the bytes, before any engine sees them;
//! * [`meter`]: the rewrite that makes fuel and stack the same numbers on every engine;
//! * [`backend`]: the trait that an engine is put behind, and what a host function sees;
//! * [`plugin`]: the byte contract, the ABI check, poison and report, written once for every backend;
//! * [`trace`]: where a guest was when it failed, and where its fuel went;
//! * [`verdict`]: rejections, faults and reports.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod admission;
pub mod admit;
pub mod backend;
mod fences;
mod identity;
pub mod meter;
pub mod plugin;
pub mod policy;
mod reserved;
#[cfg(feature = "std")]
pub mod ticker;
pub mod time;
pub mod trace;
pub mod value;
pub mod verdict;

pub use admission::{Admitted, admit};
pub use admit::{Contract, ModuleSummary, Offered, Signature};
pub use backend::{
    Backend, Budget, Enforcement, Field, HostCx, HostError, HostFn, HostOptions, Imports, Instance, SandboxBackend,
    Store, Streams, TypedCall,
};
pub use identity::Identity;
pub use plugin::{Guest, Loader, Plugin, Recorded, Reply, Session, Traced};
pub use policy::{Policy, PolicyError, Preset, Proposal, Rules};
pub use time::{CancelToken, Clock, Instant};
pub use value::{ValType, Value, Values};
pub use verdict::{BackendError, Blame, CallError, Fault, LoadError, Output, Phase, Rejection, Report, TrapKind};
