//! Engines, shared by all policies that compile to the same code and use the same pool.

#[cfg(all(feature = "cache", unix))]
use std::hash::{Hash, Hasher};
use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use hotcell_core::{
    Policy, PolicyError, Preset, Proposal,
    policy::{Floats, ModuleCaps, TABLE_ELEMENT_BYTES},
    ticker,
};
use wasmtime::{Config, Engine, InstanceAllocationStrategy};

#[cfg(all(feature = "cache", unix))]
use crate::cache::CodeCache;
#[cfg(all(feature = "worker", unix))]
use crate::worker::CompileWorker;
use crate::{
    ID,
    config::{Code, MEMORY32, memory_class, native_stack_bytes, pooling_config, sandbox_config},
};

/// Address space behind a memory when it cannot be reserved whole.
const SMALL_GUARD: u64 = 1 << 16;
/// Most slots of a pool. The engine allocates a record for each when it is made, and aborts where it cannot.
const MOST_SLOTS: u64 = 1 << 20;
/// Most pools that a process has at once.
const MOST_POOLS: usize = 64;
/// Address space of all pools together: a quarter of the 47 bits that a process has on common systems. A pool with the
/// default number of instances takes 1 TiB.
const POOLS_BYTES: u64 = 1 << 45;
/// Address space after a memory of a pool, as the engine chooses it.
const POOL_GUARD: u64 = 32 << 20;
/// Stack for host functions and the engine itself, beyond what the guest may use.
const HOST_STACK: usize = 256 << 10;
/// Stack for the compiler.
const COMPILER_STACK: usize = 4 << 20;

/// What a host decides about the engine that no policy speaks of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Compile one module on several threads. Off by default: a costly module then costs on every core.
    pub parallel_compilation: bool,
    /// Find memory faults by signals. Turn it off in a process that owns its signal handlers; guests run slower.
    pub signals_based_traps: bool,
    /// Where compiled code is kept between processes. Nowhere by default.
    #[cfg(all(feature = "cache", unix))]
    pub cache: Option<CodeCache>,
    /// How modules are compiled in another process, which has limits. In this one by default.
    #[cfg(all(feature = "worker", unix))]
    pub worker: Option<CompileWorker>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallel_compilation: false,
            signals_based_traps: true,
            #[cfg(all(feature = "cache", unix))]
            cache: None,
            #[cfg(all(feature = "worker", unix))]
            worker: None,
        }
    }
}

/// The part of a policy that reaches code generation or the pool. Fuel, deadline and byte counts are per store.
///
/// It is made for what the operator's policy provides, in classes that are powers of two: the manifests of all tenants
/// share the operator's engine, and policies that differ by little share one too. Nothing rests on the difference. What a
/// module may use is decided at admission, sizes are held per store, and with exact metering the guest counts its stack.
#[derive(Clone, PartialEq)]
struct Profile {
    code: Code,
    /// Bytes of native stack for a guest. With the engine's metering these are the verdict, and so exact.
    stack_bytes: u64,
    /// Bytes of the largest memory.
    memory_class: u64,
    table_elements: u64,
    tables: u64,
    memories: u64,
    max_instances: u32,
    parallel_compilation: bool,
    signals_based_traps: bool,
    /// Whether it may have a pool. A manifest whose stack is its own, with the engine's metering, has an engine of its
    /// own; pools are few, and for operators.
    may_pool: bool,
}

impl Profile {
    /// The profile, and the policy to configure its engine by.
    fn of(policy: &Policy, max_instances: u32, options: &Options) -> (Self, Policy) {
        let provided = provided(policy);
        let rules = provided.rules();
        let profile = Self {
            code: Code::of(&provided),
            stack_bytes: native_stack_bytes(&provided),
            memory_class: memory_class(&provided),
            table_elements: rules.limits.table_elements,
            tables: rules.module.tables,
            memories: rules.module.memories,
            max_instances,
            parallel_compilation: options.parallel_compilation,
            signals_based_traps: options.signals_based_traps,
            may_pool: rules.limits.stack_bytes >= policy.provision().stack_bytes,
        };
        (profile, provided)
    }

