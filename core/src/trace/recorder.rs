//! Keeps the stack of a traced guest beside it.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Backtrace, Frame, FunctionCost, OwnStack, PathCost, Profile, Trace};
use crate::reserved::Place;

/// Most functions of a call path. What is called deeper counts for the function alone, on the path so far.
const MOST_DEPTH: u32 = 256;
/// Most call paths: 3 MiB. What is called on more counts for one path without a function.
const MOST_PATHS: usize = 1 << 16;

/// The recorder of one instance. What it keeps is bounded: its stack by the guest's, which takes more for each frame; the costs
/// by the number of functions; the paths by [`MOST_PATHS`].
#[derive(Default)]
pub(crate) struct Recorder {
    stack: Vec<Entered>,
    paths: Vec<PathCost>,
    /// Paths by the path in front, if any, and the function behind it.
    by_caller: BTreeMap<(Option<u32>, u32), u32>,
    /// The path of all that found no room.
    more: Option<u32>,
    functions: Vec<Tally>,
    /// The fuel that was left when something was told last.
    fuel: u64,
    /// The function that was left last.
    left: Option<u32>,
    has_ended: bool,
}

/// A function that was entered and not left.
struct Entered {
    function: u32,
    /// Where it has called the next one.
    place: Place,
    path: u32,
    /// Length of its path, at most [`MOST_DEPTH`].
    depth: u32,
}

/// What is known of a function.
#[derive(Clone, Copy, Default)]
struct Tally {
    fuel: u64,
    total: u64,
    calls: u64,
    /// How often it is on the stack.
    active: u32,
    /// The fuel that was left when the first of those was entered.
    entered_with: u64,
}

impl Recorder {
    /// The guest enters `function`, from a call at `place`, with so much fuel left.
    pub(crate) fn enter(&mut self, function: u32, place: Place, fuel: u64) {
        if self.has_ended {
            return;
        }
        self.pay(fuel);
        if place.is_tail_call() {
            self.pop();
        } else if let Some(caller) = self.stack.last_mut()
            && place != Place::default()
        {
            caller.place = place;
        }
        let (caller, depth) = match self.stack.last() {
            Some(caller) if caller.depth < MOST_DEPTH => (Some(caller.path), caller.depth + 1),
            // Beside the caller.
            Some(caller) => (self.paths[caller.path as usize].caller, caller.depth),
            None => (None, 1),
        };
        let path = self.path(caller, function);
        self.paths[path as usize].calls += 1;
        let tally = self.tally(function);
        tally.calls += 1;
        if tally.active == 0 {
            tally.entered_with = fuel;
        }
        tally.active += 1;
        self.stack.push(Entered { function, place: Place::default(), path, depth });
    }

    /// The guest leaves `function` with so much fuel left. Functions above it are gone: host functions took their places.
    pub(crate) fn leave(&mut self, function: u32, fuel: u64) {
        if self.has_ended {
            return;
        }
        self.pay(fuel);
        let Some(position) = self.stack.iter().rposition(|entered| entered.function == function) else { return };
        while self.stack.len() > position {
            self.left = self.pop();
        }
    }

    /// No more of the guest runs. Functions that were not left stay where they are.
    pub(crate) fn end(&mut self, fuel: Option<u64>) {
        if !self.has_ended {
            self.pay(fuel.unwrap_or(self.fuel));
            self.has_ended = true;
        }
    }

    /// What was recorded, of a guest that is at `place`.
    pub(crate) fn finish(mut self, place: Place, own_stack: Option<OwnStack>) -> Trace {
        let backtrace = self.backtrace(place);
        while self.pop().is_some() {}
        let functions = (0..).zip(&self.functions).filter(|(_, tally)| tally.calls > 0);
        let functions = functions.map(|(function, tally)| {
            let &Tally { fuel, total, calls, .. } = tally;
            FunctionCost { function, fuel, total, calls }
        });
        Trace {
            backtrace,
            profile: Profile { functions: functions.collect(), paths: self.paths },
            is_own_stack_exceeded: own_stack.is_some_and(OwnStack::is_exceeded),
        }
    }

    fn backtrace(&self, place: Place) -> Backtrace {
        let offset = |place: Place| (place != Place::default()).then(|| place.offset());
        let Some((last, callers)) = self.stack.split_last() else {
            let left = self.left.map(|function| Frame { function, offset: offset(place) });
            return Backtrace::fold(&Vec::from_iter(left));
        };
        // An import in the place of a callee has left no place.
        let here = if place == Place::default() { last.place } else { place };
        let last = Frame { function: last.function, offset: offset(here) };
        let callers = callers.iter().rev();
        let callers = callers.map(|caller| Frame { function: caller.function, offset: offset(caller.place) });
        Backtrace::fold(&[last].into_iter().chain(callers).collect::<Vec<_>>())
    }

    /// Whoever is on top of the stack has used the fuel since something was told last.
    fn pay(&mut self, fuel: u64) {
        let used = self.fuel.saturating_sub(fuel);
        self.fuel = fuel;
        if let Some(&Entered { function, path, .. }) = self.stack.last() {
            self.paths[path as usize].fuel += used;
            self.tally(function).fuel += used;
        }
    }

