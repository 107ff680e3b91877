//! A store with its one instance.

#![expect(unsafe_code, reason = "a guest's call of a host function comes back through JavaScript")]

use std::{cell::OnceCell, sync::Arc};

use hotcell_core::{
    Fault, Value,
    admit::FuncType,
    backend::{Counter, StoreData},
};

use crate::{
    Module,
    call::Host,
    engine::{self, Handle},
    frame,
};

/// What is in a store.
struct Inner<T: 'static> {
    core: StoreData<T>,
    handle: Handle,
    module: Arc<Module>,
    hosts: Arc<[(FuncType, Arc<Host<T>>)]>,
    /// A copy of the guest's memory, from when somebody looked at it until the guest runs again.
    copy: OnceCell<Vec<u8>>,
    /// Whether the copy was lent to be written.
    is_written: bool,
}

/// A limited store with its one instance.
pub struct Instance<T: 'static>(Inner<T>);

/// What a host function borrows of the store that called it.
pub struct Caller<'a, T: 'static>(&'a mut Inner<T>);

impl<T: Send + 'static> Instance<T> {
    pub(crate) fn new(
        handle: Handle,
        module: Arc<Module>,
        hosts: Arc<[(FuncType, Arc<Host<T>>)]>,
        core: StoreData<T>,
    ) -> Self {
        Self(Inner { core, handle, module, hosts, copy: OnceCell::new(), is_written: false })
    }
}

impl<T: Send + 'static> Inner<T> {
    fn memory(&self) -> &[u8] {
        self.copy.get_or_init(|| {
            let len = self.handle.memory_len();
            let mut copy = Vec::new();
            // Without room for a copy there is no memory to look at, and every pointer into it is bad.
            if len > 0 && copy.try_reserve_exact(len).is_ok() {
                copy.resize(len, 0);
                self.handle.read(&mut copy);
            }
            copy
        })
    }

    fn memory_and_data(&mut self) -> (&mut [u8], &mut StoreData<T>) {
        self.memory();
        self.is_written = true;
        let copy = self.copy.get_mut().map_or(&mut [][..], Vec::as_mut_slice);
        (copy, &mut self.core)
    }

    /// The guest is about to run: what was written goes to its memory, and the copy grows old.
    fn give_memory_back(&mut self) {
        if let Some(copy) = self.copy.take()
            && std::mem::take(&mut self.is_written)
        {
            self.handle.write(&copy);
        }
    }

    fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
        let module = self.module.clone();
        let Some((operation, _)) = module.shape.call(export) else { return Ok(()) };
        self.give_memory_back();
        frame::put(params);
        engine::run_in(self.handle.number(), operation, self, answer::<T>)?;
        for (at, result) in results.iter_mut().enumerate() {
            *result = frame::get(at, result.ty());
        }
        Ok(())
    }

    fn counter(&mut self, counter: Counter) -> i64 {
        match self.global(counter.export()) {
            Some(Value::I64(value)) => value,
            _ => 0,
        }
    }

    fn set_counter(&mut self, counter: Counter, value: i64) {
        if let Some(operation) = self.module.shape.write(counter.export()) {
            frame::put(&[Value::I64(value)]);
            self.handle.access(operation);
        }
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        let (operation, ty) = self.module.shape.read(export)?;
        self.handle.access(operation).then(|| frame::get(0, ty))
    }
}

/// Answers a guest's call of an import: whether the guest must end.
///
/// # Safety
///
/// `store` is an [`Inner<T>`] that nobody else uses meanwhile.
unsafe fn answer<T: Send + 'static>(store: *mut (), import: u32) -> bool {
    // SAFETY: as the caller says.
    let store = unsafe { &mut *store.cast::<Inner<T>>() };
    let Some((ty, host)) = store.hosts.get(import as usize).cloned() else { return true };
    let params: Vec<Value> = ty.params.iter().enumerate().map(|(at, ty)| frame::get(at, *ty)).collect();
    let mut results: Vec<Value> = ty.results.iter().map(|ty| Value::zero(*ty)).collect();
    let outcome = host(Caller(store), &params, &mut results);
    store.give_memory_back();
    frame::put(&results);
    outcome.is_err()
}

impl<T: Send + 'static> hotcell_core::Instance<T> for Instance<T> {
    fn memory(&self) -> &[u8] {
        self.0.memory()
    }

    fn grow_memory(&mut self, pages: u64) -> bool {
        self.0.give_memory_back();
        u32::try_from(pages).is_ok_and(|pages| self.0.handle.grow(pages))
    }

    fn global(&mut self, export: &str) -> Option<Value> {
        self.0.global(export)
    }

    fn into_data(self) -> StoreData<T> {
        self.0.core
    }
}

/// What is the same from outside and from inside.
macro_rules! store {
    () => {
        fn data(&self) -> &StoreData<T> {
            &self.0.core
        }

        fn data_mut(&mut self) -> &mut StoreData<T> {
            &mut self.0.core
        }

        fn memory_and_data(&mut self) -> (&mut [u8], &mut StoreData<T>) {
            self.0.memory_and_data()
        }

        fn counter(&mut self, counter: Counter) -> i64 {
            self.0.counter(counter)
        }

        fn set_counter(&mut self, counter: Counter, value: i64) {
            self.0.set_counter(counter, value);
        }

        fn invoke(&mut self, export: &str, params: &[Value], results: &mut [Value]) -> Result<(), Fault> {
            self.0.invoke(export, params, results)
        }
    };
}

impl<T: Send + 'static> hotcell_core::Store<T> for Instance<T> {
    store!();
}

impl<T: Send + 'static> hotcell_core::Store<T> for Caller<'_, T> {
    store!();
}
