//! Modules on two engines, of which the second may not be there yet.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use hotcell_core::{BackendError, SandboxBackend, backend::catch_panic};

/// A module on the first engine, and later on the second.
pub struct Module<A: SandboxBackend, B: SandboxBackend> {
    /// None for a module that the second engine has from the beginning: it had compiled it before, or the first refused it.
    pub(crate) first: Option<A::Module>,
    pub(crate) second: Arc<Compiled<B>>,
}

impl<A: SandboxBackend, B: SandboxBackend> Module<A, B> {
    /// One that is on the second engine from the beginning.
    pub(crate) fn compiled(module: B::Module) -> Self {
        let compiled = Compiled::default();
        compiled.finish(Ok(module));
        Self { first: None, second: Arc::new(compiled) }
    }
}

/// What becomes of a module on the second engine.
pub(crate) struct Compiled<B: SandboxBackend> {
    module: OnceLock<Result<B::Module, BackendError>>,
    /// Whether the module is there.
    ready: Arc<AtomicBool>,
    /// How to compile it, until somebody does. A plugin that is dropped takes it along.
    work: Mutex<Option<Work<B>>>,
}

type Work<B> = Box<dyn FnOnce() -> Result<<B as SandboxBackend>::Module, BackendError> + Send>;

impl<B: SandboxBackend> Default for Compiled<B> {
    fn default() -> Self {
        Self { module: OnceLock::new(), ready: Arc::default(), work: Mutex::default() }
    }
}

impl<B: SandboxBackend> Compiled<B> {
    /// One that is to be compiled so.
    pub(crate) fn by(work: impl FnOnce() -> Result<B::Module, BackendError> + Send + 'static) -> Self {
        Self { work: Mutex::new(Some(Box::new(work))), ..Self::default() }
    }

    /// Compiles it, once.
    pub(crate) fn compile(&self) {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(work) = work else { return };
        self.finish(match catch_panic(work) {
            Ok(outcome) => outcome,
            Err(panic) => Err(BackendError::Engine { backend: B::ID, source: panic.into() }),
        });
    }

    /// Ends the waiting.
    pub(crate) fn finish(&self, outcome: Result<B::Module, BackendError>) {
        let is_there = outcome.is_ok();
        if self.module.set(outcome).is_ok() && is_there {
            self.ready.store(true, Ordering::Release);
        }
    }
}

/// A module with its imports resolved, on the first engine and later on the second.
pub struct Linked<T: Send + 'static, A: SandboxBackend, B: SandboxBackend> {
    /// None for a module that the second engine has from the beginning: it had compiled it before, or the first refused it.
    pub(crate) first: Option<A::Linked<T>>,
    pub(crate) second: Arc<Second<T, B>>,
}

impl<T: Send + 'static, A: SandboxBackend, B: SandboxBackend> Linked<T, A, B> {
    pub(crate) fn new(first: Option<A::Linked<T>>, second: Second<T, B>) -> Result<Self, BackendError> {
        if first.is_none() && second.linked().is_none() {
            return Err(BackendError::Engine { backend: B::ID, source: second.failure().unwrap_or_default().into() });
        }
        Ok(Self { first, second: Arc::new(second) })
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let failure = self.second.failure();
        failure.map(|failure| format!("stays on {}: {}: {failure}", A::ID, B::ID)).into_iter().collect()
    }
}

/// A module on the second engine, linked when it is there.
pub(crate) struct Second<T: Send + 'static, B: SandboxBackend> {
    backend: Arc<B>,
    compiled: Arc<Compiled<B>>,
    imports: B::Imports<T>,
    linked: OnceLock<Result<B::Linked<T>, BackendError>>,
}

impl<T: Send + 'static, B: SandboxBackend> Second<T, B> {
    pub(crate) fn new(backend: Arc<B>, compiled: Arc<Compiled<B>>, imports: B::Imports<T>) -> Self {
        Self { backend, compiled, imports, linked: OnceLock::new() }
    }

    /// The module, when it is there.
    #[inline]
    pub(crate) fn linked(&self) -> Option<&B::Linked<T>> {
        match self.linked.get() {
            Some(linked) => linked.as_ref().ok(),
            None => self.link(),
        }
    }

    #[cold]
    fn link(&self) -> Option<&B::Linked<T>> {
        let module = self.compiled.module.get()?.as_ref().ok()?;
        self.linked.get_or_init(|| self.backend.link(module, &self.imports)).as_ref().ok()
    }

    /// Set when the module is there.
    pub(crate) fn ready(&self) -> &Arc<AtomicBool> {
        &self.compiled.ready
    }

    /// Whether there will be none.
    pub(crate) fn has_failed(&self) -> bool {
        self.error().is_some()
    }

    fn error(&self) -> Option<&BackendError> {
        let refused = self.compiled.module.get().and_then(|module| module.as_ref().err());
        refused.or_else(|| self.linked.get().and_then(|linked| linked.as_ref().err()))
    }

    /// Why there will be none.
    fn failure(&self) -> Option<String> {
        let error = self.error()?;
        let source = std::error::Error::source(error).map(|source| format!(": {source}"));
        Some(format!("{error}{}", source.unwrap_or_default()))
    }
}
