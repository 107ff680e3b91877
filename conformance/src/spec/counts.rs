//! Outcomes of a file's directives, and the table of the expected ones.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::Deserialize;

/// Outcomes of the directives of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Counts {
    /// Behaved as the suite requires.
    pub(crate) passed: u64,
    /// Text modules that the assembler refuses: hotcell never sees them.
    pub(crate) text: u64,
    /// Refer to a module that was refused.
    pub(crate) dependent: u64,
    /// Modules that were refused by design, by reason.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// In the format of the table.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = vec![format!("passed = {}", self.passed)];
        fields.extend((self.text > 0).then(|| format!("text = {}", self.text)));
        fields.extend((self.dependent > 0).then(|| format!("dependent = {}", self.dependent)));
        if !self.refused.is_empty() {
            let reasons: Vec<_> =
                self.refused.iter().map(|(reason, count)| format!("\"{reason}\" = {count}")).collect();
            fields.push(format!("refused = {{ {} }}", reasons.join(", ")));
        }
        write!(f, "{{ {} }}", fields.join(", "))
    }
}

/// The table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// By file, the lines of modules that an old script calls invalid and today's specification does not. They are
    /// admitted.
    pub(crate) outdated: BTreeMap<String, Vec<usize>>,
    /// By suite and file.
    pub(crate) suite: BTreeMap<String, BTreeMap<String, Counts>>,
}

impl Expected {
    pub(crate) fn get() -> &'static Self {
        static TABLE: LazyLock<Expected> = LazyLock::new(|| {
            toml::from_str(include_str!("expected.toml"))
                .unwrap_or_else(|error| panic!("the suite's own table: {error}"))
        });
        &TABLE
    }
}
