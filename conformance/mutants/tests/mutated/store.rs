//! A store around one of the example's.

use std::{marker::PhantomData, ops::DerefMut};

use hotcell_core::{
    Fault, Store, Value,
    backend::{Accounts, Counter, HostStop, StoreData},
};

use crate::hooks;

use super::{
    Caller, Instance,
    hook::{AnyStore, Call, Callable, Side},
};

/// What core sees of it. `P` is an instance, or what a host function borrows.
pub(crate) struct Around<P> {
    inner: P,
    side: Side,
}

impl<P: DerefMut> Around<P> {
    pub(super) fn new(inner: P, side: Side) -> Self {
        Self { inner, side }
    }

    pub(super) fn any<T>(&mut self) -> View<'_, T, P::Target> {
        View { store: &mut self.inner, side: self.side, host: (), state: PhantomData }
    }
}

impl<T, P> Store<T> for Around<P>
where
    T: Send + 'static,
    P: DerefMut,
    P::Target: Store<T>,
{
    fn data(&self) -> &StoreData<T> {
        self.inner.data()
    }

    fn data_mut(&mut self) -> &mut StoreData<T> {
        self.inner.data_mut()
    }

    fn memory_and_data(&mut self) -> (&mut [u8], &mut StoreData<T>) {
        let (bytes, data) = self.inner.memory_and_data();
        ((hooks().memory_mut)(self.side, bytes), data)
    }

    fn counter(&mut self, counter: Counter) -> i64 {
        (hooks().counter)(&mut self.any::<T>(), counter)
    }

    fn set_counter(&mut self, counter: Counter, value: i64) {
        (hooks().set_counter)(&mut self.any::<T>(), counter, value);
    }

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        (hooks().invoke)(&mut Call { store: &mut self.any::<T>(), name: export, params, results })
    }
}

impl<T: Send + 'static> hotcell_core::Instance<T> for Instance<T> {
    fn memory(&self) -> &[u8] {
        (hooks().memory)(self.inner.memory())
    }

    fn grow_memory(&mut self, pages: u64) -> bool {
        (hooks().grow_memory)(self.inner.grow_memory(pages))
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        (hooks().global)(export, self.inner.global(export))
    }

    fn into_data(self) -> StoreData<T> {
        self.inner.into_data()
    }

    fn begin(&mut self) {
        self.inner.begin();
        (hooks().begin)(&mut self.any::<T>());
    }
}

/// The example's own store, as a mutant sees it; in a host function, with what that does.
pub(super) struct View<'a, T, S: ?Sized, H = ()> {
    store: &'a mut S,
    side: Side,
    host: H,
    state: PhantomData<fn() -> T>,
}

impl<'a, T, F> View<'a, T, dyn Store<T> + 'a, &'a F> {
    pub(super) fn inside(store: &'a mut (dyn Store<T> + 'a), host: &'a F) -> Self {
        Self { store, side: Side::Inside, host, state: PhantomData }
    }
}

impl<T: 'static, S: Store<T> + ?Sized, H> AnyStore for View<'_, T, S, H> {
    fn side(&self) -> Side {
        self.side
    }

    fn accounts(&mut self) -> &mut Accounts {
        &mut self.store.data_mut().accounts
    }

    fn memory(&mut self) -> &mut [u8] {
        self.store.memory_and_data().0
    }

    fn counter(&mut self, counter: Counter) -> i64 {
        self.store.counter(counter)
    }

    fn set_counter(&mut self, counter: Counter, value: i64) {
        self.store.set_counter(counter, value);
    }
}

impl<T: 'static, S: Store<T> + ?Sized> Callable<Fault> for View<'_, T, S> {
    fn call(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        self.store.invoke(export, params, results)
    }
}

impl<'a, T, F> Callable<HostStop> for View<'a, T, dyn Store<T> + 'a, &'a F>
where
    T: Send + 'static,
    F: Fn(Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop>,
{
    fn call(&mut self, _name: &str, params: &[Value], results: &mut [Value]) -> Result<(), HostStop> {
        (self.host)(Around { inner: &mut *self.store, side: self.side }, params, results)
    }
}
