use std::marker::PhantomData;

use hotcell_core::Enforcement;

use crate::{
    BackendUnderTest, Check, Entry, Need, Outcome, Report, Verdict,
    checks::{self, readback},
    failure::ensure,
    tally::Tally,
};

/// A known defect of a backend: the check is run, and must fail as declared.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// Id of an optional check. Mandatory checks have no deviations.
    pub check: &'static str,
    /// Why the backend fails it.
    pub reason: &'static str,
    /// A part of the failure's message.
    pub fails_with: &'static str,
}

/// The list of checks for one backend, with its known defects.
pub struct Suite<B> {
    checks: Vec<Check>,
    deviations: &'static [Deviation],
    backend: PhantomData<fn() -> B>,
}

impl<B: BackendUnderTest> Suite<B> {
    /// All checks, for a backend without known defects.
    pub fn new() -> Self {
        Self::with_deviations(&[])
    }

    /// All checks, for a backend with known defects.
    pub fn with_deviations(deviations: &'static [Deviation]) -> Self {
        let mut checks = checks::all::<B>();
        let optional = checks.iter().filter(|check| check.need() != Need::Mandatory);
        let optional: Vec<String> = optional.map(|check| check.id().to_owned()).collect();
        checks.push(Check::mandatory(
            "suite.deviations",
            "Every known defect is declared for an optional check, once, with a reason and with words of the failure.",
            move || are_legal(deviations, &optional),
        ));
        Self { checks, deviations, backend: PhantomData }
    }

    /// The list.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Runs the checks that are `wanted`, one after another, and calls `progress` for each as it ends.
    pub fn run(&self, wanted: impl Fn(&Check) -> bool, mut progress: impl FnMut(&Entry)) -> Report {
        let wanted = self.checks.iter().filter(|check| wanted(check));
        Report::new::<B>(wanted.map(|check| self.judge(check)).inspect(|entry| progress(entry)).collect())
    }

    /// Runs one check.
    pub fn judge(&self, check: &Check) -> Entry {
        let unsupported = match check.need() {
            Need::Optional(field) => match B::enforcement(field) {
                Enforcement::Unsupported { reason } => Some((field, reason)),
                _ => None,
            },
            Need::Mandatory => None,
        };
        let (outcome, tally, took) = match unsupported {
            Some((field, _)) => check.run_instead(|| readback::is_refused::<B>(field)),
            None => check.run(),
        };
        let deviation = self.deviations.iter().find(|deviation| deviation.check == check.id());
        let verdict = verdict(check.need(), outcome, deviation, unsupported.map(|(_, reason)| reason));
        let Tally { assertions, modules, notes } = tally;
        Entry {
            id: check.id().to_owned(),
            proves: check.proves().to_owned(),
            need: check.need(),
            verdict,
            assertions,
            modules,
            notes,
            took,
        }
    }
}

impl<B: BackendUnderTest> Default for Suite<B> {
    fn default() -> Self {
        Self::new()
    }
}

/// `unsupported` is the stated reason of a backend that does not support the field; the outcome is then that of the
/// refusal.
fn verdict(need: Need, outcome: Outcome, deviation: Option<&Deviation>, unsupported: Option<&'static str>) -> Verdict {
    match (outcome, deviation) {
        (Ok(()), Some(deviation)) => Verdict::UnexpectedPass { declared: deviation.reason },
        (Ok(()), None) => unsupported.map_or(Verdict::Passed, |reason| Verdict::Unsupported { reason }),
        (Err(failure), Some(deviation))
            if need != Need::Mandatory && failure.message().contains(deviation.fails_with) =>
        {
            Verdict::ExpectedFailure { reason: deviation.reason, failure: failure.to_string() }
        }
        (Err(failure), _) => Verdict::Failed { failure: failure.to_string() },
    }
}

fn are_legal(deviations: &[Deviation], optional: &[String]) -> Outcome {
    for (index, Deviation { check, reason, fails_with }) in deviations.iter().enumerate() {
        ensure!(optional.iter().any(|id| id == check), "{check} is no optional check");
        ensure!(!reason.is_empty() && !fails_with.is_empty(), "{check}: a reason and words of the failure");
        ensure!(deviations[..index].iter().all(|other| other.check != *check), "{check} is declared twice");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hotcell_core::Field;

    use super::*;
    use crate::Failure;

    const OPTIONAL: Need = Need::Optional(Field::Reentry);
    const DECLARED: Deviation = Deviation { check: "a.b", reason: "issue 1", fails_with: "off by one" };

    fn fails(words: &str) -> Outcome {
        Err(Failure::new(words))
    }

    #[test]
    fn a_declared_failure_must_be_the_declared_one() {
        let of = |need, outcome| verdict(need, outcome, Some(&DECLARED), None);
        assert!(matches!(of(OPTIONAL, fails("it is off by one")), Verdict::ExpectedFailure { .. }));
        assert!(of(OPTIONAL, fails("something else")).failure().is_some());
        assert!(of(OPTIONAL, Ok(())).failure().unwrap().contains("issue 1"), "an unexpected pass is an error");
        assert!(of(Need::Mandatory, fails("it is off by one")).failure().is_some());
    }

    #[test]
    fn what_is_unsupported_must_be_refused() {
        let of = |outcome, deviation| verdict(OPTIONAL, outcome, deviation, Some("no such engine"));
        assert_eq!(of(Ok(()), None), Verdict::Unsupported { reason: "no such engine" });
        assert!(of(fails("it was taken"), None).failure().is_some());
        assert!(of(Ok(()), Some(&DECLARED)).failure().is_some());
    }

    #[test]
    fn only_optional_checks_may_be_deviated_from_once_and_with_a_reason() {
        let optional = ["a.b".to_owned()];
        assert_eq!(are_legal(&[DECLARED], &optional), Ok(()));
        assert!(are_legal(&[DECLARED, DECLARED], &optional).is_err());
        assert!(are_legal(&[Deviation { reason: "", ..DECLARED }], &optional).is_err());
        assert!(are_legal(&[Deviation { fails_with: "", ..DECLARED }], &optional).is_err());
        assert!(are_legal(&[Deviation { check: "a.mandatory", ..DECLARED }], &optional).is_err());
    }
}
