use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use super::{
    Reply,
    session::{Lives, Session},
    slots::Slots,
    trace,
    traced::Traced,
};
use crate::{
    Admitted, Identity,
    admission::{admit_identified, admit_traced},
    admit::{ALLOC, Contract, Exports, INITIALIZE, ModuleKind, ModuleSummary, Offered},
    backend::{
        Backend, Budget, Field, HostOptions, Imports, InstantiateError, MeteredBy, NotInstantiated, StoreData,
        TypedCall, call, check_enforceable, give,
    },
    policy::{Fingerprint, Policy, PolicyError},
    reserved,
    time::{CancelToken, Instant},
    value::{Value, Values},
    verdict::{BackendError, CallError, Fault, LoadError, Report, Usage},
};

/// A backend with its policy: turns bytes into plugins.
pub struct Loader<B> {
    backend: Arc<B>,
    policy: Arc<Policy>,
    options: HostOptions,
    slots: Slots,
    name: Option<Arc<str>>,
}

impl<B> Clone for Loader<B> {
    fn clone(&self) -> Self {
        let Self { backend, policy, options, slots, name } = self;
        Self {
            backend: backend.clone(),
            policy: policy.clone(),
            options: options.clone(),
            slots: slots.clone(),
            name: name.clone(),
        }
    }
}

impl<B: Backend> Loader<B> {
    /// A loader with a new backend for `policy`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce; with a clock that
    /// [stands still](crate::Clock::stands_still), the deadline.
    pub fn new(policy: Policy, host: &HostOptions, options: &B::Options) -> Result<Self, PolicyError> {
        check_enforceable::<B>(&policy)?;
        if policy.rules().limits.deadline.is_some() && host.clock.stands_still() {
            let reason = "no time passes on the host's clock: give another one, with `HostOptions::clock`";
            return Err(PolicyError::NotEnforceable { backend: B::ID, field: Field::Deadline.key(), reason });
        }
        Ok(Self {
            backend: Arc::new(B::new(&policy, host, options)?),
            policy: Arc::new(policy),
            options: host.clone(),
            slots: Slots::new(host.max_instances, B::ID),
            name: None,
        })
    }

