use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use datafusion::{error::Result, execution::SessionStateBuilder, logical_expr::ScalarUDF};
use hotcell::{AnySandbox, Contract, HostOptions, Policy, SandboxOptions, policy::Fingerprint};
use parking_lot::Mutex;

use crate::{
    blocking::blocking,
    call,
    factory::Factory,
    function::{Created, Function, Limits},
    query::Query,
    rule::{Bind, Place},
    slots::Slots,
    udf::Udf,
};

/// Makes functions, on one engine, and says what a query may use. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Functions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Builder,
    running: Arc<Slots>,
    kept: Arc<Slots>,
    sandboxes: Mutex<HashMap<Fingerprint, Sandbox>>,
}

#[derive(Clone)]
struct Sandbox(Arc<AnySandbox>);

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sandbox")
    }
}

/// Makes [`Functions`].
#[derive(Clone, Debug)]
#[must_use = "a builder makes nothing before `build`"]
pub struct Builder {
    engine: String,
    max_instances: u32,
    query_fuel: Option<u64>,
    query_time: Option<Duration>,
    modules: Option<PathBuf>,
    limits: HashMap<String, Limits>,
    default_limits: Limits,
}

impl Functions {
    /// With the engine `tiered`, at most [`Builder::MAX_INSTANCES`] instances that run, no limits of a query but those of its
    /// batches, modules in base64 only, and [`Limits::default`] for every function.
    pub fn builder() -> Builder {
        Builder {
            engine: "tiered".to_owned(),
            max_instances: Builder::MAX_INSTANCES,
            query_fuel: None,
            query_time: None,
            modules: None,
            limits: HashMap::new(),
            default_limits: Limits::default(),
        }
    }

    /// Adds `CREATE FUNCTION`, and the rules that give each query its limits. A rule that is added later must leave the
    /// nodes [`QueryExec`](crate::QueryExec) and [`GuestsExec`](crate::GuestsExec) where they are. In other sessions no
    /// function runs, and neither does one under an alias.
    #[must_use]
    pub fn install(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        builder
            .with_function_factory(Some(Arc::new(Factory::new(self.clone()))))
            .with_analyzer_rule(Arc::new(Bind(self.clone())))
            .with_physical_optimizer_rule(Arc::new(Place))
    }

    /// Creates a function. Its module is admitted and compiled, and its entry is called once for no rows: a module that is not for
    /// these types says so now.
    ///
    /// # Errors
    ///
    /// A plan error with the name of the function, and the type, the code or the policy's field.
    pub fn create(&self, mut function: Function) -> Result<ScalarUDF> {
        let result = function.check_types()?;
        function.limits.policy = check_policy(&function)?;
        let sandbox = self.sandbox(&function)?;
        let plugin = blocking(|| sandbox.0.load(&function.module, &Contract::bytes(function.entry.clone())))
            .map_err(|error| function.refused(&format!("{}: {error}", error.code())))?;
        let (running, kept) = (self.0.running.clone(), self.0.kept.clone());
        let created = Created::new(function, result, plugin, running, kept);
        call::probe(&created)
            .map_err(|cause| created.function.refused(&format!("{}: {}", cause.code, cause.message)))?;
        Ok(ScalarUDF::new_from_impl(Udf::new(created)))
    }

    /// Waits until nothing is compiled behind any more, for measurements.
    pub fn finish_compiling(&self) {
        let sandboxes: Vec<_> = self.0.sandboxes.lock().values().cloned().collect();
        sandboxes.iter().for_each(|sandbox| sandbox.0.finish_compiling());
    }

    /// One sandbox for each policy.
    fn sandbox(&self, function: &Function) -> Result<Sandbox> {
        let policy = &function.limits.policy;
        let mut sandboxes = self.0.sandboxes.lock();
        if let Some(sandbox) = sandboxes.get(&policy.fingerprint()) {
            return Ok(sandbox.clone());
        }
        let Builder { engine, max_instances, .. } = &self.0.options;
        let mut host = HostOptions::default();
        // Those that run, and those that are kept: so none is `busy`.
        host.max_instances = max_instances.saturating_mul(2);
        let options = SandboxOptions { host, ..SandboxOptions::default() };
        let sandbox =
            hotcell::sandbox(engine, policy.clone(), &options).map_err(|error| function.refused(&error.to_string()))?;
        let sandbox = Sandbox(Arc::new(sandbox));
        sandboxes.insert(policy.fingerprint(), sandbox.clone());
        Ok(sandbox)
    }

    pub(crate) fn query(&self) -> Arc<Query> {
        Query::new(self.0.options.query_fuel, self.0.options.query_time)
    }

    /// What the operator allows a function of this name.
    pub(crate) fn limits(&self, name: &str) -> Limits {
        let Builder { limits, default_limits, .. } = &self.0.options;
        limits.get(name).unwrap_or(default_limits).clone()
    }

    pub(crate) fn modules(&self) -> Option<&PathBuf> {
        self.0.options.modules.as_ref()
    }
}

/// The function's policy, under which a query can end its guests.
fn check_policy(function: &Function) -> Result<Policy> {
    let policy = &function.limits.policy;
    if policy.rules().limits.fuel.is_none() {
        return Err(function.refused("limits.fuel must be limited: it is what the query counts"));
    }
    policy.with(|rules| rules.interrupt.cancel = true).map_err(|error| function.refused(&error.to_string()))
}

impl Builder {
    /// The default of [`max_instances`](Self::max_instances).
    pub const MAX_INSTANCES: u32 = 64;

    /// The engine, by name: `wasmtime`, `wasmi` or `tiered`.
    pub fn engine(mut self, engine: impl Into<String>) -> Self {
        self.engine = engine.into();
        self
    }

    /// How many instances may run at once; one more waits. As many again may be [kept](Limits::keeps_instance).
    pub fn max_instances(mut self, instances: u32) -> Self {
        self.max_instances = instances.max(1);
        self
    }

    /// Fuel of all batches of a query together.
    pub fn query_fuel(mut self, fuel: u64) -> Self {
        self.query_fuel = Some(fuel);
        self
    }

    /// Time from the first read of a query to the end of its guests. Needs a runtime with timers.
    pub fn query_time(mut self, time: Duration) -> Self {
        self.query_time = Some(time);
        self
    }

    /// The directory in which `CREATE FUNCTION` finds modules. Without one, it takes base64 only.
    pub fn modules(mut self, directory: impl Into<PathBuf>) -> Self {
        self.modules = Some(directory.into());
        self
    }

    /// The limits of functions of this name, when SQL creates them.
    pub fn limits(mut self, name: impl Into<String>, limits: Limits) -> Self {
        self.limits.insert(name.into(), limits);
        self
    }

    /// The limits of all other functions that SQL creates.
    pub fn default_limits(mut self, limits: Limits) -> Self {
        self.default_limits = limits;
        self
    }

    /// The functions.
    #[must_use]
    pub fn build(self) -> Functions {
        Functions(Arc::new(Inner {
            running: Arc::new(Slots::new(self.max_instances)),
            kept: Arc::new(Slots::new(self.max_instances)),
            sandboxes: Mutex::default(),
            options: self,
        }))
    }
}
