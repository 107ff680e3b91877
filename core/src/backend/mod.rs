//! The backend contract: what an engine must do to be a backend.
//!
//! A backend is a type that implements [`SandboxBackend`], with one blanket impl of [`TypedCall`] over the values its
//! engine knows and one of [`HostFn`] per arity. It embeds an [`Armed`] in every store; the memory budget, the
//! deadline, the cancel flag and the accounting of host calls are written once, there.
//!
//! Nothing that safety rests on has a default body.
//!
//! Each sentence under *Behavior* ends with the checks of the conformance suite (`hotcell-conformance`) that prove it.

mod armed;
mod enforcement;
mod filling;
mod host;
mod slices;

pub use armed::{Armed, Budget, MOST_FUEL, Pages};
pub use enforcement::{Enforcement, Field, check_enforceable};
pub use host::{BadPointer, Caller, Counter, HostCx, HostError, HostStop, catch_panic, host_call};
pub use slices::refill;

use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    admit::{Admitted, Offered},
    policy::{Policy, PolicyError},
    time::{CancelToken, Clock, Instant},
    value::{Value, Values},
    verdict::{BackendError, Escaped, Fault, Usage},
};

/// What the embedder decides, as opposed to the policy.
#[derive(Clone)]
pub struct HostOptions {
    /// The clock for deadlines and reports.
    pub clock: Arc<dyn Clock>,
    /// How many instances may exist at once; one more is [`Fault::Busy`].
    pub max_instances: u32,
    /// Fuel after which a guest that may be interrupted asks whether it may go on, with `metering = exact`. No result
    /// depends on it: less of it stops a guest sooner, and makes it slower. Zero counts as one.
    pub slice: u64,
}

impl HostOptions {
    /// 256 instances.
    pub const MAX_INSTANCES: u32 = 256;
    /// Fuel of a slice: 131,072 units, and 1,024 without `std`. A guest whose every growth is refused is a millisecond
    /// late with the first. An endless loop on a microcontroller at 25 MHz uses the second up in 1.4 ms.
    pub const SLICE: u64 = if cfg!(feature = "std") { 1 << 17 } else { 1 << 10 };

    /// The defaults, with this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, max_instances: Self::MAX_INSTANCES, slice: Self::SLICE }
    }
}

#[cfg(feature = "std")]
impl Default for HostOptions {
    /// The operating system's clock.
    fn default() -> Self {
        Self::new(Arc::new(crate::time::SystemClock::new()))
    }
}

/// Who counts fuel, as a backend must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuelCounter {
    /// The guest, in counters of its own.
    Guest,
    /// The engine.
    Engine,
    /// Nobody: the policy has no limit.
    Nobody,
}

impl FuelCounter {
    /// Who counts under `policy`.
    pub fn of(policy: &Policy) -> Self {
        match (policy.is_exact(), policy.needs_engine_fuel()) {
            (true, _) => Self::Guest,
            (false, true) => Self::Engine,
            (false, false) => Self::Nobody,
        }
    }
}

