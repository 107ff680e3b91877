//! The backend contract: what an engine must do to be a backend.
//!
//! A backend is a type that implements [`SandboxBackend`], with one blanket impl of [`TypedCall`] and one of [`HostFn`], over
//! the values that its engine knows or [by values](by_value) whose types are known only at run time. It keeps a
//! [`StoreData`] in every store and lends memory, two counters and a call: budgets, deadlines, names, types, arguments and
//! host functions are core's.
//!
//! Nothing that safety rests on has a default body, but the fuel of an engine's own counter: core asks for it only where a
//! backend states that it meters, and the suite's `readback.engine` holds it to that.
//!
//! Each sentence under *Behavior* ends with the checks of the conformance suite (`hotcell-conformance`) that prove it.

mod accounts;
pub mod by_value;
mod enforcement;
mod extensions;
mod filling;
mod growth;
mod host;
mod imports;
mod slices;
mod store;
mod streams;
mod superseding;
mod ticks;
mod tracing;

pub use accounts::{Accounts, Budget, Deadline, MOST_FUEL};
pub use enforcement::{Enforcement, Field, check_enforceable};
pub(crate) use host::bytes_at;
pub use host::{BadPointer, HostCx, HostError, HostStop, catch_panic};
pub use imports::{DuplicateImport, Imports};
pub use store::{Counter, Instance, MeteredBy, Store, StoreData};
pub(crate) use store::{cause, give};
pub use streams::Streams;

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use crate::{
    Admitted, Identity,
    admit::{FuncType, ModuleSummary},
    policy::{Policy, PolicyError},
    time::Clock,
    value::{Value, Values},
    verdict::{BackendError, Fault, Usage},
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
    /// Fuel of a slice: 32,768 units, and 1,024 without `std`. A guest whose every unit is a load that misses all caches,
    /// 310 ns, is 10 ms late with the first. An endless loop on a microcontroller at 25 MHz uses the second up in 1.4 ms.
    pub const SLICE: u64 = if cfg!(feature = "std") { 1 << 15 } else { 1 << 10 };

    /// The defaults, with this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, max_instances: Self::MAX_INSTANCES, slice: Self::SLICE }
    }
}

#[cfg(feature = "std")]
impl Default for HostOptions {
    /// The operating system's clock; [none](crate::time::NoClock) on wasm32-unknown-unknown.
    fn default() -> Self {
        Self::new(default_clock())
    }
}

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
fn default_clock() -> Arc<dyn Clock> {
    Arc::new(crate::time::SystemClock::new())
}

#[cfg(all(feature = "std", target_family = "wasm", target_os = "unknown"))]
fn default_clock() -> Arc<dyn Clock> {
    Arc::new(crate::time::NoClock)
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

    /// What the embedder decides about this engine; `()` where there is nothing.
    type Options: Clone + Default + Send + Sync + 'static;
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
    type Caller<'a, T: Send + 'static>: Store<T>;

    /// Version of the engine.
    fn version() -> &'static str;

    /// What this backend really does about `field`: best written with [`Enforcement::all_but`].
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
    fn new(policy: &Policy, host: &HostOptions, options: &Self::Options) -> Result<Self, PolicyError>;

    /// Words about the engine's state that a user should know, such as a fallback that it had to take.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Waits until nothing is compiled behind any more: for measuring, and for tests.
    fn finish_compiling(&self) {}

    /// Number of the engine that modules and host functions are bound to; zero where they are bound to none. Core refuses
    /// objects of engines with different numbers.
    fn engine(&self) -> u64 {
        0
    }

    /// Whether the backend keeps compiled code beyond its own life: then core tells it what the code depends on.
    fn keeps_code(&self) -> bool {
        false
    }

    /// A module that was compiled before, by an engine like this one from the same [identity](Identity), and what admission
    /// found in it then: what a backend with a cache kept in [`compile`](Self::compile). Whatever has got into the cache's
    /// place, the module is what was compiled from this identity, or there is none. Asked only of a backend that keeps code.
    fn cached(&self, _identity: &Identity<'_>) -> Option<(Self::Module, ModuleSummary)> {
        None
    }

    /// Compiles a module, which was admitted under the policy of this backend.
    ///
    /// # Errors
    ///
    /// [`BackendError::Engine`] when the engine refuses it; [`BackendError::CompileLimit`] where compiling is limited.
    fn compile(&self, admitted: &Admitted<'_>) -> Result<Self::Module, BackendError>;

    /// An empty set of host functions.
    fn imports<T: Send + 'static>(&self) -> Self::Imports<T>;

    /// Offers `host` to guests, with a type that is known only at run time. No other function has the same names. `host`
    /// gets arguments of the types of the parameters, and as many values as there are results, to be overwritten; it gives
    /// values of the types of the results.
    ///
    /// # Behavior
    ///
    /// * As [`HostFn::define`]. (`host.values`, `wasi.*`)
    fn define_values<T, F>(imports: &mut Self::Imports<T>, module: &str, name: &str, ty: &FuncType, host: F)
    where
        T: Send + 'static,
        F: Fn(Self::Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static;

    /// Resolves a module's imports, once for all its instances. Core has compared what the module imports with what is
    /// offered, and the engines.
    ///
    /// # Errors
    ///
    /// [`BackendError::Engine`] when the engine refuses.
    fn link<T: Send + 'static>(
        &self,
        module: &Self::Module,
        imports: &Self::Imports<T>,
    ) -> Result<Self::Linked<T>, BackendError>;

    /// Words about a module's state that a user should know, such as that it stays on a slower tier.
    fn module_notes<T: Send + 'static>(_linked: &Self::Linked<T>) -> Vec<String> {
        Vec::new()
    }

    /// Finds an export of any kind.
    fn export<T: Send + 'static>(linked: &Self::Linked<T>, name: &str) -> Option<Self::Export>;

    /// A fresh store with one instance in it.
    ///
    /// # Behavior
    ///
    /// * The accounts in `data` must hold whatever comes from the guest: segments and constant expressions are under them. A
    ///   `start` function is called afterwards, like any other, by its [hidden name](Admitted::start). (`arming.*`,
    ///   `traps.start`)
    /// * Memories, tables and globals must be as the module declares them, whatever an earlier instance left behind.
    ///   (`isolation.fresh`)
    /// * What the engine needs to make the memory that a module declares, or grows, is not the guest's time: where it touches
    ///   all of it, [that is said first](Accounts::fill_memory). (`deadline.memory`)
    /// * After a failure the store must be dropped. (`traps.segments`, `isolation.poison`)
    /// * A module that was linked under another policy, or for another engine, is refused by core. (`objects.*`)
    ///
    /// # Errors
    ///
    /// The fault, and the data.
    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Self::Linked<T>,
        data: StoreData<T>,
    ) -> Result<Self::Instance<T>, NotInstantiated<T>>;
}

