//! What became of a file's directives, and the table of what must become of them.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::Deserialize;

/// What became of the directives of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Counts {
    /// Did what the suite demands.
    pub(crate) passed: u64,
    /// Modules in text that the assembler refuses: hotcell never sees them.
    pub(crate) text: u64,
    /// Talk about a module that was refused.
    pub(crate) dependent: u64,
    /// Modules that were refused by design, by reason.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// As in the table.
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
