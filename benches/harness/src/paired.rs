//! Two sides of a comparison, interleaved in one process.
//!
//! A machine that is slow at the moment is slow for both sides of a round, so the ratio within a round is meaningful
//! even if the times are not. Times are this thread's processor time, which excludes other programs.

use std::time::{Duration, Instant};

pub use cpu_time::ThreadTime;

use crate::estimate::{Estimate, median};

/// Minimum number of rounds of [`Pair::measure`], and maximum of [`in_turns`].
pub const ROUNDS: usize = 31;
/// Maximum number of rounds, after which an interval that is still too wide is accepted as such.
pub const MOST_ROUNDS: usize = 16 * ROUNDS;
/// Minimum time of one side's turn.
const TURN: Duration = Duration::from_millis(1);

/// Does its work the given number of times.
pub type Side = Box<dyn FnMut(u64)>;

/// A side that calls `work` in a loop. Its result is hidden from the optimiser.
pub fn side<R>(mut work: impl FnMut() -> R + 'static) -> Side {
    Box::new(move |times| {
        for _ in 0..times {
            std::hint::black_box(work());
        }
    })
}

/// Processor time of `times` runs.
pub fn time(side: &mut Side, times: u64) -> Duration {
    let begin = ThreadTime::now();
    side(times);
    begin.elapsed()
}

/// Interleaves the sides, each as often as fills a turn, for about `budget` and at most [`ROUNDS`] rounds; returns, for
/// each side, the seconds of a run in every round. `after_round` gets the share that is done.
///
/// # Panics
///
/// When the turn of a side cannot be measured.
pub fn in_turns(sides: &mut [Side], budget: Duration, mut after_round: impl FnMut(f64)) -> Vec<Vec<f64>> {
    /// Minimum number of rounds for a median.
    const FEWEST: usize = 5;
    let begin = Instant::now();
    let times: Vec<u64> = sides.iter_mut().map(times_per_turn).collect();
    let mut seconds = vec![Vec::new(); sides.len()];
    for round in 1..=ROUNDS {
        for ((side, times), seconds) in sides.iter_mut().zip(&times).zip(&mut seconds) {
            seconds.push(time(side, *times).as_secs_f64() / *times as f64);
        }
        let spent = begin.elapsed().as_secs_f64() / budget.as_secs_f64();
        after_round(spent.max(round as f64 / ROUNDS as f64).min(1.0));
        if round >= FEWEST && spent >= 1.0 {
            break;
        }
    }
    seconds
}

/// Number of runs of a side that fill one turn.
fn times_per_turn(side: &mut Side) -> u64 {
    let mut times = 1;
    while time(side, times) < TURN {
        times *= 2;
    }
    times
}

/// The times of one round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Runs per side.
    pub times: u64,
    /// Time of our side.
    pub ours: Duration,
    /// Time of the other side.
    pub theirs: Duration,
}

/// Two sides that do the same work, in several set-ups: the addresses of code and data affect the time, so each round
/// takes the next set-up.
pub struct Pair {
    sides: Vec<(Side, Side)>,
    rounds: Vec<Round>,
}

impl Pair {
    /// A pair without rounds.
    ///
    /// # Panics
    ///
    /// Without a set-up.
    pub fn new(sides: impl IntoIterator<Item = (Side, Side)>) -> Self {
        let sides: Vec<_> = sides.into_iter().collect();
        assert!(!sides.is_empty(), "a pair has two sides");
        Self { sides, rounds: Vec::new() }
    }

    /// Runs two turns of each side, `times` runs in total for each; the outer ones alternate from round to round. So
    /// neither drift nor a periodic effect of the machine favours one side.
    pub fn round(&mut self, times: u64) -> Round {
        let half = times.div_ceil(2);
        let (number, count) = (self.rounds.len(), self.sides.len());
        let (ours, theirs) = &mut self.sides[number % count];
        let mut ours = || time(ours, half);
        let mut theirs = || time(theirs, half);
        let (ours, theirs) = if (number / count).is_multiple_of(2) {
            let (first, second, third, last) = (ours(), theirs(), theirs(), ours());
            (first + last, second + third)
        } else {
            let (first, second, third, last) = (theirs(), ours(), ours(), theirs());
            (second + third, first + last)
        };
        let round = Round { times: 2 * half, ours, theirs };
        self.rounds.push(round);
        round
    }

    /// Runs rounds until the interval of their ratios is narrow enough, or [`MOST_ROUNDS`] is reached.
    pub fn measure(&mut self) -> Estimate {
        let (ours, theirs) = &mut self.sides[0];
        let times = 2 * times_per_turn(ours).max(times_per_turn(theirs));
        self.rounds.clear();
        loop {
            for _ in 0..ROUNDS {
                self.round(times);
            }
            let estimate = self.ratio();
            if estimate.is_settled() || self.rounds.len() >= MOST_ROUNDS {
                return estimate;
            }
        }
    }

    /// Our time divided by theirs, over all rounds so far.
    ///
    /// # Panics
    ///
    /// Before the first round.
    pub fn ratio(&self) -> Estimate {
        let ratio = |round: &Round| round.ours.as_secs_f64() / round.theirs.as_secs_f64();
        Estimate::of(&self.rounds.iter().map(ratio).collect::<Vec<_>>())
    }

    /// Seconds of one run, ours and theirs: the medians of the rounds. Only for scale.
    ///
    /// # Panics
    ///
    /// Before the first round.
    pub fn seconds(&self) -> (f64, f64) {
        let each = |side: fn(&Round) -> Duration| {
            median(self.rounds.iter().map(|round| side(round).as_secs_f64() / round.times as f64).collect())
        };
        (each(|round| round.ours), each(|round| round.theirs))
    }

    /// The rounds so far.
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(turns: u64) -> Side {
        side(move || (0..turns).fold(0, |sum, i| std::hint::black_box(sum ^ i)))
    }

    #[test]
    fn the_same_work_is_one_and_twice_the_work_is_two() {
        let mut same = Pair::new([(work(10_000), work(10_000))]);
        let mut twice = Pair::new([(work(20_000), work(10_000))]);
        let (same, twice) = (same.measure(), twice.measure());
        assert!((0.8..1.25).contains(&same.median), "{same:?}");
        assert!((1.6..2.5).contains(&twice.median), "{twice:?}");
    }

    #[test]
    fn both_sides_run_equally_often() {
        use std::{cell::Cell, rc::Rc};
        let counts: [Rc<Cell<u64>>; 4] = Default::default();
        let count = |which: usize| {
            let count = counts[which].clone();
            side(move || count.set(count.get() + 1))
        };
        let mut pair = Pair::new([(count(0), count(1)), (count(2), count(3))]);
        (0..5).for_each(|_| assert_eq!(pair.round(7).times, 8));
        assert_eq!(counts.map(|count| count.get()), [24, 24, 16, 16]);
        assert_eq!(pair.rounds().len(), 5);
    }
}
