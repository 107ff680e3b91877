//! Typed calls, and host functions.

use alloc::{borrow::ToOwned, sync::Arc, vec, vec::Vec};

use hotcell_core::{
    Fault, HostFn, TypedCall, ValType, Value, Values,
    admit::FuncType,
    backend::{HostStop, catch_panic},
    value::Scalar,
};
use wasmi::{
    AsContextMut, Error, Func, Linker, ResumableCall, ResumableCallOutOfFuel, StoreContextMut, TypedFunc,
    TypedResumableCall, TypedResumableCallOutOfFuel, Val, WasmParams, WasmResults, WasmRet, WasmTy,
};

use crate::{
    Imports, Wasmi,
    convert::{engine_panic, fault, from_val, stop, to_val, wasm_type},
    slices::{Paused, Step, drive, must_pause},
    store::{Caller, Data, Instance},
};

impl<P, R> TypedCall<P, R> for Wasmi
where
    P: Values + WasmParams,
    R: Values + WasmResults,
{
    type Func = TypedFunc<P, R>;

    fn resolve<T: Send + 'static>(instance: &mut Instance<T>, export: &Arc<str>) -> Option<TypedFunc<P, R>> {
        instance.instance.get_typed_func(&instance.store, export).ok()
    }

    #[inline]
    fn call<T: Send + 'static>(instance: &mut Instance<T>, func: &TypedFunc<P, R>, params: P) -> Result<R, Fault> {
        instance.depth.call();
        let store = &mut instance.store;
        let outcome = catch_panic(|| match must_pause(&*store) {
            true => drive(&mut *store, |store| func.call_resumable(store, params).map(Step::from)),
            false => func.call(store, params).map_err(|error| fault(&error)),
        });
        match outcome {
            Ok(Ok(results)) => Ok(results),
            Ok(Err(fault)) => {
                instance.depth.fail();
                Err(fault)
            }
            Err(panic) => Err(engine_panic(panic)),
        }
    }
}

impl<R: WasmResults> From<TypedResumableCall<R>> for Step<TypedResumableCallOutOfFuel<R>> {
    fn from(call: TypedResumableCall<R>) -> Self {
        match call {
            TypedResumableCall::Finished(results) => Self::Finished(results),
            TypedResumableCall::HostTrap(_) => Self::Stopped,
            TypedResumableCall::OutOfFuel(paused) => Self::OutOfFuel(paused),
        }
    }
}

impl<R: WasmResults> Paused for TypedResumableCallOutOfFuel<R> {
    type Results = R;

    fn required_fuel(&self) -> u64 {
        ResumableCallOutOfFuel::required_fuel(self)
    }

    fn resume<T>(self, store: impl AsContextMut<Data = Data<T>>) -> Result<Step<Self>, Error> {
        Self::resume(self, store).map(Step::from)
    }
}

/// A paused call whose types are known only at run time, with room for its results.
pub(crate) struct PausedValues {
    call: ResumableCallOutOfFuel,
    results: Vec<Val>,
}

impl PausedValues {
    pub(crate) fn start<T>(
        func: Func,
        store: &mut StoreContextMut<'_, Data<T>>,
        params: &[Val],
        mut results: Vec<Val>,
    ) -> Result<Step<Self>, Error> {
        let call = func.call_resumable(store, params, &mut results);
        Self::step(call, results)
    }

    fn step(call: Result<ResumableCall, Error>, results: Vec<Val>) -> Result<Step<Self>, Error> {
        Ok(match call? {
            ResumableCall::Finished => Step::Finished(results),
            ResumableCall::HostTrap(_) => Step::Stopped,
            ResumableCall::OutOfFuel(call) => Step::OutOfFuel(Self { call, results }),
        })
    }
}

impl Paused for PausedValues {
    type Results = Vec<Val>;

    fn required_fuel(&self) -> u64 {
        self.call.required_fuel()
    }

    fn resume<T>(mut self, store: impl AsContextMut<Data = Data<T>>) -> Result<Step<Self>, Error> {
        let call = self.call.resume(store, &mut self.results);
        Self::step(call, self.results)
    }
}

/// A host function whose type is known only at run time.
pub(crate) fn define_values<T, F>(imports: &mut Imports<T>, module: &str, name: &str, ty: &FuncType, host: F)
where
    T: Send + 'static,
    F: Fn(Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
{
    let own = |types: &[ValType]| types.iter().map(|ty| wasm_type(*ty)).collect::<Vec<_>>();
    let ty = wasmi::FuncType::new(own(&ty.params), own(&ty.results));
    let host = Arc::new(host);
    imports.add(module, name, move |linker, module, name| {
        let host = host.clone();
        let host = move |caller: wasmi::Caller<'_, Data<T>>, params: &[Val], results: &mut [Val]| {
            let params: Vec<Value> = params.iter().filter_map(from_val).collect();
            let mut values = vec![Value::I32(0); results.len()];
            host(Caller(caller), &params, &mut values).map_err(stop)?;
            results.iter_mut().zip(values).for_each(|(result, value)| *result = to_val(value));
            Ok(())
        };
        // The only error is a name that is taken, and core has looked.
        let _ = linker.func_new(module, name, ty.clone(), host);
    });
}

impl<T: 'static> Imports<T> {
    /// Adds what defines a function in a linker, by its names.
    fn add(
        &mut self,
        module: &str,
        name: &str,
        define: impl Fn(&mut Linker<Data<T>>, &str, &str) + Send + Sync + 'static,
    ) {
        let (module, name) = (module.to_owned(), name.to_owned());
        self.0.push(Arc::new(move |linker| define(linker, &module, &name)));
    }
}

macro_rules! host_fn {
    ($($param:ident $value:ident)*) => {
        impl<$($param: Scalar + WasmTy,)* R: Values> HostFn<($($param,)*), R> for Wasmi
        where
            Result<R, Error>: WasmRet,
        {
            fn define<T, Closure>(imports: &mut Imports<T>, module: &str, name: &str, host: Closure)
            where
                T: Send + 'static,
                Closure: Fn(Caller<'_, T>, ($($param,)*)) -> Result<R, HostStop> + Send + Sync + 'static,
            {
                let host = Arc::new(host);
                imports.add(module, name, move |linker, module, name| {
                    let host = host.clone();
                    let host = move |caller: wasmi::Caller<'_, Data<T>>, $($value: $param),*| {
                        host(Caller(caller), ($($value,)*)).map_err(stop)
                    };
                    // The only error is a name that is taken, and core has looked.
                    let _ = linker.func_wrap(module, name, host);
                });
            }
        }
    };
}
hotcell_core::each_arity!(host_fn);