/// An engine, configured for one policy.
///
/// # Behavior
///
/// * The bytes of an [`Admitted`] module must compile: what the engine refuses is a bug, reported as
///   [`BackendError::Engine`]. (`admission.*`)
/// * Compiling must not be lazy: what the engine would refuse, it refuses in [`compile`](SandboxBackend::compile).
///   (`admission.eager`)
/// * A module must run as the WebAssembly specification says. (`spec.*`, `traps.*`, `values.*`)
/// * No method may panic, abort or hang because of what a guest is or does. (`hostile.*`, `limits.stack.*`)
/// * Calls on different instances must not disturb each other: neither a deadline, nor a cancel token, nor a panic of a
///   host function. (`deadline.neighbour`, `deadline.many`, `cancel.neighbour`, `isolation.*`)
/// * What is dropped must leave nothing behind, in whatever order and on whatever thread. (`lifecycle.*`, `busy.*`)
/// * Objects that do not belong together must be told apart. (`objects.*`)
/// * Messages must be short and move no cursor, whatever names they quote. (`messages.*`)
pub trait SandboxBackend: Sized + Send + Sync + 'static {
    /// The name by which policies, reports and the command line know the backend: lower case, no spaces.
    const ID: &'static str;

    /// Whether the engine generates machine code.
    const JIT: bool;

    /// A compiled module.
    type Module: Send + Sync;
    /// Host functions, filled by [`HostFn::define`].
    type Imports<T: Send + 'static>: Send + Sync;
    /// A module with its imports resolved.
    type Linked<T: Send + 'static>: Send + Sync;
    /// Where an export is, resolved once per module.
    type Export: Clone + Send + Sync;
    /// A limited store with its one instance.
    type Instance<T: Send + 'static>: Instance<T>;
    /// What a host function borrows of the store that called it.
    type Caller<'a, T: Send + 'static>: Caller<T>;

    /// Version of the engine.
    fn version() -> &'static str;

    /// What this backend really does about `field`. Must be written without a `_` arm, so that a new field does not
    /// compile until somebody has decided it.
    ///
    /// # Behavior
    ///
    /// * What is stated must be what is observed. (`readback.*`, `suite.*`)
    fn enforcement(field: Field) -> Enforcement;

    /// An engine for `policy`, with [its proposals](Policy::engine_proposals) on. Others are off, but for those that the
    /// policy which it was narrowed from [allows](Policy::provision): admission alone decides what a module may use, and
    /// an engine that knows more can be shared. The caller has checked the policy with [`check_enforceable`].
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when the engine cannot be configured for the policy.
    fn new(policy: &Policy, options: &HostOptions) -> Result<Self, PolicyError>;

    /// Words about the engine's state that a user should know, such as a fallback that it had to take.
    fn notes(&self) -> Vec<String>;

    /// Compiles a module.
    ///
    /// # Errors
    ///
    /// [`BackendError::Mismatch`] when the module was admitted under another policy; [`BackendError::Engine`] when the
    /// engine refuses it.
    fn compile(&self, admitted: &Admitted<'_>) -> Result<Self::Module, BackendError>;

    /// An empty set of host functions.
    fn imports<T: Send + 'static>(&self) -> Self::Imports<T>;

    /// The names and types of host functions that `imports` offers.
    fn offered<'i, T: Send + 'static>(&self, imports: &'i Self::Imports<T>) -> &'i Offered;

    /// Resolves a module's imports, once for all its instances.
    ///
    /// # Errors
    ///
    /// [`BackendError::Mismatch`] when the module was admitted against other imports; [`BackendError::Engine`] when
    /// the engine refuses.
    fn link<T: Send + 'static>(
        &self,
        module: &Self::Module,
        imports: &Self::Imports<T>,
    ) -> Result<Self::Linked<T>, BackendError>;

    /// Finds an export of any kind.
    fn export<T: Send + 'static>(linked: &Self::Linked<T>, name: &str) -> Option<Self::Export>;

    /// A fresh store with one instance in it.
    ///
    /// # Behavior
    ///
    /// * `budget` must be armed before anything that comes from the guest runs: segments and constant expressions are
    ///   under it. A `start` function is called afterwards, like any other, by its [hidden name](Admitted::start).
    ///   (`arming.*`, `traps.start`)
    /// * Memories, tables and globals must be as the module declares them, whatever an earlier instance left behind.
    ///   (`isolation.fresh`)
    /// * What the engine needs to make the memory that a module declares, or grows, is not the guest's time: where it touches
    ///   all of it, the accounts are [of an engine that fills](Armed::of_an_engine_that_fills). (`deadline.memory`)
    /// * After a failure the store must be dropped. (`traps.segments`, `isolation.poison`)
    /// * A module that was linked under another policy, or for another engine, must be refused with
    ///   [`BackendError::Mismatch`] or [`BackendError::OtherEngine`]. (`objects.engine`)
    ///
    /// # Errors
    ///
    /// The fault, and what was used until then.
    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Self::Linked<T>,
        budget: Budget,
        state: T,
    ) -> Result<Self::Instance<T>, InstantiateError>;
}

/// An instantiation that failed.
#[derive(Debug)]
pub struct InstantiateError {
    /// Why.
    pub fault: Fault,
    /// What was used.
    pub usage: Usage,
}

/// A limited store with its one instance.
///
/// # Behavior
///
/// * A call must end with [`Fault::OutOfFuel`] when the fuel is used up, with [`Fault::DeadlineExceeded`] soon after
///   the deadline, with [`Fault::Cancelled`] soon after the token was cancelled, with [`Fault::StackOverflow`] when the
///   guest's frames exceed the policy's stack. (`limits.fuel.*`, `deadline.*`, `cancel.*`, `limits.stack.*`)
/// * The memory budget must be the sum of all memories and tables, from the first byte on. A growth that it refuses must
///   give the guest -1, and must be counted. (`limits.memory.*`, `limits.table.*`)
/// * With `metering = exact` the module exports two counters, [`meter::FUEL`](crate::meter::FUEL) and
///   [`meter::STACK`](crate::meter::STACK). The instance must set both at the start, the first again when armed, and the
///   second again after a fault. The first holds a [slice](Armed::slice) of what is [left](Armed::fuel_left). The module
///   imports a function, [`meter::REFILL`](crate::meter::REFILL), which must be [`refill`]: a deadline and a token are
///   held there. The engine's own limits of fuel and stack must be above what the counters allow. (`counters.*`,
///   `readback.exact`, `readback.stack`)
/// * The handshake and the byte contract, which are written above it, must hold on it. (`abi.*`, `bytes.*`)
/// * What a guest exports must be found by its exact name. What metering adds to a module is never asked for by a name
///   that the embedder or the guest chose. (`values.hidden_globals`, `values.hidden_functions`)
pub trait Instance<T>: Send {
    /// Begins a new operation: fuel and all else that the budget gives to one is there again. Memory in use stays in use.
    fn arm(&mut self, deadline: Option<Instant>, cancel: Option<CancelToken>);

