//! Engines: one per module and worker thread, so that parallel calls share no lock and memory goes with the module.

use alloc::{sync::Arc, vec::Vec};

use hotcell_core::{
    Admitted, BackendError, Policy, Proposal,
    backend::{Accounts, catch_panic},
    policy::Floats,
};
use wasmi::{CompilationMode, Config, Engine, Linker, Store};

use crate::{ID, Recipe, convert::backend_error, stacks::Stacks, store::Data};

/// Bytes of a stack cell, as the policy counts them.
const CELL_BYTES: u64 = 8;
/// Bytes of stack per call frame: how the policy's stack becomes a limit on depth for frames that hold next to nothing.
const FRAME_BYTES: u64 = 64;
/// By how much the engine's stack is larger than what a metered guest may use.
///
/// The engine has a cell for each local, each operand and each different constant of a function, two for a vector. A frame
/// is charged one for each local and operand, 8 beyond, and a third of a cell for an operator that may make a constant,
/// two thirds for a vector. The rewrite adds at most 14 locals, 6 operands and 8 constants; the entrance of a function
/// that is also called by name has its parameters twice, and 6 cells. Eight times the charge are thus at least 8 for
/// each local and operand, 64 beyond and twice the constants, where 3 for each local, 1 for each operand, 34 beyond and
/// all the constants are needed. One more, 512 cells at least, is for what nobody counts: the results of the outermost
/// call, a function that the rewrite adds, and the cell that the engine never uses.
///
/// All that holds for frames that the guest has counted. The last one is made before the guest looks at its counter: where
/// the engine has no room for it, the counter has none either, and core ends both in the same way.
const METERED_SPARE: u64 = 9;
/// By how much more where there are tail calls: the engine makes the frame of the callee before it drops the caller's. The
/// guest counts one of the two, and each fits with what is below.
const TAIL_CALL_SPARE: u64 = 8;
/// Cells that a stack has at the start. It grows on demand.
const INITIAL_CELLS: usize = 256;

/// Bytes of a stack that an engine may keep between calls. What it allocates for them may be twice as much: it doubles.
const KEPT_BYTES: usize = 256 << 10;
/// Bytes of a cell and of a call's record, as the engine has them.
const STACK_CELL: usize = if cfg!(feature = "simd") { 16 } else { 8 };
const CALL_RECORD: usize = 32;

/// A configuration for guests under `policy`.
pub(crate) fn config(policy: &Policy) -> Config {
    let rules = policy.rules();
    let proposals = policy.engine_proposals();
    let allows = |proposal| proposals.contains(proposal);
    let (cells, frames) = heights(policy);
    let mut config = Config::default();
    config.compilation_mode(CompilationMode::Eager);
    config.ignore_custom_sections(true);
    config.consume_fuel(counts_fuel(policy));
    // The minimum first: it must never be above the maximum.
    config.set_min_stack_height(INITIAL_CELLS.min(cells));
    config.set_max_stack_height(cells);
    config.set_max_recursion_depth(frames);
    config.set_max_cached_stacks(1);
    config.floats(rules.floats != Floats::Deny);
    config.wasm_mutable_global(allows(Proposal::MutableGlobal));
    config.wasm_saturating_float_to_int(allows(Proposal::SaturatingFloatToInt));
    config.wasm_sign_extension(allows(Proposal::SignExtension));
    config.wasm_multi_value(allows(Proposal::MultiValue));
    config.wasm_bulk_memory(allows(Proposal::BulkMemory));
    config.wasm_reference_types(allows(Proposal::ReferenceTypes));
    config.wasm_extended_const(allows(Proposal::ExtendedConst));
    config.wasm_tail_call(allows(Proposal::TailCall));
    config.wasm_multi_memory(allows(Proposal::MultiMemory));
    config.wasm_memory64(false);
    config.wasm_wide_arithmetic(allows(Proposal::WideArithmetic));
    config.wasm_custom_page_sizes(allows(Proposal::CustomPageSizes));
    #[cfg(feature = "simd")]
    {
        config.wasm_simd(allows(Proposal::Simd));
        config.wasm_relaxed_simd(allows(Proposal::RelaxedSimd));
    }
    config
}

/// Cells of stack, and calls within each other.
fn heights(policy: &Policy) -> (usize, usize) {
    // With exact metering the guest counts its own frames, and the engine's limits are safely above.
    let replaced = if policy.engine_proposals().contains(Proposal::TailCall) { TAIL_CALL_SPARE } else { 0 };
    let (cells, frames) = if policy.is_exact() { (METERED_SPARE + replaced, METERED_SPARE) } else { (1, 1) };
    let bytes = policy.rules().limits.stack_bytes;
    let height = |unit, spare| usize::try_from(bytes / unit * spare).unwrap_or(usize::MAX).max(1);
    (height(CELL_BYTES, cells), height(FRAME_BYTES, frames))
}

/// Whether a guest under `policy` can leave a stack behind that an engine must not keep.
pub(crate) fn may_leave_a_large_stack(policy: &Policy) -> bool {
    let (cells, frames) = heights(policy);
    cells.saturating_mul(STACK_CELL).saturating_add(frames.saturating_mul(CALL_RECORD)) > KEPT_BYTES
}

