use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use crate::policy::Fingerprint;

/// What an operation has used so far. Reading it does not read a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fuel; `None` when it is not counted.
    pub fuel_used: Option<u64>,
    /// Maximum bytes of all memories and tables of the instance together, and of what host functions
    /// [reserved](crate::HostCx::reserve) for it; a table element counts 8.
    pub peak_memory_bytes: u64,
    /// Growths that the policy refused, for which the guest got -1, and reservations.
    pub refused_growths: u64,
    /// Calls of host functions, without those that are [steps](crate::Imports::step_func) of the guest.
    pub host_calls: u64,
}

/// One of the engines of a backend that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Id of the engine's own backend.
    pub backend: &'static str,
    /// Version of the engine.
    pub version: &'static str,
}

/// What a guest wrote to its standard streams. They are the guest's bytes: [escape](super::Escaped) them before they reach a
/// terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output, at most `limits.output_bytes`. Empty for a [command](crate::Contract::Command) that ended well: there
    /// it is the reply.
    pub stdout: Vec<u8>,
    /// Standard error, at most 64 KiB or `limits.output_bytes`.
    pub stderr: Vec<u8>,
    /// Bytes of standard output that did not fit.
    pub dropped_stdout: u64,
    /// Bytes of standard error that did not fit.
    pub dropped_stderr: u64,
}

/// What a call used, and the configuration it ran under. Comes with every reply and every
/// [`CallError`](super::CallError).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Id of the backend.
    pub backend: &'static str,
    /// Version of its engine.
    pub backend_version: &'static str,
    /// Which engine of the backend answered, where it has several.
    pub tier: Option<Tier>,
    /// The plugin's [name](crate::Plugin::name).
    pub name: Option<Arc<str>>,
    /// Fingerprint of the policy.
    pub policy: Fingerprint,
    /// How long the plugin took to load, once for all its calls.
    pub load_time: Duration,
    /// What was used.
    pub usage: Usage,
    /// What the guest wrote to its standard streams.
    pub output: Output,
    /// Wall-clock time of the operation, without `host_time`.
    pub guest_time: Duration,
    /// Time that does not count as the guest's: what host functions spent
    /// [off the clock](crate::HostCx::off_the_clock), and what a backend spent on preparing its engine for another
    /// thread.
    pub host_time: Duration,
}
