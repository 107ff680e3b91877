//! The text forms of sizes, durations and missing limits in policy files and on the command line.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
};
use core::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error as _, Unexpected, Visitor},
};

use crate::verdict::Escaped;

/// Reads a size: `65536`, `65,536 bytes`, `64KiB`, `256 MiB`, `1GB`, `1M`.
///
/// # Errors
///
/// A message that names the text and shows the form.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let size = without_groups(text.strip_suffix(" bytes").unwrap_or(text));
    size.parse::<bytesize::ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("`{}` is not a size; write for example 65536, 64KiB or 256MiB", Escaped(text)))
}

/// Reads a duration: `500ms`, `30s`, `2min`, `1.5s`, or a number of seconds.
///
/// # Errors
///
/// A message that names the text and shows the form.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let in_units = || {
        let unit = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
        let seconds = match text[unit..].trim() {
            "" | "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = text[..unit].trim().parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    };
    (humantime::parse_duration(text).ok().or_else(in_units))
        .ok_or_else(|| format!("`{}` is not a duration; write for example 500ms, 30s or 5 for seconds", Escaped(text)))
}

/// Reads a number, or `unlimited`: `1000000`, `1_000_000`, `1,000,000 units`, `1M`.
///
/// # Errors
///
/// A message that names the text and shows the form.
pub fn parse_unlimited(text: &str) -> Result<Option<u64>, String> {
    if text == "unlimited" {
        return Ok(None);
    }
    let number = without_groups([" units", " calls"].iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(text));
    let thousands = ["", "k", "M", "G", "T"].iter().rposition(|suffix| number.ends_with(suffix)).unwrap_or(0);
    let digits = if thousands == 0 { &*number } else { &number[..number.len() - 1] };
    let value: Option<u64> =
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1000u64.pow(thousands as u32)));
    value
        .map(Some)
        .ok_or_else(|| format!("`{}` is not a number; write for example 1000000, 1M, or unlimited", Escaped(text)))
}

/// A number without what separates its groups of digits.
fn without_groups(text: &str) -> String {
    text.replace([',', '_'], "")
}

/// Reads a duration, or `none`.
///
/// # Errors
///
/// As [`parse_duration`].
pub fn parse_deadline(text: &str) -> Result<Option<Duration>, String> {
    match text {
        "none" => Ok(None),
        duration => parse_duration(duration).map(Some),
    }
}

enum NumberOrText {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for NumberOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = NumberOrText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that is not negative, or a text such as \"64KiB\" or \"unlimited\"")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<NumberOrText, E> {
                Ok(NumberOrText::Number(number))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<NumberOrText, E> {
                u64::try_from(number)
                    .map(NumberOrText::Number)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<NumberOrText, E> {
                Ok(NumberOrText::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl NumberOrText {
    fn parse<N: From<u64>, E: serde::de::Error>(self, parse: fn(&str) -> Result<N, String>) -> Result<N, E> {
        match self {
            Self::Number(number) => Ok(number.into()),
            Self::Text(text) => parse(&text).map_err(E::custom),
        }
    }
}

pub(super) mod bytes {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if *bytes >= unit && bytes.is_multiple_of(unit) {
                return serializer.serialize_str(&format!("{}{name}", bytes / unit));
            }
        }
        serializer.serialize_u64(*bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        NumberOrText::deserialize(deserializer)?.parse(parse_bytes)
    }
}

pub(super) mod unlimited {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => serializer.serialize_u64(*number),
            None => serializer.serialize_str("unlimited"),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        NumberOrText::deserialize(deserializer)?.parse(parse_unlimited)
    }
}

pub(super) mod deadline {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(deadline: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match deadline {
            Some(deadline) => serializer.serialize_str(&humantime::format_duration(*deadline).to_string()),
            None => serializer.serialize_str("none"),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        parse_deadline(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A table, or the word `none`.
pub(super) mod none {
    use serde::Serialize;

    use super::*;
    use crate::policy::Abi;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum WordOrTable {
        Word(String),
        Table(Abi),
    }

    pub(crate) fn serialize<S: Serializer>(abi: &Option<Abi>, serializer: S) -> Result<S::Ok, S::Error> {
        match abi {
            Some(abi) => abi.serialize(serializer),
            None => serializer.serialize_str("none"),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Abi>, D::Error> {
        match WordOrTable::deserialize(deserializer)? {
            WordOrTable::Table(abi) => Ok(Some(abi)),
            WordOrTable::Word(word) if word == "none" => Ok(None),
            WordOrTable::Word(_) => Err(D::Error::custom("abi is a table (export, min, max), or \"none\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two_where_they_say_so() {
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("1 MiB"), Ok(1 << 20));
        assert_eq!(parse_bytes("1MB"), Ok(1_000_000));
        assert_eq!(parse_bytes("77"), Ok(77));
        assert!(parse_bytes("lots").unwrap_err().contains("64KiB"));
    }

    #[test]
    fn missing_limits_have_names() {
        assert_eq!(parse_unlimited("unlimited"), Ok(None));
        assert_eq!(parse_unlimited("1_000"), Ok(Some(1_000)));
        assert!(parse_unlimited("-1").is_err());
        assert_eq!(parse_deadline("none"), Ok(None));
        assert_eq!(parse_deadline("1500ms"), Ok(Some(Duration::from_millis(1500))));
    }
}