    /// The same loader, whose plugins have this name in events, messages, reports and numbers.
    pub fn named(&self, name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), ..self.clone() }
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// An empty set of host functions, for plugins whose state is a `T`.
    pub fn imports<T: Send + 'static>(&self) -> Imports<T, B> {
        Imports::new(&self.backend)
    }

    /// Admits, compiles and links a module.
    ///
    /// # Errors
    ///
    /// [`LoadError::Rejected`] when the policy does not admit the module; [`LoadError::Backend`] when the engine fails.
    pub fn load<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &Imports<T, B>,
        contract: &Contract,
    ) -> Result<Plugin<B, T>, LoadError> {
        let begin = self.options.clock.now();
        let loaded = self.module(bytes, imports.offered(), contract).and_then(|(module, is_cached)| {
            self.plugin(&module, is_cached, imports, contract, begin).map_err(LoadError::from)
        });
        let outcome =
            loaded.as_ref().map(|plugin| trace::Loaded { is_cached: plugin.is_cached(), time: plugin.load_time() });
        trace::load(B::ID, self.name.as_deref(), outcome);
        loaded
    }

    /// Loads a module to see inside of it: as [`load`](Self::load), but it is [traced](crate::trace), and no code is kept or
    /// taken from where it is kept.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and [`BackendError::NotTraced`] where the policy does not say `metering = exact`. The rewritten
    /// module is larger, and may exceed a limit of the engines where it does not otherwise.
    pub fn load_traced<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &Imports<T, B>,
        contract: &Contract,
    ) -> Result<Traced<B, T>, LoadError> {
        if !self.policy.is_exact() {
            return Err(BackendError::NotTraced.into());
        }
        let begin = self.options.clock.now();
        let admitted = admit_traced(bytes, &self.policy, imports.offered(), contract)?;
        Ok(Traced::new(self.plugin(&self.compile(&admitted)?, false, imports, contract, begin)?))
    }

    /// A plugin of a module that began to load at `begin`.
    fn plugin<T: Send + 'static>(
        &self,
        module: &Module<B>,
        is_cached: bool,
        imports: &Imports<T, B>,
        contract: &Contract,
        begin: Instant,
    ) -> Result<Plugin<B, T>, BackendError> {
        let linked = self.link(module, imports)?;
        let abi = self.policy.rules().abi.as_ref();
        let entry = match contract.base() {
            Contract::Bytes { entry } => Some(entry.as_str()),
            _ => None,
        };
        Ok(Plugin(Arc::new(Loaded {
            abi: abi.and_then(|abi| linked.function::<(), u32>(&abi.export)),
            checks_abi: contract.checks_abi(),
            is_command: *contract.base() == Contract::Command,
            alloc: linked.function::<u32, u32>(ALLOC),
            entry: entry.and_then(|name| Some((name.into(), linked.function::<(u32, u32), u64>(name)?))),
            linked,
            is_cached,
            backend: self.backend.clone(),
            policy: self.policy.clone(),
            options: self.options.clone(),
            slots: self.slots.clone(),
            name: self.name.clone(),
            load_time: self.options.clock.now().since(begin),
        })))
    }

    /// The compiled module, and whether it was compiled before.
    fn module(&self, bytes: &[u8], offered: &Offered, contract: &Contract) -> Result<(Module<B>, bool), LoadError> {
        let keeps_code = self.backend.keeps_code();
        let identity = keeps_code.then(|| Identity::new(bytes, &self.policy, offered, contract));
        match identity.as_ref().and_then(|identity| self.backend.cached(identity)) {
            Some((native, summary)) => {
                let exports = Exports::on_memory(summary, contract.memory());
                Ok((self.bind(native, exports, offered.fingerprint()), true))
            }
            None => {
                let admitted = admit_identified(identity, bytes, &self.policy, offered, contract)?;
                Ok((self.compile(&admitted)?, false))
            }
        }
    }

    /// Compiles a module.
    ///
    /// # Errors
    ///
    /// [`BackendError::Mismatch`] when another policy admitted the module; [`BackendError::Engine`] when the engine
    /// refuses it.
    pub fn compile(&self, admitted: &Admitted<'_>) -> Result<Module<B>, BackendError> {
        check_same("policy", admitted.policy(), self.policy.fingerprint())?;
        let exports = Exports::on_memory(admitted.summary().clone(), admitted.memory());
        Ok(self.bind(self.backend.compile(admitted)?, exports, admitted.offered()))
    }

    /// A module that was admitted under the policy, against imports with this fingerprint.
    fn bind(&self, native: B::Module, exports: Exports, offered: Fingerprint) -> Module<B> {
        Module {
            native,
            start: reserved::start(exports.summary()),
            exports: Arc::new(exports),
            policy: self.policy.fingerprint(),
            offered,
            engine: self.backend.engine(),
        }
    }

    /// Resolves a module's imports, once for all its instances.
    ///
    /// # Errors
    ///
    /// [`BackendError::Mismatch`] when the module was admitted against other imports; [`BackendError::OtherEngine`]
    /// when they belong to another engine; [`BackendError::Engine`] when the engine refuses.
    pub fn link<T: Send + 'static>(
        &self,
        module: &Module<B>,
        imports: &Imports<T, B>,
    ) -> Result<Linked<T, B>, BackendError> {
        check_same("policy", module.policy, self.policy.fingerprint())?;
        check_same("imports", module.offered, imports.offered.fingerprint())?;
        if module.engine != self.backend.engine() || imports.engine != module.engine {
            return Err(BackendError::OtherEngine);
        }
        let native = self.backend.link(&module.native, &imports.native)?;
        let is_reactor = module.exports.summary().kind() == ModuleKind::Reactor;
        let first = module.start.into_iter().chain(is_reactor.then_some(INITIALIZE));
        Ok(Linked {
            first: first.filter_map(|name| B::export(&native, name)).collect(),
            native,
            exports: module.exports.clone(),
            policy: module.policy,
            engine: module.engine,
        })
    }

    /// A new store with one instance. The module's start function has not run yet.
    ///
    /// # Errors
    ///
    /// The fault, and what was used before it.
    pub fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T, B>,
        budget: Budget,
        state: T,
    ) -> Result<B::Instance<T>, InstantiateError> {
        let data = StoreData::new(state, budget, &self.policy, &self.options);
        instantiate(&*self.backend, linked, &self.policy, self.options.max_instances, data)
    }
}

