//! A live instance, and the calls on it.

use alloc::{borrow::ToOwned, boxed::Box, string::ToString, vec::Vec};
use core::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::{
    Reply, abi, bytes,
    load::{Loaded, Plugin},
    slots::Slot,
    trace,
};
use crate::{
    admit::{COMMAND, FuncType},
    backend::{Backend, Budget, Deadline, Instance, Store, TypedCall, call},
    time::{CancelToken, Instant, nanoseconds},
    value::{Value, Values},
    verdict::{BackendError, CallError, Fault, Output, Phase, ReachedLimit, Report, Tier, Usage},
};

/// A live instance. Calls run in sequence, each under its own budget; a failed call poisons the instance, which then
/// refuses every further call.
pub struct Session<B: Backend, T: Send + 'static = ()> {
    pub(super) instance: B::Instance<T>,
    alloc: Option<<B as TypedCall<u32, u32>>::Func>,
    /// Assigned when a function is first resolved.
    id: Option<SessionId>,
    /// Whether the guest has passed the ABI check, or needs none.
    has_answered: bool,
    pub(super) poisoned: bool,
    cancel: Option<CancelToken>,
    /// The policy's deadline in nanoseconds, cached for typed calls.
    deadline: Option<u64>,
    // Last, so that the instance is dropped before its slot is released.
    pub(super) plugin: Slot<Loaded<B, T>>,
}

/// How long an instance is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lives {
    /// For one operation.
    Once,
    /// For a session.
    On,
    /// For one operation, which is recorded. One that is repeated changes nothing outside of its instance.
    Traced { is_repeated: bool },
}

/// An operation that has begun; its report starts here.
pub(super) struct Operation {
    pub(super) begin: Instant,
}

/// A function of a session, whose type is checked once.
pub struct TypedFunc<B: TypedCall<P, R>, P: Values, R: Values> {
    func: B::Func,
    session: SessionId,
}

/// Identifies a session. Wraps around only after as many sessions as there are addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SessionId(usize);

impl SessionId {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<B: Backend, T: Send + 'static> Session<B, T> {
    /// A session for many operations. Instantiation and ABI check run now, under one budget.
    pub(super) fn open(plugin: &Plugin<B, T>, state: T, cancel: Option<CancelToken>) -> Result<Self, CallError> {
        let operation = Operation { begin: plugin.0.options.clock.now() };
        let opened = Self::new(plugin, state, cancel, &operation, Lives::On).and_then(|mut session| {
            session.greet(&operation)?;
            let report = session.report(&operation);
            match session.check_time(&report) {
                Ok(()) => Ok(session),
                Err(fault) => Err(plugin.0.failed(Phase::Instantiate, fault, report)),
            }
        });
        opened.inspect_err(|error| trace::call(&error.report, Err(error)))
    }

    /// A session for one operation: instantiation, ABI check and `run` share one budget. Where the backend has a faster
    /// engine ready before the guest has called its host, all of it begins again there.
    pub(super) fn once<R: trace::Outcome>(
        plugin: &Plugin<B, T>,
        state: T,
        cancel: Option<CancelToken>,
        run: impl Fn(&mut Self, &Operation) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        let mut operation = Operation { begin: plugin.0.options.clock.now() };
        let outcome = Self::new(plugin, state, cancel, &operation, Lives::Once).and_then(|mut session| {
            loop {
                let outcome = session.greet(&operation).and_then(|()| run(&mut session, &operation));
                if outcome.is_ok() || !session.instance.data().accounts.was_superseded() {
                    return outcome;
                }
                let Self { instance, cancel, plugin, .. } = session;
                // What was off the clock was nobody's time.
                operation.begin = operation.begin.after(instance.data().accounts.off_the_clock());
                // Once is enough: the new instance stays where it is.
                session = Self::on(plugin, instance.into_data().state, cancel, &operation, Lives::On)?;
            }
        });
        trace::outcome(&outcome);
        outcome
    }

