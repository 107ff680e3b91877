//! Operations of a traced module.

use alloc::vec::Vec;

use super::{
    Guest, Reply,
    load::Plugin,
    session::{Lives, Operation, Session},
};
use crate::{
    admit::ModuleSummary,
    backend::{Backend, Instance, Store},
    reserved::{PLACE, Place, STACK_POINTER},
    time::CancelToken,
    trace::{OwnStack, Trace},
    value::Value,
    verdict::{CallError, Phase, Report},
};

/// Under this name linkers export where a guest's data end.
const DATA_END: &str = "__data_end";

/// A module that was loaded [for tracing](crate::Loader::load_traced). Its operations give what they would give otherwise, and
/// a [`Trace`]; they are slower, and the deadline holds for them, too.
pub struct Traced<B: Backend, T: Send + 'static = ()> {
    plugin: Plugin<B, T>,
    is_repeated: bool,
}

/// An operation of a traced module.
#[derive(Debug)]
pub struct Recorded<R> {
    /// How it ended.
    pub outcome: Result<R, CallError>,
    /// What it did. Nothing, where there was no instance.
    pub trace: Option<Trace>,
    /// Whether it ended in front of a host function that changes something outside of the instance, because it is
    /// [repeated](Traced::repeated). The outcome means nothing then.
    pub was_refused: bool,
}

impl<B: Backend, T: Send + 'static> Traced<B, T> {
    pub(super) fn new(plugin: Plugin<B, T>) -> Self {
        Self { plugin, is_repeated: false }
    }

    /// For operations that have happened before, and are to happen again only to be seen: each ends in front of the first call
    /// of a host function that is not [repeatable](crate::Imports::repeatable_func_values).
    #[must_use]
    pub fn repeated(mut self) -> Self {
        self.is_repeated = true;
        self
    }

    /// A summary of the module.
    pub fn summary(&self) -> &ModuleSummary {
        self.plugin.summary()
    }

    /// As [`Plugin::call`].
    pub fn call(&self, entry: &str, input: &[u8]) -> Recorded<Reply>
    where
        T: Default,
    {
        self.call_with(entry, input, T::default(), None)
    }

    /// As [`Plugin::call_with`].
    pub fn call_with(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>) -> Recorded<Reply> {
        self.record(state, cancel, |session, operation| session.call_bytes(entry, input, operation))
    }

    /// As [`Plugin::call_values`].
    pub fn call_values(
        &self,
        export: &str,
        params: &[Value],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Recorded<(Vec<Value>, Report)> {
        self.record(state, cancel, |session, operation| session.call_values_within(export, params, operation))
    }

    /// As [`Plugin::call_by`].
    pub fn call_by(
        &self,
        convention: impl FnOnce(&mut Guest<'_, B, T>, &[u8]) -> Result<Vec<u8>, (Phase, crate::Fault)>,
        input: &[u8],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Recorded<Reply> {
        self.record(state, cancel, |session, operation| session.call_by_within(convention, input, operation))
    }

    fn record<R>(
        &self,
        state: T,
        cancel: Option<CancelToken>,
        run: impl FnOnce(&mut Session<B, T>, &Operation) -> Result<R, CallError>,
    ) -> Recorded<R> {
        let operation = Operation { begin: self.plugin.0.options.clock.now() };
        let lives = Lives::Traced { is_repeated: self.is_repeated };
        match Session::new(&self.plugin, state, cancel, &operation, lives) {
            Ok(mut session) => {
                let top = session.stack_pointer();
                let outcome = session.greet(&operation).and_then(|()| run(&mut session, &operation));
                let was_refused = session.instance.data().accounts.was_refused();
                Recorded { outcome, trace: session.take_trace(top), was_refused }
            }
            Err(error) => Recorded { outcome: Err(error), trace: None, was_refused: false },
        }
    }
}

impl<B: Backend, T: Send + 'static> Session<B, T> {
    /// What was done, by a guest whose own stack began at `top`.
    fn take_trace(&mut self, top: Option<u32>) -> Option<Trace> {
        let fuel = self.instance.fuel();
        let mut recorder = self.instance.data_mut().recorder.take()?;
        recorder.end(fuel);
        let [low, high] = PLACE.map(|half| self.i32_global(half).unwrap_or(0));
        let has_data_end = self.plugin.linked.exports().has_global(DATA_END);
        let data_end = has_data_end.then(|| self.i32_global(DATA_END)).flatten().map(i32::cast_unsigned);
        let own_stack = top.zip(self.stack_pointer()).map(|(top, now)| OwnStack { top, now, data_end });
        Some(recorder.finish(Place { low, high }, own_stack))
    }

    fn stack_pointer(&mut self) -> Option<u32> {
        self.i32_global(STACK_POINTER).map(i32::cast_unsigned)
    }

    fn i32_global(&mut self, export: &str) -> Option<i32> {
        match self.instance.global(export)? {
            Value::I32(value) => Some(value),
            _ => None,
        }
    }
}
