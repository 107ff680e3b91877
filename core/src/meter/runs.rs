//! Straight runs: what each costs, and at the beginning of which that is taken.

use alloc::{vec, vec::Vec};
use core::num::NonZeroU32;

/// A straight run of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunId(u32);

impl RunId {
    /// The run with which a function begins.
    pub(super) const ENTRY: Self = Self(0);
}

/// Most runs whose cost is taken ahead by one. What is given back is kept in a list, which this keeps short.
const MOST_AHEAD: u8 = 8;

/// All runs of a function, in order.
pub(super) struct Runs {
    runs: Vec<Run>,
}

/// Small, because a body may have one for every few bytes. A cost fits: an operator has at least one byte, and costs less
/// than 2,000 with its share of the entries of the loops around it.
struct Run {
    /// Fuel that is taken at its beginning; below zero, what is given back.
    cost: i32,
    /// The part of `cost` that is for later runs, which may not be reached.
    ahead: i32,
    /// The run that takes the cost: itself or an earlier one.
    taken_by: u32,
    /// The first of the runs that give back what this one takes ahead.
    gives_back: Option<NonZeroU32>,
    /// The next in such a list.
    next: Option<NonZeroU32>,
    /// Runs that it takes ahead.
    count: u8,
    /// Whether fuel is checked between its beginning and its end, or those of a run that it takes ahead.
    has_check: bool,
}

impl Run {
    fn new(id: u32) -> Self {
        Self { cost: 0, ahead: 0, taken_by: id, has_check: false, count: 0, gives_back: None, next: None }
    }
}

impl Runs {
    /// With the run at the entry.
    pub(super) fn new() -> Self {
        Self { runs: vec![Run::new(RunId::ENTRY.0)] }
    }

    /// Begins the next run.
    pub(super) fn begin(&mut self) -> RunId {
        let id = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        self.runs.push(Run::new(id));
        RunId(id)
    }

    /// The run that began last.
    pub(super) fn current(&self) -> RunId {
        RunId(u32::try_from(self.runs.len() - 1).unwrap_or(u32::MAX))
    }

    /// An operator of the current run.
    pub(super) fn add(&mut self, cost: i32) {
        let current = self.current();
        self.run_mut(current).cost += cost;
    }

    /// More of a run that may have ended, and that nobody has taken ahead.
    pub(super) fn add_to(&mut self, run: RunId, cost: i32) {
        self.run_mut(run).cost += cost;
    }

    /// Fuel is checked within the current run.
    pub(super) fn check(&mut self) {
        let current = self.current();
        self.run_mut(current).has_check = true;
    }

    /// Fuel that is taken where the run begins.
    pub(super) fn cost(&self, run: RunId) -> i64 {
        self.run(run).cost.into()
    }

    /// How much of that is for later runs, which may not be reached. A check at the beginning must not count it.
    pub(super) fn ahead(&self, run: RunId) -> i64 {
        self.run(run).ahead.into()
    }

    /// Fuel that is taken at the entry, for the first run.
    pub(super) fn entry_cost(&self) -> i64 {
        self.cost(RunId::ENTRY)
    }

    /// A conditional branch ends `before`; it leads to `join`, where nothing else leads, or on to `after`. Takes the cost of
    /// `after` together with that of `before`, and gives it back in `join`: a loop then counts once per round, however
    /// many ways lead out of it. The fuel counter is the same as it would be wherever it is checked or seen.
    pub(super) fn take_ahead(&mut self, before: RunId, after: RunId, join: RunId) {
        let by = self.taker(before);
        let count = self.run(by).count + self.run(after).count + 1;
        if by == RunId::ENTRY || self.run(by).has_check || count > MOST_AHEAD {
            return;
        }
        let amount = core::mem::take(&mut self.run_mut(after).cost);
        self.run_mut(after).taken_by = by.0;
        // Whoever leaves before `after` gets it back, and so does `join`.
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

    /// Notes that `run` gives back what `by` takes ahead.
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
