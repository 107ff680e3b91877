//! Typed calls, and host functions.

use hotcell_core::{Fault, HostFn, TypedCall, Value, Values, admit::FuncType, backend::HostStop, value::Scalar};
use wasmtime::{TypedFunc, Val, WasmParams, WasmResults, WasmRet, WasmTy};

use crate::{
    Wasmtime,
    convert::{fault, from_val, stop, to_val, wasm_type},
    store::{Caller, Data, Instance},
};

impl<P, R> TypedCall<P, R> for Wasmtime
where
    P: Values + WasmParams,
    R: Values + WasmResults,
{
    type Func = TypedFunc<P, R>;

    fn resolve<T: Send + 'static>(
        instance: &mut Instance<T>,
        export: &wasmtime::ModuleExport,
    ) -> Option<TypedFunc<P, R>> {
        let func = instance.instance.get_module_export(&mut instance.store, export)?.into_func()?;
        func.typed(&instance.store).ok()
    }

    #[inline]
    fn call<T: Send + 'static>(instance: &mut Instance<T>, func: &TypedFunc<P, R>, params: P) -> Result<R, Fault> {
        let Instance { store, stack, .. } = instance;
        stack.provide(|| func.call(store, params)).map_err(fault)
    }
}

/// A host function whose type is known only at run time.
pub(crate) fn define_values<T, F>(
    linker: &mut wasmtime::Linker<Data<T>>,
    module: &str,
    name: &str,
    ty: &FuncType,
    host: F,
) where
    T: Send + 'static,
    F: Fn(Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
{
    let own = |types: &[hotcell_core::ValType]| types.iter().map(|ty| wasm_type(*ty)).collect::<Vec<_>>();
    let ty = wasmtime::FuncType::new(linker.engine(), own(&ty.params), own(&ty.results));
    let host = move |caller: wasmtime::Caller<'_, Data<T>>, params: &[Val], results: &mut [Val]| {
        let params: Vec<Value> = params.iter().filter_map(|value| from_val(*value)).collect();
        let mut values = vec![Value::I32(0); results.len()];
        host(Caller(caller), &params, &mut values).map_err(stop)?;
        results.iter_mut().zip(values).for_each(|(result, value)| *result = to_val(value));
        Ok(())
    };
    // The only error is a name that is taken, and core has looked.
    let _ = linker.func_new(module, name, ty, host);
}

macro_rules! host_fn {
    ($($param:ident $value:ident)*) => {
        impl<$($param: Scalar + WasmTy,)* R: Values + WasmRet> HostFn<($($param,)*), R> for Wasmtime {
            fn define<T, Closure>(linker: &mut wasmtime::Linker<Data<T>>, module: &str, name: &str, host: Closure)
            where
                T: Send + 'static,
                Closure: Fn(Caller<'_, T>, ($($param,)*)) -> Result<R, HostStop> + Send + Sync + 'static,
            {
                let host = move |caller: wasmtime::Caller<'_, Data<T>>, $($value: $param),*| {
                    host(Caller(caller), ($($value,)*)).map_err(stop)
                };
                // The only error is a name that is taken, and core has looked.
                let _ = linker.func_wrap(module, name, host);
            }
        }
    };
}
hotcell_core::each_arity!(host_fn);
