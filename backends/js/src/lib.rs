//! The WebAssembly engine of a JavaScript host as a backend of hotcell. The rewritten guest counts by itself, so the engine
//! need not: nothing but the standard interface is used.
//!
//! Between the guest and this module are two small modules that [`adapter`] makes, so that no value ever becomes one of
//! JavaScript's, which keep neither the bits of NaNs nor vectors. The rest of the way is `engine.js`.
//!
//! What does not hold here, and is refused or said:
//!
//! * The stack is the host thread's, and cannot be set. A policy whose stack does not fit is refused.
//! * There is no other thread: a token is looked at, but nobody can set it while a guest runs.
//! * Memory of a guest is copied where core or a host function looks at it.

#![deny(unsafe_code)]

mod adapter;
mod call;
mod convert;
mod engine;
mod frame;
mod probe;
mod store;

use std::sync::Arc;

use hotcell_core::{
    Admitted, BackendError, Enforcement, Field, HostOptions, Policy, PolicyError, Proposal, SandboxBackend, Value,
    admit::FuncType,
    backend::{HostStop, NotInstantiated, StoreData},
};

use self::{
    adapter::Shape,
    call::Host,
    convert::backend_error,
    engine::Handle,
    store::{Caller, Instance},
};

/// The engine.
pub struct Js;

/// Host functions, in the order in which they were offered.
pub struct Imports<T: 'static>(Vec<(String, String, FuncType, Arc<Host<T>>)>);

/// A compiled module, and the two that speak to it.
pub struct Module {
    guest: Handle,
    hosts: Handle,
    entries: Handle,
    shape: Shape,
}

/// A module with its imports resolved.
pub struct Linked<T: 'static> {
    module: Arc<Module>,
    hosts: Arc<[(FuncType, Arc<Host<T>>)]>,
}

/// Native stack for each byte of the policy's. A compiler that moves nothing keeps two cells for each that is charged, a local
/// and its copy as an argument; for one that optimises there is no bound, and the engine ends the guest first where it must.
const STACK_FACTOR: u64 = 3;
/// Native stack for what calls the guest, and for host functions.
const STACK_MARGIN: u64 = 192 << 10;

impl SandboxBackend for Js {
    const ID: &'static str = "js";
    const JIT: bool = true;

    type Options = ();
    type Module = Arc<Module>;
    type Imports<T: Send + 'static> = Imports<T>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = String;
    type Instance<T: Send + 'static> = Instance<T>;
    type Caller<'a, T: Send + 'static> = Caller<'a, T>;

    fn version() -> &'static str {
        "1.0"
    }

    fn enforcement(field: Field) -> Enforcement {
        let unsupported = |reason| Enforcement::Unsupported { reason };
        match field {
            Field::EngineMetering | Field::EngineStackBytes => {
                unsupported("this backend counts by the guest's counters only")
            }
            Field::Proposal(proposal) if !probe::knows(proposal) => unsupported("this host's engine does not know it"),
            Field::Proposal(Proposal::Memory64) => unsupported("hosts disagree on its interface"),
            _ => Enforcement::Enforced,
        }
    }

    fn new(policy: &Policy, _host: &HostOptions, (): &()) -> Result<Self, PolicyError> {
        let needed = policy.rules().limits.stack_bytes.saturating_mul(STACK_FACTOR).saturating_add(STACK_MARGIN);
        if needed > engine::stack_bytes() {
            let reason = "this thread has not three times that, and 192 KiB";
            return Err(PolicyError::NotEnforceable { backend: Self::ID, field: Field::StackBytes.key(), reason });
        }
        Ok(Self)
    }

    fn notes(&self) -> Vec<String> {
        vec!["guests run on the engine of this JavaScript host".to_owned()]
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<Arc<Module>, BackendError> {
        let shape = Shape::of(admitted.bytes()).map_err(backend_error)?;
        Ok(Arc::new(Module {
            guest: engine::compile(admitted.bytes())?,
            hosts: engine::compile(&adapter::hosts(&shape))?,
            entries: engine::compile(&adapter::entries(&shape))?,
            shape,
        }))
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T> {
        Imports(Vec::new())
    }

    fn define_values<T, F>(imports: &mut Imports<T>, module: &str, name: &str, ty: &FuncType, host: F)
    where
        T: Send + 'static,
        F: Fn(Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
    {
        imports.0.push((module.to_owned(), name.to_owned(), ty.clone(), Arc::new(host)));
    }

    fn link<T: Send + 'static>(&self, module: &Arc<Module>, imports: &Imports<T>) -> Result<Linked<T>, BackendError> {
        let find = |(module, name, _): &(String, String, FuncType)| {
            let offered = imports.0.iter().find(|(offered, function, ..)| (offered, function) == (module, name));
            offered.map(|(_, _, ty, host)| (ty.clone(), host.clone()))
        };
        let hosts: Option<_> = module.shape.imports.iter().map(find).collect();
        let hosts = hosts.ok_or_else(|| backend_error("an import that is not offered"))?;
        Ok(Linked { module: module.clone(), hosts })
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<String> {
        linked.module.shape.exports.contains(name).then(|| name.to_owned())
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        mut data: StoreData<T>,
    ) -> Result<Instance<T>, NotInstantiated<T>> {
        data.accounts.fill_memory();
        let Module { guest, hosts, entries, .. } = &*linked.module;
        let made = engine::instantiate(guest, hosts, entries, data.memory());
        data.accounts.filling_ended();
        match made {
            Ok(handle) => Ok(Instance::new(handle, linked.module.clone(), linked.hosts.clone(), data)),
            Err(fault) => Err(NotInstantiated { fault, data: Box::new(data) }),
        }
    }
}