    /// The accounts of the store.
    fn armed(&self) -> &Armed;

    /// Fuel left, in units of the policy's metering; `None` where nobody counts.
    fn fuel(&mut self) -> Option<u64>;

    /// Sets the fuel left. Does nothing where nobody counts.
    fn set_fuel(&mut self, fuel: u64);

    /// The memory exported as `memory`; empty when there is none.
    fn memory(&self) -> &[u8];

    /// The memory exported as `memory`; empty when there is none.
    fn memory_mut(&mut self) -> &mut [u8];

    /// The embedder's state.
    fn state(&self) -> &T;

    /// The embedder's state.
    fn state_mut(&mut self) -> &mut T;

    /// The embedder's state, at the end of the instance.
    fn into_state(self) -> T;

    /// Calls an exported function by name, with values whose types are known only at run time. Core asks only for what
    /// the guest itself exports.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSuchExport`], [`Fault::WrongArguments`], or how the call ended.
    fn call_values(&mut self, export: &str, params: &[Value]) -> Result<Vec<Value>, Fault>;

    /// The value of an exported global. Core asks only for what the guest itself exports.
    fn global(&mut self, export: &str) -> Option<Value>;
}

/// Calls of type `P -> R`. A backend writes one blanket impl over the values that its engine knows; with a concrete
/// backend the bound is proven where it is used and never seen.
///
/// # Behavior
///
/// * Arguments and results must keep every bit and their order. (`values.typed`, `values.order`)
pub trait TypedCall<P: Values, R: Values>: SandboxBackend {
    /// A function whose type was checked.
    type Func: Clone + Send + Sync;

    /// The export as a function of type `P -> R`; `None` when it is something else.
    fn resolve<T: Send + 'static>(instance: &mut Self::Instance<T>, export: &Self::Export) -> Option<Self::Func>;

    /// Calls the function under what is left of the instance's budget.
    ///
    /// # Errors
    ///
    /// How the call ended.
    fn call<T: Send + 'static>(instance: &mut Self::Instance<T>, func: &Self::Func, params: P) -> Result<R, Fault>;
}

/// Host functions of type `P -> R`. A backend writes one impl per arity; each runs its closure through [`host_call`].
///
/// # Behavior
///
/// * An import must be linked by exact name and type. (`host.names`, `host.imports`)
/// * The closure must get what the guest passes, and the guest what it returns. (`host.types`)
/// * What the closure says, charges, refuses and panics with must reach whoever called. (`host.*`)
pub trait HostFn<P: Values, R: Values>: SandboxBackend {
    /// Offers `f` to guests.
    ///
    /// # Errors
    ///
    /// [`DuplicateImport`] when a function of the same names is there already.
    fn define<T, F>(imports: &mut Self::Imports<T>, module: &str, name: &str, f: F) -> Result<(), DuplicateImport>
    where
        T: Send + 'static,
        F: Fn(&mut HostCx<'_, Self, T>, P) -> Result<R, HostError> + Send + Sync + 'static;
}

/// Two host functions of the same names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host function {}::{} is defined twice", Escaped(.module), Escaped(.name))]
pub struct DuplicateImport {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
}

/// A backend that can make the calls of the byte contract, and that of a start function: everything above the engine is written for this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a hotcell backend",
    note = "enable the feature `wasmtime` or `wasmi` of hotcell, or implement `SandboxBackend` with its `TypedCall`s"
)]
pub trait Backend:
    SandboxBackend + TypedCall<(), ()> + TypedCall<(), u32> + TypedCall<u32, u32> + TypedCall<(u32, u32), u64>
{
}

impl<B> Backend for B where
    B: SandboxBackend + TypedCall<(), ()> + TypedCall<(), u32> + TypedCall<u32, u32> + TypedCall<(u32, u32), u64>
{
}
