//! The official WebAssembly suite, through the traits that a backend implements.
//!
//! Every directive of every script is counted once: it passes, or its module is refused by design, or it speaks of a
//! module that was refused, or the assembler refuses its text. `spec/expected.toml` says how many of each a file has;
//! any other number fails, so that no failure hides among the refusals. `--nocapture` shows the totals.

#[path = "spec/counts.rs"]
mod counts;
#[path = "spec/host.rs"]
mod host;
#[path = "spec/script.rs"]
mod script;
#[path = "spec/suites.rs"]
mod suites;
#[path = "spec/traps.rs"]
mod traps;
#[path = "spec/values.rs"]
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use hotcell::{
    Wasmi, Wasmtime,
    policy::{Floats, Metering},
};

use counts::{Counts, Expected};
use host::{Host, SpecBackend};
use script::Outcome;
use suites::{SUITES, Suite};

/// Every module rewritten: counters, and canonical NaNs.
#[test]
fn with_exact_metering() {
    check(Metering::Exact, Floats::Canonical);
}

/// Rewritten for canonical NaNs only.
#[test]
fn with_the_engines_metering() {
    check(Metering::Engine, Floats::Canonical);
}

/// The modules as they are, but for what is asked of a rewrite whatever the policy says.
#[test]
fn with_the_engines_metering_and_nans() {
    check(Metering::Engine, Floats::Allow);
}

fn check(metering: Metering, floats: Floats) {
    let mut check = Check {
        metering,
        floats,
        expected: Expected::read(),
        seen: BTreeSet::new(),
        totals: BTreeMap::new(),
        problems: Vec::new(),
    };
    for suite in SUITES {
        check.suite(suite);
    }
    check.stale_rows();
    println!("{}", check.totals());
    assert!(check.problems.is_empty(), "{}:\n{}", check.problems.len(), check.problems.join("\n"));
}

struct Check {
    metering: Metering,
    floats: Floats,
    expected: Expected,
    /// The rows of the table that have been looked at.
    seen: BTreeSet<(String, String)>,
    /// By suite and backend.
    totals: BTreeMap<(String, &'static str), Counts>,
    problems: Vec<String>,
}

impl Check {
    /// Both backends, file by file.
    fn suite(&mut self, suite: &Suite) {
        let wasmtime = Host::<Wasmtime>::new(suite.policy::<Wasmtime>(self.metering, self.floats));
        let wasmi = Host::<Wasmi>::new(suite.policy::<Wasmi>(self.metering, self.floats));
        for file in suite.files() {
            let one = self.file(suite, &wasmtime, file.name(), file.raw());
            let other = self.file(suite, &wasmi, file.name(), file.raw());
            if wasmtime.policy() == wasmi.policy() {
                self.compare(suite, file.name(), &one, &other);
            }
        }
    }

    fn file<B: SpecBackend>(&mut self, suite: &Suite, host: &Host<B>, file: &str, text: &str) -> Outcome {
        let row = suite.row::<B>();
        let outdated = self.expected.outdated.get(&format!("{}/{file}", suite.name));
        let outcome = script::run(text, host, suite.is_known, outdated.map_or(&[], Vec::as_slice));
        let at = format!("{} {row}/{file}", B::ID);
        self.problems.extend(outcome.failures.iter().map(|failure| format!("{at}:{failure}")));
        if self.expected.suite.get(&row).and_then(|files| files.get(file)) != Some(&outcome.counts) {
            self.problems.push(format!("{at}: the table's line would be\n\"{file}\" = {}", outcome.counts));
        }
        self.seen.insert((row.clone(), file.to_owned()));
        *self.totals.entry((row, B::ID)).or_default() += &outcome.counts;
        outcome
    }

    /// With exact metering the backends agree to the unit; else in what guests return, where its bits are defined.
    fn compare(&mut self, suite: &Suite, file: &str, one: &Outcome, other: &Outcome) {
        if self.floats == Floats::Allow {
            return;
        }
        let counts_alike = self.metering == Metering::Exact;
        let differs = one.steps.iter().zip(&other.steps).find(|(one, other)| {
            (one.at, &one.end) != (other.at, &other.end) || (counts_alike && one.fuel != other.fuel)
        });
        if let Some((one, other)) = differs {
            self.problems.push(format!("{}/{file}: the backends differ: {one:?}, {other:?}", suite.name));
        }
        if one.steps.len() != other.steps.len() {
            self.problems.push(format!("{}/{file}: {} and {} steps", suite.name, one.steps.len(), other.steps.len()));
        }
    }

    fn stale_rows(&mut self) {
        let rows =
            self.expected.suite.iter().flat_map(|(row, files)| files.keys().map(|file| (row.clone(), file.clone())));
        let stale: Vec<_> = rows.filter(|key| !self.seen.contains(key)).collect();
        self.problems.extend(stale.iter().map(|(row, file)| format!("{row}/{file} is in the table, not in the suite")));
    }

    fn totals(&self) -> String {
        let mut text = format!("metering {:?}, floats {:?}\n", self.metering, self.floats);
        let mut sums: BTreeMap<&str, Counts> = BTreeMap::new();
        let _ = writeln!(
            text,
            "{:26} {:9} {:>7} {:>7} {:>9} {:>6}",
            "suite", "backend", "passed", "refused", "dependent", "text"
        );
        let mut line = |suite: &str, backend: &str, counts: &Counts| {
            let Counts { passed, text: assembler, dependent, .. } = counts;
            let refused = counts.refused();
            let _ = writeln!(text, "{suite:26} {backend:9} {passed:7} {refused:7} {dependent:9} {assembler:6}");
        };
        for ((suite, backend), counts) in &self.totals {
            line(suite, backend, counts);
            *sums.entry(backend).or_default() += counts;
        }
        for (backend, counts) in &sums {
            line("all", backend, counts);
        }
        text
    }
}
