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
    rest: Option<u32>,
    functions: Vec<Tally>,
    /// The fuel that was left when something was told last.
    fuel: u64,
    /// The function that was left last.
    left: Option<Left>,
    /// The guest is entered from where it was entered before, and has moved since.
    is_called_again: bool,
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

/// A function that was left.
#[derive(Clone, Copy)]
struct Left {
    function: u32,
    path: u32,
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
        // A tail call has taken its caller off the stack.
        let is_elsewhere = core::mem::take(&mut self.is_called_again) || place.is_tail_call();
        if let Some(caller) = self.stack.last_mut().filter(|_| !is_elsewhere) {
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

    /// The guest leaves the function on top with so much fuel left.
    pub(crate) fn leave(&mut self, fuel: u64) {
        if !self.has_ended {
            self.pay(fuel);
            self.left = self.pop();
        }
    }

    /// So much fuel is left: who has taken or given the rest is not the guest.
    pub(crate) fn fuel_is(&mut self, fuel: u64) {
        self.fuel = fuel;
    }

    /// A host function that has called the guest back calls it again.
    pub(crate) fn call_again(&mut self) {
        self.is_called_again = true;
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
        let frame = |function: u32, place: Place| {
            let offset = (place != Place::default()).then(|| place.offset());
            Frame { function, offset }
        };
        let mut frames = Vec::new();
        // Who has called an import in its place, or something that cannot be called, is not on the stack; neither is the
        // function that has returned to the host.
        if place.is_tail_call() || self.stack.is_empty() {
            frames.extend(self.left.map(|left| frame(left.function, place)));
        }
        let mut here = (frames.is_empty()).then_some(place);
        frames.extend(self.stack.iter().rev().map(|it| frame(it.function, here.take().unwrap_or(it.place))));
        Backtrace::fold(&frames)
    }

    /// Whoever is on top of the stack has used the fuel since something was told last; where nobody is, an import in the place
    /// of who was left last has.
    fn pay(&mut self, fuel: u64) {
        let used = self.fuel.saturating_sub(fuel);
        self.fuel = fuel;
        match self.stack.last().map(|top| (top.function, top.path)).or(self.left.map(|left| (left.function, left.path)))
        {
            Some((function, path)) => {
                self.paths[path as usize].fuel += used;
                self.tally(function).fuel += used;
            }
            None if used > 0 => {
                let path = self.rest();
                self.paths[path as usize].fuel += used;
            }
            None => {}
        }
    }

    /// Takes the top off the stack.
    fn pop(&mut self) -> Option<Left> {
        let Entered { function, path, .. } = self.stack.pop()?;
        let fuel = self.fuel;
        let tally = self.tally(function);
        tally.active -= 1;
        if tally.active == 0 {
            tally.total += tally.entered_with.saturating_sub(fuel);
        }
        Some(Left { function, path })
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
        self.rest()
    }

    /// The path without a function.
    fn rest(&mut self) -> u32 {
        match self.rest {
            Some(rest) => rest,
            None => {
                let rest = self.add(PathCost { caller: None, function: None, fuel: 0, calls: 0 });
                *self.rest.insert(rest)
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
        recorder.leave(70);
        recorder.enter(2, at(20), 60);
        recorder.leave(59);
        recorder.leave(50);
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

    fn frames(trace: &Trace) -> Vec<(u32, Option<u32>)> {
        let frames = trace.backtrace.runs.iter().flat_map(|run| &run.frames);
        frames.map(|frame| (frame.function, frame.offset)).collect()
    }

    #[test]
    fn a_tail_call_takes_the_place_of_its_caller() {
        let mut recorder = Recorder::default();
        recorder.enter(1, at(0), 10);
        recorder.enter(2, at(11), 9);
        recorder.leave(8);
        recorder.enter(3, Place::new(22, true), 8);
        recorder.end(Some(5));
        let trace = recorder.finish(at(33), None);
        assert_eq!(frames(&trace), [(3, Some(33)), (1, Some(11))]);
        assert_eq!(cost(&trace, 2), (1, 1, 1));
    }

    /// What follows on one loop after the other must not pile up.
    #[test]
    fn an_import_in_the_place_of_its_caller_leaves_nothing() {
        let mut recorder = Recorder::default();
        recorder.enter(1, at(0), 100);
        for fuel in (10..90).rev().step_by(2) {
            recorder.enter(2, at(11), fuel);
            recorder.leave(fuel - 1);
        }
        assert_eq!(recorder.stack.len(), 1);
        recorder.end(Some(5));
        let trace = recorder.finish(Place::new(22, true), None);
        assert_eq!(frames(&trace), [(2, Some(22)), (1, Some(11))], "it was in the import");
        assert_eq!(trace.profile.fuel(), 95);
    }

    #[test]
    fn what_the_host_sets_aside_nobody_has_used() {
        let mut recorder = Recorder::default();
        recorder.fuel_is(1_000);
        recorder.enter(1, at(0), 1_000);
        recorder.leave(900);
        recorder.fuel_is(100);
        recorder.enter(1, at(0), 100);
        recorder.leave(90);
        recorder.end(Some(80));
        let trace = recorder.finish(at(1), None);
        assert_eq!(trace.profile.fuel(), 120, "an import in the place of the function has used the last ten");
    }

    #[test]
    fn paths_beyond_the_most_are_one() {
        let mut recorder = Recorder::default();
        let many = MOST_PATHS as u32 + 10;
        for function in 0..many {
            recorder.enter(function, at(0), u64::from(many - function));
            recorder.leave(u64::from(many - function) - 1);
        }
        let Trace { profile, .. } = recorder.finish(at(0), None);
        assert_eq!(profile.paths.len(), MOST_PATHS + 1);
        assert_eq!(profile.paths.last().map(|path| (path.function, path.calls, path.fuel)), Some((None, 10, 10)));
        assert_eq!(profile.fuel(), u64::from(many));
        assert_eq!(profile.functions.len(), many as usize);
    }
}
