//! The wasmi backend of hotcell: an interpreter, for targets that may not generate code.
//!
//! wasmi is pinned to 1.1.0. Version 2.0.0 returns wrong results for a `select` on a comparison with zero, a pattern
//! that compilers emit all the time. Version 1.1.0 has defects of its own, all of which are kept out of a guest's reach:
//!
//! * it copies four or more block or function results wrongly: admission caps them at three, in every preset;
//! * lazy compilation and resumable calls do not go together: compilation is eager;
//! * its translator panics on branches that reach too far: a panic is caught where the target unwinds;
//! * a failed instantiation leaves tables behind that must not be called: tables are never imported, and the store is
//!   dropped;
//! * compiled functions live as long as their engine, and every call takes an engine-wide lock: each module has an
//!   engine of its own for each worker thread.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod call;
mod convert;
mod engine;
mod limits;
mod slices;
mod stacks;
mod store;

pub use engine::{Linked, Module};
pub use store::Instance;

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use hotcell_core::{
    Admitted, BackendError, Enforcement, Field, HostOptions, Policy, PolicyError, Proposal, SandboxBackend, Value,
    admit::FuncType,
    backend::{HostStop, NotInstantiated, StoreData, catch_panic},
};

use self::store::Data;

/// Id of the backend.
const ID: &str = "wasmi";
/// Version of the engine, as the manifest pins it.
const VERSION: &str = "1.1.0";

/// The wasmi engine under one policy.
pub struct Wasmi {
    config: wasmi::Config,
    has_large_stacks: bool,
    engine_counts: bool,
}

/// Host functions. wasmi ties a linker to an engine and there is an engine per module and thread, so these are recipes
/// that are followed for each.
pub struct Imports<T: 'static>(Vec<Recipe<T>>);

type Recipe<T> = Arc<dyn Fn(&mut wasmi::Linker<Data<T>>) + Send + Sync>;

impl SandboxBackend for Wasmi {
    const ID: &'static str = ID;
    const JIT: bool = false;

    type Options = ();
    type Module = Module;
    type Imports<T: Send + 'static> = Imports<T>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = Arc<str>;
    type Instance<T: Send + 'static> = Instance<T>;
    type Caller<'a, T: Send + 'static> = store::Caller<'a, T>;

    fn version() -> &'static str {
        VERSION
    }

    fn enforcement(field: Field) -> Enforcement {
        let unsupported = |proposal, reason| (Field::Proposal(proposal), Enforcement::Unsupported { reason });
        let no_simd = "this build is without the feature `simd`";
        let exceptions = [
            (Field::EngineStackBytes, Enforcement::Emulated { how: "cells of 8 bytes of the interpreter's own stack" }),
            unsupported(Proposal::Memory64, "wasmi 1.1 panics when a 64-bit memory with a large maximum grows"),
            unsupported(Proposal::Simd, no_simd),
            unsupported(Proposal::RelaxedSimd, no_simd),
        ];
        let has_vectors = cfg!(feature = "simd");
        Enforcement::all_but(field, if has_vectors { &exceptions[..2] } else { &exceptions })
    }

    fn new(policy: &Policy, _host: &HostOptions, (): &()) -> Result<Self, PolicyError> {
        Ok(Self {
            config: engine::config(policy),
            has_large_stacks: engine::may_leave_a_large_stack(policy),
            engine_counts: engine::counts_fuel(policy),
        })
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<Module, BackendError> {
        Module::new(&self.config, self.has_large_stacks, admitted)
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T> {
        Imports(Vec::new())
    }

    fn define_values<T, F>(imports: &mut Imports<T>, module: &str, name: &str, ty: &FuncType, host: F)
    where
        T: Send + 'static,
        F: Fn(store::Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
    {
        call::define_values(imports, module, name, ty, host);
    }

    fn link<T: Send + 'static>(&self, module: &Module, imports: &Imports<T>) -> Result<Linked<T>, BackendError> {
        Ok(Linked::new(module, imports.0.clone()))
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<Arc<str>> {
        linked.has_export(name).then(|| name.into())
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        mut data: StoreData<T>,
    ) -> Result<Instance<T>, NotInstantiated<T>> {
        data.accounts.fill_memory();
        let shard = match linked.shard(&mut data.accounts) {
            Ok(shard) => shard,
            Err(error) => return Err(NotInstantiated { fault: error.into(), data: Box::new(data) }),
        };
        let mut store = store::limited_store(shard.engine(), data, self.engine_counts);
        let instantiated = catch_panic(|| shard.instantiate(&mut store));
        store.data_mut().core.accounts.filling_ended();
        match convert::verdict(instantiated) {
            Ok(instance) => Ok(Instance::new(store, instance, shard.stacks())),
            Err(fault) => Err(NotInstantiated { fault, data: Box::new(store.into_data().core) }),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_that_the_manifest_pins() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&alloc::format!("wasmi = {{ version = \"={}\"", super::VERSION)));
    }
}
