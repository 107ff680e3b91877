use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use hotcell_core::Field;

use crate::{
    Failure,
    tally::{self, Tally},
};

/// How a check ended.
pub type Outcome = Result<(), Failure>;

/// Whether a backend may lack what a check proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Every backend must pass.
    Mandatory,
    /// A backend may state the field as unsupported; then it must refuse every policy that sets it.
    Optional(Field),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mandatory => f.write_str("mandatory"),
            Self::Optional(field) => write!(f, "optional: {}", field.key()),
        }
    }
}

/// One sentence of the contract, and its proof.
pub struct Check {
    id: Cow<'static, str>,
    proves: Cow<'static, str>,
    need: Need,
    alone: bool,
    run: Box<dyn Fn() -> Outcome + Send + Sync>,
}

/// Checks that run alone lock it for writing, all others for reading.
static TURN: RwLock<()> = RwLock::new(());

impl Check {
    pub(crate) fn mandatory(
        id: impl Into<Cow<'static, str>>,
        proves: impl Into<Cow<'static, str>>,
        run: impl Fn() -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self { id: id.into(), proves: proves.into(), need: Need::Mandatory, alone: false, run: Box::new(run) }
    }

    pub(crate) fn optional(
        field: Field,
        id: impl Into<Cow<'static, str>>,
        proves: impl Into<Cow<'static, str>>,
        run: impl Fn() -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self { need: Need::Optional(field), ..Self::mandatory(id, proves, run) }
    }

    /// Runs the check without any other in the process: for measurements of the process.
    pub(crate) fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// The stable id: the family, a dot, and a name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The first part of the id.
    pub fn family(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// The sentence of the contract.
    pub fn proves(&self) -> &str {
        &self.proves
    }

    /// Whether a backend may lack it.
    pub fn need(&self) -> Need {
        self.need
    }

    /// Runs the check, whatever the backend states. A panic is a failure.
    pub(crate) fn run(&self) -> (Outcome, Tally, Duration) {
        // A check that panicked while it was alone has left no state behind.
        let (_shared, _alone) = match self.alone {
            false => (Some(TURN.read().unwrap_or_else(PoisonError::into_inner)), None),
            true => (None, Some(TURN.write().unwrap_or_else(PoisonError::into_inner))),
        };
        self.run_instead(&self.run)
    }

    /// Runs `other` instead of the check.
    pub(crate) fn run_instead(&self, other: impl Fn() -> Outcome) -> (Outcome, Tally, Duration) {
        tally::take();
        let begin = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(other)).unwrap_or_else(|payload| Err(Failure::of_panic(&*payload)));
        (outcome, tally::take(), begin.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{ensure, ensure_eq};

    #[test]
    fn a_panic_is_a_failure() {
        let check = Check::mandatory("a.b", "", || std::panic::resume_unwind(Box::new("a bug")));
        assert_eq!(check.run().0.unwrap_err().message(), "panicked: a bug");
        assert_eq!(check.family(), "a");
    }

    #[test]
    fn each_check_has_its_own_numbers() {
        let check = Check::mandatory("a.b", "", || {
            ensure!(true);
            tally::note("measured".to_owned());
            Ok(())
        });
        for _ in 0..2 {
            let (_, tally, _) = check.run();
            assert_eq!((tally.assertions, tally.modules, tally.notes.len()), (1, 0, 1));
        }
    }

    #[test]
    fn a_check_that_runs_alone_waits_for_the_others() {
        use std::sync::atomic::{AtomicU32, Ordering};
        static RUNNING: AtomicU32 = AtomicU32::new(0);
        let other = Check::mandatory("a.b", "", || {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
            RUNNING.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
        let alone = Check::mandatory("a.c", "", || {
            ensure_eq!(RUNNING.load(Ordering::SeqCst), 0);
            Ok(())
        })
        .alone();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| other.run());
                scope.spawn(|| assert_eq!(alone.run().0, Ok(())));
            }
        });
    }
}
