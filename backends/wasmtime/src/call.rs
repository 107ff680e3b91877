use hotcell_core::{
    Fault, HostCx, HostError, HostFn, Signature, TypedCall, Value, Values,
    admit::FuncType,
    backend::{Armed, Counter, DuplicateImport, host_call, refill},
    ticker,
    value::Scalar,
};
use wasmtime::{AsContextMut, Func, StoreContextMut, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy};

use crate::{
    Imports, Wasmtime,
    convert::{fault, from_val, stop, to_val, val_type},
    meter,
    store::{Data, Instance},
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
        match stack.provide(|| func.call(&mut *store, params)) {
            Ok(results) => Ok(results),
            Err(error) => Err(fault(store, error)),
        }
    }
}

/// A call whose types are known only at run time.
pub(crate) fn call_values<T: Send + 'static>(
    mut store: StoreContextMut<'_, Data<T>>,
    func: Option<Func>,
    export: &str,
    params: &[Value],
) -> Result<Vec<Value>, Fault> {
    let func = func.ok_or_else(|| Fault::NoSuchExport { export: export.to_owned() })?;
    let ty = func.ty(&store);
    let own = |ty| val_type(&ty);
    let declared = FuncType { params: ty.params().map(own).collect(), results: ty.results().map(own).collect() };
    declared.check_arguments(export, params)?;
    let params: Vec<_> = params.iter().map(|value| to_val(*value)).collect();
    let mut results = vec![wasmtime::Val::I32(0); ty.results().len()];
    if let Err(error) = func.call(&mut store, &params, &mut results) {
        return Err(fault(store, error));
    }
    Ok(results.into_iter().filter_map(from_val).collect())
}

/// What a guest calls where its fuel or its stack is below zero.
pub(crate) fn give_fuel<T: Send + 'static>(caller: wasmtime::Caller<'_, Data<T>>, stack: i64) -> wasmtime::Result<()> {
    refill(&mut Caller(caller), stack).map_err(stop)
}

/// What a host function borrows of the store that called it.
pub struct Caller<'a, T: 'static>(wasmtime::Caller<'a, Data<T>>);

impl<T: Send + 'static> hotcell_core::backend::Caller<T> for Caller<'_, T> {
    #[inline]
    fn state(&mut self) -> &mut T {
        &mut self.0.data_mut().state
    }

    #[inline]
    fn memory_and_state(&mut self) -> (&mut [u8], &mut T) {
        match self.0.data().memory {
            Some(memory) => {
                let (bytes, data) = memory.data_and_store_mut(&mut self.0);
                (bytes, &mut data.state)
            }
            None => (&mut [], &mut self.0.data_mut().state),
        }
    }

    #[inline]
    fn armed(&mut self) -> &mut Armed {
        &mut self.0.data_mut().armed
    }

    fn fuel(&mut self) -> Option<u64> {
        meter::fuel(&mut self.0)
    }

    fn set_fuel(&mut self, fuel: u64) {
        meter::set_fuel(&mut self.0, fuel);
    }

    fn counter(&mut self, counter: Counter) -> i64 {
        meter::counter(&mut self.0, counter)
    }

    fn set_counter(&mut self, counter: Counter, value: i64) {
        meter::set_counter(&mut self.0, counter, value);
    }

    #[inline]
    fn is_clock_due(&mut self) -> bool {
        let (data, ticks) = (self.0.data_mut(), ticker::ticks());
        let due = data.seen != ticks && data.armed.is_interruptible();
        if due {
            data.seen = ticks;
            ticker::want();
        }
        due
    }

    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        let func = self.0.get_export(export).and_then(wasmtime::Extern::into_func);
        call_values(self.0.as_context_mut(), func, export, params)
    }
}

macro_rules! host_fn {
    ($($param:ident $value:ident)*) => {
        impl<$($param: Scalar + WasmTy,)* R: Values + WasmRet> HostFn<($($param,)*), R> for Wasmtime {
            fn define<T, Closure>(imports: &mut Imports<T>, module: &str, name: &str, closure: Closure) -> Result<(), DuplicateImport>
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
                let host = move |caller: wasmtime::Caller<'_, Data<T>>, $($value: $param),*| {
                    host_call::<Self, _, _, _, _>(Caller(caller), &closure, ($($value,)*)).map_err(stop)
                };
                // The only error is a name that is taken, and the names are the ones just checked.
                let _ = imports.linker.func_wrap(&module, &name, host);
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
