//! Calls, and the host functions that they call.

use std::sync::Arc;

use hotcell_core::{
    Fault, HostCx, HostError, HostFn, Signature, TypedCall, Value, Values,
    admit::FuncType,
    backend::{Armed, Counter, DuplicateImport, catch_panic, host_call, refill},
    value::Scalar,
};
use wasmi::{AsContextMut, Error, Func, StoreContextMut, TypedFunc, Val, WasmParams, WasmResults, WasmRet, WasmTy};

use super::{
    Custom, Imports,
    convert::{fault, from_val, panicked, stop, to_val, val_type},
    store::{self, Data, Instance},
};

impl<P, R> TypedCall<P, R> for Custom
where
    P: Values + WasmParams,
    R: Values + WasmResults,
{
    type Func = TypedFunc<P, R>;

    fn resolve<T: Send + 'static>(instance: &mut Instance<T>, export: &String) -> Option<TypedFunc<P, R>> {
        instance.instance.get_typed_func(&instance.store, export).ok()
    }

    fn call<T: Send + 'static>(instance: &mut Instance<T>, func: &TypedFunc<P, R>, params: P) -> Result<R, Fault> {
        let store = instance.store.as_context_mut();
        let outcome = catch_panic(|| run(store, |store| func.call(store, params)));
        outcome.unwrap_or_else(|panic| Err(panicked(panic).into()))
    }
}

/// A call whose types are known only at run time.
pub(super) fn call_values<T>(
    store: StoreContextMut<'_, Data<T>>,
    func: Option<Func>,
    export: &str,
    params: &[Value],
) -> Result<Vec<Value>, Fault> {
    let func = func.ok_or_else(|| Fault::NoSuchExport { export: export.to_owned() })?;
    let ty = func.ty(&store);
    let own = |types: &[wasmi::ValType]| types.iter().map(val_type).collect::<Vec<_>>();
    let declared = FuncType { params: own(ty.params()), results: own(ty.results()) };
    declared.check_arguments(export, params)?;
    let params: Vec<_> = params.iter().map(|value| to_val(*value)).collect();
    let results = run(store, |store| {
        let mut results = vec![Val::I32(0); ty.results().len()];
        func.call(store, &params, &mut results).map(|()| results)
    })?;
    Ok(results.iter().filter_map(from_val).collect())
}

/// Makes a call and says how it ended.
fn run<T, R>(
    mut store: StoreContextMut<'_, Data<T>>,
    call: impl FnOnce(&mut StoreContextMut<'_, Data<T>>) -> Result<R, Error>,
) -> Result<R, Fault> {
    let outcome = call(&mut store);
    outcome.map_err(|error| fault(store, error))
}

/// What a guest calls where its fuel or its stack is below zero: a deadline or a cancel token can end it here.
pub(super) fn give_fuel<T: Send + 'static>(caller: wasmi::Caller<'_, Data<T>>, stack: i64) -> Result<(), Error> {
    let mut caller = Caller(caller);
    refill(&mut caller, stack).map_err(stop)
}

/// What a host function borrows of the store that called it.
pub struct Caller<'a, T: 'static>(wasmi::Caller<'a, Data<T>>);

impl<T: Send + 'static> hotcell_core::backend::Caller<T> for Caller<'_, T> {
    fn state(&mut self) -> &mut T {
        &mut self.0.data_mut().state
    }

    fn memory_and_state(&mut self) -> (&mut [u8], &mut T) {
        match self.0.data().memory {
            Some(memory) => {
                let (bytes, data) = memory.data_and_store_mut(&mut self.0);
                (bytes, &mut data.state)
            }
            None => (&mut [], &mut self.0.data_mut().state),
        }
    }

    fn armed(&mut self) -> &mut Armed {
        &mut self.0.data_mut().armed
    }

    fn fuel(&mut self) -> Option<u64> {
        Some(store::fuel(&self.0))
    }

    fn set_fuel(&mut self, fuel: u64) {
        store::set_fuel(&mut self.0, fuel);
    }

    fn counter(&mut self, counter: Counter) -> i64 {
        store::counter(&self.0, counter)
    }

    fn set_counter(&mut self, counter: Counter, value: i64) {
        store::set_counter(&mut self.0, counter, value);
    }

    fn is_clock_due(&mut self) -> bool {
        true
    }

    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        let func = self.0.get_export(export).and_then(wasmi::Extern::into_func);
        call_values(self.0.as_context_mut(), func, export, params)
    }
}

macro_rules! host_fn {
    ($($param:ident $value:ident)*) => {
        impl<$($param: Scalar + WasmTy,)* R: Values> HostFn<($($param,)*), R> for Custom
        where
            Result<R, Error>: WasmRet,
        {
            fn define<T, Closure>(
                imports: &mut Imports<T>,
                module: &str,
                name: &str,
                closure: Closure,
            ) -> Result<(), DuplicateImport>
            where
                T: Send + 'static,
                Closure: Fn(&mut HostCx<'_, Self, T>, ($($param,)*)) -> Result<R, HostError> + Send + Sync + 'static,
            {
                let (module, name) = (module.to_owned(), name.to_owned());
                let ty = FuncType { params: <($($param,)*)>::TYPES.to_vec(), results: R::TYPES.to_vec() };
                let offered = imports.offered.offer(Signature { module: module.clone(), name: name.clone(), ty });
                if offered.is_err() {
                    return Err(DuplicateImport { module, name });
                }
                let closure = Arc::new(closure);
                imports.recipes.push(Arc::new(move |linker| {
                    let closure = closure.clone();
                    let host = move |mut caller: wasmi::Caller<'_, Data<T>>, $($value: $param),*| {
                        caller.data_mut().armed.filling_ended();
                        host_call::<Self, _, _, _, _>(Caller(caller), &*closure, ($($value,)*)).map_err(stop)
                    };
                    // The only error is a name that is taken, and the names were just checked.
                    let _ = linker.func_wrap(&module, &name, host);
                }));
                Ok(())
            }
        }
    };
}
host_fn!();
host_fn!(A a);
host_fn!(A a B b);
host_fn!(A a B b C c);
host_fn!(A a B b C c D d);
host_fn!(A a B b C c D d E e);
host_fn!(A a B b C c D d E e F f);
host_fn!(A a B b C c D d E e F f G g);
host_fn!(A a B b C c D d E e F f G g H h);
