//! Host functions for whatever backend is chosen.

use std::{sync::Arc, time::Duration};

use hotcell_core::{
    Backend, HostCx, HostError, Imports, Offered, Signature, Value, Values,
    admit::FuncType,
    backend::{BadPointer, DuplicateImport},
};

type Body<T> = dyn Fn(&mut AnyCx<'_, T>, &[Value], &mut [Value]) -> Result<(), HostError> + Send + Sync;

/// Host functions that guests may import, for any backend: like [`Imports`]. `T` is the state that they see.
///
/// Arguments and results pass as [`Value`]s, which costs some nanoseconds more than [`Imports::func`].
pub struct AnyImports<T: Send + 'static = ()> {
    functions: Vec<(Signature, Arc<Body<T>>)>,
    offered: Offered,
    traps_unknown: bool,
}

impl<T: Send + 'static> Default for AnyImports<T> {
    fn default() -> Self {
        Self { functions: Vec::new(), offered: Offered::default(), traps_unknown: false }
    }
}

impl<T: Send + 'static> AnyImports<T> {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Like [`Imports::func`].
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when the name is taken.
    pub fn func<P, R, F>(&mut self, module: &str, name: &str, f: F) -> Result<&mut Self, DuplicateImport>
    where
        P: Values,
        R: Values,
        F: Fn(&mut AnyCx<'_, T>, P) -> Result<R, HostError> + Send + Sync + 'static,
    {
        self.func_values(module, name, FuncType::of::<P, R>(), move |cx, params, results| {
            let params = P::from_values(params).ok_or_else(|| HostError::message("arguments of other types"))?;
            f(cx, params)?.to_values(results);
            Ok(())
        })
    }

    /// Like [`Imports::func_values`].
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when the name is taken.
    pub fn func_values<F>(&mut self, module: &str, name: &str, ty: FuncType, f: F) -> Result<&mut Self, DuplicateImport>
    where
        F: Fn(&mut AnyCx<'_, T>, &[Value], &mut [Value]) -> Result<(), HostError> + Send + Sync + 'static,
    {
        let signature = Signature { module: module.to_owned(), name: name.to_owned(), ty };
        let duplicate = |Signature { module, name, .. }| DuplicateImport { module, name };
        self.offered.offer(signature.clone()).map_err(duplicate)?;
        self.functions.push((signature, Arc::new(f)));
        Ok(self)
    }

    /// Like [`Imports::trap_unknown`].
    pub fn trap_unknown(&mut self) -> &mut Self {
        self.traps_unknown = true;
        self
    }

    /// Whether there is a function of this module name.
    #[cfg(any(feature = "wasmtime", feature = "wasmi"))]
    pub(crate) fn offers_from(&self, module: &str) -> bool {
        self.functions.iter().any(|(signature, _)| signature.module == module)
    }

    /// Adds the functions to those of a backend.
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when one of the names is taken there.
    pub fn add_to<B: Backend>(&self, imports: &mut Imports<T, B>) -> Result<(), DuplicateImport> {
        if self.traps_unknown {
            imports.trap_unknown();
        }
        for (Signature { module, name, ty }, f) in &self.functions {
            let f = f.clone();
            imports
                .func_values(module, name, ty.clone(), move |cx, params, results| f(&mut AnyCx(cx), params, results))?;
        }
        Ok(())
    }
}

/// What a host function sees, on any backend: like [`HostCx`].
pub struct AnyCx<'a, T>(&'a mut dyn Cx<T>);

impl<T> AnyCx<'_, T> {
    /// Like [`HostCx::state`].
    pub fn state(&mut self) -> &mut T {
        self.0.memory_and_state().1
    }

    /// Like [`HostCx::memory_and_state`].
    pub fn memory_and_state(&mut self) -> (&mut [u8], &mut T) {
        self.0.memory_and_state()
    }

    /// Like [`HostCx::read`].
    ///
    /// # Errors
    ///
    /// As [`HostCx::read`].
    pub fn read(&mut self, pointer: u32, len: u32) -> Result<&[u8], BadPointer> {
        self.0.read(pointer, len)
    }

    /// Like [`HostCx::write`].
    ///
    /// # Errors
    ///
    /// As [`HostCx::write`].
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer> {
        self.0.write(pointer, bytes)
    }

    /// Like [`HostCx::charge`].
    ///
    /// # Errors
    ///
    /// As [`HostCx::charge`].
    pub fn charge(&mut self, fuel: u64) -> Result<(), HostError> {
        self.0.charge(fuel)
    }

    /// Like [`HostCx::remaining_fuel`].
    pub fn remaining_fuel(&mut self) -> Option<u64> {
        self.0.remaining_fuel()
    }

    /// Like [`HostCx::remaining_time`].
    pub fn remaining_time(&mut self) -> Option<Duration> {
        self.0.remaining_time()
    }

    /// Like [`HostCx::off_the_clock`].
    pub fn off_the_clock<R>(&mut self, wait: impl FnOnce() -> R) -> R {
        let (mut wait, mut result) = (Some(wait), None);
        self.0.off_the_clock(&mut || result = wait.take().map(|wait| wait()));
        result.expect("it is called once")
    }

    /// Like [`HostCx::call`].
    ///
    /// # Errors
    ///
    /// As [`HostCx::call`].
    pub fn call(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, HostError> {
        self.0.call(export, params)
    }
}

/// [`HostCx`], without its backend.
trait Cx<T> {
    fn memory_and_state(&mut self) -> (&mut [u8], &mut T);
    fn read(&mut self, pointer: u32, len: u32) -> Result<&[u8], BadPointer>;
    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer>;
    fn charge(&mut self, fuel: u64) -> Result<(), HostError>;
    fn remaining_fuel(&mut self) -> Option<u64>;
    fn remaining_time(&mut self) -> Option<Duration>;
    fn off_the_clock(&mut self, wait: &mut dyn FnMut());
    fn call(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, HostError>;
}

impl<B: Backend, T: Send + 'static> Cx<T> for HostCx<'_, B, T> {
    fn memory_and_state(&mut self) -> (&mut [u8], &mut T) {
        self.memory_and_state()
    }

    fn read(&mut self, pointer: u32, len: u32) -> Result<&[u8], BadPointer> {
        self.read(pointer, len)
    }

    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer> {
        self.write(pointer, bytes)
    }

    fn charge(&mut self, fuel: u64) -> Result<(), HostError> {
        self.charge(fuel)
    }

    fn remaining_fuel(&mut self) -> Option<u64> {
        self.remaining_fuel()
    }

    fn remaining_time(&mut self) -> Option<Duration> {
        self.remaining_time()
    }

    fn off_the_clock(&mut self, wait: &mut dyn FnMut()) {
        self.off_the_clock(wait);
    }

    fn call(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, HostError> {
        self.call(export, params)
    }
}
