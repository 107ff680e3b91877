//! Host functions that guests may import.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::{
    Backend, HostCx, HostError, HostFn, HostStop, Store,
    host::{Effect, host_call},
    slices::refill,
    tracing,
};
use crate::{
    admit::{FuncType, Offered, Signature},
    meter::{GROW, HOST, MISSING, REFILL},
    value::{ValType, Value, Values},
    verdict::Escaped,
};

/// Host functions that guests may import. `T` is the state that they see: one for each instance.
pub struct Imports<T: Send + 'static, B: Backend> {
    pub(crate) native: B::Imports<T>,
    pub(crate) offered: Offered,
    /// The engine that they belong to.
    pub(crate) engine: u64,
}

impl<T: Send + 'static, B: Backend> Imports<T, B> {
    /// None, for plugins of this backend.
    pub(crate) fn new(backend: &B) -> Self {
        let mut native = backend.imports();
        <B as HostFn<(i64,), ()>>::define(&mut native, HOST, REFILL, |mut caller, (stack,)| {
            refill::<T>(&mut caller, stack)
        });
        <B as HostFn<(i32, i64, i64), i32>>::define(&mut native, HOST, GROW, |mut caller, (object, size, delta)| {
            let accounts = &mut Store::<T>::data_mut(&mut caller).accounts;
            Ok(accounts.ask_growth(object, size, delta).into())
        });
        let missing = FuncType { params: [ValType::I32].into(), results: Vec::new() };
        B::define_values(
            &mut native,
            HOST,
            MISSING,
            &missing,
            |mut caller: B::Caller<'_, T>, params: &[Value], _: &mut [Value]| {
                Store::<T>::data_mut(&mut caller).accounts.park_missing(params.first().copied());
                Err(HostStop)
            },
        );
        tracing::define::<T, B>(&mut native);
        Self { native, offered: Offered::default(), engine: backend.engine() }
    }

    /// Offers `f` as `module::name`. Parameters come as a tuple of numbers, at most 16; a pointer is a `u32`.
    ///
    /// An error ends the call with [`Fault::HostFunction`](crate::Fault::HostFunction) and stays as its source.
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when the name is taken.
    pub fn func<P, R, F>(&mut self, module: &str, name: &str, f: F) -> Result<&mut Self, DuplicateImport>
    where
        P: Values,
        R: Values,
        B: HostFn<P, R>,
        F: Fn(&mut HostCx<'_, B, T>, P) -> Result<R, HostError> + Send + Sync + 'static,
    {
        self.define(module, name, Effect::World, f)
    }

    /// As [`func`](Self::func), for a function that does so little that it is a step of the guest, such as to load a word: it
    /// does not count against `limits.host_calls`. It changes nothing but what belongs to the instance, as a
    /// [repeatable one](Self::repeatable_func_values), and [charges](HostCx::charge) the guest for what is not constant in it.
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when the name is taken.
    pub fn step_func<P, R, F>(&mut self, module: &str, name: &str, f: F) -> Result<&mut Self, DuplicateImport>
    where
        P: Values,
        R: Values,
        B: HostFn<P, R>,
        F: Fn(&mut HostCx<'_, B, T>, P) -> Result<R, HostError> + Send + Sync + 'static,
    {
        self.define(module, name, Effect::Step, f)
    }

    fn define<P, R, F>(&mut self, module: &str, name: &str, effect: Effect, f: F) -> Result<&mut Self, DuplicateImport>
    where
        P: Values,
        R: Values,
        B: HostFn<P, R>,
        F: Fn(&mut HostCx<'_, B, T>, P) -> Result<R, HostError> + Send + Sync + 'static,
    {
        self.offer(module, name, FuncType::of::<P, R>())?;
        let full = alloc::format!("{module}::{name}");
        <B as HostFn<P, R>>::define(&mut self.native, module, name, move |caller, params| {
            host_call::<B, T, _>(caller, effect, &full, |cx| f(cx, params))
        });
        Ok(self)
    }

    /// Offers `f` as `module::name`, with a type that is known only at run time. `f` gets the parameters, and zeros of the
    /// types of the results to overwrite. A result of another type ends the call with
    /// [`Fault::HostFunction`](crate::Fault::HostFunction).
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when the name is taken.
    pub fn func_values<F>(&mut self, module: &str, name: &str, ty: FuncType, f: F) -> Result<&mut Self, DuplicateImport>
    where
        F: Fn(&mut HostCx<'_, B, T>, &[Value], &mut [Value]) -> Result<(), HostError> + Send + Sync + 'static,
    {
        self.define_values(module, name, ty, Effect::World, f)
    }

    /// As [`func_values`](Self::func_values), for a function that changes nothing but what belongs to the instance: its memory,
    /// its [streams and extensions](HostCx::parts); not the state `T`. An operation may begin again after it, on a faster engine.
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when the name is taken.
    pub fn repeatable_func_values<F>(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        f: F,
    ) -> Result<&mut Self, DuplicateImport>
    where
        F: Fn(&mut HostCx<'_, B, T>, &[Value], &mut [Value]) -> Result<(), HostError> + Send + Sync + 'static,
    {
        self.define_values(module, name, ty, Effect::Instance, f)
    }

    fn define_values<F>(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        effect: Effect,
        f: F,
    ) -> Result<&mut Self, DuplicateImport>
    where
        F: Fn(&mut HostCx<'_, B, T>, &[Value], &mut [Value]) -> Result<(), HostError> + Send + Sync + 'static,
    {
        self.offer(module, name, ty.clone())?;
        let types = ty.results.clone();
        let full = alloc::format!("{module}::{name}");
        B::define_values(&mut self.native, module, name, &ty, move |caller, params, results| {
            host_call::<B, T, _>(caller, effect, &full, |cx| {
                for (result, ty) in results.iter_mut().zip(&types) {
                    *result = Value::zero(*ty);
                }
                f(cx, params, results)?;
                match results.iter().zip(&types).find(|(result, ty)| result.ty() != **ty) {
                    Some((result, ty)) => Err(HostError::message(alloc::format!("the result {result} is no {ty}"))),
                    None => Ok(()),
                }
            })
        });
        Ok(self)
    }

    /// A function that a guest imports and that is not offered becomes one that ends the call with
    /// [`Fault::ImportMissing`](crate::Fault::ImportMissing) when it is called, as with [`Unknown::Trap`](crate::policy::Unknown)
    /// in the policy.
    pub fn trap_unknown(&mut self) -> &mut Self {
        self.offered.trap_unknown();
        self
    }

    /// The names and types.
    pub fn offered(&self) -> &Offered {
        &self.offered
    }

    fn offer(&mut self, module: &str, name: &str, ty: FuncType) -> Result<(), DuplicateImport> {
        let (module, name) = (module.to_owned(), name.to_owned());
        let offered = self.offered.offer(Signature { module: module.clone(), name: name.clone(), ty });
        offered.map_err(|_| DuplicateImport { module, name })
    }
}

/// Two host functions of the same names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host function {}::{} is defined twice", Escaped(.module), Escaped(.name))]
pub struct DuplicateImport {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
}
