//! Plugins and sessions on a backend that was chosen at run time: object-safe, with host functions that do not know it.

mod imports;
mod traced;

pub use imports::{AnyCx, AnyImports};
pub use traced::AnyTraced;

use std::time::Duration;

use hotcell_core::{
    Backend, CallError, CancelToken, Fault, ModuleSummary, Plugin, Reply, Report, Session, Value, backend::BadPointer,
    verdict::Usage,
};

/// A [`Plugin`] on some backend.
pub trait AnyPlugin<T: Send + 'static = ()>: Send + Sync {
    /// A summary of the module.
    fn summary(&self) -> &ModuleSummary;

    /// Like [`Plugin::name`].
    fn name(&self) -> Option<&str>;

    /// Like [`Plugin::load_time`].
    fn load_time(&self) -> Duration;

    /// Like [`Plugin::is_cached`].
    fn is_cached(&self) -> bool;

    /// Like [`Plugin::notes`].
    fn notes(&self) -> Vec<String>;

    /// Like [`Plugin::call_with`].
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn call_with(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>) -> Result<Reply, CallError>;

    /// Like [`call_with`](Self::call_with), for what was loaded as [an Extism plugin](crate::AnySandbox::load_extism).
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    #[cfg(feature = "extism")]
    fn call_extism(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>)
    -> Result<Reply, CallError>;

    /// Like [`Plugin::call_values`].
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn call_values_with(
        &self,
        export: &str,
        params: &[Value],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Result<(Vec<Value>, Report), CallError>;

    /// Like [`Plugin::session_with`].
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn session_with(&self, state: T, cancel: Option<CancelToken>) -> Result<Box<dyn AnySession<T>>, CallError>;

    /// [`call_with`](Self::call_with) the default state.
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn call(&self, entry: &str, input: &[u8], cancel: Option<CancelToken>) -> Result<Reply, CallError>
    where
        T: Default,
    {
        self.call_with(entry, input, T::default(), cancel)
    }

    /// [`call_values_with`](Self::call_values_with) the default state.
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn call_values(
        &self,
        export: &str,
        params: &[Value],
        cancel: Option<CancelToken>,
    ) -> Result<(Vec<Value>, Report), CallError>
    where
        T: Default,
    {
        self.call_values_with(export, params, T::default(), cancel)
    }

    /// [`session_with`](Self::session_with) the default state.
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    fn session(&self, cancel: Option<CancelToken>) -> Result<Box<dyn AnySession<T>>, CallError>
    where
        T: Default,
    {
        self.session_with(T::default(), cancel)
    }
}

impl<B: Backend, T: Send + 'static> AnyPlugin<T> for Plugin<B, T> {
    fn summary(&self) -> &ModuleSummary {
        self.summary()
    }

    fn name(&self) -> Option<&str> {
        self.name()
    }

    fn load_time(&self) -> Duration {
        self.load_time()
    }

    fn is_cached(&self) -> bool {
        self.is_cached()
    }

    fn notes(&self) -> Vec<String> {
        self.notes()
    }

    fn call_with(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>) -> Result<Reply, CallError> {
        self.call_with(entry, input, state, cancel)
    }

    #[cfg(feature = "extism")]
    fn call_extism(
        &self,
        entry: &str,
        input: &[u8],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Result<Reply, CallError> {
        hotcell_extism::Plugin::from(self.clone()).call_with(entry, input, state, cancel)
    }

    fn call_values_with(
        &self,
        export: &str,
        params: &[Value],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Result<(Vec<Value>, Report), CallError> {
        self.call_values(export, params, state, cancel)
    }

    fn session_with(&self, state: T, cancel: Option<CancelToken>) -> Result<Box<dyn AnySession<T>>, CallError> {
        Ok(Box::new(self.session_with(state, cancel)?))
    }
}

/// A [`Session`] on some backend.
pub trait AnySession<T: Send + 'static = ()>: Send {
    /// Like [`Session::call`].
    ///
    /// # Errors
    ///
    /// As [`Session::call`].
    fn call(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError>;

    /// Like [`call`](Self::call), for what was loaded as [an Extism plugin](crate::AnySandbox::load_extism).
    ///
    /// # Errors
    ///
    /// As [`Session::call`].
    #[cfg(feature = "extism")]
    fn call_extism(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError>;

    /// Like [`Session::call_values`].
    ///
    /// # Errors
    ///
    /// As [`Session::call_values`].
    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault>;

    /// Like [`Session::cancel_with`].
    ///
    /// # Errors
    ///
    /// As [`Session::cancel_with`].
    fn cancel_with(&mut self, cancel: CancelToken) -> Result<(), Fault>;

    /// Like [`Session::usage`].
    fn usage(&mut self) -> Usage;

    /// Like [`Session::is_poisoned`].
    fn is_poisoned(&self) -> bool;

    /// Like [`Session::state`].
    fn state(&self) -> &T;

    /// Like [`Session::state_mut`].
    fn state_mut(&mut self) -> &mut T;

    /// Like [`Session::into_state`].
    fn into_state(self: Box<Self>) -> T;

    /// Like [`Session::memory`].
    fn memory(&self) -> &[u8];

    /// Like [`Session::memory_and_state`].
    fn memory_and_state(&mut self) -> (&mut [u8], &mut T);

    /// Like [`Session::write`].
    ///
    /// # Errors
    ///
    /// As [`Session::write`].
    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer>;

    /// Like [`Session::grow_memory`].
    fn grow_memory(&mut self, pages: u64) -> Option<u64>;

    /// Like [`Session::global`].
    fn global(&mut self, export: &str) -> Option<Value>;
}

impl<B: Backend, T: Send + 'static> AnySession<T> for Session<B, T> {
    fn call(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError> {
        self.call(entry, input)
    }

    #[cfg(feature = "extism")]
    fn call_extism(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError> {
        hotcell_extism::call_in(self, entry, input)
    }

    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        self.call_values(export, params)
    }

    fn cancel_with(&mut self, cancel: CancelToken) -> Result<(), Fault> {
        self.cancel_with(cancel)
    }

    fn usage(&mut self) -> Usage {
        self.usage()
    }

    fn is_poisoned(&self) -> bool {
        self.is_poisoned()
    }

    fn state(&self) -> &T {
        self.state()
    }

    fn state_mut(&mut self) -> &mut T {
        self.state_mut()
    }

    fn into_state(self: Box<Self>) -> T {
        (*self).into_state()
    }

    fn memory(&self) -> &[u8] {
        self.memory()
    }

    fn memory_and_state(&mut self) -> (&mut [u8], &mut T) {
        self.memory_and_state()
    }

    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer> {
        self.write(pointer, bytes)
    }

    fn grow_memory(&mut self, pages: u64) -> Option<u64> {
        self.grow_memory(pages)
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        self.global(export)
    }
}
