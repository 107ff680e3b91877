use alloc::vec::Vec;

/// Most frames of a sequence that is looked for repeated.
const LONGEST_CYCLE: usize = 32;
/// Most runs at each end of a backtrace; those between are counted.
const MOST_RUNS: usize = 16;

/// The guest's functions that were entered and not left, the innermost first. Equal on every engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtrace {
    /// The frames. Recursion is folded.
    pub runs: Vec<Repeated>,
    /// Where the runs were too many: how many of them come first, and the number of frames that are left out behind them.
    pub gap: Option<(usize, u64)>,
}

/// Frames, and how often they follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The frames, the innermost first.
    pub frames: Vec<Frame>,
    /// How often.
    pub times: u64,
}

/// A function that was entered and not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Its index.
    pub function: u32,
    /// Offset in the module of the operator where it is: for all but the innermost, that of the call. Zero is no offset.
    pub offset: Option<u32>,
}

impl Backtrace {
    /// The innermost frame: where the guest was.
    pub fn innermost(&self) -> Option<Frame> {
        self.runs.first().and_then(|run| run.frames.first()).copied()
    }

    /// Folds what repeats, in time linear in the number of frames.
    pub(super) fn fold(frames: &[Frame]) -> Self {
        let mut runs: Vec<Repeated> = Vec::new();
        let mut rest = frames;
        while !rest.is_empty() {
            let best = (1..=LONGEST_CYCLE.min(rest.len())).map(|length| (length, times(rest, length)));
            // The shortest of those that cover most. Two of a kind are not folded.
            let best = best
                .filter(|(_, times)| *times > 2)
                .min_by_key(|(length, times)| (usize::MAX - length * times, *length));
            let (length, times) = best.unwrap_or((1, 1));
            runs.push(Repeated { frames: rest[..length].to_vec(), times: times as u64 });
            rest = &rest[length * times..];
        }
        let gap = runs.len().checked_sub(2 * MOST_RUNS).filter(|more| *more > 0).map(|more| {
            let left_out = runs.drain(MOST_RUNS..MOST_RUNS + more);
            (MOST_RUNS, left_out.map(|run| run.frames.len() as u64 * run.times).sum())
        });
        Self { runs, gap }
    }
}

/// How often the first `length` frames follow one another.
fn times(frames: &[Frame], length: usize) -> usize {
    let (first, rest) = frames.split_at(length);
    1 + rest.chunks_exact(length).take_while(|chunk| *chunk == first).count()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn frames(functions: impl IntoIterator<Item = u32>) -> Vec<Frame> {
        functions.into_iter().map(|function| Frame { function, offset: Some(function) }).collect()
    }

    fn folded(functions: &[u32]) -> Vec<(Vec<u32>, u64)> {
        let backtrace = Backtrace::fold(&frames(functions.iter().copied()));
        let runs = backtrace.runs.iter();
        runs.map(|run| (run.frames.iter().map(|frame| frame.function).collect(), run.times)).collect()
    }

    #[test]
    fn a_cycle_is_said_once() {
        assert_eq!(folded(&[]), []);
        assert_eq!(folded(&[1, 1, 2]), [(vec![1], 1), (vec![1], 1), (vec![2], 1)]);
        assert_eq!(folded(&[9, 1, 2, 1, 2, 1, 2, 3]), [(vec![9], 1), (vec![1, 2], 3), (vec![3], 1)]);
        assert_eq!(folded(&[4; 100]), [(vec![4], 100)]);
    }

    #[test]
    fn a_backtrace_without_a_cycle_has_a_gap() {
        let backtrace = Backtrace::fold(&frames(0..1_000));
        assert_eq!(backtrace.gap, Some((MOST_RUNS, 1_000 - 2 * MOST_RUNS as u64)));
        assert_eq!(backtrace.runs.len(), 2 * MOST_RUNS);
        assert_eq!(backtrace.runs.last().unwrap().frames[0].function, 999);
    }
}
