use std::sync::Arc;

use hotcell_core::{Backend, Clock, HostOptions, Loader, Policy, PolicyError};

use crate::{backends::DefaultBackend, sandbox::Sandbox};

/// Makes a [`Sandbox`]: what the embedder decides, beside the policy.
#[must_use = "a builder makes nothing before `build`"]
pub struct SandboxBuilder<B: Backend = DefaultBackend> {
    policy: Policy,
    host: HostOptions,
    pub(crate) options: B::Options,
}

impl<B: Backend> SandboxBuilder<B> {
    /// A sandbox for `policy`, with the operating system's clock, at most [256](HostOptions::MAX_INSTANCES) instances, and
    /// the backend's own defaults.
    pub fn new(policy: Policy) -> Self {
        Self { policy, host: HostOptions::default(), options: B::Options::default() }
    }

    /// On another backend, with that backend's default options.
    pub fn on<Other: Backend>(self) -> SandboxBuilder<Other> {
        SandboxBuilder { policy: self.policy, host: self.host, options: Other::Options::default() }
    }

    /// The clock for deadlines and reports.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.host.clock = clock;
        self
    }

    /// How many instances may exist at once; one more is [`Fault::Busy`](crate::Fault::Busy).
    pub fn max_instances(mut self, instances: u32) -> Self {
        self.host.max_instances = instances;
        self
    }

    /// Fuel after which a guest that may be interrupted asks whether it may go on: see [`HostOptions::slice`].
    pub fn slice(mut self, fuel: u64) -> Self {
        self.host.slice = fuel;
        self
    }

    /// All that the embedder decides for every backend.
    pub fn host(mut self, host: HostOptions) -> Self {
        self.host = host;
        self
    }

    /// What the embedder decides about this backend.
    pub fn options(mut self, options: B::Options) -> Self {
        self.options = options;
        self
    }

    /// The sandbox.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field that the backend cannot enforce.
    pub fn build(self) -> Result<Sandbox<B>, PolicyError> {
        Ok(Sandbox { loader: Loader::new(self.policy, &self.host, &self.options)? })
    }
}
