use std::{fmt, time::Duration};

use hotcell_core::Backend;
use serde::{Serialize, Serializer};

use crate::Need;

/// The results of the suite for one backend.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Id of the backend.
    pub backend: &'static str,
    /// Version of its engine.
    pub backend_version: &'static str,
    /// Number of checks by outcome.
    pub counts: Counts,
    /// The checks, in the order of the list.
    pub checks: Vec<Entry>,
}

/// Number of checks by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Checks that ran.
    pub checks: u64,
    /// Those of them that every backend must pass.
    pub mandatory: u64,
    /// Those that belong to an optional capability.
    pub optional: u64,
    /// Passed.
    pub passed: u64,
    /// Failed, or passed although a failure was declared.
    pub failed: u64,
    /// Failed as declared.
    pub expected_failures: u64,
    /// Stated as unsupported, and refused.
    pub unsupported: u64,
    /// Assertions that the checks made.
    pub assertions: u64,
    /// Modules that the backend got.
    pub modules: u64,
}

/// One check's result.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Id of the check.
    pub id: String,
    /// The sentence of the contract.
    pub proves: String,
    /// Whether a backend may lack it.
    #[serde(serialize_with = "as_text")]
    pub need: Need,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Assertions that it made.
    pub assertions: u64,
    /// Modules that it gave to the backend.
    pub modules: u64,
    /// Its measurements.
    pub notes: Vec<String>,
    /// How long it took.
    #[serde(rename = "took_us", serialize_with = "as_micros")]
    pub took: Duration,
}

/// How a check ended for a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// The backend meets the contract.
    Passed,
    /// The backend breaks the contract.
    Failed {
        /// What is wrong.
        failure: String,
    },
    /// It fails as declared.
    ExpectedFailure {
        /// Why, as declared.
        reason: &'static str,
        /// What is wrong.
        failure: String,
    },
    /// It passes, but was declared to fail: remove the declaration.
    UnexpectedPass {
        /// Why it should have failed.
        declared: &'static str,
    },
    /// The backend states that it lacks the capability, and refuses policies that require it.
    Unsupported {
        /// What is missing.
        reason: &'static str,
    },
}

impl Verdict {
    /// What is wrong, unless it was declared.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Failed { failure } => Some(failure.clone()),
            Self::UnexpectedPass { declared } => Some(format!("it passes, but is declared to fail: {declared}")),
            Self::Passed | Self::ExpectedFailure { .. } | Self::Unsupported { .. } => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "FAILED",
            Self::ExpectedFailure { .. } => "fails as declared",
            Self::UnexpectedPass { .. } => "PASSED, DECLARED TO FAIL",
            Self::Unsupported { .. } => "unsupported",
        })
    }
}

impl Report {
    pub(crate) fn new<B: Backend>(checks: Vec<Entry>) -> Self {
        let counts = checks.iter().fold(Counts::default(), Counts::with);
        Self { backend: B::ID, backend_version: B::version(), counts, checks }
    }

    /// The counts of each family of checks, in the order of the list, and how long they took together.
    pub fn families(&self) -> Vec<(&str, Counts, Duration)> {
        let mut families: Vec<(&str, Counts, Duration)> = Vec::new();
        for entry in &self.checks {
            let family = entry.id.split('.').next().unwrap_or_default();
            let index = families.iter().position(|(name, ..)| *name == family).unwrap_or(families.len());
            if index == families.len() {
                families.push((family, Counts::default(), Duration::ZERO));
            }
            let (_, counts, took) = &mut families[index];
            (*counts, *took) = (counts.with(entry), *took + entry.took);
        }
        families
    }

    /// Whether nothing failed, except as declared.
    pub fn is_conforming(&self) -> bool {
        self.counts.failed == 0
    }
}

impl Counts {
    fn with(mut self, entry: &Entry) -> Self {
        self.checks += 1;
        self.assertions += entry.assertions;
        self.modules += entry.modules;
        *match entry.need {
            Need::Mandatory => &mut self.mandatory,
            Need::Optional(_) => &mut self.optional,
        } += 1;
        *match entry.verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::Failed { .. } | Verdict::UnexpectedPass { .. } => &mut self.failed,
            Verdict::ExpectedFailure { .. } => &mut self.expected_failures,
            Verdict::Unsupported { .. } => &mut self.unsupported,
        } += 1;
        self
    }
}

/// One line: what ran, and how it ended.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checks, mandatory, optional, passed, failed, expected_failures, unsupported, assertions, modules } =
            self;
        write!(
            f,
            "{checks} checks ({mandatory} mandatory, {optional} optional): {passed} passed, {failed} failed, \
             {expected_failures} failed as declared, {unsupported} unsupported; \
             {assertions} assertions, {modules} modules"
        )
    }
}

fn as_text<S: Serializer>(need: &Need, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(need)
}

fn as_micros<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}
