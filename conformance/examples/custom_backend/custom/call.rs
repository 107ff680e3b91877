//! Calls, and the host functions that they call, by values: this engine could do with types what the contract has types for,
//! but an engine need not.

use std::sync::Arc;

use hotcell_core::{
    Fault, HostFn, TypedCall, ValType, Value, Values,
    admit::FuncType,
    backend::{HostStop, by_value, catch_panic},
};
use wasmi::{Func, StoreContextMut, Val};

use super::{
    Custom, Imports,
    convert::{fault, from_val, panicked, stop, to_val, wasm_type},
    store::{Caller, Data, Instance},
};

impl<P: Values, R: Values> TypedCall<P, R> for Custom {
    type Func = String;

    fn resolve<T: Send + 'static>(_instance: &mut Instance<T>, export: &String) -> Option<String> {
        Some(export.clone())
    }

    fn call<T: Send + 'static>(instance: &mut Instance<T>, func: &String, params: P) -> Result<R, Fault> {
        by_value::call(instance, func, params)
    }
}

impl<P: Values, R: Values> HostFn<P, R> for Custom {
    fn define<T, F>(imports: &mut Imports<T>, module: &str, name: &str, host: F)
    where
        T: Send + 'static,
        F: Fn(Caller<'_, T>, P) -> Result<R, HostStop> + Send + Sync + 'static,
    {
        by_value::define::<Self, P, R, T, F>(imports, module, name, host);
    }
}

/// Adds a host function. A linker belongs to an engine, and each module has its own: this is a recipe.
pub(super) fn define<T, F>(imports: &mut Imports<T>, module: &str, name: &str, ty: &FuncType, host: F)
where
    T: Send + 'static,
    F: Fn(Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
{
    let own = |types: &[ValType]| types.iter().map(|ty| wasm_type(*ty)).collect::<Vec<_>>();
    let ty = wasmi::FuncType::new(own(&ty.params), own(&ty.results));
    let (module, name, host) = (module.to_owned(), name.to_owned(), Arc::new(host));
    imports.0.push(Arc::new(move |linker| {
        let host = host.clone();
        let host = move |caller: wasmi::Caller<'_, Data<T>>, params: &[Val], results: &mut [Val]| {
            let params: Vec<Value> = params.iter().filter_map(from_val).collect();
            let mut values = vec![Value::I32(0); results.len()];
            host(Caller(caller), &params, &mut values).map_err(stop)?;
            results.iter_mut().zip(values).for_each(|(result, value)| *result = to_val(value));
            Ok(())
        };
        // The only error is a name that is taken, and core has looked.
        let _ = linker.func_new(&module, &name, ty.clone(), host);
    }));
}

/// Makes a call. Core has seen that the function is there, and that the values are of its type.
pub(super) fn invoke<T>(
    store: StoreContextMut<'_, Data<T>>,
    func: Option<Func>,
    params: &[Value],
    results: &mut [Value],
) -> Result<(), Fault> {
    let Some(func) = func else { return Ok(()) };
    let params: Vec<Val> = params.iter().map(|value| to_val(*value)).collect();
    let mut values: Vec<Val> = results.iter().map(|value| to_val(*value)).collect();
    catch_panic(|| func.call(store, &params, &mut values)).map_err(panicked)?.map_err(fault)?;
    for (result, value) in results.iter_mut().zip(&values) {
        *result = from_val(value).unwrap_or(*result);
    }
    Ok(())
}
