//! The raw engines, doing by hand what a plugin call does: arm limits, make a store, check the ABI, bytes in, bytes
//! out, and a report.
//!
//! Written as an expert of the engine would: everything that can be done once per module is done once.

mod wasmi;
mod wasmtime;

pub use self::{wasmi::Wasmi, wasmtime::Wasmtime};

use std::time::{Duration, Instant};

use hotcell::{Admitted, HostOptions, Policy};

/// An engine, used directly.
pub trait Raw: Sized + 'static {
    /// A live instance.
    type Live: Live;

    /// Compiles and links the bytes that hotcell gives to its own engine.
    fn load(policy: &Policy, admitted: &Admitted<'_>, entry: &str) -> Self;

    /// A call on a new instance: ABI check, `alloc`, the entry.
    fn call(&self, input: &[u8]) -> Reply;

    /// Makes a live instance.
    fn live(&self) -> Self::Live;

    /// Compiles, and drops the result.
    fn compile(&self, admitted: &Admitted<'_>);
}

/// A live instance, used directly. Every call has its own budget.
pub trait Live: 'static {
    /// Bytes in, bytes out.
    fn call(&mut self, input: &[u8]) -> Reply;

    /// The export `add`, as a typed call.
    fn add(&mut self, a: i32, b: i32) -> i32;
}

/// The result of a byte call.
pub struct Reply {
    /// The guest's bytes.
    pub bytes: Vec<u8>,
    /// Fuel used.
    pub fuel: u64,
    /// Maximum bytes of memory.
    pub peak: u64,
    /// Wall time.
    pub time: Duration,
}

/// The numbers of a policy, in the form of a hand-written host.
#[derive(Clone, Copy)]
struct Limits {
    /// The counters' values: with exact metering the guest counts.
    fuel: i64,
    stack: i64,
    memory: u64,
    output: u64,
    host_calls: Option<u64>,
    /// Bytes of the thread's stack that a guest may use, including what the engine needs.
    native_stack: usize,
    deadline: Option<Duration>,
    is_interruptible: bool,
}

impl Limits {
    /// # Panics
    ///
    /// With other than exact metering, which the raw engines do not implement.
    fn of(policy: &Policy) -> Self {
        assert!(policy.is_exact(), "the raw engines are held against exact metering");
        let limits = &policy.rules().limits;
        Self {
            fuel: limits.fuel.map_or(i64::MAX, |fuel| fuel.min(i64::MAX as u64) as i64),
            stack: policy.stack_cells(),
            memory: limits.memory_bytes,
            output: limits.output_bytes,
            host_calls: limits.host_calls,
            native_stack: (2 * limits.stack_bytes) as usize + (512 << 10),
            deadline: limits.deadline,
            is_interruptible: policy.is_interruptible(),
        }
    }
}

/// Fuel of a slice, after which the clock is checked.
const SLICE: i64 = HostOptions::SLICE as i64;

/// The data of a store, with the engine's handle to a global.
struct Data<G> {
    /// The guest's counters, fuel and stack, once instantiated; and the fuel that is not in the first.
    counters: Option<[G; 2]>,
    reserve: i64,
    is_interruptible: bool,
    held: u64,
    allowed: u64,
    peak: u64,
    begin: Option<Instant>,
    deadline: Option<Instant>,
    calls: u64,
    allowed_calls: Option<u64>,
    /// The embedder's state.
    state: u64,
}

impl<G> Data<G> {
    fn new(limits: &Limits) -> Self {
        let begin = limits.deadline.map(|_| Instant::now());
        let deadline = begin.zip(limits.deadline).map(|(begin, limit)| begin + limit);
        Self {
            counters: None,
            reserve: 0,
            is_interruptible: limits.is_interruptible,
            held: 0,
            allowed: limits.memory,
            peak: 0,
            begin,
            deadline,
            calls: 0,
            allowed_calls: limits.host_calls,
            state: 0,
        }
    }

    /// Begins another operation.
    fn rearm(&mut self, limits: &Limits) {
        self.peak = self.held;
        self.calls = 0;
        if let Some(limit) = limits.deadline {
            let now = Instant::now();
            (self.begin, self.deadline) = (Some(now), Some(now + limit));
        }
    }

    /// The value for the guest's counter.
    #[inline]
    fn slice(&mut self, fuel: i64) -> i64 {
        let slice = if self.is_interruptible { fuel.min(SLICE) } else { fuel };
        self.reserve = fuel - slice;
        slice
    }

    /// The next slice, for a guest that has `left`; `None` when it must end.
    fn next_slice(&mut self, left: i64) -> Option<i64> {
        if left + self.reserve < 0 || self.is_late() {
            return None;
        }
        let slice = (SLICE - left).min(self.reserve);
        self.reserve -= slice;
        Some(slice)
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let held = self.held + bytes as u64;
        let fits = held <= self.allowed;
        if fits {
            self.held = held;
            self.peak = self.peak.max(held);
        }
        fits
    }

    /// Counts a call of a host function. Returns `false` when the limit is exceeded.
    #[inline]
    fn count_call(&mut self) -> bool {
        self.calls += 1;
        self.allowed_calls.is_none_or(|allowed| self.calls <= allowed)
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// # Panics
    ///
    /// When the deadline has passed.
    fn reply(&self, bytes: Vec<u8>, fuel: u64) -> Reply {
        let time = self.begin.map(|begin| begin.elapsed()).unwrap_or_default();
        let late = self.begin.zip(self.deadline).is_some_and(|(begin, deadline)| time > deadline - begin);
        assert!(!late, "the guest is in time");
        Reply { bytes, fuel, peak: self.peak, time }
    }
}

/// Address and length of a reply, as the guest packs them.
fn unpack(packed: u64) -> (usize, usize) {
    ((packed >> 32) as usize, packed as u32 as usize)
}

/// Fuel for the call of the version export.
const ABI_FUEL: i64 = 100_000;
