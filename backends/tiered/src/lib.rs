//! Two backends of hotcell as one.
//!
//! The first has a module ready at once, as an interpreter has; the second compiles it behind, and takes over. Fuel, stack
//! and verdicts are the same numbers on every engine, so nobody can tell which of them answered but by the clock and by
//! the report's [`tier`](hotcell_core::verdict::Report::tier).
//!
//! * A new instance is on the second engine as soon as that has compiled the module. A session stays where it began.
//! * A call on a fresh instance that is still running on the first engine then, and has called no host function,
//!   [begins again](hotcell_core::backend::Accounts::supersede_when) on the second, with the rest of its deadline.
//! * What the first engine refuses begins on the second, as what the second had compiled before does. Where the second has no
//!   room for an instance, it is on the first.
//! * What the second engine refuses, or cannot compile within its limits, stays on the first; the plugin's notes say so.

#![forbid(unsafe_code)]

mod call;
mod compile;
mod module;
mod store;

pub use call::{Export, Func};
pub use compile::MOST_THREADS;
pub use module::{Linked, Module};
pub use store::{Caller, Instance};

use std::sync::Arc;

use hotcell_core::{
    Admitted, BackendError, Enforcement, Fault, Field, HostOptions, Identity, ModuleSummary, Policy, PolicyError,
    SandboxBackend, Value,
    admit::FuncType,
    backend::{HostStop, NotInstantiated, StoreData},
};

use self::{call::Recipe, compile::Pending, module::Compiled};

/// Two engines under one policy: `A` answers at once, `B` when it has compiled.
pub struct Tiered<A, B> {
    first: A,
    second: Arc<B>,
    begins_on_first: bool,
    pending: Pending,
}

/// What an embedder decides about both engines.
#[derive(Clone, Debug, Default)]
pub struct Options<A, B> {
    /// About the first.
    pub first: A,
    /// About the second.
    pub second: B,
    /// Begin each call on a fresh instance on the first engine, even when the second is ready, so that it begins again there
    /// at the first slice: for tests of that. Off by default.
    pub begins_on_first: bool,
}

/// Host functions, for both engines.
pub struct Imports<T: Send + 'static, A: SandboxBackend, B: SandboxBackend> {
    first: A::Imports<T>,
    /// How to define them for the second engine, which links a module when it has compiled it.
    second: Vec<Recipe<T, B>>,
}

impl<A: SandboxBackend, B: SandboxBackend> SandboxBackend for Tiered<A, B> {
    const ID: &'static str = "tiered";
    const JIT: bool = A::JIT || B::JIT;

    type Options = Options<A::Options, B::Options>;
    type Module = Module<A, B>;
    type Imports<T: Send + 'static> = Imports<T, A, B>;
    type Linked<T: Send + 'static> = Linked<T, A, B>;
    type Export = Export<A, B>;
    type Instance<T: Send + 'static> = Instance<T, A, B>;
    type Caller<'a, T: Send + 'static> = Caller<'a, T, A, B>;

