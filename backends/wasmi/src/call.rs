use alloc::{borrow::ToOwned, sync::Arc, vec, vec::Vec};

use hotcell_core::{
    Fault, HostCx, HostError, HostFn, Signature, TypedCall, Value, Values,
    admit::FuncType,
    backend::{Armed, Counter, DuplicateImport, catch_panic, host_call, refill},
    value::Scalar,
};
use wasmi::{
    AsContextMut, Error, Func, ResumableCall, ResumableCallOutOfFuel, StoreContextMut, TypedFunc, TypedResumableCall,
    TypedResumableCallOutOfFuel, Val, WasmParams, WasmResults, WasmRet, WasmTy,
};

use crate::{
    Imports, Wasmi,
    convert::{engine_panic, fault, from_val, stop, to_val, val_type},
    meter,
    slices::{Paused, Step, drive, must_pause},
    store::{Data, Instance},
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
            false => func.call(&mut *store, params).map_err(|error| fault(store, Some(error))),
        });
        match outcome {
            Ok(Ok(results)) => Ok(results),
            Ok(Err(fault)) => Err(fault),
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
struct PausedValues {
    call: ResumableCallOutOfFuel,
    results: Vec<Val>,
}

impl PausedValues {
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

/// A call whose types are known only at run time.
pub(crate) fn call_values<T>(
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
    let results = drive(store, |store| {
        let mut results = vec![Val::I32(0); ty.results().len()];
        let call = func.call_resumable(store, &params, &mut results);
        PausedValues::step(call, results)
    })?;
    Ok(results.iter().filter_map(from_val).collect())
}

/// What a guest calls where its fuel or its stack is below zero.
pub(crate) fn give_fuel<T: Send + 'static>(caller: wasmi::Caller<'_, Data<T>>, stack: i64) -> Result<(), Error> {
    refill(&mut Caller(caller), stack).map_err(stop)
}

/// What a host function borrows of the store that called it.
pub struct Caller<'a, T: 'static>(wasmi::Caller<'a, Data<T>>);

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
        meter::fuel(&self.0)
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
        let data = self.0.data_mut();
        data.armed.is_interruptible() && data.ticks.have_passed()
    }

    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault> {
        let func = self.0.get_export(export).and_then(wasmi::Extern::into_func);
        call_values(self.0.as_context_mut(), func, export, params)
    }
}

macro_rules! host_fn {
    ($($param:ident $value:ident)*) => {
        impl<$($param: Scalar + WasmTy,)* R: Values> HostFn<($($param,)*), R> for Wasmi
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
