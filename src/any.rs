//! Object-safe traits of sandboxes and plugins, for choosing a backend at run time.

use hotcell_core::{
    Backend, CallError, CancelToken, Contract, LoadError, ModuleSummary, Offered, Plugin, Policy, Reply, Report,
    Session, Value,
};

use crate::sandbox::Sandbox;

/// A [`Sandbox`] on some backend.
pub trait AnySandbox: Send + Sync {
    /// The policy.
    fn policy(&self) -> &Policy;

    /// Notes on the engine's state, such as a fallback that it had to use.
    fn notes(&self) -> Vec<String>;

    /// Waits until nothing is compiled behind any more.
    fn finish_compiling(&self);

    /// What modules may import.
    fn offered(&self) -> Offered;

    /// Loads a module that imports nothing but WASI, where the policy allows it.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::load`].
    fn load(&self, bytes: &[u8], contract: &Contract) -> Result<Box<dyn AnyPlugin>, LoadError>;
}

impl<B: Backend> AnySandbox for Sandbox<B> {
    fn policy(&self) -> &Policy {
        self.policy()
    }

    fn notes(&self) -> Vec<String> {
        self.backend().notes()
    }

    fn finish_compiling(&self) {
        self.backend().finish_compiling();
    }

    fn offered(&self) -> Offered {
        self.imports::<()>().offered().clone()
    }

    fn load(&self, bytes: &[u8], contract: &Contract) -> Result<Box<dyn AnyPlugin>, LoadError> {
        Ok(Box::new(self.load_with(bytes, &self.plain_imports(bytes), contract)?))
    }
}

/// A [`Plugin`] on some backend, without host functions.
pub trait AnyPlugin: Send + Sync {
    /// A summary of the module.
    fn summary(&self) -> &ModuleSummary;

    /// Like [`Plugin::is_cached`].
    fn is_cached(&self) -> bool;

    /// Like [`Plugin::notes`].
    fn notes(&self) -> Vec<String>;

    /// Like [`Plugin::call_with`].
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn call(&self, entry: &str, input: &[u8], cancel: Option<CancelToken>) -> Result<Reply, CallError>;

    /// Like [`Plugin::call_values`].
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn call_values(
        &self,
        export: &str,
        params: &[Value],
        cancel: Option<CancelToken>,
    ) -> Result<(Vec<Value>, Report), CallError>;

    /// Like [`Plugin::session_with`].
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn session(&self, cancel: Option<CancelToken>) -> Result<Box<dyn AnySession>, CallError>;
}

impl<B: Backend> AnyPlugin for Plugin<B> {
    fn summary(&self) -> &ModuleSummary {
        self.summary()
    }

    fn is_cached(&self) -> bool {
        self.is_cached()
    }

    fn notes(&self) -> Vec<String> {
        self.notes()
    }

    fn call(&self, entry: &str, input: &[u8], cancel: Option<CancelToken>) -> Result<Reply, CallError> {
        self.call_with(entry, input, (), cancel)
    }

    fn call_values(
        &self,
        export: &str,
        params: &[Value],
        cancel: Option<CancelToken>,
    ) -> Result<(Vec<Value>, Report), CallError> {
        self.call_values(export, params, (), cancel)
    }

    fn session(&self, cancel: Option<CancelToken>) -> Result<Box<dyn AnySession>, CallError> {
        Ok(Box::new(self.session_with((), cancel)?))
    }
}

/// A [`Session`] on some backend, without host functions.
pub trait AnySession: Send {
    /// Like [`Session::call`].
    ///
    /// # Errors
    ///
    /// As [`Session::call`].
    fn call(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError>;
}

impl<B: Backend> AnySession for Session<B> {
    fn call(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError> {
        self.call(entry, input)
    }
}
