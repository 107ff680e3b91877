//! The mutants: what each does instead of what the example's backend does, and the check that must catch it.
//!
//! A mutation is an expression in the place of another. Of a text with `[[` and `]]` only what is between them is replaced; the
//! rest says where it stands.

/// Where a guest gets its next slice.
const FUEL_IS_GIVEN: &str = "[[refill(&mut caller, stack)]].map_err(stop)";

/// Gives the next slice in place of this fault.
macro_rules! goes_on_after {
    ($fault:literal) => {
        concat!(
            "use hotcell_core::backend::Caller as _;
            match refill(&mut caller, stack) {
                Ok(()) => Ok(()),
                Err(stop) => match caller.armed().take_parked() {
                    Some(Fault::",
            $fault,
            ") => {
                        // It is in the fuel counter.
                        let fuel = caller.counter(Counter::Fuel);
                        Ok(caller.set_counter(Counter::Stack, fuel))
                    }
                    parked => {
                        parked.into_iter().for_each(|fault| caller.armed().park(fault));
                        Err(stop)
                    }
                },
            }"
        )
    };
}

mod counters;
mod handshake;
mod hosts;
mod limits;
mod objects;
mod stores;
mod time;
mod values;
mod verdicts;
mod wide;

/// A backend that breaks the contract in one place.
pub(crate) struct Mutant {
    /// What it does.
    pub(crate) name: &'static str,
    /// Id of the check that must catch it.
    pub(crate) caught_by: &'static str,
    /// What becomes of the check then.
    pub(crate) end: End,
    /// What it changes.
    pub(crate) mutations: &'static [Mutation],
}

impl Mutant {
    const fn new(name: &'static str, caught_by: &'static str, mutations: &'static [Mutation]) -> Self {
        Self { name, caught_by, end: End::Fails, mutations }
    }

    /// The process dies.
    const fn that_kills(self) -> Self {
        Self { end: End::Dies, ..self }
    }
}

/// How a check ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Passes,
    Fails,
    Hangs,
    Dies,
}

/// One expression in place of another.
pub(crate) struct Mutation {
    /// The file of the example's backend.
    pub(crate) file: &'static str,
    /// What is there, exactly once.
    pub(crate) original: &'static str,
    /// What the mutant does there.
    pub(crate) mutated: &'static str,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutant> {
    [
        limits::MUTANTS,
        counters::MUTANTS,
        time::MUTANTS,
        verdicts::MUTANTS,
        values::MUTANTS,
        hosts::MUTANTS,
        handshake::MUTANTS,
        stores::MUTANTS,
        objects::MUTANTS,
        wide::MUTANTS,
    ]
    .into_iter()
    .flatten()
}

const fn mutation(file: &'static str, original: &'static str, mutated: &'static str) -> Mutation {
    Mutation { file, original, mutated }
}
