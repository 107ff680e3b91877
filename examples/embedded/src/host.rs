//! The state that all plugins share, whatever their policy.

use alloc::sync::Arc;

use hotcell_core::{Clock, Contract, HostOptions, Instant, Loader, Plugin, Policy};
use hotcell_wasmi::Wasmi;

use crate::Surprise;

/// Name of the guests' entry.
pub(crate) const ENTRY: &str = "process";

/// Loads plugins, all on the same clock.
pub(crate) struct Host(HostOptions);

impl Host {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(HostOptions::new(clock))
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// Admits and compiles a module without imports.
    pub(crate) fn load(&self, bytes: &[u8], policy: Policy) -> Result<Plugin<Wasmi>, Surprise> {
        let loader = Loader::<Wasmi>::new(policy, &self.0, &())?;
        let imports = loader.imports();
        Ok(loader.load(bytes, &imports, &Contract::bytes(ENTRY))?)
    }
}
