//! Which contract a module is held to.

use hotcell::{
    AnyPlugin, AnySandbox, AnyTraced, CallError, CancelToken, Contract, LoadError, ModuleSummary, Offered, Recorded,
    Reply,
    admit::{COMMAND, ModuleKind},
    extism::{self, ExtismConfig, is_plugin},
};

/// What finds the convention of a module's bytes.
pub(crate) type ConventionOf<'a> = &'a dyn Fn(&[u8]) -> Convention;

/// How a module is loaded and called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Convention {
    /// By hotcell's own contracts.
    Own(Contract),
    /// As the kits of Extism have it.
    Extism,
}

/// None, or what the module's imports and exports say: it is one of Extism's plugins, a command, or has the byte contract with
/// this entry.
pub(crate) fn convention_of(none: bool, entry: &str) -> impl Fn(&[u8]) -> Convention {
    move |module| match none {
        true => Convention::Own(Contract::None),
        false if is_plugin(module) => Convention::Extism,
        false => Convention::Own(Contract::of(module, entry)),
    }
}

impl Convention {
    /// Loads the module. The configuration is for plugins that can read one.
    pub(crate) fn load(
        &self,
        sandbox: &AnySandbox,
        module: &[u8],
        config: &[(String, String)],
    ) -> Result<Box<dyn AnyPlugin>, LoadError> {
        match self {
            Self::Own(contract) => sandbox.load(module, contract),
            Self::Extism => sandbox.load_extism(module, extism_config(config)),
        }
    }

    /// Loads the module for tracing.
    pub(crate) fn load_traced(
        &self,
        sandbox: &AnySandbox,
        module: &[u8],
        config: &[(String, String)],
    ) -> Result<Box<dyn AnyTraced>, LoadError> {
        match self {
            Self::Own(contract) => sandbox.load_traced(module, contract),
            Self::Extism => sandbox.load_extism_traced(module, extism_config(config)),
        }
    }

    /// As [`call`](Self::call), of a module that is traced.
    pub(crate) fn record(
        &self,
        traced: &dyn AnyTraced,
        entry: &str,
        input: &[u8],
        cancel: Option<CancelToken>,
    ) -> Recorded<Reply> {
        match self {
            Self::Own(Contract::Command) => traced.call_with(COMMAND, input, (), cancel),
            Self::Own(_) => traced.call_with(entry, input, (), cancel),
            Self::Extism => traced.call_extism(entry, input, (), cancel),
        }
    }

    /// What a module may import.
    pub(crate) fn offered(&self, sandbox: &AnySandbox) -> Offered {
        let mut offered = sandbox.offered();
        if *self == Self::Extism {
            extism::signatures().for_each(|signature| offered.offer(signature).expect("WASI has other names"));
        }
        offered
    }

    /// What its exports must be.
    pub(crate) fn contract(&self) -> &Contract {
        match self {
            Self::Own(contract) => contract,
            Self::Extism => &extism::CONTRACT,
        }
    }

    /// Calls the entry with this name, or the one that a command has.
    pub(crate) fn call(
        &self,
        plugin: &dyn AnyPlugin,
        entry: &str,
        input: &[u8],
        cancel: Option<CancelToken>,
    ) -> Result<Reply, CallError> {
        match self {
            Self::Own(Contract::Command) => plugin.call(COMMAND, input, cancel),
            Self::Own(_) => plugin.call(entry, input, cancel),
            Self::Extism => plugin.call_extism(entry, input, (), cancel),
        }
    }

    /// What the module is run as.
    pub(crate) fn kind(&self, summary: &ModuleSummary) -> Kind {
        match self {
            Self::Own(_) => Kind::Own(summary.kind()),
            Self::Extism => Kind::Extism,
        }
    }
}

/// What a module is run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By its exports.
    Own(ModuleKind),
    /// One of Extism's plugins.
    Extism,
}

fn extism_config(given: &[(String, String)]) -> ExtismConfig {
    given.iter().cloned().fold(ExtismConfig::default(), |all, (key, value)| all.with(key, value))
}

impl Kind {
    /// The name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own(kind) => kind.name(),
            Self::Extism => "extism",
        }
    }

    /// Words for a report.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Own(ModuleKind::Plain) => "",
            Self::Own(ModuleKind::Command) => ", as a command",
            Self::Own(ModuleKind::Reactor) => ", as a reactor",
            Self::Extism => ", as an Extism plugin",
        }
    }
}
