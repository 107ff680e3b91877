//! Straight runs: what each costs, and at the beginning of which that is taken.

use alloc::{vec, vec::Vec};

/// A straight run of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunId(usize);

/// The run with which a function begins.
const ENTRY: usize = 0;

/// Most runs whose cost is taken ahead by one. What is given back is kept in a list, which this keeps short.
const MOST_AHEAD: usize = 8;

/// All runs of a function, in order.
pub(super) struct Runs {
    runs: Vec<Run>,
}

struct Run {
    /// Fuel that is taken at its beginning; below zero, what is given back.
    cost: i64,
    /// The part of `cost` that is for later runs, which may not be reached.
    ahead: i64,
    /// The run that takes the cost: itself or an earlier one.
    taken_by: usize,
    /// Whether fuel is checked between its beginning and its end, or those of a run that it takes ahead.
    has_check: bool,
    /// Runs that it takes ahead.
    count: usize,
    /// The first of the runs that give back what this one takes ahead.
    gives_back: Option<usize>,
    /// The next in such a list.
    next: Option<usize>,
}

impl Run {
    fn new(id: usize) -> Self {
        Self { cost: 0, ahead: 0, taken_by: id, has_check: false, count: 0, gives_back: None, next: None }
    }
}

impl Runs {
    /// With the run at the entry.
    pub(super) fn new() -> Self {
        Self { runs: vec![Run::new(ENTRY)] }
    }

    /// Begins the next run.
    pub(super) fn begin(&mut self) -> RunId {
        let id = self.runs.len();
        self.runs.push(Run::new(id));
        RunId(id)
    }

    /// The run that began last.
    pub(super) fn current(&self) -> RunId {
        RunId(self.runs.len() - 1)
    }

    /// An operator of the current run.
    pub(super) fn add(&mut self, cost: i64) {
        let RunId(current) = self.current();
        self.runs[current].cost += cost;
    }

    /// Fuel is checked within the current run.
    pub(super) fn check(&mut self) {
        let RunId(current) = self.current();
        self.runs[current].has_check = true;
    }

    /// Fuel that is taken where the run begins.
    pub(super) fn cost(&self, RunId(run): RunId) -> i64 {
        self.runs[run].cost
    }

    /// How much of that is for later runs, which may not be reached. A check at the beginning must not count it.
    pub(super) fn ahead(&self, RunId(run): RunId) -> i64 {
        self.runs[run].ahead
    }

    /// Fuel that is taken at the entry, for the first run.
    pub(super) fn entry_cost(&self) -> i64 {
        self.cost(RunId(ENTRY))
    }

    /// A conditional branch ends `before`; it leads to `join`, where nothing else leads, or on to `after`. Takes the cost of
    /// `after` together with that of `before`, and gives it back in `join`: a loop then counts once per round, however
    /// many ways lead out of it. The fuel counter is the same as it would be wherever it is checked or seen.
    pub(super) fn take_ahead(&mut self, before: RunId, after: RunId, join: RunId) {
        let (RunId(after), RunId(join)) = (after, join);
        let by = self.taker(before);
        let count = self.runs[by].count + self.runs[after].count + 1;
        if by == ENTRY || self.runs[by].has_check || count > MOST_AHEAD {
            return;
        }
        let amount = core::mem::take(&mut self.runs[after].cost);
        self.runs[after].taken_by = by;
        // Whoever leaves before `after` gets it back, and so does `join`.
        let mut link = self.runs[by].gives_back;
        while let Some(run) = link {
            self.runs[run].cost -= amount;
            link = self.runs[run].next;
        }
        self.runs[join].cost -= amount;
        self.runs[join].next = self.runs[by].gives_back.replace(join);
        self.move_list(after, by);
        let has_check = self.runs[after].has_check;
        let taker = &mut self.runs[by];
        taker.cost += amount;
        taker.ahead += amount;
        taker.count = count;
        taker.has_check |= has_check;
    }

    /// Moves what gives back to one run to another.
    fn move_list(&mut self, from: usize, to: usize) {
        while let Some(run) = self.runs[from].gives_back {
            self.runs[from].gives_back = self.runs[run].next;
            self.runs[run].next = self.runs[to].gives_back.replace(run);
        }
    }

    fn taker(&self, RunId(mut run): RunId) -> usize {
        while self.runs[run].taken_by != run {
            run = self.runs[run].taken_by;
        }
        run
    }
}
