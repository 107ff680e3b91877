//! Calls, and the host functions that they call, by values.

use hotcell_core::{
    Fault, HostFn, TypedCall, Value, Values,
    backend::{HostStop, by_value},
};

use crate::{
    Imports, Js,
    store::{Caller, Instance},
};

/// A host function.
pub(crate) type Host<T> = dyn Fn(Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static;

impl<P: Values, R: Values> TypedCall<P, R> for Js {
    type Func = String;

    fn resolve<T: Send + 'static>(_instance: &mut Instance<T>, export: &String) -> Option<String> {
        Some(export.clone())
    }

    fn call<T: Send + 'static>(instance: &mut Instance<T>, func: &String, params: P) -> Result<R, Fault> {
        by_value::call(instance, func, params)
    }
}

impl<P: Values, R: Values> HostFn<P, R> for Js {
    fn define<T, F>(imports: &mut Imports<T>, module: &str, name: &str, host: F)
    where
        T: Send + 'static,
        F: Fn(Caller<'_, T>, P) -> Result<R, HostStop> + Send + Sync + 'static,
    {
        by_value::define::<Self, P, R, T, F>(imports, module, name, host);
    }
}