    /// Slots that a pool would have, of the kind of which it has most.
    fn slots(&self) -> u64 {
        self.tables.max(self.memories).max(1).saturating_mul(self.max_instances.into())
    }

    /// Address space that a pool would take.
    fn pool_bytes(&self) -> u64 {
        let slots = |each: u64, bytes: u64| each.saturating_mul(self.max_instances.into()).saturating_mul(bytes);
        let memories = slots(self.memories, self.memory_class.max(MEMORY32).saturating_add(POOL_GUARD));
        let tables = slots(self.tables, self.table_elements.saturating_mul(TABLE_ELEMENT_BYTES));
        memories.saturating_add(tables)
    }
}

/// `policy` with what an engine for it is made for, in classes.
fn provided(policy: &Policy) -> Policy {
    let provision = policy.provision();
    let class = |number: u64| number.checked_next_power_of_two().unwrap_or(u64::MAX);
    let most = ModuleCaps::preset(Preset::Ceiling);
    let provided = policy.with(|rules| {
        rules.proposals = provision.proposals;
        rules.floats = if provision.floats { Floats::Allow } else { Floats::Deny };
        rules.limits.memory_bytes = provision.memory_bytes;
        rules.limits.table_elements = class(provision.table_elements).min(u32::MAX.into());
        rules.module.tables = class(provision.tables).min(most.tables);
        rules.module.memories = class(provision.memories).min(most.memories);
        if policy.is_exact() {
            rules.limits.stack_bytes = class(provision.stack_bytes);
        }
    });
    // Classes of what a policy allows are within what one may say.
    provided.unwrap_or_else(|_| policy.clone())
}

/// All that compiled code depends on, beside the engine's version and the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodeSettings {
    code: Code,
    signals_based_traps: bool,
    memory_class: u64,
    /// Whether memories have room in the address space, as those of a pool do.
    has_room: bool,
}

impl CodeSettings {
    /// A configuration whose code runs on the engine that these settings are from.
    pub(crate) fn config(self) -> Config {
        let mut config = self.code.config();
        config.signals_based_traps(self.signals_based_traps);
        reserve(&mut config, self.memory_class, self.has_room);
        config
    }

    /// The settings in bytes.
    pub(crate) fn encode(self) -> Vec<u8> {
        let Code { proposals, has_floats, counts_fuel, has_epochs } = self.code;
        let flags = [has_floats, counts_fuel, has_epochs, self.signals_based_traps, self.has_room];
        let proposals = Proposal::ALL.iter().map(|proposal| proposals.contains(*proposal));
        let bits = proposals.chain(flags).map(u8::from);
        bits.chain(self.memory_class.to_le_bytes()).collect()
    }

    /// The settings that [`encode`](Self::encode) gave.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (proposals, rest) = bytes.split_at_checked(Proposal::ALL.len())?;
        let (flags, memory_class) = rest.split_first_chunk::<5>()?;
        let allowed = Proposal::ALL.iter().zip(proposals).filter(|(_, bit)| **bit == 1);
        let [has_floats, counts_fuel, has_epochs, signals_based_traps, has_room] = flags.map(|bit| bit == 1);
        Some(Self {
            code: Code {
                proposals: allowed.map(|(proposal, _)| *proposal).collect(),
                has_floats,
                counts_fuel,
                has_epochs,
            },
            signals_based_traps,
            memory_class: u64::from_le_bytes(memory_class.try_into().ok()?),
            has_room,
        })
    }
}

/// Where memory comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allocation {
    Pool,
    /// The system has no room for a pool, or the process has as many as it may.
    OnDemand,
    /// The profile may not have a pool.
    Unpooled,
}

/// An engine, with what a store must know about it.
pub(crate) struct SharedEngine {
    engine: Engine,
    profile: Profile,
    allocation: Allocation,
    number: u64,
}

impl SharedEngine {
    /// Tells engines apart, those that are gone too.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What its code depends on.
    pub(crate) fn code_settings(&self) -> CodeSettings {
        CodeSettings {
            code: self.profile.code,
            signals_based_traps: self.profile.signals_based_traps,
            memory_class: self.profile.memory_class,
            has_room: self.allocation == Allocation::Pool,
        }
    }

