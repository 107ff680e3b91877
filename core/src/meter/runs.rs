//! Straight runs: the cost of each, and the run at whose beginning it is charged.

use alloc::{vec, vec::Vec};
use core::num::NonZeroU32;

/// A straight run of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunId(u32);

impl RunId {
    /// The run at the function's entry.
    pub(super) const ENTRY: Self = Self(0);
}

/// Maximum number of runs that one run charges ahead. Keeps the list of refunds short.
const MOST_AHEAD: u8 = 8;

/// All runs of a function, in order.
pub(super) struct Runs {
    runs: Vec<Run>,
}

/// Small, because a body may have one for every few bytes. A cost fits: a run is split at `cost::LONG_RUN`, and a run
/// charges at most [`MOST_AHEAD`] others ahead.
struct Run {
    /// Fuel that is charged at its beginning; if negative, refunded.
    cost: i32,
    /// The part of `cost` that is for later runs, which may not be reached.
    ahead: i32,
    /// The run that charges the cost: itself or an earlier one.
    taken_by: u32,
    /// Head of the list of runs that refund what this one charges ahead.
    gives_back: Option<NonZeroU32>,
    /// The next run in such a list.
    next: Option<NonZeroU32>,
    /// Number of runs that it charges ahead.
    count: u8,
    /// Whether fuel is checked within it or within a run that it charges ahead.
    has_check: bool,
}

impl Run {
    fn new(id: u32) -> Self {
        Self { cost: 0, ahead: 0, taken_by: id, has_check: false, count: 0, gives_back: None, next: None }
    }
}

impl Runs {
    /// Starts with the run at the entry.
    pub(super) fn new() -> Self {
        Self { runs: vec![Run::new(RunId::ENTRY.0)] }
    }

    /// Begins the next run.
    pub(super) fn begin(&mut self) -> RunId {
        let id = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        self.runs.push(Run::new(id));
        RunId(id)
    }

    /// The run that was begun last.
    pub(super) fn current(&self) -> RunId {
        RunId(u32::try_from(self.runs.len() - 1).unwrap_or(u32::MAX))
    }

    /// Adds the cost of an operator to the current run.
    pub(super) fn add(&mut self, cost: i32) {
        let current = self.current();
        self.run_mut(current).cost += cost;
    }

    /// Notes that fuel is checked within the current run.
    pub(super) fn check(&mut self) {
        let current = self.current();
        self.run_mut(current).has_check = true;
    }

    /// Fuel that is charged at the beginning of the run.
    pub(super) fn cost(&self, run: RunId) -> i64 {
        self.run(run).cost.into()
    }

    /// The part of that for later runs, which may not be reached. A check at the beginning must not count it.
    pub(super) fn ahead(&self, run: RunId) -> i64 {
        self.run(run).ahead.into()
    }

    /// Fuel that is charged at function entry for the first run.
    pub(super) fn entry_cost(&self) -> i64 {
        self.cost(RunId::ENTRY)
    }

    /// A conditional branch ends `before`; it leads to `join`, which has no other predecessor, or falls through to
    /// `after`. Charges the cost of `after` together with that of `before`, and refunds it in `join`: a loop then
    /// counts once per iteration, however many exits it has. The fuel counter has the same value wherever it is checked
    /// or observable.
    pub(super) fn take_ahead(&mut self, before: RunId, after: RunId, join: RunId) {
        let by = self.taker(before);
        let count = self.run(by).count + self.run(after).count + 1;
        if by == RunId::ENTRY || self.run(by).has_check || count > MOST_AHEAD {
            return;
        }
        let amount = core::mem::take(&mut self.run_mut(after).cost);
        self.run_mut(after).taken_by = by.0;
        // Every exit before `after` refunds it, and so does `join`.
        let mut link = self.run(by).gives_back;
        while let Some(run) = link {
            let run = self.run_mut(RunId(run.get()));
            run.cost -= amount;
            link = run.next;
        }
        self.run_mut(join).cost -= amount;
        self.give_back(join, by);
        while let Some(run) = self.run(after).gives_back {
            self.run_mut(after).gives_back = self.run(RunId(run.get())).next;
            self.give_back(RunId(run.get()), by);
        }
        let has_check = self.run(after).has_check;
        let taker = self.run_mut(by);
        taker.cost += amount;
        taker.ahead += amount;
        taker.count = count;
        taker.has_check |= has_check;
    }

    /// Notes that `run` refunds what `by` charges ahead.
    fn give_back(&mut self, run: RunId, by: RunId) {
        let first = core::mem::replace(&mut self.run_mut(by).gives_back, NonZeroU32::new(run.0));
        self.run_mut(run).next = first;
    }

    fn taker(&self, mut run: RunId) -> RunId {
        while self.run(run).taken_by != run.0 {
            run = RunId(self.run(run).taken_by);
        }
        run
    }

    fn run(&self, RunId(run): RunId) -> &Run {
        &self.runs[run as usize]
    }

    fn run_mut(&mut self, RunId(run): RunId) -> &mut Run {
        &mut self.runs[run as usize]
    }
}
