//! Where a mutant changes what goes in or comes out.

use hotcell_core::{
    Admitted, BackendError, Enforcement, Fault, Field, Policy, PolicyError, Value,
    backend::{Accounts, Counter, HostStop, MeteredBy},
};
use wasmi::Config;

use crate::list::Mutant;

/// Each line is a hook, and what it does without a mutant. A mutant has a method of the same name to change it.
macro_rules! hooks {
    ($($(#[$doc:meta])* $hook:ident: $ty:ty = $original:expr;)*) => {
        /// What a mutant does in each method that is wrapped.
        pub(crate) struct Hooks {
            $($(#[$doc])* pub(crate) $hook: $ty,)*
        }

        impl Hooks {
            /// What the example does.
            pub(crate) const NONE: Self = Self { $($hook: $original,)* };
        }

        impl Mutant {
            $($(#[$doc])* pub(crate) const fn $hook(mut self, hook: $ty) -> Self {
                self.hooks.$hook = hook;
                self
            })*
        }
    };
}
hooks! {
    /// What the backend states about a field, and what the mutant states instead.
    enforcement: fn(Field, Enforcement) -> Enforcement = |_, stated| stated;
    /// Whether it takes a policy that it has stated to enforce.
    policy: fn(&Policy) -> Result<(), PolicyError> = |_| Ok(());
    /// How its engine is configured.
    config: fn(&mut Config) = |_| ();
    /// The engine's number.
    engine: fn(u64) -> u64 = |number| number;
    /// Whether it takes a module that it has compiled.
    compile: fn(&Admitted<'_>, &wasmi::Module) -> Result<(), BackendError> = |_, _| Ok(());
    /// The name of the module under which a host function is defined.
    import: fn(&str) -> &str = |module| module;
    /// Whether an export is found by its name.
    export: fn(&str) -> bool = |_| true;
    /// A call of a host function, core's own among them.
    host: fn(&mut Call<'_, HostStop>) -> Result<(), HostStop> = |call| call.run();
    /// Before an instance is made.
    instantiate: fn(&mut Accounts) -> Result<(), Fault> = |_| Ok(());
    /// When it has been made.
    instantiated: fn(&mut dyn AnyStore) = |_| ();
    /// When it could not be made: the fault, and who counts.
    not_instantiated: fn(Fault, &mut MeteredBy) -> Fault = |fault, _| fault;
    /// An operation begins.
    begin: fn(&mut dyn AnyStore) = |_| ();
    /// A call of the guest, from either side.
    invoke: fn(&mut Call<'_, Fault>) -> Result<(), Fault> = |call| call.run();
    /// A counter is read.
    counter: fn(&mut dyn AnyStore, Counter) -> i64 = |store, counter| store.counter(counter);
    /// A counter is set.
    set_counter: fn(&mut dyn AnyStore, Counter, i64) = |store, counter, value| store.set_counter(counter, value);
    /// The memory that may be written.
    memory_mut: fn(Side, &mut [u8]) -> &mut [u8] = |_, bytes| bytes;
    /// The memory that is read between calls.
    memory: fn(&[u8]) -> &[u8] = |bytes| bytes;
    /// The embedder grows the memory: whether the engine could.
    grow_memory: fn(bool) -> bool = |grown| grown;
    /// An exported global.
    global: fn(&str, Option<Value>) -> Option<Value> = |_, value| value;
}

/// Who uses a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The embedder, between calls.
    Outside,
    /// A host function.
    Inside,
}

/// A store of the example's, whatever its state is.
pub(crate) trait AnyStore {
    fn side(&self) -> Side;
    fn accounts(&mut self) -> &mut Accounts;
    fn memory(&mut self) -> &mut [u8];
    fn counter(&mut self, counter: Counter) -> i64;
    fn set_counter(&mut self, counter: Counter, value: i64);
}

/// A store in which a call can be made, which fails with an `E`.
pub(crate) trait Callable<E>: AnyStore {
    fn call(&mut self, name: &str, params: &[Value], results: &mut [Value]) -> Result<(), E>;
}

/// A call that has not been made yet.
pub(crate) struct Call<'a, E> {
    pub(crate) store: &'a mut dyn Callable<E>,
    /// The guest's export; of host functions, only core's own have one.
    pub(crate) name: &'a str,
    pub(crate) params: &'a [Value],
    pub(crate) results: &'a mut [Value],
}

impl<E> Call<'_, E> {
    pub(crate) fn run(&mut self) -> Result<(), E> {
        self.run_with(self.params)
    }

    pub(crate) fn run_with(&mut self, params: &[Value]) -> Result<(), E> {
        self.store.call(self.name, params, self.results)
    }

    /// With other arguments.
    pub(crate) fn arguments(&mut self, change: fn(Value) -> Value) -> Result<(), E> {
        let params: Vec<_> = self.params.iter().map(|value| change(*value)).collect();
        self.run_with(&params)
    }

    /// With other results.
    pub(crate) fn results(&mut self, change: fn(Value) -> Value) -> Result<(), E> {
        self.run()?;
        self.results.iter_mut().for_each(|value| *value = change(*value));
        Ok(())
    }

    /// With the arguments from last to first.
    pub(crate) fn reversed(&mut self) -> Result<(), E> {
        let params: Vec<_> = self.params.iter().rev().copied().collect();
        self.run_with(&params)
    }
}
