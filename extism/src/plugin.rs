use hotcell_core::{
    Backend, CallError, CancelToken, Plugin as CorePlugin, Recorded, Reply, Session as CoreSession, Traced,
};

use crate::convention;

/// A plugin that was loaded with the imports of [`offer`](crate::offer), under [`CONTRACT`](crate::CONTRACT). Cheap to clone;
/// calls may run on many threads at once.
pub struct Plugin<B: Backend, T: Send + 'static = ()>(CorePlugin<B, T>);

impl<B: Backend, T: Send + 'static> From<CorePlugin<B, T>> for Plugin<B, T> {
    fn from(plugin: CorePlugin<B, T>) -> Self {
        Self(plugin)
    }
}

impl<B: Backend, T: Send + 'static> AsRef<CorePlugin<B, T>> for Plugin<B, T> {
    fn as_ref(&self) -> &CorePlugin<B, T> {
        &self.0
    }
}

impl<B: Backend, T: Send + 'static> Clone for Plugin<B, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Backend, T: Send + 'static> Plugin<B, T> {
    /// Calls `entry` with `input` on a new instance.
    ///
    /// # Errors
    ///
    /// [`CallError`] with the fault, the phase, and what was used. The guest's own error is
    /// [`Fault::GuestError`](hotcell_core::Fault::GuestError).
    pub fn call(&self, entry: &str, input: &[u8]) -> Result<Reply, CallError>
    where
        T: Default,
    {
        self.call_with(entry, input, T::default(), None)
    }

    /// Like [`call`](Self::call), with the state that host functions see, and with a token that ends the call from another
    /// thread.
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
        self.0.call_by(|guest, input| convention::call(guest, entry, input), input, state, cancel)
    }

    /// A live instance, for several calls in sequence. Its variables stay.
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
        self.0.session_with(state, cancel).map(Session)
    }
}

/// A live instance of a [`Plugin`]. An error that the guest returns leaves it usable; any other failure poisons it.
pub struct Session<B: Backend, T: Send + 'static = ()>(CoreSession<B, T>);

impl<B: Backend, T: Send + 'static> Session<B, T> {
    /// Calls `entry` with `input`.
    ///
    /// # Errors
    ///
    /// As [`Plugin::call`].
    pub fn call(&mut self, entry: &str, input: &[u8]) -> Result<Reply, CallError> {
        call_in(&mut self.0, entry, input)
    }
}

/// Calls `entry` with `input` in a session of a plugin that was loaded with the imports of [`offer`](crate::offer).
///
/// # Errors
///
/// As [`Plugin::call`].
pub fn call_in<B: Backend, T: Send + 'static>(
    session: &mut CoreSession<B, T>,
    entry: &str,
    input: &[u8],
) -> Result<Reply, CallError> {
    session.call_by(|guest, input| convention::call(guest, entry, input), input)
}

impl<B: Backend, T: Send + 'static> AsMut<CoreSession<B, T>> for Session<B, T> {
    fn as_mut(&mut self) -> &mut CoreSession<B, T> {
        &mut self.0
    }
}

/// Calls `entry` with `input`, of a plugin that was loaded [for tracing](hotcell_core::Loader::load_traced) with the imports of
/// [`offer`](crate::offer).
pub fn call_traced<B: Backend, T: Send + 'static>(
    traced: &Traced<B, T>,
    entry: &str,
    input: &[u8],
    state: T,
    cancel: Option<CancelToken>,
) -> Recorded<Reply> {
    traced.call_by(|guest, input| convention::call(guest, entry, input), input, state, cancel)
}
