//! The wasmtime backend of hotcell: Cranelift, limits armed before a guest's first instruction.
//!
//! * [`Wasmtime`] implements the contract of `hotcell-core`.
//! * [`config`] builds wasmtime's `Config` for a policy, for embedders who make their own engine.

pub mod config;

#[cfg(all(feature = "cache", unix))]
mod cache;
mod call;
mod compile;
mod convert;
mod cost;
mod engine;
mod limits;
mod store;
#[cfg(all(feature = "worker", unix))]
pub mod worker;

#[cfg(all(feature = "cache", unix))]
pub use cache::{CacheEntry, CodeCache, EntryName, InsecureCache};
pub use engine::Options;
pub use store::Instance;
#[cfg(all(feature = "worker", unix))]
pub use worker::{CompileLimits, CompileWorker, WorkerUnavailable};

use std::sync::{Arc, OnceLock};

use hotcell_core::{
    Admitted, BackendError, Enforcement, Field, HostOptions, Policy, PolicyError, SandboxBackend, Value,
    admit::FuncType,
    backend::{Counter, HostStop, NotInstantiated, StoreData},
};

use self::{
    convert::{backend_error, fault},
    engine::SharedEngine,
    store::Data,
};

/// Id of the backend.
const ID: &str = "wasmtime";
/// Version of the engine, as the manifest pins it.
const VERSION: &str = "48.0.8";

/// The wasmtime engine under one policy.
pub struct Wasmtime {
    engine: Arc<SharedEngine>,
    options: Options,
}

/// Makes this program one whose modules can be compiled in processes of their own: see [`CompileWorker::this_program`]. Call
/// it first in `main`. In such a process it compiles and does not return.
#[cfg(all(feature = "worker", unix))]
pub fn serve_compile_worker() {
    worker::serve(compile::serve);
}

/// A module with its imports resolved.
pub struct Linked<T: 'static> {
    pre: wasmtime::InstancePre<Data<T>>,
    /// The memory that core works on. Core says with the first instance which export it is.
    memory: OnceLock<Option<wasmtime::ModuleExport>>,
    counters: Option<[wasmtime::ModuleExport; 2]>,
}

impl SandboxBackend for Wasmtime {
    const ID: &'static str = ID;
    const JIT: bool = true;

    type Options = Options;
    type Module = wasmtime::Module;
    type Imports<T: Send + 'static> = wasmtime::Linker<Data<T>>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = wasmtime::ModuleExport;
    type Instance<T: Send + 'static> = Instance<T>;
    type Caller<'a, T: Send + 'static> = store::Caller<'a, T>;

    fn version() -> &'static str {
        VERSION
    }

    fn enforcement(field: Field) -> Enforcement {
        let how = "bytes of native stack: how deep a guest recurses depends on the processor";
        Enforcement::all_but(field, &[(Field::EngineStackBytes, Enforcement::Emulated { how })])
    }

    fn new(policy: &Policy, host: &HostOptions, options: &Options) -> Result<Self, PolicyError> {
        Ok(Self { engine: engine::shared(policy, host.max_instances, options)?, options: options.clone() })
    }

    fn notes(&self) -> Vec<String> {
        self.engine.notes()
    }

    fn engine(&self) -> u64 {
        self.engine.number()
    }

    #[cfg(all(feature = "cache", unix))]
    fn keeps_code(&self) -> bool {
        self.options.cache.is_some()
    }

    #[cfg(all(feature = "cache", unix))]
    fn cached(&self, identity: &hotcell_core::Identity<'_>) -> Option<(wasmtime::Module, hotcell_core::ModuleSummary)> {
        compile::cached(&self.engine, &self.options, identity)
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<wasmtime::Module, BackendError> {
        compile::compile(&self.engine, &self.options, admitted)
    }

    fn imports<T: Send + 'static>(&self) -> wasmtime::Linker<Data<T>> {
        wasmtime::Linker::new(self.engine.engine())
    }

    fn define_values<T, F>(imports: &mut wasmtime::Linker<Data<T>>, module: &str, name: &str, ty: &FuncType, host: F)
    where
        T: Send + 'static,
        F: Fn(store::Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
    {
        call::define_values(imports, module, name, ty, host);
    }

    fn link<T: Send + 'static>(
        &self,
        module: &wasmtime::Module,
        imports: &wasmtime::Linker<Data<T>>,
    ) -> Result<Linked<T>, BackendError> {
        let pre = imports.instantiate_pre(module).map_err(backend_error)?;
        let [fuel, stack] = Counter::ALL.map(|counter| module.get_export_index(counter.export()));
        let counters = fuel.zip(stack).map(<[_; 2]>::from);
        Ok(Linked { pre, memory: OnceLock::new(), counters })
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<wasmtime::ModuleExport> {
        linked.pre.module().get_export_index(name)
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        data: StoreData<T>,
    ) -> Result<Instance<T>, NotInstantiated<T>> {
        let mut store = store::limited_store(&self.engine, data);
        let stack = self.engine.stack();
        match stack.provide(|| linked.pre.instantiate(&mut store)) {
            Ok(instance) => Ok(Instance::new(store, instance, linked, stack)),
            Err(error) => Err(NotInstantiated { fault: fault(error), data: Box::new(store.into_data().core) }),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_that_the_manifest_pins() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("wasmtime = {{ version = \"={}\"", super::VERSION)));
    }
}
