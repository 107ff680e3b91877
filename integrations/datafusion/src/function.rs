use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use datafusion::{
    arrow::datatypes::DataType,
    error::{DataFusionError, Result},
    logical_expr::Volatility,
};
use hotcell::{AnyPlugin, Policy, verdict::Escaped};

use crate::{frame::FrameType, slots::Slots};

/// A function that is yet to be created: a module, and how SQL sees it.
#[derive(Clone, Debug)]
pub struct Function {
    /// The name in SQL.
    pub name: String,
    /// The module's bytes.
    pub module: Arc<[u8]>,
    /// The module's export.
    pub entry: String,
    /// Types of the arguments.
    pub arguments: Vec<DataType>,
    /// Type of the result.
    pub result: DataType,
    /// Whether equal arguments give equal results: for ever, within a query, or never.
    pub volatility: Volatility,
    /// What a batch may use.
    pub limits: Limits,
}

impl Function {
    /// A volatile function without arguments, whose entry has its name, with the default limits.
    pub fn new(name: impl Into<String>, module: impl Into<Arc<[u8]>>, result: DataType) -> Self {
        let name = name.into();
        Self {
            entry: name.clone(),
            name,
            module: module.into(),
            arguments: Vec::new(),
            result,
            volatility: Volatility::Volatile,
            limits: Limits::default(),
        }
    }

    /// With these arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: impl Into<Vec<DataType>>) -> Self {
        self.arguments = arguments.into();
        self
    }

    /// With this export as its entry.
    #[must_use]
    pub fn entry(mut self, entry: impl Into<String>) -> Self {
        self.entry = entry.into();
        self
    }

    /// With this volatility.
    #[must_use]
    pub fn volatility(mut self, volatility: Volatility) -> Self {
        self.volatility = volatility;
        self
    }

    /// With these limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How the result crosses.
    ///
    /// # Errors
    ///
    /// Names the first type that does not cross.
    pub(crate) fn check_types(&self) -> Result<FrameType> {
        for (index, argument) in self.arguments.iter().enumerate() {
            if FrameType::of(argument).is_none() {
                return Err(self.refused(&format!("argument {}: type {argument} is not supported", index + 1)));
            }
        }
        FrameType::of(&self.result)
            .ok_or_else(|| self.refused(&format!("result: type {} is not supported", self.result)))
    }

    pub(crate) fn refused(&self, reason: &str) -> DataFusionError {
        DataFusionError::Plan(format!("function {}: {reason}", Escaped(&self.name)))
    }
}

/// What a function may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the module may be, and what a batch may use. Its fuel is a batch's, and must be limited.
    pub policy: Policy,
    /// Fuel for each row, on an average of the batch, beside [`Limits::BATCH_FUEL`]. It is held against what the batch has
    /// used when it ends.
    pub fuel_per_row: Option<u64>,
    /// Allows an instance to be kept for the next batch of the same partition. It is faster, and makes fuel and results depend
    /// on the batches before; whether it happens is not promised.
    pub keeps_instance: bool,
}

impl Limits {
    /// What a batch may use beside [`fuel_per_row`](Self::fuel_per_row): for the instance and the frames.
    pub const BATCH_FUEL: u64 = 10_000;

    /// The limits of this policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy, fuel_per_row: None, keeps_instance: false }
    }
}

impl Default for Limits {
    /// Those of [`Policy::strict`].
    fn default() -> Self {
        Self::new(Policy::strict())
    }
}

/// A function that was created.
pub(crate) struct Created {
    pub(crate) function: Function,
    pub(crate) result: FrameType,
    pub(crate) plugin: Box<dyn AnyPlugin>,
    /// Instances that run a batch, of all functions.
    pub(crate) running: Arc<Slots>,
    /// Instances that wait for their next batch.
    pub(crate) kept: Arc<Slots>,
    module: blake3::Hash,
}

impl Created {
    pub(crate) fn new(
        function: Function,
        result: FrameType,
        plugin: Box<dyn AnyPlugin>,
        running: Arc<Slots>,
        kept: Arc<Slots>,
    ) -> Self {
        let module = blake3::hash(&function.module);
        Self { function, result, plugin, running, kept, module }
    }

    /// All that distinguishes what two functions answer.
    fn content(&self) -> impl PartialEq + '_ {
        let Function { name, module: _, entry, arguments, result, volatility, limits } = &self.function;
        (name, self.module, entry, arguments, result, volatility, limits)
    }
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Created({}, {})", Escaped(&self.function.name), self.module)
    }
}

impl PartialEq for Created {
    fn eq(&self, other: &Self) -> bool {
        self.content() == other.content()
    }
}

impl Eq for Created {}

impl Hash for Created {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
        self.module.as_bytes().hash(state);
    }
}
