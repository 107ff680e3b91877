//! The wasmtime backend of hotcell: Cranelift, limits armed before a guest's first instruction.
//!
//! * [`Wasmtime`] implements the contract of `hotcell-core`.
//! * [`config`] builds wasmtime's `Config` for a policy, for embedders who make their own engine.

pub mod config;

mod call;
mod convert;
mod cost;
mod engine;
mod limits;
mod meter;
mod store;

pub use engine::Options;
pub use store::Instance;

use std::sync::Arc;

use hotcell_core::{
    Admitted, BackendError, Budget, Enforcement, Fault, Field, HostOptions, Offered, Policy, PolicyError, Proposal,
    SandboxBackend,
    backend::{Armed, FuelCounter, InstantiateError, catch_panic},
    meter::{REFILL, REFILL_MODULE},
    policy::Fingerprint,
};

use self::{
    convert::{backend_error, fault},
    engine::SharedEngine,
    meter::Counters,
    store::Data,
};

/// Id of the backend.
const ID: &str = "wasmtime";
/// Version of the engine, as the manifest pins it.
const VERSION: &str = "48.0.8";

/// The wasmtime engine under one policy.
pub struct Wasmtime {
    engine: Arc<SharedEngine>,
    policy: Fingerprint,
    options: HostOptions,
    fuel_counter: FuelCounter,
    stack_cells: i64,
}

impl Wasmtime {
    /// As [`SandboxBackend::new`], with the engine's own options.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when the engine cannot be configured for the policy.
    pub fn with_options(policy: &Policy, host: &HostOptions, options: Options) -> Result<Self, PolicyError> {
        Ok(Self {
            engine: engine::shared(policy, host.max_instances, options)?,
            policy: policy.fingerprint(),
            options: host.clone(),
            fuel_counter: FuelCounter::of(policy),
            stack_cells: policy.stack_cells(),
        })
    }
}

impl Wasmtime {
    /// Whether a module was linked under this policy, for this engine.
    fn check_origin<T: 'static>(&self, linked: &Linked<T>) -> Result<(), BackendError> {
        let (found, expected) = (linked.policy, self.policy);
        if found != expected {
            return Err(BackendError::Mismatch { what: "policy", found, expected });
        }
        match wasmtime::Engine::same(linked.pre.module().engine(), self.engine.engine()) {
            true => Ok(()),
            false => Err(BackendError::OtherEngine),
        }
    }
}

/// A compiled module.
pub struct Module {
    module: wasmtime::Module,
    offered: Fingerprint,
}

/// Host functions.
pub struct Imports<T: 'static> {
    linker: wasmtime::Linker<Data<T>>,
    offered: Offered,
}

/// A module with its imports resolved.
pub struct Linked<T: 'static> {
    pre: wasmtime::InstancePre<Data<T>>,
    memory: Option<wasmtime::ModuleExport>,
    counters: Option<Counters<wasmtime::ModuleExport>>,
    policy: Fingerprint,
}

impl SandboxBackend for Wasmtime {
    const ID: &'static str = ID;
    const JIT: bool = true;

    type Module = Module;
    type Imports<T: Send + 'static> = Imports<T>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = wasmtime::ModuleExport;
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
            Field::EngineStackBytes => Enforcement::Emulated {
                how: "bytes of native stack: how deep a guest recurses depends on the processor",
            },
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
                | Proposal::Memory64
                | Proposal::WideArithmetic
                | Proposal::CustomPageSizes,
            ) => Enforcement::Enforced,
        }
    }

    fn new(policy: &Policy, options: &HostOptions) -> Result<Self, PolicyError> {
        Self::with_options(policy, options, Options::default())
    }

    fn notes(&self) -> Vec<String> {
        self.engine.notes()
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<Module, BackendError> {
        if admitted.policy() != self.policy {
            let (found, expected) = (admitted.policy(), self.policy);
            return Err(BackendError::Mismatch { what: "policy", found, expected });
        }
        let compile = || wasmtime::Module::from_binary(self.engine.engine(), admitted.bytes());
        let module = match catch_panic(|| engine::with_compiler_stack(compile)) {
            Ok(compiled) => compiled.map_err(backend_error)?,
            Err(panic) => return Err(BackendError::Engine { backend: ID, source: panic.into() }),
        };
        Ok(Module { module, offered: admitted.offered() })
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T> {
        let mut linker = wasmtime::Linker::new(self.engine.engine());
        // The only error is a name that is taken, and no host function may have this one.
        let _ = linker.func_wrap(REFILL_MODULE, REFILL, call::give_fuel);
        Imports { linker, offered: Offered::default() }
    }

    fn offered<'i, T: Send + 'static>(&self, imports: &'i Imports<T>) -> &'i Offered {
        &imports.offered
    }

    fn link<T: Send + 'static>(&self, module: &Module, imports: &Imports<T>) -> Result<Linked<T>, BackendError> {
        let (found, expected) = (module.offered, imports.offered.fingerprint());
        if found != expected {
            return Err(BackendError::Mismatch { what: "imports", found, expected });
        }
        if !wasmtime::Engine::same(module.module.engine(), imports.linker.engine()) {
            return Err(BackendError::OtherEngine);
        }
        let pre = imports.linker.instantiate_pre(&module.module).map_err(backend_error)?;
        let export = |name: &str| module.module.get_export_index(name);
        let counters = Counters::find(self.stack_cells, export);
        Ok(Linked { pre, memory: export("memory"), counters, policy: self.policy })
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<wasmtime::ModuleExport> {
        linked.pre.module().get_export_index(name)
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        budget: Budget,
        state: T,
    ) -> Result<Instance<T>, InstantiateError> {
        let armed = Armed::new(budget, &self.options);
        if let Err(error) = self.check_origin(linked) {
            return Err(InstantiateError { fault: error.into(), usage: armed.usage(None) });
        }
        let data = Data::new(state, armed, self.fuel_counter, self.engine.has_epochs());
        let mut store = store::armed_store(&self.engine, data);
        let stack = self.engine.stack();
        match stack.provide(|| linked.pre.instantiate(&mut store)) {
            Ok(instance) => Ok(Instance::new(store, instance, linked, stack)),
            Err(error) => {
                let fault = match fault(&mut store, error) {
                    Fault::Busy { .. } => Fault::Busy { allowed: self.options.max_instances },
                    fault => fault,
                };
                let fuel = meter::fuel(&mut store);
                let usage = store.data().armed.usage(fuel);
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
        assert!(manifest.contains(&format!("wasmtime = {{ version = \"={}\"", super::VERSION)));
    }
}