    /// Takes the top off the stack.
    fn pop(&mut self) -> Option<u32> {
        let Entered { function, .. } = self.stack.pop()?;
        let fuel = self.fuel;
        let tally = self.tally(function);
        tally.active -= 1;
        if tally.active == 0 {
            tally.total += tally.entered_with.saturating_sub(fuel);
        }
        Some(function)
    }

    fn tally(&mut self, function: u32) -> &mut Tally {
        let index = function as usize;
        if index >= self.functions.len() {
            self.functions.resize(index + 1, Tally::default());
        }
        &mut self.functions[index]
    }

    /// The path to `function` behind that of its caller.
    fn path(&mut self, caller: Option<u32>, function: u32) -> u32 {
        if let Some(&path) = self.by_caller.get(&(caller, function)) {
            return path;
        }
        if self.paths.len() < MOST_PATHS {
            let path = self.add(PathCost { caller, function: Some(function), fuel: 0, calls: 0 });
            self.by_caller.insert((caller, function), path);
            return path;
        }
        match self.more {
            Some(more) => more,
            None => {
                let more = self.add(PathCost { caller: None, function: None, fuel: 0, calls: 0 });
                *self.more.insert(more)
            }
        }
    }

    fn add(&mut self, path: PathCost) -> u32 {
        self.paths.push(path);
        u32::try_from(self.paths.len() - 1).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u32) -> Place {
        Place::new(offset, false)
    }

    fn cost(trace: &Trace, function: u32) -> (u64, u64, u64) {
        let found = trace.profile.functions.iter().find(|cost| cost.function == function).unwrap();
        (found.fuel, found.total, found.calls)
    }

    #[test]
    fn fuel_belongs_to_who_is_on_top() {
        let mut recorder = Recorder::default();
        recorder.enter(1, at(0), 100);
        recorder.enter(2, at(10), 90);
        recorder.leave(2, 70);
        recorder.enter(2, at(20), 60);
        recorder.leave(2, 59);
        recorder.leave(1, 50);
        recorder.end(Some(50));
        let trace = recorder.finish(at(30), None);
        assert_eq!(cost(&trace, 1), (29, 50, 1));
        assert_eq!(cost(&trace, 2), (21, 21, 2));
        assert_eq!(trace.profile.paths.len(), 2);
        assert_eq!(trace.profile.fuel(), 50);
    }

    #[test]
    fn a_recursive_function_counts_once_in_total() {
        let mut recorder = Recorder::default();
        for depth in 0..1_000 {
            recorder.enter(7, at(5), 1_000 - depth);
        }
        recorder.end(Some(0));
        let trace = recorder.finish(at(6), None);
        assert_eq!(cost(&trace, 7), (1_000, 1_000, 1_000));
        assert_eq!(trace.profile.paths.len(), MOST_DEPTH as usize);
        let [top, below] = &trace.backtrace.runs[..] else { panic!("{:?}", trace.backtrace) };
        assert_eq!((top.frames[0].offset, top.times), (Some(6), 1));
        assert_eq!((below.frames[0].offset, below.times), (Some(5), 999));
    }

    #[test]
    fn a_tail_call_takes_the_place_of_its_caller() {
        let mut recorder = Recorder::default();
        recorder.enter(1, at(0), 10);
        recorder.enter(2, at(11), 9);
        recorder.enter(3, Place::new(22, true), 8);
        recorder.end(Some(5));
        let trace = recorder.finish(at(33), None);
        let frames: Vec<_> = trace.backtrace.runs.iter().flat_map(|run| &run.frames).collect();
        assert_eq!(
            frames,
            [&Frame { function: 3, offset: Some(33) }, &Frame { function: 1, offset: Some(11) }],
            "{trace:?}"
        );
        assert_eq!(cost(&trace, 2), (1, 1, 1));
    }

    #[test]
    fn paths_beyond_the_most_are_one() {
        let mut recorder = Recorder::default();
        let many = MOST_PATHS as u32 + 10;
        for function in 0..many {
            recorder.enter(function, at(0), u64::from(many - function));
            recorder.leave(function, u64::from(many - function) - 1);
        }
        let Trace { profile, .. } = recorder.finish(at(0), None);
        assert_eq!(profile.paths.len(), MOST_PATHS + 1);
        assert_eq!(profile.paths.last().map(|path| (path.function, path.calls, path.fuel)), Some((None, 10, 10)));
        assert_eq!(profile.fuel(), u64::from(many));
        assert_eq!(profile.functions.len(), many as usize);
    }

    #[test]
    fn what_was_replaced_by_the_host_is_left_with_its_caller() {
        let mut recorder = Recorder::default();
        recorder.enter(1, at(0), 10);
        recorder.enter(2, at(1), 9);
        recorder.leave(1, 5);
        recorder.leave(4, 5);
        recorder.end(Some(5));
        let trace = recorder.finish(at(2), None);
        assert_eq!(trace.backtrace.runs[0].frames[0].function, 1);
        assert_eq!(trace.profile.fuel(), 5);
    }
}
