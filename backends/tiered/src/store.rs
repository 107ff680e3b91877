//! An instance on one of two engines, and what a host function borrows of it.

use std::sync::Arc;

use hotcell_core::{
    Fault, SandboxBackend, Store, Value,
    backend::{Counter, StoreData},
    verdict::Tier,
};

use crate::module::Second;

/// An instance on one of the engines, where it stays.
pub enum Instance<T: Send + 'static, A: SandboxBackend, B: SandboxBackend> {
    /// On the first.
    First(A::Instance<T>),
    /// On the second, with what its exports are looked up in.
    #[expect(private_interfaces, reason = "nobody but this crate makes one")]
    Second(B::Instance<T>, Arc<Second<T, B>>),
}

/// What a host function borrows of the store that called it.
pub enum Caller<'a, T: Send + 'static, A: SandboxBackend + 'a, B: SandboxBackend + 'a> {
    /// On the first engine.
    First(A::Caller<'a, T>),
    /// On the second.
    Second(B::Caller<'a, T>),
}

/// What each engine's store does.
macro_rules! store {
    ($($second:tt)*) => {
        #[inline]
        fn data(&self) -> &StoreData<T> {
            match self {
                Self::First(store) => Store::<T>::data(store),
                Self::Second(store $($second)*) => Store::<T>::data(store),
            }
        }

        #[inline]
        fn data_mut(&mut self) -> &mut StoreData<T> {
            match self {
                Self::First(store) => Store::<T>::data_mut(store),
                Self::Second(store $($second)*) => Store::<T>::data_mut(store),
            }
        }

        #[inline]
        fn memory_and_data(&mut self) -> (&mut [u8], &mut StoreData<T>) {
            match self {
                Self::First(store) => Store::<T>::memory_and_data(store),
                Self::Second(store $($second)*) => Store::<T>::memory_and_data(store),
            }
        }

        #[inline]
        fn counter(&mut self, counter: Counter) -> i64 {
            match self {
                Self::First(store) => Store::<T>::counter(store, counter),
                Self::Second(store $($second)*) => Store::<T>::counter(store, counter),
            }
        }

        #[inline]
        fn set_counter(&mut self, counter: Counter, value: i64) {
            match self {
                Self::First(store) => Store::<T>::set_counter(store, counter, value),
                Self::Second(store $($second)*) => Store::<T>::set_counter(store, counter, value),
            }
        }

        fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
            match self {
                Self::First(store) => Store::<T>::invoke(store, export, params, results),
                Self::Second(store $($second)*) => Store::<T>::invoke(store, export, params, results),
            }
        }
    };
}

impl<T: Send + 'static, A: SandboxBackend, B: SandboxBackend> Store<T> for Instance<T, A, B> {
    store!(, _);
}

impl<T: Send + 'static, A: SandboxBackend, B: SandboxBackend> Store<T> for Caller<'_, T, A, B> {
    store!();
}

impl<T: Send + 'static, A: SandboxBackend, B: SandboxBackend> hotcell_core::Instance<T> for Instance<T, A, B> {
    fn memory(&self) -> &[u8] {
        match self {
            Self::First(instance) => instance.memory(),
            Self::Second(instance, _) => instance.memory(),
        }
    }

    fn grow_memory(&mut self, pages: u64) -> bool {
        match self {
            Self::First(instance) => instance.grow_memory(pages),
            Self::Second(instance, _) => instance.grow_memory(pages),
        }
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        match self {
            Self::First(instance) => instance.global(export),
            Self::Second(instance, _) => instance.global(export),
        }
    }

    fn into_data(self) -> StoreData<T> {
        match self {
            Self::First(instance) => instance.into_data(),
            Self::Second(instance, _) => instance.into_data(),
        }
    }

    fn tier(&self) -> Option<Tier> {
        Some(match self {
            Self::First(_) => Tier { backend: A::ID, version: A::version() },
            Self::Second(..) => Tier { backend: B::ID, version: B::version() },
        })
    }

    #[inline]
    fn begin(&mut self) {
        match self {
            Self::First(instance) => instance.begin(),
            Self::Second(instance, _) => instance.begin(),
        }
    }
}
