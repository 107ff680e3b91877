//! Operations of a library with a calling convention of its own, above the same budget, poison and report.

use alloc::vec::Vec;

use super::{
    Reply,
    load::Plugin,
    session::{Operation, Session},
    trace,
};
use crate::{
    admit::Exports,
    backend::{Backend, Store, TypedCall, call},
    policy::Policy,
    time::CancelToken,
    value::{Value, Values},
    verdict::{CallError, Fault, Phase},
};

/// A guest in an operation: what a calling convention sees of it. All calls share the operation's budget.
pub struct Guest<'a, B: Backend, T: Send + 'static>(&'a mut Session<B, T>);

impl<B: Backend, T: Send + 'static> Guest<'_, B, T> {
    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.0.plugin.policy
    }

    /// What the module itself exports.
    pub fn exports(&self) -> &Exports {
        self.0.plugin.linked.exports()
    }

    /// The state of a library of host functions, as these [see it](crate::HostCx::extension).
    pub fn extension<E: Default + Send + 'static>(&mut self) -> &mut E {
        self.0.extension()
    }

    /// As [`HostCx::reserve`](crate::HostCx::reserve).
    #[must_use]
    pub fn reserve(&mut self, bytes: u64) -> bool {
        self.0.instance.data_mut().accounts.reserve(bytes)
    }

    /// As [`HostCx::release`](crate::HostCx::release).
    pub fn release(&mut self, bytes: u64) {
        self.0.instance.data_mut().accounts.release(bytes);
    }

    /// Calls an export of type `P -> R`.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSuchExport`] and [`Fault::WrongArguments`], or how the call ended; then the instance is poisoned.
    pub fn call<P: Values, R: Values>(&mut self, export: &str, params: P) -> Result<R, Fault>
    where
        B: TypedCall<P, R>,
    {
        let found = self.0.plugin.linked.function::<P, R>(export);
        let func = found.and_then(|export| <B as TypedCall<P, R>>::resolve(&mut self.0.instance, &export));
        let func = func.ok_or_else(|| self.0.mistyped::<P, R>(export))?;
        self.0.guarded(|instance| call::<B, P, R, T>(instance, &func, params))
    }

    /// Calls an export with values whose types are known only at run time.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        self.exports().check_call(export, params)?;
        self.0.guarded(|instance| instance.call_values(export, params))
    }
}

impl<B: Backend, T: Send + 'static> Plugin<B, T> {
    /// Like [`call_with`](Self::call_with), by another convention than the byte contract: `convention` makes the calls, on a
    /// new instance, and gives the reply. It may run again from the start, on another new instance.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_by(
        &self,
        convention: impl Fn(&mut Guest<'_, B, T>, &[u8]) -> Result<Vec<u8>, (Phase, Fault)>,
        input: &[u8],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Result<Reply, CallError> {
        Session::once(self, state, cancel, |session, operation| session.call_by_within(&convention, input, operation))
    }
}

impl<B: Backend, T: Send + 'static> Session<B, T> {
    /// Like [`call`](Self::call), by another convention than the byte contract.
    ///
    /// An error of the convention itself, after calls that went well, leaves the instance usable.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_by(
        &mut self,
        convention: impl FnOnce(&mut Guest<'_, B, T>, &[u8]) -> Result<Vec<u8>, (Phase, Fault)>,
        input: &[u8],
    ) -> Result<Reply, CallError> {
        let operation = self.begin();
        let outcome = self.call_by_within(convention, input, &operation);
        trace::outcome(&outcome);
        outcome
    }

    pub(super) fn call_by_within(
        &mut self,
        convention: impl FnOnce(&mut Guest<'_, B, T>, &[u8]) -> Result<Vec<u8>, (Phase, Fault)>,
        input: &[u8],
        operation: &Operation,
    ) -> Result<Reply, CallError> {
        let outcome = self.check_input(input).and_then(|()| convention(&mut Guest(self), input));
        self.finish(outcome, operation)
    }
}