/// Whether the engine counts fuel: for the policy, or so that a call can pause.
pub(crate) fn counts_fuel(policy: &Policy) -> bool {
    policy.needs_engine_fuel() || (policy.is_interruptible() && !policy.is_exact())
}

/// A module compiled on one engine.
fn compile(config: &Config, bytes: &[u8]) -> Result<wasmi::Module, BackendError> {
    let compile = || wasmi::Module::new(&Engine::new(config), bytes);
    match catch_panic(compile) {
        Ok(compiled) => compiled.map_err(backend_error),
        Err(panic) => Err(BackendError::Engine { backend: ID, source: panic.into() }),
    }
}

/// A compiled module, and what compiles it again for another thread.
pub struct Module {
    module: wasmi::Module,
    source: Arc<Source>,
}

struct Source {
    config: Config,
    has_large_stacks: bool,
    bytes: Vec<u8>,
}

impl Module {
    pub(crate) fn new(config: &Config, has_large_stacks: bool, admitted: &Admitted<'_>) -> Result<Self, BackendError> {
        // Without `std` there is one engine per module: nothing is compiled twice, and memory is scarce.
        let bytes = if cfg!(feature = "std") { admitted.bytes().to_vec() } else { Vec::new() };
        Ok(Self {
            module: compile(config, admitted.bytes())?,
            source: Arc::new(Source { config: config.clone(), has_large_stacks, bytes }),
        })
    }
}

/// A module with its imports resolved, on as many engines as there are worker threads.
pub struct Linked<T: 'static> {
    first: wasmi::Module,
    source: Arc<Source>,
    recipes: Vec<Recipe<T>>,
    shards: shards::Shards<Shard<T>>,
}

impl<T: 'static> Linked<T> {
    pub(crate) fn new(module: &Module, recipes: Vec<Recipe<T>>) -> Self {
        let first = module.module.clone();
        let source = module.source.clone();
        let shards = shards::Shards::new(Shard::new(first.clone(), &source, &recipes));
        Self { first, source, recipes, shards }
    }

    pub(crate) fn has_export(&self, name: &str) -> bool {
        self.first.get_export(name).is_some()
    }

    /// The engine of this thread. Where it must be made first, that is not the guest's time.
    pub(crate) fn shard(&self, accounts: &mut Accounts) -> Result<&Shard<T>, BackendError> {
        self.shards.get(|| {
            let begin = accounts.clock().now();
            let shard = Shard::new(compile(&self.source.config, &self.source.bytes)?, &self.source, &self.recipes);
            let elapsed = accounts.clock().now().since(begin);
            accounts.stop_the_clock(elapsed);
            Ok(shard)
        })
    }
}

/// A module on one engine, with its linker.
pub(crate) struct Shard<T: 'static> {
    module: wasmi::Module,
    linker: Linker<Data<T>>,
    stacks: Stacks,
}

impl<T: 'static> Shard<T> {
    fn new(module: wasmi::Module, source: &Source, recipes: &[Recipe<T>]) -> Self {
        let mut linker = Linker::new(module.engine());
        recipes.iter().for_each(|recipe| recipe(&mut linker));
        let stacks = Stacks::new(module.engine(), source.has_large_stacks);
        Self { module, linker, stacks }
    }

    /// What drops the stacks that an instance leaves behind, when it is dropped itself.
    pub(crate) fn stacks(&self) -> Stacks {
        self.stacks.clone()
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.module.engine()
    }

    pub(crate) fn instantiate(&self, store: &mut Store<Data<T>>) -> Result<wasmi::Instance, wasmi::Error> {
        self.linker.instantiate_and_start(store, &self.module)
    }
}

#[cfg(feature = "std")]
mod shards {
    use std::{
        boxed::Box,
        sync::{
            OnceLock,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    /// One value per worker thread, as many as the machine runs at once; made on first use, read without a lock.
    pub(super) struct Shards<S>(Box<[OnceLock<S>]>);

    impl<S> Shards<S> {
        pub(super) fn new(first: S) -> Self {
            let count = thread::available_parallelism().map_or(1, usize::from);
            let shards = Self((0..count).map(|_| OnceLock::new()).collect());
            let _ = shards.mine().set(first);
            shards
        }

        pub(super) fn get<E>(&self, make: impl FnOnce() -> Result<S, E>) -> Result<&S, E> {
            let mine = self.mine();
            if let Some(shard) = mine.get() {
                return Ok(shard);
            }
            let made = make()?;
            // Another thread with the same place may have been first; then its value serves both.
            Ok(mine.get_or_init(|| made))
        }

        fn mine(&self) -> &OnceLock<S> {
            static THREADS: AtomicUsize = AtomicUsize::new(0);
            std::thread_local! {
                static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed);
            }
            &self.0[NUMBER.with(|number| *number) % self.0.len()]
        }
    }
}

#[cfg(not(feature = "std"))]
mod shards {
    /// One value: without an operating system there are no threads to tell apart.
    pub(super) struct Shards<S>(S);

    impl<S> Shards<S> {
        pub(super) fn new(first: S) -> Self {
            Self(first)
        }

        pub(super) fn get<E>(&self, _make: impl FnOnce() -> Result<S, E>) -> Result<&S, E> {
            Ok(&self.0)
        }
    }
}