    /// Takes a slot and instantiates.
    pub(super) fn new(
        plugin: &Plugin<B, T>,
        state: T,
        cancel: Option<CancelToken>,
        operation: &Operation,
        lives: Lives,
    ) -> Result<Self, CallError> {
        let loaded = &plugin.0;
        let unused = |fault| loaded.error(Phase::Instantiate, fault, operation, None);
        if cancel.is_some() && !loaded.policy.rules().interrupt.cancel {
            return Err(unused(Fault::NotCancellable));
        }
        if is_cancelled(cancel.as_ref()) {
            return Err(unused(Fault::Cancelled));
        }
        Self::on(Slot::take(loaded).map_err(unused)?, state, cancel, operation, lives)
    }

    /// Instantiates in a slot.
    fn on(
        plugin: Slot<Loaded<B, T>>,
        state: T,
        cancel: Option<CancelToken>,
        operation: &Operation,
        lives: Lives,
    ) -> Result<Self, CallError> {
        let budget = Budget::new(&plugin.policy, plugin.linked.exports(), operation.begin, cancel.clone());
        let instance = plugin.instantiate(budget, state, lives).map_err(|error| {
            let report = plugin.report(operation, error.usage, Duration::ZERO, None);
            plugin.failed(Phase::Instantiate, error.fault, report)
        })?;
        Ok(Self {
            instance,
            alloc: None,
            id: None,
            has_answered: false,
            poisoned: false,
            cancel,
            deadline: plugin.policy.rules().limits.deadline.map(nanoseconds),
            plugin,
        })
    }

    /// What comes before any call: the start function, and the ABI check where the contract asks for it.
    pub(super) fn greet(&mut self, operation: &Operation) -> Result<(), CallError> {
        let started = self.plugin.linked.start(&mut self.instance);
        started.map_err(|fault| self.error(Phase::Instantiate, fault, operation))?;
        if self.plugin.checks_abi {
            self.check_abi().map_err(|fault| self.error(Phase::Abi, fault, operation))?;
        }
        self.prepare();
        Ok(())
    }

    fn prepare(&mut self) {
        let Loaded { alloc, .. } = &*self.plugin;
        self.alloc = alloc.as_ref().and_then(|alloc| <B as TypedCall<u32, u32>>::resolve(&mut self.instance, alloc));
    }

    /// Checks the ABI version, if the policy requires it and it has not been checked yet.
    fn check_abi(&mut self) -> Result<(), Fault> {
        if let (false, Some(rules)) = (self.has_answered, &self.plugin.policy.rules().abi) {
            abi::check::<B, T>(&mut self.instance, self.plugin.abi.as_ref(), rules)?;
        }
        self.has_answered = true;
        Ok(())
    }

    /// Sets the token that ends the following calls from another thread.
    ///
    /// # Errors
    ///
    /// [`Fault::NotCancellable`] when the policy does not allow cancelling.
    pub fn cancel_with(&mut self, cancel: CancelToken) -> Result<(), Fault> {
        match self.plugin.policy.rules().interrupt.cancel {
            true => self.cancel = Some(cancel),
            false => return Err(Fault::NotCancellable),
        }
        Ok(())
    }

    /// What the guest has written to its standard streams since it was taken last: by this method, or into the report of a call
    /// that has one.
    pub fn take_output(&mut self) -> Output {
        self.instance.data_mut().streams.take_output()
    }

