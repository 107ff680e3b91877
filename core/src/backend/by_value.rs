//! For engines that know the types of values only at run time: a [`TypedCall`](super::TypedCall) on [`Store::invoke`], and a
//! [`HostFn`](super::HostFn) on [`SandboxBackend::define_values`].

use super::{HostStop, SandboxBackend, Store};
use crate::{
    admit::FuncType,
    value::{MOST_VALUES, Value, Values},
    verdict::Fault,
};

/// Calls an exported function, which core has seen to be of type `P -> R`.
///
/// # Errors
///
/// As [`Store::invoke`].
///
/// # Panics
///
/// The engine gave other results than it was asked for.
pub fn call<P: Values, R: Values, T>(store: &mut impl Store<T>, export: &str, params: P) -> Result<R, Fault> {
    let (mut arguments, mut results) = ([Value::I32(0); MOST_VALUES], [Value::I32(0); MOST_VALUES]);
    params.to_values(&mut arguments);
    for (result, ty) in results.iter_mut().zip(R::TYPES) {
        *result = Value::zero(*ty);
    }
    let results = &mut results[..R::TYPES.len()];
    store.invoke(export, &arguments[..P::TYPES.len()], results)?;
    Ok(R::from_values(results).expect("the engine gives results of the function's type"))
}

/// Offers a host function of type `P -> R` as one of values.
pub fn define<B, P, R, T, F>(imports: &mut B::Imports<T>, module: &str, name: &str, host: F)
where
    B: SandboxBackend,
    P: Values,
    R: Values,
    T: Send + 'static,
    F: Fn(B::Caller<'_, T>, P) -> Result<R, HostStop> + Send + Sync + 'static,
{
    let ty = FuncType::of::<P, R>();
    B::define_values(imports, module, name, &ty, move |caller: B::Caller<'_, T>, params, results| {
        // The engine has compared the types.
        let params = P::from_values(params).ok_or(HostStop)?;
        host(caller, params)?.to_values(results);
        Ok(())
    });
}
