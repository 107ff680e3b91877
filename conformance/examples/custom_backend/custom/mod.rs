//! A third backend, straight on wasmi: everything that the contract asks of an engine, and nothing else.
//!
//! The files have the names that they have in every backend; `engine` and `lib` are here. It supports exact metering only,
//! and says so.

mod call;
mod convert;
mod store;

use std::sync::Arc;

use hotcell_core::{
    Admitted, BackendError, Enforcement, Field, HostOptions, Policy, PolicyError, Proposal, SandboxBackend, Value,
    admit::FuncType,
    backend::{HostStop, NotInstantiated, StoreData, catch_panic},
    policy::Floats,
};
use wasmi::{CompilationMode, Config, Engine, Linker, Store};

use self::{
    convert::{backend_error, fault, panicked},
    store::{Data, Instance},
};

/// The engine under one policy. The mutants change its configuration.
pub struct Custom(pub(super) Config);

/// Host functions: what defines each in a linker.
pub struct Imports<T: 'static>(Vec<Recipe<T>>);

type Recipe<T> = Arc<dyn Fn(&mut Linker<Data<T>>) + Send + Sync>;

/// A module with its imports resolved.
pub struct Linked<T: 'static> {
    module: wasmi::Module,
    linker: Linker<Data<T>>,
}

impl SandboxBackend for Custom {
    const ID: &'static str = "custom";
    const JIT: bool = false;

    type Options = ();
    type Module = wasmi::Module;
    type Imports<T: Send + 'static> = Imports<T>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = String;
    type Instance<T: Send + 'static> = Instance<T>;
    type Caller<'a, T: Send + 'static> = store::Caller<'a, T>;

    fn version() -> &'static str {
        "1.1.0"
    }

    fn enforcement(field: Field) -> Enforcement {
        let unsupported = |reason| Enforcement::Unsupported { reason };
        Enforcement::all_but(
            field,
            &[
                (Field::EngineMetering, unsupported("this backend counts by the guest's counters only")),
                (Field::EngineStackBytes, unsupported("this backend counts by the guest's counters only")),
                (
                    Field::Proposal(Proposal::Memory64),
                    unsupported("wasmi 1.1 panics when a 64-bit memory with a large maximum grows"),
                ),
            ],
        )
    }

    fn new(policy: &Policy, _host: &HostOptions, (): &()) -> Result<Self, PolicyError> {
        Ok(Self(config(policy)))
    }

    /// On an engine of its own: wasmi frees no code while the engine lives.
    fn compile(&self, admitted: &Admitted<'_>) -> Result<wasmi::Module, BackendError> {
        let compiled = catch_panic(|| wasmi::Module::new(&Engine::new(&self.0), admitted.bytes()));
        compiled.map_err(panicked)?.map_err(backend_error)
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T> {
        Imports(Vec::new())
    }

    fn define_values<T, F>(imports: &mut Imports<T>, module: &str, name: &str, ty: &FuncType, host: F)
    where
        T: Send + 'static,
        F: Fn(store::Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
    {
        call::define(imports, module, name, ty, host);
    }

    fn link<T: Send + 'static>(&self, module: &wasmi::Module, imports: &Imports<T>) -> Result<Linked<T>, BackendError> {
        let mut linker = Linker::new(module.engine());
        imports.0.iter().for_each(|recipe| recipe(&mut linker));
        Ok(Linked { module: module.clone(), linker })
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<String> {
        linked.module.get_export(name).map(|_| name.to_owned())
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        mut data: StoreData<T>,
    ) -> Result<Instance<T>, NotInstantiated<T>> {
        data.accounts.fill_memory();
        let mut store = Store::new(linked.module.engine(), Data::new(data));
        let instantiated = catch_panic(|| linked.linker.instantiate_and_start(&mut store, &linked.module));
        store.data_mut().core.accounts.filling_ended();
        match instantiated.map_err(|panic| panicked(panic).into()).and_then(|made| made.map_err(fault)) {
            Ok(instance) => Ok(Instance::new(store, instance)),
            Err(fault) => Err(NotInstantiated { fault, data: Box::new(store.into_data().core) }),
        }
    }
}

/// A configuration in which every feature is set by hand: the engine's defaults move.
fn config(policy: &Policy) -> Config {
    let (rules, proposals) = (policy.rules(), policy.engine_proposals());
    let allows = |proposal| proposals.contains(proposal);
    // The guest counts its own stack. The engine's limits are above, and never below what it starts with: it keeps a cell
    // for each local, operand and constant, of which the last are charged an eighth.
    let stack = |unit: u64| usize::try_from(rules.limits.stack_bytes / unit * 9).unwrap_or(usize::MAX).max(1);
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
