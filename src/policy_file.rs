//! Policy files: a preset, and the differences from it.

use hotcell_core::{Policy, PolicyError, Preset, Rules, policy::Abi, verdict::Escaped};
use toml::{Table, Value};

/// A policy file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// The text is not TOML, or has a key or value that no policy has.
    #[error("{}", Escaped(.0))]
    Syntax(String),
    /// The rules contradict each other.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl PolicyFileError {
    /// The parser's message, with the line if known.
    fn syntax(error: &toml::de::Error, text: &str) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1)).unwrap_or_default();
        Self::Syntax(format!("{line}{}", error.message().trim_end()))
    }
}

/// Reads a policy from TOML. The key `preset` names the preset to start from (`default` if absent); every other key,
/// named as in [`Rules`], replaces the preset's value. An unknown key is an error.
///
/// ```
/// let policy = hotcell::parse_policy(
///     r#"
///     preset = "strict"
///     [limits]
///     fuel = 5_000_000
///     memory_bytes = "8MiB"
///     deadline = "500ms"
///     "#,
/// )?;
/// assert_eq!(policy.rules().limits.memory_bytes, 8 << 20);
/// # Ok::<(), hotcell::PolicyFileError>(())
/// ```
///
/// # Errors
///
/// [`PolicyFileError`].
pub fn parse_policy(text: &str) -> Result<Policy, PolicyFileError> {
    let syntax = |error: toml::de::Error| PolicyFileError::syntax(&error, text);
    let given: Table = text.parse().map_err(syntax)?;
    let preset = match given.get("preset") {
        Some(preset) => preset.clone().try_into().map_err(syntax)?,
        None => Preset::Default,
    };
    let mut rules =
        Table::try_from(Rules::preset(preset)).map_err(|error| PolicyFileError::Syntax(error.to_string()))?;
    if given.get("abi").is_some_and(Value::is_table) && !rules.get("abi").is_some_and(Value::is_table) {
        // The preset checks no version; keys missing from the file have their default.
        let usual = Value::try_from(Abi::default()).map_err(|error| PolicyFileError::Syntax(error.to_string()))?;
        rules.insert("abi".to_owned(), usual);
    }
    merge(&mut rules, given);
    let rules: Rules = rules.try_into().map_err(syntax)?;
    Ok(Policy::new(rules)?)
}

/// Replaces values in `base` by those in `given`, table by table.
fn merge(base: &mut Table, given: Table) {
    for (key, value) in given {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(given)) => merge(base, given),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse_policy("").unwrap(), Policy::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for preset in Preset::ALL {
            let policy = Policy::new(Rules::preset(preset)).unwrap();
            let text = toml::to_string(&policy).unwrap();
            assert_eq!(parse_policy(&text).unwrap(), policy, "{text}");
        }
    }

    #[test]
    fn unknown_keys_and_contradictions_are_refused() {
        for text in [
            "fule = 1",
            "[limits]\nfule = 1",
            "[module]\nbytez = 1",
            "preset = \"lax\"",
            "abi = \"off\"",
            "proposals = [\"threads\"]",
            "[limits]\nmemory_bytes = \"lots\"",
            "[limits]\nmemory_bytes = -1",
            "[limits]\nfuel = \"unlimited\"\ndeadline = \"none\"",
        ] {
            parse_policy(text).expect_err(text);
        }
    }

    #[test]
    fn the_handshake_can_be_switched_off_by_name() {
        assert_eq!(parse_policy("abi = \"none\"").unwrap().rules().abi, None);
        for preset in ["default", "ceiling"] {
            let policy = parse_policy(&format!("preset = \"{preset}\"\n[abi]\nmax = 3")).unwrap();
            assert_eq!(policy.rules().abi, Some(Abi { max: 3, ..Abi::default() }));
        }
    }
}