    /// The state of a library of host functions, as these [see it](crate::HostCx::extension).
    pub fn extension<E: Default + Send + 'static>(&mut self) -> &mut E {
        self.instance.data_mut().extensions.get()
    }

    /// Calls `entry` with bytes and returns its bytes. A [command](crate::Contract::Command) runs once.
    ///
    /// # Errors
    ///
    /// [`CallError`] with the fault, the phase, and what was used. [`Fault::Poisoned`] after an earlier failure.
    pub fn call(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError> {
        let operation = self.begin();
        let outcome = self.call_bytes(entry, input, &operation);
        trace::outcome(&outcome);
        outcome
    }

    /// A byte call within an operation that has begun.
    pub(super) fn call_bytes(&mut self, entry: &str, input: &[u8], operation: &Operation) -> Result<Reply, CallError> {
        let outcome = if self.plugin.is_command { self.run(entry, input) } else { self.reply(entry, input) };
        self.finish(outcome, operation)
    }

    /// What came of a byte call, with its report.
    pub(super) fn finish(
        &mut self,
        outcome: Result<Vec<u8>, (Phase, Fault)>,
        operation: &Operation,
    ) -> Result<Reply, CallError> {
        let report = self.final_report(operation);
        let outcome = outcome.and_then(|bytes| match self.check_time(&report) {
            Ok(()) => Ok(bytes),
            Err(fault) => Err((Phase::Call, fault)),
        });
        match outcome {
            Ok(bytes) => Ok(Reply { bytes, report }),
            Err((phase, fault)) => {
                let fault = self.in_its_words(fault);
                Err(self.plugin.failed(phase, fault, report))
            }
        }
    }

    /// Whether a byte call may begin.
    pub(super) fn check_input(&self, input: &[u8]) -> Result<(), (Phase, Fault)> {
        let (len, allowed) = (input.len() as u64, self.plugin.policy.rules().limits.input_bytes);
        if self.poisoned {
            return Err((Phase::Call, Fault::Poisoned));
        }
        if is_cancelled(self.cancel.as_ref()) {
            return Err((Phase::Call, Fault::Cancelled));
        }
        if len > allowed { Err((Phase::Alloc, Fault::InputTooLarge { len, allowed })) } else { Ok(()) }
    }

    /// Runs a command. It leaves its instance in no state for another run.
    fn run(&mut self, entry: &str, input: &[u8]) -> Result<Vec<u8>, (Phase, Fault)> {
        self.check_input(input)?;
        let export = (entry == COMMAND).then(|| self.plugin.linked.function::<(), ()>(entry)).flatten();
        let func = export.and_then(|export| <B as TypedCall<(), ()>>::resolve(&mut self.instance, &export));
        let func = func.ok_or_else(|| (Phase::Call, Fault::NoSuchExport { export: entry.to_owned() }))?;

        self.poisoned = true;
        self.instance.data_mut().streams.set_input(input);
        match call::<B, (), (), T>(&mut self.instance, &func, ()) {
            Ok(()) | Err(Fault::GuestExit { code: 0 }) => {}
            Err(fault) => return Err((Phase::Call, fault)),
        }
        let streams = &mut self.instance.data_mut().streams;
        streams.take_reply().map_err(|fault| (Phase::Reply, fault))
    }

    fn reply(&mut self, entry: &str, input: &[u8]) -> Result<Vec<u8>, (Phase, Fault)> {
        self.check_input(input)?;
        let output_bytes = self.plugin.policy.rules().limits.output_bytes;
        let entry = self.resolve_entry(entry).map_err(|fault| (Phase::Call, fault))?;
        if self.alloc.is_none() {
            return Err((Phase::Alloc, self.mistyped::<u32, u32>(crate::admit::ALLOC)));
        }
        if self.plugin.linked.exports().memory().is_none() {
            return Err((Phase::Alloc, Fault::NoMemory));
        }

        self.poisoned = true;
        self.check_abi().map_err(|fault| (Phase::Abi, fault))?;
        let Some(alloc) = &self.alloc else {
            unreachable!("it was just there");
        };
        let place = bytes::put::<B, T>(&mut self.instance, alloc, input).map_err(|fault| (Phase::Alloc, fault))?;
        let bytes = bytes::call::<B, T>(&mut self.instance, &entry, place, output_bytes)?;
        self.poisoned = false;
        Ok(bytes)
    }

    fn resolve_entry(&mut self, name: &str) -> Result<<B as TypedCall<(u32, u32), u64>>::Func, Fault> {
        let known = self.plugin.entry.as_ref().filter(|(entry, _)| **entry == *name).map(|(_, export)| export.clone());
        let export = known.or_else(|| self.plugin.linked.function::<(u32, u32), u64>(name));
        export
            .and_then(|export| <B as TypedCall<(u32, u32), u64>>::resolve(&mut self.instance, &export))
            .ok_or_else(|| self.mistyped::<(u32, u32), u64>(name))
    }

    /// An exported function of type `P -> R`.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSuchExport`] or [`Fault::WrongArguments`].
    pub fn func<P: Values, R: Values>(&mut self, name: &str) -> Result<TypedFunc<B, P, R>, Fault>
    where
        B: TypedCall<P, R>,
    {
        let session = *self.id.get_or_insert_with(SessionId::new);
        self.plugin
            .linked
            .function::<P, R>(name)
            .and_then(|export| <B as TypedCall<P, R>>::resolve(&mut self.instance, &export))
            .map(|func| TypedFunc { func, session })
            .ok_or_else(|| self.mistyped::<P, R>(name))
    }

    /// A typed call, under its own budget. Its deadline begins when the guest has used up its first slice of fuel or calls its
    /// host: a call that does neither reads no clock.
    ///
    /// # Errors
    ///
    /// How the call ended; [`Session::usage`] returns what it used. [`BackendError::OtherSession`] when `func` belongs
    /// to another session.
    #[inline]
    pub fn call_typed<P: Values, R: Values>(&mut self, func: &TypedFunc<B, P, R>, params: P) -> Result<R, Fault>
    where
        B: TypedCall<P, R>,
    {
        if Some(func.session) != self.id {
            return Err(BackendError::OtherSession.into());
        }
        self.arm(self.deadline.map(Deadline::In));
        self.guarded(|instance| call::<B, P, R, T>(instance, &func.func, params))
    }

    /// A call whose types are known only at run time, under its own budget.
    ///
    /// # Errors
    ///
    /// As [`call_typed`](Self::call_typed); [`Fault::NoSuchExport`] and [`Fault::WrongArguments`] leave the instance
    /// usable.
    pub fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        let operation = self.begin();
        let values = self.values(export, params)?;
        let report = self.report(&operation);
        self.check_time(&report).map(|()| values)
    }

    /// A dynamic call within an operation that has begun.
    pub(super) fn call_values_within(
        &mut self,
        export: &str,
        params: &[Value],
        operation: &Operation,
    ) -> Result<(Vec<Value>, Report), CallError> {
        let outcome = self.values(export, params);
        let report = self.final_report(operation);
        let outcome = outcome.and_then(|values| self.check_time(&report).map(|()| values));
        match outcome {
            Ok(values) => Ok((values, report)),
            Err(fault) => Err(self.plugin.failed(Phase::Call, fault, report)),
        }
    }

    fn values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        self.plugin.linked.exports().check_call(export, params)?;
        self.guarded(|instance| instance.call_values(export, params))
    }

    // Always inline: moving a result through memory costs a fifth of a typed call.
    #[inline(always)]
    pub(super) fn guarded<R>(
        &mut self,
        call: impl FnOnce(&mut B::Instance<T>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        if self.poisoned {
            return Err(Fault::Poisoned);
        }
        if is_cancelled(self.cancel.as_ref()) {
            return Err(Fault::Cancelled);
        }
        self.poisoned = true;
        match call(&mut self.instance) {
            Ok(result) => {
                self.poisoned = false;
                Ok(result)
            }
            Err(fault) => Err(self.in_its_words(fault)),
        }
    }

    /// Arms a new budget, for an operation that reports its times.
    pub(super) fn begin(&mut self) -> Operation {
        let operation = Operation { begin: self.plugin.options.clock.now() };
        self.arm(self.deadline.map(|deadline| Deadline::At(deadline_from(operation.begin, deadline))));
        operation
    }

    /// Arms a new budget, unless the instance will refuse the call.
    #[inline]
    fn arm(&mut self, deadline: Option<Deadline>) {
        if !self.poisoned {
            self.instance.arm(deadline, self.cancel.clone());
        }
    }

    /// What the last operation used.
    pub fn usage(&mut self) -> Usage {
        let fuel = self.instance.fuel();
        self.instance.data().accounts.usage(fuel)
    }

    /// Whether an earlier call failed.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The embedder's state.
    pub fn state(&self) -> &T {
        &self.instance.data().state
    }

    /// The embedder's state.
    pub fn state_mut(&mut self) -> &mut T {
        &mut self.instance.data_mut().state
    }

    /// The embedder's state, at the end of the session.
    pub fn into_state(self) -> T {
        self.instance.into_data().state
    }

    /// The value of a global that the guest exports.
    pub fn global(&mut self, export: &str) -> Option<Value> {
        self.plugin.linked.exports().has_global(export).then(|| self.instance.global(export))?
    }

    /// The backend's own instance. hotcell guarantees nothing for what is done to it directly.
    pub fn as_native(&mut self) -> &mut B::Instance<T> {
        &mut self.instance
    }

    pub(super) fn mistyped<P: Values, R: Values>(&self, export: &str) -> Fault {
        let export = export.to_owned();
        match self.plugin.linked.exports().function(&export) {
            None => Fault::NoSuchExport { export },
            Some(found) => {
                let expected = FuncType::of::<P, R>().to_string();
                Fault::WrongArguments { export, expected, found: found.to_string() }
            }
        }
    }

    /// A reply after the deadline is discarded.
    fn check_time(&mut self, report: &Report) -> Result<(), Fault> {
        match self.deadline {
            Some(deadline) if nanoseconds(report.guest_time) > deadline => {
                self.poisoned = true;
                Err(Fault::DeadlineExceeded)
            }
            _ => Ok(()),
        }
    }

    fn report(&mut self, operation: &Operation) -> Report {
        let usage = self.usage();
        let off_the_clock = self.instance.data().accounts.off_the_clock();
        self.plugin.report(operation, usage, off_the_clock, self.instance.tier())
    }

    fn error(&mut self, phase: Phase, fault: Fault, operation: &Operation) -> CallError {
        let (fault, report) = (self.in_its_words(fault), self.final_report(operation));
        self.plugin.failed(phase, fault, report)
    }

    /// With what the guest has written.
    fn final_report(&mut self, operation: &Operation) -> Report {
        Report { output: self.instance.data_mut().streams.take_output(), ..self.report(operation) }
    }
}

