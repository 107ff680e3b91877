//! The official WebAssembly suite, through the traits that a backend implements.
//!
//! Every directive of every script is counted once: it passes, its module is refused by design, it refers to a module
//! that was refused, or the assembler refuses its text. `expected.toml` has the number of each for every file; any
//! other number fails, so that no failure hides among the refusals.

mod counts;
mod host;
mod script;
mod suites;
mod traps;
mod values;

use hotcell_core::{
    Enforcement, Field,
    policy::{Floats, Metering},
};

use self::{
    counts::Expected,
    host::Host,
    suites::{SUITES, Suite},
};
use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{ensure, ensure_eq},
    tally,
};

pub use self::script::Step;

/// How the modules are rewritten: with counters and canonical NaNs; with canonical NaNs only; only as far as every
/// policy requires.
const WAYS: [(Metering, Floats); 3] =
    [(Metering::Exact, Floats::Canonical), (Metering::Engine, Floats::Canonical), (Metering::Engine, Floats::Allow)];

/// One check for each script.
pub(crate) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    scripts()
        .map(|script| {
            let (id, proves) =
                (format!("spec.{}", script.name()), format!("The official script {} is obeyed.", script.name()));
            let field = script.field::<B>();
            let run = move || script.is_obeyed::<B>();
            match field {
                None => Check::mandatory(id, proves, run),
                Some(field) => Check::optional(field, id, proves, run),
            }
        })
        .collect()
}

/// A script of the official suite.
#[derive(Clone)]
pub struct Script {
    suite: &'static Suite,
    file: String,
    text: &'static str,
}

/// Every script.
pub fn scripts() -> impl Iterator<Item = Script> {
    SUITES.iter().flat_map(|suite| {
        suite.files().into_iter().map(move |file| Script { suite, text: file.raw(), file: file.name })
    })
}

impl Script {
    /// Its suite and file.
    pub fn name(&self) -> String {
        format!("{}.{}", self.suite.name, self.file.trim_end_matches(".wast"))
    }

    /// The steps of its guests, rewritten for exact metering, or `None` if the backend does not support what the script
    /// needs.
    pub fn steps<B: BackendUnderTest>(&self) -> Option<Result<Vec<Step>, String>> {
        if self.suite.allow.iter().any(|proposal| is_unsupported::<B>(Field::Proposal(*proposal))) {
            return None;
        }
        let (metering, floats) = WAYS[0];
        Some(self.run::<B>(metering, floats).map(|outcome| outcome.steps).map_err(|failure| failure.to_string()))
    }

    /// An optional field that the script needs: one that the backend does not support, if any.
    fn field<B: BackendUnderTest>(&self) -> Option<Field> {
        let mut fields = self.suite.allow.iter().map(|proposal| Field::Proposal(*proposal));
        let first = fields.clone().next();
        fields.find(|field| is_unsupported::<B>(*field)).or(first)
    }

    fn is_obeyed<B: BackendUnderTest>(&self) -> Outcome {
        for (metering, floats) in WAYS {
            if metering == Metering::Engine && is_unsupported::<B>(Field::EngineMetering) {
                tally::note(format!("not with {metering:?} metering, which the backend refuses"));
                continue;
            }
            let outcome = self.run::<B>(metering, floats)?;
            ensure!(outcome.failures.is_empty(), "{metering:?}, {floats:?}: {}", outcome.failures.join("; "));
            let expected = Expected::get().suite.get(self.suite.name).and_then(|files| files.get(&self.file));
            ensure_eq!(Some(&outcome.counts), expected, "the line would be \"{}\" = {}", self.file, outcome.counts);
            tally::assertions(outcome.counts.passed);
        }
        Ok(())
    }

    fn run<B: BackendUnderTest>(&self, metering: Metering, floats: Floats) -> Result<script::Outcome, Failure> {
        let host = Host::<B>::new(self.suite.policy(metering, floats)?)?;
        let outdated = Expected::get().outdated.get(&format!("{}/{}", self.suite.name, self.file));
        Ok(script::run(self.text, &host, self.suite.is_known, outdated.map_or(&[], Vec::as_slice)))
    }
}

fn is_unsupported<B: BackendUnderTest>(field: Field) -> bool {
    matches!(B::enforcement(field), Enforcement::Unsupported { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_other_files() {
        for (suite, files) in &Expected::get().suite {
            for file in files.keys() {
                assert!(scripts().any(|script| script.suite.name == suite && script.file == *file), "{suite}/{file}");
            }
        }
    }
}
