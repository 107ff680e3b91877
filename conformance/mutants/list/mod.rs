//! The mutants: what each does instead of what the example's backend does, and the check that must catch it.

use std::{
    cell::Cell,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use hotcell_core::{
    BackendError, Fault, Value,
    backend::HostStop,
    meter::{GROW, REFILL},
};

use crate::mutated::{AnyStore, Call, Hooks, Side};

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
    pub(crate) hooks: Hooks,
}

impl Mutant {
    const fn new(name: &'static str, caught_by: &'static str) -> Self {
        Self { name, caught_by, end: End::Fails, hooks: Hooks::NONE }
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

/// What a mutant remembers, for all its instances or on one thread.
static ALL: AtomicU64 = AtomicU64::new(0);
static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
thread_local! {
    static MINE: Cell<u64> = const { Cell::new(0) };
}

/// What the engine is said to have done.
fn broken() -> BackendError {
    BackendError::Engine { backend: "custom", source: "the engine is broken".into() }
}
