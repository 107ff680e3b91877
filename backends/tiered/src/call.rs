//! Exports, typed calls, and host functions, on whichever engine.

use std::sync::{Arc, OnceLock};

use hotcell_core::{Fault, HostFn, SandboxBackend, TypedCall, Value, Values, admit::FuncType, backend::HostStop};

use crate::{
    Imports, Tiered,
    module::Linked,
    store::{Caller, Instance},
};

/// Where an export is, on each of the engines.
pub struct Export<A: SandboxBackend, B: SandboxBackend> {
    name: Arc<str>,
    first: Option<A::Export>,
    /// Looked up when the second engine has the module.
    second: Arc<OnceLock<Option<B::Export>>>,
}

impl<A: SandboxBackend, B: SandboxBackend> Clone for Export<A, B> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), first: self.first.clone(), second: self.second.clone() }
    }
}

impl<A: SandboxBackend, B: SandboxBackend> Export<A, B> {
    pub(crate) fn find<T: Send + 'static>(linked: &Linked<T, A, B>, name: &str) -> Option<Self> {
        let (first, second) = (linked.first.as_ref().map(|first| A::export(first, name)), OnceLock::new());
        let first = match first {
            Some(export) => Some(export?),
            None => {
                let _ = second.set(Some(B::export(linked.second.linked()?, name)?));
                None
            }
        };
        Some(Self { name: name.into(), first, second: Arc::new(second) })
    }
}

/// A function on one of the engines.
pub enum Func<A, B> {
    /// On the first.
    First(A),
    /// On the second.
    Second(B),
}

impl<A: Clone, B: Clone> Clone for Func<A, B> {
    fn clone(&self) -> Self {
        match self {
            Self::First(func) => Self::First(func.clone()),
            Self::Second(func) => Self::Second(func.clone()),
        }
    }
}

impl<P, R, A, B> TypedCall<P, R> for Tiered<A, B>
where
    P: Values,
    R: Values,
    A: TypedCall<P, R>,
    B: TypedCall<P, R>,
{
    type Func = Func<<A as TypedCall<P, R>>::Func, <B as TypedCall<P, R>>::Func>;

    #[inline]
    fn resolve<T: Send + 'static>(instance: &mut Instance<T, A, B>, export: &Export<A, B>) -> Option<Self::Func> {
        match instance {
            Instance::First(instance) => {
                <A as TypedCall<P, R>>::resolve(instance, export.first.as_ref()?).map(Func::First)
            }
            Instance::Second(instance, second) => {
                let find = || second.linked().and_then(|linked| B::export(linked, &export.name));
                <B as TypedCall<P, R>>::resolve(instance, export.second.get_or_init(find).as_ref()?).map(Func::Second)
            }
        }
    }

    #[inline]
    fn call<T: Send + 'static>(instance: &mut Instance<T, A, B>, func: &Self::Func, params: P) -> Result<R, Fault> {
        match (instance, func) {
            (Instance::First(instance), Func::First(func)) => <A as TypedCall<P, R>>::call(instance, func, params),
            (Instance::Second(instance, _), Func::Second(func)) => <B as TypedCall<P, R>>::call(instance, func, params),
            // Core holds functions to the session that resolved them, which stays on its engine.
            _ => Err(hotcell_core::BackendError::OtherSession.into()),
        }
    }
}

/// How to define a host function for the second engine.
pub(crate) type Recipe<T, B> = Box<dyn Fn(&mut <B as SandboxBackend>::Imports<T>) + Send + Sync>;

impl<P, R, A, B> HostFn<P, R> for Tiered<A, B>
where
    P: Values,
    R: Values,
    A: HostFn<P, R>,
    B: HostFn<P, R>,
{
    fn define<T, F>(imports: &mut Imports<T, A, B>, module: &str, name: &str, host: F)
    where
        T: Send + 'static,
        F: Fn(Caller<'_, T, A, B>, P) -> Result<R, HostStop> + Send + Sync + 'static,
    {
        let host = Arc::new(host);
        let first = host.clone();
        <A as HostFn<P, R>>::define(&mut imports.first, module, name, move |caller: A::Caller<'_, T>, params: P| {
            first(Caller::First(caller), params)
        });
        let (module, name) = (module.to_owned(), name.to_owned());
        imports.second.push(Box::new(move |second| {
            let host = host.clone();
            <B as HostFn<P, R>>::define(second, &module, &name, move |caller: B::Caller<'_, T>, params: P| {
                host(Caller::Second(caller), params)
            });
        }));
    }
}

/// A host function whose type is known only at run time.
pub(crate) fn define_values<T, A, B, F>(
    imports: &mut Imports<T, A, B>,
    module: &str,
    name: &str,
    ty: &FuncType,
    host: F,
) where
    T: Send + 'static,
    A: SandboxBackend,
    B: SandboxBackend,
    F: Fn(Caller<'_, T, A, B>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
{
    let host = Arc::new(host);
    let first = host.clone();
    A::define_values(
        &mut imports.first,
        module,
        name,
        ty,
        move |caller: A::Caller<'_, T>, params: &[Value], results: &mut [Value]| {
            first(Caller::First(caller), params, results)
        },
    );
    let (module, name, ty) = (module.to_owned(), name.to_owned(), ty.clone());
    imports.second.push(Box::new(move |second| {
        let host = host.clone();
        B::define_values(
            second,
            &module,
            &name,
            &ty,
            move |caller: B::Caller<'_, T>, params: &[Value], results: &mut [Value]| {
                host(Caller::Second(caller), params, results)
            },
        );
    }));
}
