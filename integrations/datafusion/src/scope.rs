//! What a function knows of where it is evaluated. DataFusion tells it nothing: the node above sets it while it polls. A node
//! that evaluates in tasks of its own, as a sort may, leaves it unknown there: then it is [`Query::elsewhere`].
//!
//! [`Query::elsewhere`]: crate::query::Query::elsewhere

use std::{cell::RefCell, collections::HashMap, fmt, sync::Arc, time::Duration};

use datafusion::{
    execution::memory_pool::{MemoryPool, MemoryReservation},
    physical_plan::metrics::{Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, Time},
};
use hotcell::{AnySession, Report};
use parking_lot::Mutex;

use crate::slots::Slot;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Scope>>> = const { RefCell::new(None) };
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.partition)
    }
}

/// A partition of a node that evaluates functions.
pub(crate) struct Scope {
    /// `None` where it is unknown.
    pub(crate) partition: Option<usize>,
    pub(crate) pool: Arc<dyn MemoryPool>,
    metrics: ExecutionPlanMetricsSet,
    tallies: Mutex<HashMap<String, Tally>>,
}

/// What a function has done in a partition.
struct Tally {
    calls: Count,
    rows: Count,
    fuel: Count,
    guest_time: Time,
    copy_time: Time,
    peak_memory: Gauge,
    tiers: HashMap<&'static str, Count>,
    kept: Option<Kept>,
}

/// An instance that waits for its next batch.
pub(crate) struct Kept {
    pub(crate) session: Box<dyn AnySession>,
    pub(crate) _slot: Slot,
    pub(crate) _memory: MemoryReservation,
}

/// The scope of this thread.
pub(crate) fn current() -> Option<Arc<Scope>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Sets the scope of this thread, until it is dropped.
pub(crate) struct Entered(Option<Arc<Scope>>);

impl Entered {
    pub(crate) fn new(scope: &Arc<Scope>) -> Self {
        Self(CURRENT.replace(Some(scope.clone())))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Scope {
    pub(crate) fn new(partition: Option<usize>, pool: Arc<dyn MemoryPool>, metrics: &ExecutionPlanMetricsSet) -> Self {
        Self { partition, pool, metrics: metrics.clone(), tallies: Mutex::default() }
    }

    fn with<R>(&self, function: &str, act: impl FnOnce(&mut Tally) -> R) -> R {
        let mut tallies = self.tallies.lock();
        if !tallies.contains_key(function) {
            tallies
                .insert(function.to_owned(), Tally::new(function, self.partition.unwrap_or_default(), &self.metrics));
        }
        act(tallies.get_mut(function).expect("it was just there"))
    }

    /// Counts a batch; gives the rows that the function got before it.
    pub(crate) fn begin(&self, function: &str, rows: usize) -> u64 {
        self.with(function, |tally| {
            let before = tally.rows.value() as u64;
            tally.rows.add(rows);
            tally.calls.add(1);
            before
        })
    }

    /// Counts what a batch has used.
    pub(crate) fn end(&self, function: &str, report: &Report) {
        let tier = report.tier.as_ref().map_or(report.backend, |tier| tier.backend);
        let (metrics, partition) = (&self.metrics, self.partition.unwrap_or_default());
        self.with(function, |tally| {
            tally.fuel.add(report.usage.fuel_used.unwrap_or_default() as usize);
            tally.guest_time.add_duration(report.guest_time);
            tally.peak_memory.set_max(report.usage.peak_memory_bytes as usize);
            let new = || MetricBuilder::new(metrics).counter(format!("{function}.on_{tier}"), partition);
            tally.tiers.entry(tier).or_insert_with(new).add(1);
        });
    }

    /// Counts time for frames.
    pub(crate) fn copied(&self, function: &str, time: Duration) {
        self.with(function, |tally| tally.copy_time.add_duration(time));
    }

    /// Whether batches come one after another.
    pub(crate) fn is_partition(&self) -> bool {
        self.partition.is_some()
    }

    /// The instance that the batch before has left.
    pub(crate) fn take_kept(&self, function: &str) -> Option<Kept> {
        self.with(function, |tally| tally.kept.take())
    }

    /// Leaves an instance for the next batch.
    pub(crate) fn keep(&self, function: &str, kept: Kept) {
        self.with(function, |tally| tally.kept = Some(kept));
    }
}

impl Tally {
    fn new(function: &str, partition: usize, metrics: &ExecutionPlanMetricsSet) -> Self {
        let name = |what: &str| format!("{function}.{what}");
        let builder = || MetricBuilder::new(metrics);
        Self {
            calls: builder().counter(name("calls"), partition),
            rows: builder().counter(name("rows"), partition),
            fuel: builder().counter(name("fuel"), partition),
            guest_time: builder().subset_time(name("guest_time"), partition),
            copy_time: builder().subset_time(name("copy_time"), partition),
            peak_memory: builder().peak_memory_usage(name("peak_memory"), partition),
            tiers: HashMap::new(),
            kept: None,
        }
    }
}