/// A store that has no instance.
pub struct NotInstantiated<T> {
    /// What the engine says. Core knows better where its own code stopped the engine.
    pub fault: Fault,
    /// What was in the store.
    pub data: Box<StoreData<T>>,
}

/// An instantiation that failed.
#[derive(Debug)]
pub struct InstantiateError {
    /// Why.
    pub fault: Fault,
    /// What was used.
    pub usage: Usage,
}

/// Calls of type `P -> R`. A backend writes one blanket impl over the values that its engine knows; with a concrete
/// backend the bound is proven where it is used and never seen.
///
/// # Behavior
///
/// * Arguments and results must keep every bit and their order. (`values.typed`, `values.order`)
pub trait TypedCall<P: Values, R: Values>: SandboxBackend {
    /// A function of this type.
    type Func: Clone + Send + Sync;

    /// The export, which core has seen to be a function of type `P -> R`.
    fn resolve<T: Send + 'static>(instance: &mut Self::Instance<T>, export: &Self::Export) -> Option<Self::Func>;

    /// Calls the function under what is left of the instance's budget.
    ///
    /// # Errors
    ///
    /// As [`Store::invoke`].
    fn call<T: Send + 'static>(instance: &mut Self::Instance<T>, func: &Self::Func, params: P) -> Result<R, Fault>;
}

/// Host functions of type `P -> R`. A backend writes one impl per arity, or a blanket one [by values](by_value::define).
///
/// # Behavior
///
/// * An import must be linked by exact name and type. (`host.names`, `host.imports`)
/// * `host` must get what the guest passes, and the guest what it returns. (`host.types`)
/// * When `host` says [`HostStop`], no more of the guest may run. (`host.*`)
pub trait HostFn<P: Values, R: Values>: SandboxBackend {
    /// Offers `host` to guests. No other function has the same names.
    fn define<T, F>(imports: &mut Self::Imports<T>, module: &str, name: &str, host: F)
    where
        T: Send + 'static,
        F: Fn(Self::Caller<'_, T>, P) -> Result<R, HostStop> + Send + Sync + 'static;
}

/// A call, as everything above the engine makes it.
#[inline]
pub(crate) fn call<B, P, R, T>(
    instance: &mut B::Instance<T>,
    func: &<B as TypedCall<P, R>>::Func,
    params: P,
) -> Result<R, Fault>
where
    B: TypedCall<P, R>,
    P: Values,
    R: Values,
    T: Send + 'static,
{
    <B as TypedCall<P, R>>::call(instance, func, params).map_err(|fault| cause(instance, fault))
}

/// A backend that can make the calls of the byte contract, and that of a start function, and be asked for fuel and growth:
/// everything above the engine is written for this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a hotcell backend",
    note = "enable the feature `wasmtime` or `wasmi` of hotcell, or implement `SandboxBackend` with its `TypedCall`s and `HostFn`s"
)]
pub trait Backend:
    SandboxBackend
    + TypedCall<(), ()>
    + TypedCall<(), u32>
    + TypedCall<u32, u32>
    + TypedCall<(u32, u32), u64>
    + HostFn<(i64,), ()>
    + HostFn<(i32, i64, i64), i32>
{
}

impl<B> Backend for B where
    B: SandboxBackend
        + TypedCall<(), ()>
        + TypedCall<(), u32>
        + TypedCall<u32, u32>
        + TypedCall<(u32, u32), u64>
        + HostFn<(i64,), ()>
        + HostFn<(i32, i64, i64), i32>
{
}
