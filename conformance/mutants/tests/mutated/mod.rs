//! A backend around the example's, with a hook in each of its methods.

mod hook;
mod store;

use hotcell_core::{
    Admitted, BackendError, Enforcement, Fault, Field, HostFn, HostOptions, Policy, PolicyError, SandboxBackend, Store,
    TypedCall, Value, Values,
    admit::FuncType,
    backend::{HostStop, NotInstantiated, StoreData, by_value},
    meter::HOST,
};

use self::store::{Around, View};
use crate::{custom::Custom, hooks};

pub(crate) use self::hook::{AnyStore, Call, Hooks, Side};

type CustomInstance<T> = <Custom as SandboxBackend>::Instance<T>;
type CustomCaller<'a, T> = <Custom as SandboxBackend>::Caller<'a, T>;
type Imports<T> = <Custom as SandboxBackend>::Imports<T>;
type Linked<T> = <Custom as SandboxBackend>::Linked<T>;
type Instance<T> = Around<Box<CustomInstance<T>>>;
type Caller<'a, T> = Around<&'a mut (dyn Store<T> + 'a)>;

/// The example's backend with the mutant of this process.
pub(crate) struct Mutated(Custom);

impl SandboxBackend for Mutated {
    const ID: &'static str = Custom::ID;
    const JIT: bool = Custom::JIT;

    type Options = ();
    type Module = wasmi::Module;
    type Imports<T: Send + 'static> = Imports<T>;
    type Linked<T: Send + 'static> = Linked<T>;
    type Export = String;
    type Instance<T: Send + 'static> = Instance<T>;
    type Caller<'a, T: Send + 'static> = Caller<'a, T>;

    fn version() -> &'static str {
        Custom::version()
    }

    fn enforcement(field: Field) -> Enforcement {
        (hooks().enforcement)(field, Custom::enforcement(field))
    }

    fn new(policy: &Policy, host: &HostOptions, (): &()) -> Result<Self, PolicyError> {
        (hooks().policy)(policy)?;
        let mut custom = Custom::new(policy, host, &())?;
        (hooks().config)(&mut custom.0);
        Ok(Self(custom))
    }

    fn engine(&self) -> u64 {
        (hooks().engine)(self.0.engine())
    }

    fn compile(&self, admitted: &Admitted<'_>) -> Result<wasmi::Module, BackendError> {
        let module = self.0.compile(admitted)?;
        (hooks().compile)(admitted, &module).map(|()| module)
    }

    fn imports<T: Send + 'static>(&self) -> Imports<T> {
        self.0.imports()
    }

    fn define_values<T, F>(imports: &mut Imports<T>, module: &str, name: &str, ty: &FuncType, host: F)
    where
        T: Send + 'static,
        F: Fn(Caller<'_, T>, &[Value], &mut [Value]) -> Result<(), HostStop> + Send + Sync + 'static,
    {
        let own = if module == HOST { name.to_owned() } else { String::new() };
        let mutated = move |mut caller: CustomCaller<'_, T>, params: &[Value], results: &mut [Value]| {
            let mut store = View::inside(&mut caller, &host);
            (hooks().host)(&mut Call { store: &mut store, name: &own, params, results })
        };
        Custom::define_values(imports, (hooks().import)(module), name, ty, mutated);
    }

    fn link<T: Send + 'static>(&self, module: &wasmi::Module, imports: &Imports<T>) -> Result<Linked<T>, BackendError> {
        self.0.link(module, imports)
    }

    fn export<T: Send + 'static>(linked: &Linked<T>, name: &str) -> Option<String> {
        Custom::export(linked, name).filter(|name| (hooks().export)(name))
    }

    fn instantiate<T: Send + 'static>(
        &self,
        linked: &Linked<T>,
        mut data: StoreData<T>,
    ) -> Result<Instance<T>, NotInstantiated<T>> {
        if let Err(fault) = (hooks().instantiate)(&mut data.accounts) {
            return Err(NotInstantiated { fault, data: Box::new(data) });
        }
        match self.0.instantiate(linked, data) {
            Ok(instance) => {
                let mut instance = Around::new(Box::new(instance), Side::Outside);
                (hooks().instantiated)(&mut instance.any::<T>());
                Ok(instance)
            }
            Err(NotInstantiated { fault, mut data }) => {
                let fault = (hooks().not_instantiated)(fault, &mut data.metered_by);
                Err(NotInstantiated { fault, data })
            }
        }
    }
}

impl<P: Values, R: Values> TypedCall<P, R> for Mutated {
    type Func = String;

    fn resolve<T: Send + 'static>(_instance: &mut Instance<T>, export: &String) -> Option<String> {
        Some(export.clone())
    }

    fn call<T: Send + 'static>(instance: &mut Instance<T>, func: &String, params: P) -> Result<R, Fault> {
        by_value::call(instance, func, params)
    }
}

impl<P: Values, R: Values> HostFn<P, R> for Mutated {
    fn define<T, F>(imports: &mut Imports<T>, module: &str, name: &str, host: F)
    where
        T: Send + 'static,
        F: Fn(Caller<'_, T>, P) -> Result<R, HostStop> + Send + Sync + 'static,
    {
        by_value::define::<Self, P, R, T, F>(imports, module, name, host);
    }
}
