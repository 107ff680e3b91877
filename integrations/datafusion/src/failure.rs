use std::{fmt, ops::Range};

use datafusion::error::DataFusionError;
use hotcell::{Blame, CallError, verdict::Escaped};

use crate::frame::FrameError;

/// How a guest failed a query. DataFusion carries it as text: an error with an I/O error among its sources would be
/// retried by a scheduler, and the guest run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the function.
    pub function: String,
    /// Partition of the plan's node that evaluates it; `None` while a query is planned.
    pub partition: Option<usize>,
    /// The batch, counted in rows that the function was given in this partition.
    pub rows: Range<u64>,
    /// The stable kebab-case code.
    pub code: &'static str,
    /// Who has to change something.
    pub blame: Blame,
    /// What happened. Text of the guest's is escaped in it.
    pub message: String,
}

/// What is wrong with a batch, before it is known whose it is.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) code: &'static str,
    pub(crate) blame: Blame,
    pub(crate) message: String,
}

impl Cause {
    pub(crate) fn new(code: &'static str, blame: Blame, message: impl Into<String>) -> Self {
        Self { code, blame, message: message.into() }
    }
}

impl From<&CallError> for Cause {
    fn from(error: &CallError) -> Self {
        Self::new(error.code(), error.fault.blame(), error.to_string())
    }
}

impl From<FrameError> for Cause {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLarge { .. } => Self::new("input-too-large", Blame::Caller, error.to_string()),
            FrameError::Guest { row, ref message } => {
                let at = row.map(|row| format!("row {row} of the batch: ")).unwrap_or_default();
                Self::new("guest-error", Blame::Guest, format!("the guest reports: {at}{}", Escaped(message)))
            }
            FrameError::Rows { .. } => Self::new("wrong-rows", Blame::Guest, error.to_string()),
            FrameError::Bad(_) => Self::new("bad-frame", Blame::Guest, error.to_string()),
        }
    }
}

impl Cause {
    pub(crate) fn at(self, function: &str, partition: Option<usize>, rows: Range<u64>) -> Failure {
        let Self { code, blame, message } = self;
        Failure { function: function.to_owned(), partition, rows, code, blame, message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, partition, rows, code, blame, message } = self;
        write!(f, "function {}", Escaped(function))?;
        if let Some(partition) = partition {
            write!(f, ", partition {partition}")?;
        }
        write!(f, ", rows {}..{}: {code} (blame: {}): {message}", rows.start, rows.end, name(*blame))
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for DataFusionError {
    fn from(failure: Failure) -> Self {
        Self::Execution(failure.to_string())
    }
}

fn name(blame: Blame) -> &'static str {
    match blame {
        Blame::Module => "module",
        Blame::Guest => "guest",
        Blame::HostFunction => "host function",
        Blame::Caller => "caller",
        Blame::Engine => "engine",
    }
}
