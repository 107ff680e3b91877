use std::{error::Error, fmt, panic::Location, thread};

use hotcell_core::HostError;

/// What is wrong, and where in the suite it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    at: Option<&'static Location<'static>>,
}

impl Failure {
    /// A failure at the caller's line.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: Some(Location::caller()) }
    }

    /// What is wrong, without the location.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The failure for a panic with this payload.
    pub fn of_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Self { message: format!("panicked: {message}"), at: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.at {
            Some(at) => write!(f, " ({}:{})", at.file(), at.line()),
            None => Ok(()),
        }
    }
}

/// Something failed that should have succeeded.
impl<E: Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self::new(message)
    }
}

/// A check may fail inside a host function.
impl From<Failure> for HostError {
    fn from(failure: Failure) -> Self {
        Self::message(failure.to_string())
    }
}

/// A result that should be an error.
pub(crate) trait Denied<E> {
    /// The error; a failure when there is none.
    fn denied(self) -> Result<E, Failure>;
}

impl<T, E> Denied<E> for Result<T, E> {
    #[track_caller]
    fn denied(self) -> Result<E, Failure> {
        match self {
            Ok(_) => Err(Failure::new("it succeeded, and should have failed")),
            Err(error) => Ok(error),
        }
    }
}

/// A value that should be present.
pub(crate) trait Present<T> {
    /// The value; a failure when there is none.
    fn present(self) -> Result<T, Failure>;
}

impl<T> Present<T> for Option<T> {
    #[track_caller]
    fn present(self) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::new("there is none"))
    }
}

/// A thread of the suite that should not panic.
pub(crate) trait Joined<T> {
    /// What it returned; a failure when it panicked.
    fn joined(self) -> Result<T, Failure>;
}

impl<T> Joined<T> for thread::JoinHandle<T> {
    fn joined(self) -> Result<T, Failure> {
        self.join().map_err(|payload| Failure::of_panic(&*payload))
    }
}

impl<T> Joined<T> for thread::ScopedJoinHandle<'_, T> {
    fn joined(self) -> Result<T, Failure> {
        self.join().map_err(|payload| Failure::of_panic(&*payload))
    }
}

/// Returns a failure from the enclosing function unless the condition holds.
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        ensure!($condition, "{} is not so", stringify!($condition))
    };
    ($condition:expr, $($message:tt)+) => {
        $crate::tally::assertion();
        if !$condition {
            return Err($crate::Failure::new(format!($($message)+)).into());
        }
    };
}

/// Returns a failure from the enclosing function unless both are equal.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr $(,)?) => {
        ensure_eq!($found, $expected, "{}", stringify!($found))
    };
    ($found:expr, $expected:expr, $($message:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => {
                ensure!(
                    *found == *expected,
                    "{}: found {found:?}, expected {expected:?}",
                    format_args!($($message)+)
                );
            }
        }
    };
}

pub(crate) use {ensure, ensure_eq};
