//! Engines, shared by all policies that compile to the same code and use the same pool.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use hotcell_core::{
    Policy, PolicyError,
    policy::{Floats, Proposals},
    ticker,
};
use wasmtime::{Config, Engine, InstanceAllocationStrategy};

use crate::{
    ID,
    config::{MEMORY32, memory_class, native_stack_bytes, needs_epochs, pooling_config, sandbox_config},
};

/// Address space behind a memory when it cannot be reserved whole.
const SMALL_GUARD: u64 = 1 << 16;
/// Most slots of a pool. The engine allocates a record for each when it is made, and aborts where it cannot.
const MOST_SLOTS: u64 = 1 << 20;
/// Stack for host functions and the engine itself, beyond what the guest may use.
const HOST_STACK: usize = 256 << 10;
/// Stack for the compiler.
const COMPILER_STACK: usize = 4 << 20;

/// What a host decides about the engine that no policy speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Compile one module on several threads. Off by default: a costly module then costs on every core.
    pub parallel_compilation: bool,
    /// Find memory faults by signals. Turn it off in a process that owns its signal handlers; guests run slower.
    pub signals_based_traps: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { parallel_compilation: false, signals_based_traps: true }
    }
}

/// The part of a policy that reaches code generation or the pool. Fuel, deadline and byte counts are per store.
#[derive(Clone, PartialEq)]
struct Profile {
    proposals: Proposals,
    floats: Floats,
    counts_fuel: bool,
    has_epochs: bool,
    /// Bytes of native stack for a guest.
    stack_bytes: u64,
    /// Bytes of the largest memory, rounded up to a power of two.
    memory_class: u64,
    table_elements: u64,
    tables: u64,
    memories: u64,
    max_instances: u32,
    options: Options,
}

impl Profile {
    fn of(policy: &Policy, max_instances: u32, options: Options) -> Self {
        let rules = policy.rules();
        Self {
            proposals: policy.engine_proposals(),
            floats: rules.floats,
            counts_fuel: policy.needs_engine_fuel(),
            has_epochs: needs_epochs(policy),
            stack_bytes: native_stack_bytes(policy),
            memory_class: memory_class(policy),
            table_elements: rules.limits.table_elements,
            tables: rules.module.tables,
            memories: rules.module.memories,
            max_instances,
            options,
        }
    }

    /// Slots that a pool would have, of the kind of which it has most.
    fn slots(&self) -> u64 {
        self.tables.max(self.memories).max(1).saturating_mul(self.max_instances.into())
    }
}

/// An engine, with what a store must know about it.
pub(crate) struct SharedEngine {
    engine: Engine,
    profile: Profile,
    is_pooled: bool,
}

impl SharedEngine {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether stores must set an epoch deadline.
    pub(crate) fn has_epochs(&self) -> bool {
        self.profile.has_epochs
    }

    pub(crate) fn stack(&self) -> Stack {
        Stack { guest: usize::try_from(self.profile.stack_bytes).unwrap_or(usize::MAX - HOST_STACK) }
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        match self.is_pooled {
            true => Vec::new(),
            false => {
                vec!["there is no room for a pool: memory is allocated on demand, fresh instances cost more".to_owned()]
            }
        }
    }
}

/// The stack that a guest needs on the host's thread.
#[derive(Clone, Copy)]
pub(crate) struct Stack {
    guest: usize,
}

impl Stack {
    /// Runs `f` where the guest's stack and the host's share are there; on a new stack when the thread's is too small.
    #[inline]
    pub(crate) fn provide<R>(self, f: impl FnOnce() -> R) -> R {
        let needed = self.guest + HOST_STACK;
        stacker::maybe_grow(needed, needed + HOST_STACK, f)
    }
}

/// Runs the compiler where it has room.
pub(crate) fn with_compiler_stack<R>(compile: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(COMPILER_STACK / 4, COMPILER_STACK, compile)
}

static ENGINES: Mutex<Vec<Weak<SharedEngine>>> = Mutex::new(Vec::new());

/// The engine for `policy`: one that is there already, or a new one.
pub(crate) fn shared(policy: &Policy, max_instances: u32, options: Options) -> Result<Arc<SharedEngine>, PolicyError> {
    // Whatever ends a guest, host functions look at the clock when there was a tick.
    if policy.is_interruptible() && !ticker::start() {
        return Err(no_ticker());
    }
    let profile = Profile::of(policy, max_instances, options);
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    engines.retain(|engine| engine.strong_count() > 0);
    if let Some(engine) = engines.iter().filter_map(Weak::upgrade).find(|engine| engine.profile == profile) {
        return Ok(engine);
    }
    let engine = Arc::new(build(policy, profile)?);
    engines.push(Arc::downgrade(&engine));
    Ok(engine)
}

fn build(policy: &Policy, profile: Profile) -> Result<SharedEngine, PolicyError> {
    let mut config = sandbox_config(policy);
    config.parallel_compilation(profile.options.parallel_compilation);
    config.signals_based_traps(profile.options.signals_based_traps);
    let pool = (profile.slots() <= MOST_SLOTS).then(|| Engine::new(&pooled(config.clone(), policy, &profile)));
    let (engine, is_pooled) = match pool {
        Some(Ok(engine)) => (engine, true),
        _ => (Engine::new(&on_demand(config, &profile)).map_err(|_| unavailable())?, false),
    };
    if profile.has_epochs && !tick(&engine) {
        return Err(no_ticker());
    }
    Ok(SharedEngine { engine, profile, is_pooled })
}

/// Ticks `engine` for as long as it lives. Gives `false` when there is no thread for that.
fn tick(engine: &Engine) -> bool {
    let engine = engine.weak();
    ticker::listen(move || engine.upgrade().inspect(Engine::increment_epoch).is_some())
}

fn no_ticker() -> PolicyError {
    PolicyError::NotEnforceable {
        backend: ID,
        field: "limits.deadline",
        reason: "the thread that says when to look at the clock cannot be started",
    }
}

fn unavailable() -> PolicyError {
    PolicyError::NotEnforceable {
        backend: ID,
        field: "limits",
        reason: "wasmtime refuses the configuration on this processor or operating system",
    }
}

/// Memories and instances come from a pool.
fn pooled(mut config: Config, policy: &Policy, profile: &Profile) -> Config {
    let pool = pooling_config(policy, profile.max_instances);
    config.memory_reservation(profile.memory_class.max(MEMORY32));
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// For address spaces that are too small for a pool: memories reserve what the policy allows and no more.
fn on_demand(mut config: Config, profile: &Profile) -> Config {
    config.memory_reservation(profile.memory_class.min(MEMORY32));
    config.memory_reservation_for_growth(0);
    config.memory_guard_size(SMALL_GUARD);
    config.guard_before_linear_memory(false);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config
}
