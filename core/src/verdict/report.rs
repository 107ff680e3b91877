use core::time::Duration;

use crate::policy::Fingerprint;

/// What an operation has used so far. Read without looking at a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fuel; `None` where nobody counts it.
    pub fuel_used: Option<u64>,
    /// Most bytes that all memories and tables of the instance had together; a table element counts 8.
    pub peak_memory_bytes: u64,
    /// Growths that the policy refused. The guest saw -1.
    pub refused_growths: u64,
    /// Calls of host functions.
    pub host_calls: u64,
}

/// What a byte call used, and under what it ran. Comes with every reply and with every failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Id of the backend.
    pub backend: &'static str,
    /// Version of its engine.
    pub backend_version: &'static str,
    /// The policy.
    pub policy: Fingerprint,
    /// What was used.
    pub usage: Usage,
    /// Wall clock of the operation, without `host_time`.
    pub guest_time: Duration,
    /// Time that was not the guest's: what host functions spent [off the clock](crate::HostCx::off_the_clock), and what
    /// a backend spent on preparing its engine for another thread.
    pub host_time: Duration,
}
