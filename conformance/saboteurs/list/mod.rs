//! The saboteurs: what each does instead of what the example's backend does, and the check that must catch it.
//!
//! A lie is an expression in the place of another. Of a text with `[[` and `]]` only what is between them is replaced; the
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
pub(crate) struct Saboteur {
    /// What it does.
    pub(crate) name: &'static str,
    /// Id of the check that must catch it.
    pub(crate) caught_by: &'static str,
    /// What becomes of the check then.
    pub(crate) end: End,
    /// Where it lies.
    pub(crate) lies: &'static [Lie],
}

impl Saboteur {
    const fn new(name: &'static str, caught_by: &'static str, lies: &'static [Lie]) -> Self {
        Self { name, caught_by, end: End::Fails, lies }
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
pub(crate) struct Lie {
    /// The file of the example's backend.
    pub(crate) file: &'static str,
    /// What stands there once.
    pub(crate) honest: &'static str,
    /// What the saboteur does there.
    pub(crate) sabotaged: &'static str,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Saboteur> {
    [
        limits::SABOTEURS,
        counters::SABOTEURS,
        time::SABOTEURS,
        verdicts::SABOTEURS,
        values::SABOTEURS,
        hosts::SABOTEURS,
        handshake::SABOTEURS,
        stores::SABOTEURS,
        objects::SABOTEURS,
        wide::SABOTEURS,
    ]
    .into_iter()
    .flatten()
}

const fn lie(file: &'static str, honest: &'static str, sabotaged: &'static str) -> Lie {
    Lie { file, honest, sabotaged }
}
