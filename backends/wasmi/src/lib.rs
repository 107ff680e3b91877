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
mod meter;
mod slices;
mod stacks;
mod store;
mod ticks;

pub use engine::{Linked, Module};
pub use store::Instance;

use alloc::{string::String, sync::Arc, vec, vec::Vec};

use hotcell_core::{
    Admitted, BackendError, Budget, Enforcement, Field, HostOptions, Offered, Policy, PolicyError, Proposal,
    SandboxBackend,
    backend::{Armed, FuelCounter, InstantiateError, catch_panic},
    meter::{REFILL, REFILL_MODULE},
    policy::Fingerprint,
};

use self::{store::Data, ticks::Ticks};

/// Id of the backend.
const ID: &str = "wasmi";
/// Version of the engine, as the manifest pins it.
const VERSION: &str = "1.1.0";

/// The wasmi engine under one policy.
pub struct Wasmi {
    config: wasmi::Config,
    has_large_stacks: bool,
    fuel_counter: FuelCounter,
    engine_counts: bool,
    ticks: Ticks,
    stack_cells: i64,
    policy: Fingerprint,
    options: HostOptions,
}

/// Host functions. wasmi ties a linker to an engine and there is an engine per module and thread, so these are recipes
/// that are followed for each.
pub struct Imports<T: 'static> {
    recipes: Vec<Recipe<T>>,
    offered: Offered,
}

type Recipe<T> = Arc<dyn Fn(&mut wasmi::Linker<Data<T>>) + Send + Sync>;

/// Why a field of the policy cannot be had without the feature `simd`.
const NO_SIMD: Enforcement = Enforcement::Unsupported { reason: "this build is without the feature `simd`" };

impl SandboxBackend for Wasmi {
    const ID: &'static str = ID;
    const JIT: bool = false;

    type Module = Module;
    type Imports<T: Send + 'static> = Imports<T>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = Arc<str>;
    type Instance<T: Send + 'static> = Instance<T>;
    type Caller<'a, T: Send + 'static> = call::Caller<'a, T>;

    fn version() -> &'static str {
        VERSION
    }

    fn enforcement(field: Field) -> Enforcement {
        match field {
            Field::Fuel
            | Field::Deadline
            | Field::Cancel
            | Field::MemoryBytes
            | Field::TableElements
            | Field::ExactMetering
            | Field::StackBytes
            | Field::EngineMetering
            | Field::HostCalls
            | Field::Reentry
            | Field::Start => Enforcement::Enforced,
            Field::EngineStackBytes => Enforcement::Emulated { how: "cells of 8 bytes of the interpreter's own stack" },
            Field::Proposal(Proposal::Simd | Proposal::RelaxedSimd) if !cfg!(feature = "simd") => NO_SIMD,
            Field::Proposal(Proposal::Memory64) => {
                Enforcement::Unsupported { reason: "wasmi 1.1 panics when a 64-bit memory with a large maximum grows" }
            }
            Field::Proposal(
                Proposal::MutableGlobal
                | Proposal::SaturatingFloatToInt
                | Proposal::SignExtension
                | Proposal::MultiValue
                | Proposal::BulkMemory
                | Proposal::ReferenceTypes
                | Proposal::ExtendedConst
                | Proposal::Simd
                | Proposal::RelaxedSimd
                | Proposal::TailCall
                | Proposal::MultiMemory
                | Proposal::WideArithmetic
                | Proposal::CustomPageSizes,
            ) => Enforcement::Enforced,
        }
    }

    fn new(policy: &Policy, options: &HostOptions) -> Result<Self, PolicyError> {
        Ok(Self {
            config: engine::config(policy),
            has_large_stacks: engine::may_leave_a_large_stack(policy),
            fuel_counter: FuelCounter::of(policy),
            engine_counts: engine::counts_fuel(policy),
            ticks: Ticks::new(policy.is_interruptible()),
            stack_cells: policy.stack_cells(),
            policy: policy.fingerprint(),
            options: options.clone(),
        })
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<Module, BackendError> {
        if admitted.policy() != self.policy {
            let (found, expected) = (admitted.policy(), self.policy);
            return Err(BackendError::Mismatch { what: "policy", found, expected });
        }
        Module::new(&self.config, self.has_large_stacks, admitted)
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T> {
        let give_fuel: Recipe<T> = Arc::new(|linker| {
            // The only error is a name that is taken, and no host function may have this one.
            let _ = linker.func_wrap(REFILL_MODULE, REFILL, call::give_fuel);
        });
        Imports { recipes: vec![give_fuel], offered: Offered::default() }
    }

    fn offered<'i, T: Send + 'static>(&self, imports: &'i Imports<T>) -> &'i Offered {
        &imports.offered
    }

    fn link<T: Send + 'static>(&self, module: &Module, imports: &Imports<T>) -> Result<Linked<T>, BackendError> {
        let (found, expected) = (module.offered(), imports.offered.fingerprint());
        if found != expected {
            return Err(BackendError::Mismatch { what: "imports", found, expected });
        }
        Ok(Linked::new(module, imports.recipes.clone()))
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<Arc<str>> {
        linked.has_export(name).then(|| name.into())
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        budget: Budget,
        state: T,
    ) -> Result<Instance<T>, InstantiateError> {
        let mut armed = Armed::new(budget, &self.options).of_an_engine_that_fills();
        let (found, expected) = (linked.policy(), self.policy);
        if found != expected {
            let error = BackendError::Mismatch { what: "policy", found, expected };
            return Err(InstantiateError { fault: error.into(), usage: armed.usage(None) });
        }
        let shard = match linked.shard(&mut armed) {
            Ok(shard) => shard,
            Err(error) => return Err(InstantiateError { fault: error.into(), usage: armed.usage(None) }),
        };
        let mut store = store::armed_store(
            shard.engine(),
            Data::new(state, armed, self.fuel_counter, self.engine_counts, self.ticks),
        );
        let instantiated = catch_panic(|| shard.instantiate(&mut store));
        store.data_mut().armed.filling_ended();
        match convert::settle(instantiated, &mut store) {
            Ok(instance) => Ok(Instance::new(store, instance, self.stack_cells, shard.stacks())),
            Err(fault) => {
                let usage = store.data().armed.usage(meter::fuel(&store));
                Err(InstantiateError { fault, usage })
            }
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
