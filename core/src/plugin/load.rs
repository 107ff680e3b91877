use alloc::{sync::Arc, vec::Vec};

use super::{Reply, session::Session, slots::Slots, trace};
use crate::{
    admit::{ALLOC, Contract, Exports, ModuleSummary, admit},
    backend::{Backend, HostOptions, check_enforceable},
    policy::{Policy, PolicyError},
    time::{CancelToken, Clock},
    value::Value,
    verdict::{CallError, LoadError, Report},
};

/// A backend with its policy: turns bytes into plugins.
pub struct Loader<B> {
    backend: Arc<B>,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
    slots: Slots,
}

impl<B: Backend> Loader<B> {
    /// An engine for `policy`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn new(policy: Policy, options: &HostOptions) -> Result<Self, PolicyError> {
        check_enforceable::<B>(&policy)?;
        Self::with_backend(B::new(&policy, options)?, policy, options)
    }

    /// A backend that the caller made, under the policy that it was made for. Another policy's modules do not compile.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn with_backend(backend: B, policy: Policy, options: &HostOptions) -> Result<Self, PolicyError> {
        check_enforceable::<B>(&policy)?;
        Ok(Self {
            backend: Arc::new(backend),
            policy: Arc::new(policy),
            clock: options.clock.clone(),
            slots: Slots::new(options.max_instances),
        })
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Admits, compiles and links a module.
    ///
    /// # Errors
    ///
    /// [`LoadError::Rejected`] when the policy does not admit the module; [`LoadError::Backend`] when the engine fails.
    pub fn load<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &B::Imports<T>,
        contract: &Contract,
    ) -> Result<Plugin<B, T>, LoadError> {
        let loaded = self.load_silently(bytes, imports, contract);
        trace::load(B::ID, loaded.as_ref().map(drop));
        loaded
    }

    fn load_silently<T: Send + 'static>(
        &self,
        bytes: &[u8],
        imports: &B::Imports<T>,
        contract: &Contract,
    ) -> Result<Plugin<B, T>, LoadError> {
        let admitted = admit(bytes, &self.policy, self.backend.offered(imports), contract)?;
        let module = self.backend.compile(&admitted)?;
        let linked = self.backend.link(&module, imports)?;
        let abi = self.policy.rules().abi.as_ref();
        let entry = match contract {
            Contract::Bytes { entry } => Some(entry.as_str()),
            Contract::Abi | Contract::None => None,
        };
        let exports = Arc::new(Exports::new(admitted.summary().clone()));
        Ok(Plugin(Arc::new(Loaded {
            abi: abi.and_then(|abi| export::<B, T>(&exports, &linked, &abi.export)),
            checks_abi: *contract != Contract::None,
            start: admitted.start().and_then(|name| B::export(&linked, name)),
            alloc: export::<B, T>(&exports, &linked, ALLOC),
            entry: entry.and_then(|name| Some((name.into(), export::<B, T>(&exports, &linked, name)?))),
            linked,
            exports,
            backend: self.backend.clone(),
            policy: self.policy.clone(),
            clock: self.clock.clone(),
            slots: self.slots.clone(),
        })))
    }
}

/// A module that was admitted, compiled and linked. Cheap to clone; calls may run on many threads at once.
pub struct Plugin<B: Backend, T: Send + 'static = ()>(pub(super) Arc<Loaded<B, T>>);

/// What a plugin's instances share: everything that can be resolved once per module.
pub(super) struct Loaded<B: Backend, T: Send + 'static> {
    pub(super) backend: Arc<B>,
    pub(super) policy: Arc<Policy>,
    pub(super) clock: Arc<dyn Clock>,
    slots: Slots,
    pub(super) linked: B::Linked<T>,
    pub(super) start: Option<B::Export>,
    pub(super) checks_abi: bool,
    pub(super) abi: Option<B::Export>,
    pub(super) alloc: Option<B::Export>,
    /// The contract's entry.
    pub(super) entry: Option<(Arc<str>, B::Export)>,
    pub(super) exports: Arc<Exports>,
}

impl<B: Backend, T: Send + 'static> AsRef<Slots> for Loaded<B, T> {
    fn as_ref(&self) -> &Slots {
        &self.slots
    }
}

impl<B: Backend, T: Send + 'static> Loaded<B, T> {
    /// An export that the module itself declares.
    pub(super) fn export(&self, name: &str) -> Option<B::Export> {
        export::<B, T>(&self.exports, &self.linked, name)
    }
}

/// An export that the module itself declares. The start function's hidden name is not among them.
fn export<B: Backend, T: Send + 'static>(exports: &Exports, linked: &B::Linked<T>, name: &str) -> Option<B::Export> {
    exports.get(name)?;
    B::export(linked, name)
}

impl<B: Backend, T: Send + 'static> Plugin<B, T> {
    /// What the module is and needs.
    pub fn summary(&self) -> &ModuleSummary {
        self.0.exports.summary()
    }

    /// The policy it runs under.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Calls `entry` with `input` on a fresh instance. Instantiation, ABI check, `alloc` and the entry share one
    /// budget.
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

    /// As [`call`](Self::call), with the state that host functions see, and with a token that ends the call from
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
        let (mut session, operation) = Session::open(self, state, cancel)?;
        session.call_bytes(entry, input, operation)
    }

    /// Calls an export of any type on a fresh instance, with values whose types are known only at run time.
    /// Instantiation and the call share one budget.
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
        let (mut session, operation) = Session::open(self, state, cancel)?;
        session.call_values_within(export, params, &operation)
    }

    /// A live instance, for several calls in turn. Instantiation and ABI check run now, under a budget of their own.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn session(&self, state: T) -> Result<Session<B, T>, CallError> {
        self.session_with(state, None)
    }

    /// As [`session`](Self::session), with a token that ends instantiation from another thread.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn session_with(&self, state: T, cancel: Option<CancelToken>) -> Result<Session<B, T>, CallError> {
        let (session, operation) = Session::open(self, state, cancel)?;
        session.finish_opening(operation)
    }
}

impl<B: Backend, T: Send + 'static> Clone for Plugin<B, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
