use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::{BackendUnderTest, Deviation, Entry, Report, Suite, Verdict};

/// Runs the suite as a test program: one test for each check, with the flags of `cargo test`. Does not return.
///
/// The test target that calls it has `harness = false`.
pub fn test<B: BackendUnderTest>() -> ! {
    test_with::<B>(&[])
}

/// Like [`test()`], for a backend with known defects.
pub fn test_with<B: BackendUnderTest>(deviations: &'static [Deviation]) -> ! {
    let arguments = Arguments::from_args();
    let suite = Arc::new(Suite::<B>::with_deviations(deviations));
    let entries = Arc::new(Mutex::new(Vec::new()));
    let trials = (0..suite.checks().len()).map(|index| trial(&suite, index, &entries)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let entries = std::mem::take(&mut *entries.lock().unwrap_or_else(PoisonError::into_inner));
        let report = Report::new::<B>(entries);
        println!("{} {}: {}\n", report.backend, report.backend_version, report.counts);
    }
    conclusion.exit()
}

fn trial<B: BackendUnderTest>(suite: &Arc<Suite<B>>, index: usize, entries: &Arc<Mutex<Vec<Entry>>>) -> Trial {
    let (suite, entries) = (suite.clone(), entries.clone());
    Trial::test(suite.checks()[index].id().to_owned(), move || {
        let check = &suite.checks()[index];
        let entry = suite.judge(check);
        let failure = entry.verdict.failure();
        if let Verdict::ExpectedFailure { reason, .. } | Verdict::Unsupported { reason } = entry.verdict {
            println!("{}: {}: {reason}", entry.id, entry.verdict);
        }
        for note in &entry.notes {
            println!("{}: {note}", entry.id);
        }
        entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        failure.map_or(Ok(()), |failure| Err(Failed::from(format!("{}\n{failure}", check.proves()))))
    })
}
