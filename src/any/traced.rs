use hotcell_core::{Backend, CancelToken, ModuleSummary, Recorded, Reply, Report, Traced, Value};

/// A [`Traced`] module on some backend.
pub trait AnyTraced<T: Send + 'static = ()>: Send + Sync {
    /// A summary of the module.
    fn summary(&self) -> &ModuleSummary;

    /// Like [`Traced::repeated`].
    #[must_use]
    fn repeated(self: Box<Self>) -> Box<dyn AnyTraced<T>>;

    /// Like [`Traced::call_with`].
    fn call_with(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>) -> Recorded<Reply>;

    /// Like [`call_with`](Self::call_with), for [one of Extism's plugins](crate::AnySandbox::load_extism_traced).
    #[cfg(feature = "extism")]
    fn call_extism(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>) -> Recorded<Reply>;

    /// Like [`Traced::call_values`].
    fn call_values_with(
        &self,
        export: &str,
        params: &[Value],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Recorded<(Vec<Value>, Report)>;
}

impl<B: Backend, T: Send + 'static> AnyTraced<T> for Traced<B, T> {
    fn summary(&self) -> &ModuleSummary {
        self.summary()
    }

    fn repeated(self: Box<Self>) -> Box<dyn AnyTraced<T>> {
        Box::new((*self).repeated())
    }

    fn call_with(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>) -> Recorded<Reply> {
        self.call_with(entry, input, state, cancel)
    }

    #[cfg(feature = "extism")]
    fn call_extism(&self, entry: &str, input: &[u8], state: T, cancel: Option<CancelToken>) -> Recorded<Reply> {
        hotcell_extism::call_traced(self, entry, input, state, cancel)
    }

    fn call_values_with(
        &self,
        export: &str,
        params: &[Value],
        state: T,
        cancel: Option<CancelToken>,
    ) -> Recorded<(Vec<Value>, Report)> {
        self.call_values(export, params, state, cancel)
    }
}
