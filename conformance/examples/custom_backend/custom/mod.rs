//! A third backend, straight on wasmi: everything that the contract asks of an engine, and nothing else.
//!
//! The files have the names that they have in every backend, except that `limits` and `meter` are a part of `store`, and
//! `engine` is here. It supports exact metering only, and says so.

mod call;
mod convert;
mod store;

use std::sync::Arc;

use hotcell_core::{
    Admitted, BackendError, Budget, Enforcement, Field, HostOptions, Offered, Policy, PolicyError, Proposal,
    SandboxBackend,
    backend::{Armed, InstantiateError, catch_panic},
    meter::{REFILL, REFILL_MODULE},
    policy::{Fingerprint, Floats},
};
use wasmi::{CompilationMode, Config, Engine, Linker};

use self::{
    convert::{backend_error, panicked, settle},
    store::{Data, Instance, armed_store},
};

/// The engine under one policy.
pub struct Custom {
    config: Config,
    stack_cells: i64,
    policy: Fingerprint,
    options: HostOptions,
}

/// A compiled module, on an engine of its own: wasmi frees no code while the engine lives.
pub struct Module {
    module: wasmi::Module,
    policy: Fingerprint,
    offered: Fingerprint,
}

/// Host functions. A linker belongs to an engine and there is one per module, so these are recipes.
pub struct Imports<T: 'static> {
    recipes: Vec<Recipe<T>>,
    offered: Offered,
}

type Recipe<T> = Arc<dyn Fn(&mut Linker<Data<T>>) + Send + Sync>;

/// A module with its imports resolved.
pub struct Linked<T: 'static> {
    module: wasmi::Module,
    linker: Linker<Data<T>>,
    policy: Fingerprint,
}

impl SandboxBackend for Custom {
    const ID: &'static str = "custom";
    const JIT: bool = false;

    type Module = Module;
    type Imports<T: Send + 'static> = Imports<T>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = String;
    type Instance<T: Send + 'static> = Instance<T>;
    type Caller<'a, T: Send + 'static> = call::Caller<'a, T>;

    fn version() -> &'static str {
        "1.1.0"
    }

    fn enforcement(field: Field) -> Enforcement {
        match field {
            Field::EngineMetering | Field::EngineStackBytes => {
                Enforcement::Unsupported { reason: "this backend counts by the guest's counters only" }
            }
            Field::Proposal(Proposal::Memory64) => {
                Enforcement::Unsupported { reason: "wasmi 1.1 panics when a 64-bit memory with a large maximum grows" }
            }
            Field::Fuel
            | Field::Deadline
            | Field::Cancel
            | Field::MemoryBytes
            | Field::TableElements
            | Field::ExactMetering
            | Field::StackBytes
            | Field::HostCalls
            | Field::Reentry
            | Field::Start
            | Field::Proposal(
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
            config: config(policy),
            stack_cells: policy.stack_cells(),
            policy: policy.fingerprint(),
            options: options.clone(),
        })
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<Module, BackendError> {
        check_same("policy", admitted.policy(), self.policy)?;
        let compiled = catch_panic(|| wasmi::Module::new(&Engine::new(&self.config), admitted.bytes()));
        let module = compiled.map_err(panicked)?.map_err(backend_error)?;
        Ok(Module { module, policy: admitted.policy(), offered: admitted.offered() })
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T> {
        let give_fuel: Recipe<T> = Arc::new(|linker| {
            // The linker is empty, and no host function may have this name.
            let _ = linker.func_wrap(REFILL_MODULE, REFILL, call::give_fuel);
        });
        Imports { recipes: vec![give_fuel], offered: Offered::default() }
    }

    fn offered<'i, T: Send + 'static>(&self, imports: &'i Imports<T>) -> &'i Offered {
        &imports.offered
    }

    fn link<T: Send + 'static>(&self, module: &Module, imports: &Imports<T>) -> Result<Linked<T>, BackendError> {
        check_same("imports", module.offered, imports.offered.fingerprint())?;
        let mut linker = Linker::new(module.module.engine());
        imports.recipes.iter().for_each(|recipe| recipe(&mut linker));
        Ok(Linked { module: module.module.clone(), linker, policy: module.policy })
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<String> {
        linked.module.get_export(name).map(|_| name.to_owned())
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        budget: Budget,
        state: T,
    ) -> Result<Instance<T>, InstantiateError> {
        let armed = Armed::new(budget, &self.options).of_an_engine_that_fills();
        if let Err(error) = check_same("policy", linked.policy, self.policy) {
            return Err(InstantiateError { fault: error.into(), usage: armed.usage(None) });
        }
        let mut store = armed_store(linked.module.engine(), Data::new(state, armed));
        let instantiated = catch_panic(|| linked.linker.instantiate_and_start(&mut store, &linked.module));
        store.data_mut().armed.filling_ended();
        match settle(&mut store, instantiated) {
            Ok(instance) => Ok(Instance::new(store, instance, self.stack_cells)),
            Err(fault) => {
                let armed = &store.data().armed;
                // No code of the guest has run, so all its fuel is left.
                let usage = armed.usage(Some(armed.fuel_given()));
                Err(InstantiateError { fault, usage })
            }
        }
    }
}

/// Objects that were made for each other carry the same fingerprint.
fn check_same(what: &'static str, found: Fingerprint, expected: Fingerprint) -> Result<(), BackendError> {
    if found == expected { Ok(()) } else { Err(BackendError::Mismatch { what, found, expected }) }
}

/// A configuration in which every feature is set by hand: the engine's defaults move.
fn config(policy: &Policy) -> Config {
    let rules = policy.rules();
    let allows = |proposal| rules.proposals.contains(proposal);
    // The guest counts its own stack. The engine's limits are four times above, and never below what it starts with.
    let stack = |unit: u64| usize::try_from(rules.limits.stack_bytes / unit * 4).unwrap_or(usize::MAX).max(1);
    let (cells, frames) = (stack(8), stack(64));
    let mut config = Config::default();
    config.compilation_mode(CompilationMode::Eager);
    config.ignore_custom_sections(true);
    config.set_min_stack_height(cells.min(256));
    config.set_max_stack_height(cells);
    config.set_max_recursion_depth(frames);
    config.floats(rules.floats != Floats::Deny);
    config.wasm_mutable_global(allows(Proposal::MutableGlobal));
    config.wasm_saturating_float_to_int(allows(Proposal::SaturatingFloatToInt));
    config.wasm_sign_extension(allows(Proposal::SignExtension));
    config.wasm_multi_value(allows(Proposal::MultiValue));
    config.wasm_bulk_memory(allows(Proposal::BulkMemory));
    config.wasm_reference_types(allows(Proposal::ReferenceTypes));
    config.wasm_extended_const(allows(Proposal::ExtendedConst));
    config.wasm_simd(allows(Proposal::Simd));
    config.wasm_relaxed_simd(allows(Proposal::RelaxedSimd));
    config.wasm_tail_call(allows(Proposal::TailCall));
    config.wasm_multi_memory(allows(Proposal::MultiMemory));
    config.wasm_memory64(false);
    config.wasm_wide_arithmetic(allows(Proposal::WideArithmetic));
    config.wasm_custom_page_sizes(allows(Proposal::CustomPageSizes));
    config
}
