use alloc::{boxed::Box, collections::BTreeMap, string::String};

use hotcell_core::HostError;

use crate::http::{Http, HttpResponse};

/// What a host gives to its plugins beside their input.
pub struct ExtismConfig {
    /// What a plugin reads as its configuration, by key.
    pub config: BTreeMap<String, String>,
    /// Bytes of all variables of an instance together, with 64 for each: 1 MiB. They count against the policy's memory, too.
    pub max_var_bytes: u64,
    /// The lowest level of what a plugin logs that is kept.
    pub log_level: LogLevel,
    pub(crate) http: Option<Box<Http>>,
}

impl Default for ExtismConfig {
    /// No configuration, and no requests.
    fn default() -> Self {
        Self { config: BTreeMap::new(), max_var_bytes: 1 << 20, log_level: LogLevel::Info, http: None }
    }
}

impl ExtismConfig {
    /// Adds a key of the configuration.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }

    /// Makes the requests of plugins over HTTP. `http` gets the request as the guest wrote it, an object of JSON with `url`,
    /// `method` and `headers`, and the body; nothing of it is checked. It runs on the guest's time.
    #[must_use]
    pub fn http(
        mut self,
        http: impl Fn(&[u8], &[u8]) -> Result<HttpResponse, HostError> + Send + Sync + 'static,
    ) -> Self {
        self.http = Some(Box::new(http));
        self
    }
}

/// How much a message of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For those who look for a mistake.
    Debug,
    /// What happens.
    Info,
    /// What should not be so.
    Warn,
    /// What failed.
    Error,
    /// Nothing is kept.
    Off,
}

impl LogLevel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Off => "off",
        }
    }

    /// The number that kits compare with.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Trace => 0,
            Self::Debug => 1,
            Self::Info => 2,
            Self::Warn => 3,
            Self::Error => 4,
            Self::Off => i32::MAX,
        }
    }
}