/// A compiled module.
pub struct Module<B: Backend> {
    native: B::Module,
    exports: Arc<Exports>,
    start: Option<&'static str>,
    policy: Fingerprint,
    offered: Fingerprint,
    engine: u64,
}

/// A module with its imports resolved.
pub struct Linked<T: Send + 'static, B: Backend> {
    native: B::Linked<T>,
    /// What runs before any other call: the start function, and what a reactor has for it.
    first: Vec<B::Export>,
    pub(super) exports: Arc<Exports>,
    policy: Fingerprint,
    engine: u64,
}

impl<T: Send + 'static, B: Backend> Linked<T, B> {
    /// The exports that the module itself declares.
    pub fn exports(&self) -> &Arc<Exports> {
        &self.exports
    }

    /// An exported function of type `P -> R` that the module itself declares; not the start function's reserved name.
    pub(super) fn function<P: Values, R: Values>(&self, name: &str) -> Option<B::Export> {
        self.exports.function(name)?.is(P::TYPES, R::TYPES).then(|| B::export(&self.native, name))?
    }

    /// Runs the module's start function, then `_initialize` of a reactor, if it has them.
    ///
    /// # Errors
    ///
    /// The fault with which one of them ended.
    pub fn start(&self, instance: &mut B::Instance<T>) -> Result<(), Fault> {
        self.first.iter().try_for_each(|export| match <B as TypedCall<(), ()>>::resolve(instance, export) {
            Some(func) => call::<B, (), (), T>(instance, &func, ()),
            None => unreachable!("admission has seen that both are () -> ()"),
        })
    }
}

fn instantiate<B: Backend, T: Send + 'static>(
    backend: &B,
    linked: &Linked<T, B>,
    policy: &Policy,
    max_instances: u32,
    data: StoreData<T>,
) -> Result<B::Instance<T>, InstantiateError> {
    let same = check_same("policy", linked.policy, policy.fingerprint())
        .and_then(|()| if linked.engine == backend.engine() { Ok(()) } else { Err(BackendError::OtherEngine) });
    if let Err(error) = same {
        return Err(InstantiateError { fault: error.into(), usage: Usage::default() });
    }
    if !data.accounts.has_room_for_declared() {
        // Only with a budget smaller than that of the policy under which the module was admitted.
        let source = "the module declares more than its budget has".into();
        let fault = BackendError::Engine { backend: B::ID, source }.into();
        return Err(InstantiateError { fault, usage: Usage::default() });
    }
    match backend.instantiate(&linked.native, data) {
        Ok(mut instance) => {
            give(&mut instance);
            Ok(instance)
        }
        Err(NotInstantiated { fault, data }) => {
            let StoreData { mut accounts, metered_by, .. } = *data;
            let fault = match accounts.take_parked().unwrap_or(fault) {
                Fault::Busy { .. } => Fault::Busy { allowed: max_instances },
                fault => fault,
            };
            // No guest code has run that would use fuel.
            let left = (metered_by != MeteredBy::Nobody).then(|| accounts.fuel_given());
            Err(InstantiateError { fault, usage: accounts.usage(left) })
        }
    }
}

/// Objects that belong together have the same fingerprint.
fn check_same(what: &'static str, found: Fingerprint, expected: Fingerprint) -> Result<(), BackendError> {
    if found == expected { Ok(()) } else { Err(BackendError::Mismatch { what, found, expected }) }
}

/// An admitted, compiled and linked module. Cheap to clone; calls may run on many threads at once.
pub struct Plugin<B: Backend, T: Send + 'static = ()>(pub(super) Arc<Loaded<B, T>>);