/// The deadline of an operation that begins at `begin`.
#[inline]
fn deadline_from(begin: Instant, nanoseconds: u64) -> Instant {
    Instant(begin.0.saturating_add(nanoseconds))
}

/// Whether a call must not begin: a cancelled call returns no reply, however short it would be.
#[inline]
fn is_cancelled(cancel: Option<&CancelToken>) -> bool {
    cancel.is_some_and(CancelToken::is_cancelled)
}

impl<B: Backend, T: Send + 'static> Loaded<B, T> {
    fn report(&self, operation: &Operation, usage: Usage, host_time: Duration, tier: Option<Tier>) -> Report {
        let total = self.options.clock.now().since(operation.begin);
        Report {
            backend: B::ID,
            backend_version: B::version(),
            tier,
            name: self.name.clone(),
            policy: self.policy.fingerprint(),
            load_time: self.load_time,
            usage,
            output: Output::default(),
            guest_time: total.saturating_sub(host_time),
            host_time,
        }
    }

    fn error(&self, phase: Phase, fault: Fault, operation: &Operation, usage: Option<Usage>) -> CallError {
        let report = self.report(operation, usage.unwrap_or_default(), Duration::ZERO, None);
        self.failed(phase, fault, report)
    }

    fn failed(&self, phase: Phase, fault: Fault, report: Report) -> CallError {
        let limit = ReachedLimit::of(&fault, &self.policy.rules().limits);
        CallError { fault, phase, limit: limit.map(Box::new), report: Box::new(report) }
    }
}