    /// Tells apart engines whose code cannot be exchanged: other versions, settings and processor features. The engine also
    /// looks at all of that itself.
    #[cfg(all(feature = "cache", unix))]
    pub(crate) fn compatibility(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    /// Whether stores must set an epoch deadline.
    pub(crate) fn has_epochs(&self) -> bool {
        self.profile.code.has_epochs
    }

    pub(crate) fn stack(&self) -> Stack {
        Stack { guest: usize::try_from(self.profile.stack_bytes).unwrap_or(usize::MAX - HOST_STACK) }
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let why = match self.allocation {
            Allocation::Pool => return Vec::new(),
            Allocation::OnDemand => "there is no room for a pool",
            Allocation::Unpooled => "a manifest's own stack has no pool with the engine's metering",
        };
        vec![format!("{why}: memory is allocated on demand, fresh instances cost more")]
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
pub(crate) fn shared(policy: &Policy, max_instances: u32, options: &Options) -> Result<Arc<SharedEngine>, PolicyError> {
    // Whatever ends a guest, host functions look at the clock when there was a tick.
    if policy.is_interruptible() && !ticker::start() {
        return Err(no_ticker());
    }
    let (profile, provided) = Profile::of(policy, max_instances, options);
    let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
    engines.retain(|engine| engine.strong_count() > 0);
    let alive: Vec<_> = engines.iter().filter_map(Weak::upgrade).collect();
    if let Some(engine) = alive.iter().find(|engine| engine.profile == profile) {
        return Ok(engine.clone());
    }
    let engine = Arc::new(build(&provided, has_room(&alive, &profile), profile)?);
    engines.push(Arc::downgrade(&engine));
    Ok(engine)
}

/// Whether the process may have one more pool beside those of `alive`.
fn has_room(alive: &[Arc<SharedEngine>], profile: &Profile) -> bool {
    let pools = || alive.iter().filter(|engine| engine.allocation == Allocation::Pool);
    let taken = pools().fold(0, |sum: u64, engine| sum.saturating_add(engine.profile.pool_bytes()));
    profile.slots() <= MOST_SLOTS
        && pools().count() < MOST_POOLS
        && taken.saturating_add(profile.pool_bytes()) <= POOLS_BYTES
}

fn build(provided: &Policy, has_room: bool, profile: Profile) -> Result<SharedEngine, PolicyError> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut config = sandbox_config(provided);
    config.parallel_compilation(profile.parallel_compilation);
    config.signals_based_traps(profile.signals_based_traps);
    let pool = (profile.may_pool && has_room).then(|| Engine::new(&pooled(config.clone(), provided, &profile)));
    let (engine, allocation) = match pool {
        Some(Ok(engine)) => (engine, Allocation::Pool),
        _ => {
            let allocation = if profile.may_pool { Allocation::OnDemand } else { Allocation::Unpooled };
            (Engine::new(&on_demand(config, &profile)).map_err(|_| unavailable())?, allocation)
        }
    };
    if profile.code.has_epochs && !tick(&engine) {
        return Err(no_ticker());
    }
    Ok(SharedEngine { engine, profile, allocation, number: NEXT.fetch_add(1, Ordering::Relaxed) })
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
fn pooled(mut config: Config, provided: &Policy, profile: &Profile) -> Config {
    let pool = pooling_config(provided, profile.max_instances);
    reserve(&mut config, profile.memory_class, true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// For address spaces that are too small for a pool.
fn on_demand(mut config: Config, profile: &Profile) -> Config {
    reserve(&mut config, profile.memory_class, false);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config
}

/// Address space for each memory, which code depends on: with room, all that it can address; without, what the policy
/// allows and no more.
fn reserve(config: &mut Config, memory_class: u64, has_room: bool) {
    if has_room {
        config.memory_reservation(memory_class.max(MEMORY32));
    } else {
        config.memory_reservation(memory_class.min(MEMORY32));
        config.memory_reservation_for_growth(0);
        config.memory_guard_size(SMALL_GUARD);
        config.guard_before_linear_memory(false);
    }
}

#[cfg(test)]
mod tests {
    use hotcell_core::{HostOptions, Rules, policy::Metering};

    use super::*;

    fn profile(policy: &Policy) -> Profile {
        Profile::of(policy, HostOptions::MAX_INSTANCES, &Options::default()).0
    }

    fn policy(change: impl FnOnce(&mut Rules)) -> Policy {
        Policy::default().with(change).unwrap()
    }

    /// What a manifest may lower and an engine could depend on.
    const CHANGES: [fn(&mut Rules); 6] = [
        |rules| rules.limits.stack_bytes -= 8,
        |rules| rules.limits.stack_bytes /= 3,
        |rules| rules.limits.table_elements /= 3,
        |rules| rules.module.tables -= 1,
        |rules| rules.limits.memory_bytes = 0,
        |rules| rules.floats = Floats::Deny,
    ];

    #[test]
    #[cfg(feature = "worker")]
    fn settings_go_there_and_back() {
        for (number, change) in CHANGES.into_iter().enumerate() {
            let engine = shared(&policy(change), 1, &Options::default()).unwrap();
            let settings = engine.code_settings();
            assert_eq!(CodeSettings::decode(&settings.encode()), Some(settings));
            // Code for these settings runs on the engine that they are from.
            let other = Engine::new(&settings.config()).unwrap();
            let code = other.precompile_module(b"\0asm\x01\0\0\0").unwrap();
            assert!(crate::compile::compiled_by_us(&engine, &code).is_ok(), "{number}");
        }
        let bytes = shared(&Policy::default(), 1, &Options::default()).unwrap().code_settings().encode();
        assert!((0..bytes.len()).all(|length| CodeSettings::decode(&bytes[..length]).is_none()));
    }

    #[test]
    fn a_manifest_uses_the_operators_engine() {
        let operator = Policy::default();
        for change in CHANGES {
            let narrowed = operator.narrowed_by(&policy(change)).unwrap();
            assert!(profile(&narrowed) == profile(&operator), "{narrowed:?}");
        }
        for proposal in Proposal::ALL {
            let request = policy(|rules| rules.proposals = [Proposal::Simd, *proposal].into_iter().collect());
            let narrowed = operator.narrowed_by(&request).unwrap();
            assert!(profile(&narrowed) == profile(&operator), "{proposal:?}");
        }
    }

    #[test]
    fn policies_that_differ_by_little_share_an_engine() {
        let near = policy(|rules| {
            rules.limits.stack_bytes -= 8;
            rules.limits.table_elements -= 1;
            rules.limits.memory_bytes -= 1;
            rules.module.tables -= 1;
        });
        assert!(profile(&near) == profile(&Policy::default()));
        let far = policy(|rules| rules.limits.stack_bytes /= 2);
        assert!(profile(&far) != profile(&Policy::default()));
    }

    /// With the engine's metering its limit is the verdict.
    #[test]
    fn an_engines_own_stack_is_exact_and_a_manifests_has_no_pool() {
        let operator = policy(|rules| rules.metering = Metering::Engine);
        let request = policy(|rules| rules.limits.stack_bytes -= 8);
        let narrowed = operator.narrowed_by(&request).unwrap();
        assert_eq!(profile(&narrowed).stack_bytes, narrowed.rules().limits.stack_bytes);
        assert!(profile(&operator).may_pool);
        assert!(!profile(&narrowed).may_pool);
        let alike = operator.narrowed_by(&Policy::default()).unwrap();
        assert!(profile(&alike) == profile(&operator));
    }

    #[test]
    fn a_profile_has_room_for_what_the_policy_says() {
        let many = policy(|rules| {
            rules.proposals.allow(Proposal::MultiMemory);
            (rules.module.memories, rules.module.tables) = (5, 100);
            rules.limits.table_elements = u32::MAX.into();
        });
        let profile = profile(&many);
        assert_eq!((profile.memories, profile.tables), (8, 100));
        assert_eq!(profile.table_elements, u64::from(u32::MAX));
        assert!(profile.pool_bytes() > POOLS_BYTES);
    }
}