/// Shared by a plugin's instances: everything that is resolved once per module.
pub(super) struct Loaded<B: Backend, T: Send + 'static> {
    backend: Arc<B>,
    pub(super) policy: Arc<Policy>,
    pub(super) options: HostOptions,
    slots: Slots,
    pub(super) linked: Linked<T, B>,
    pub(super) name: Option<Arc<str>>,
    is_cached: bool,
    pub(super) load_time: Duration,
    pub(super) checks_abi: bool,
    pub(super) is_command: bool,
    pub(super) abi: Option<B::Export>,
    pub(super) alloc: Option<B::Export>,
    /// Name and export of the contract's entry.
    pub(super) entry: Option<(Arc<str>, B::Export)>,
}

impl<B: Backend, T: Send + 'static> AsRef<Slots> for Loaded<B, T> {
    fn as_ref(&self) -> &Slots {
        &self.slots
    }
}

impl<B: Backend, T: Send + 'static> Loaded<B, T> {
    /// A new instance, for one operation or for a session.
    pub(super) fn instantiate(
        &self,
        budget: Budget,
        state: T,
        lives: Lives,
    ) -> Result<B::Instance<T>, InstantiateError> {
        let mut data = StoreData::new(state, budget, &self.policy, &self.options);
        match lives {
            Lives::Once => data.accounts.allow_superseding(),
            Lives::On => {}
            Lives::Traced { is_repeated } => {
                data.recorder = Some(Box::default());
                if is_repeated {
                    data.accounts.repeat();
                }
            }
        }
        instantiate(&*self.backend, &self.linked, &self.policy, self.options.max_instances, data)
    }
}

impl<B: Backend, T: Send + 'static> Plugin<B, T> {
    /// A summary of the module.
    pub fn summary(&self) -> &ModuleSummary {
        self.0.linked.exports.summary()
    }

    /// The policy it runs under.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The name that it was [given](Loader::named).
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// How long it took to load: admission, compilation and linking.
    pub fn load_time(&self) -> Duration {
        self.0.load_time
    }

    /// Whether the backend had compiled the module before, and neither admitted nor compiled it again.
    pub fn is_cached(&self) -> bool {
        self.0.is_cached
    }

    /// Words about the module's state that a user should know, such as that it stays on a slower tier.
    pub fn notes(&self) -> Vec<String> {
        B::module_notes(&self.0.linked.native)
    }

    /// Calls `entry` with `input` on a new instance. Instantiation, ABI check, `alloc` and the entry share one budget. The entry
    /// of a [command](Contract::Command) is `_start`; its reply is what it wrote to standard output.
    ///
    /// # Errors
    ///
    /// [`CallError`] with the fault, the phase, and what was used.
    pub fn call(&self, entry: &str, input: &[u8]) -> Result<Reply, CallError>
    where
        T: Default,
    {
        self.call_with(entry, input, T::default(), None)
    }

    /// Like [`call`](Self::call), with the state that host functions see, and with a token that ends the call from
    /// another thread.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_with(
        &self,
        entry: &str,
        input: &[u8],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Result<Reply, CallError> {
        Session::once(self, state, cancel, |session, operation| session.call_bytes(entry, input, operation))
    }

    /// Calls an export of any type on a new instance, with values whose types are known only at run time. Instantiation
    /// and the call share one budget.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_values(
        &self,
        export: &str,
        params: &[Value],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Result<(Vec<Value>, Report), CallError> {
        Session::once(self, state, cancel, |session, operation| session.call_values_within(export, params, operation))
    }

    /// A live instance, for several calls in sequence. Instantiation and ABI check run now, under their own budget.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn session(&self, state: T) -> Result<Session<B, T>, CallError> {
        self.session_with(state, None)
    }

    /// Like [`session`](Self::session), with a token that ends instantiation from another thread.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn session_with(&self, state: T, cancel: Option<CancelToken>) -> Result<Session<B, T>, CallError> {
        Session::open(self, state, cancel)
    }
}

impl<B: Backend, T: Send + 'static> Clone for Plugin<B, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