    /// The second engine's. The report's tier has the version of the one that answered.
    fn version() -> &'static str {
        B::version()
    }

    fn enforcement(field: Field) -> Enforcement {
        let reason = "engines count in units of their own, and a call may change from one to the other";
        match (field, A::enforcement(field), B::enforcement(field)) {
            (Field::EngineMetering | Field::EngineStackBytes, ..) => Enforcement::Unsupported { reason },
            (_, less @ Enforcement::Unsupported { .. }, _) | (_, _, less @ Enforcement::Unsupported { .. }) => less,
            (_, less @ Enforcement::Emulated { .. }, _) | (_, _, less) => less,
        }
    }

    fn new(policy: &Policy, host: &HostOptions, options: &Self::Options) -> Result<Self, PolicyError> {
        Ok(Self {
            first: A::new(policy, host, &options.first)?,
            second: Arc::new(B::new(policy, host, &options.second)?),
            begins_on_first: options.begins_on_first,
            pending: Pending::default(),
        })
    }

    fn notes(&self) -> Vec<String> {
        let of = |id: &str, notes: Vec<String>| notes.into_iter().map(move |note| format!("{id}: {note}")).collect();
        let all: [Vec<String>; 2] = [of(A::ID, self.first.notes()), of(B::ID, self.second.notes())];
        all.concat()
    }

    fn finish_compiling(&self) {
        self.pending.wait();
    }

    fn engine(&self) -> u64 {
        self.first.engine().rotate_left(32) ^ self.second.engine()
    }

    fn keeps_code(&self) -> bool {
        self.second.keeps_code()
    }

    fn cached(&self, identity: &Identity<'_>) -> Option<(Module<A, B>, ModuleSummary)> {
        let (module, summary) = self.second.cached(identity)?;
        Some((Module::compiled(module), summary))
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<Module<A, B>, BackendError> {
        let first = match self.first.compile(admitted) {
            Ok(first) => Some(first),
            // As where its code was kept: what begins on the second has no need of the first.
            Err(error) => return self.second.compile(admitted).map(Module::compiled).map_err(|_| error),
        };
        let (backend, admitted) = (self.second.clone(), admitted.clone().into_owned());
        let second = Arc::new(Compiled::by(move || backend.compile(&admitted)));
        self.pending.begin(&second);
        Ok(Module { first, second })
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T, A, B> {
        Imports { first: self.first.imports(), second: Vec::new() }
    }

    fn define_values<T, F>(imports: &mut Imports<T, A, B>, module: &str, name: &str, ty: &FuncType, host: F)
    where
        T: Send + 'static,
        F: Fn(Caller<'_, T, A, B>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
    {
        call::define_values(imports, module, name, ty, host);
    }

    fn link<T: Send + 'static>(
        &self,
        module: &Module<A, B>,
        imports: &Imports<T, A, B>,
    ) -> Result<Linked<T, A, B>, BackendError> {
        let mut second = self.second.imports();
        imports.second.iter().for_each(|recipe| recipe(&mut second));
        let first = match &module.first {
            Some(first) => Some(self.first.link(first, &imports.first)?),
            None => None,
        };
        Linked::new(first, module::Second::new(self.second.clone(), module.second.clone(), second))
    }

    fn module_notes<T: Send + 'static>(linked: &Linked<T, A, B>) -> Vec<String> {
        linked.notes()
    }

    fn export<T: Send + 'static>(linked: &Linked<T, A, B>, name: &str) -> Option<Export<A, B>> {
        Export::find(linked, name)
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T, A, B>,
        mut data: StoreData<T>,
    ) -> Result<Instance<T, A, B>, NotInstantiated<T>> {
        let second = linked.second.linked();
        match (&linked.first, second) {
            (Some(first), None) => {
                if !linked.second.has_failed() {
                    data.accounts.supersede_when(linked.second.ready());
                }
                self.first.instantiate(first, data).map(Instance::First)
            }
            (Some(first), Some(_)) if self.begins_on_first && data.accounts.can_begin_again() => {
                data.accounts.supersede_when(linked.second.ready());
                self.first.instantiate(first, data).map(Instance::First)
            }
            (first, Some(native)) => match (self.second.instantiate(native, data), first) {
                (Ok(instance), _) => Ok(Instance::Second(instance, linked.second.clone())),
                // Its pool is full: others of the same engine have it.
                (Err(NotInstantiated { fault: Fault::Busy { .. }, data }), Some(first)) => {
                    self.first.instantiate(first, *data).map(Instance::First)
                }
                (Err(failed), _) => Err(failed),
            },
            (None, None) => {
                let source = "a module that was compiled before is not there".into();
                let fault = BackendError::Engine { backend: Self::ID, source }.into();
                Err(NotInstantiated { fault, data: Box::new(data) })
            }
        }
    }
}
