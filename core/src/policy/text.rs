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

/// Reads a size: `65536`, `64KiB`, `256 MiB`, `1GB`.
///
/// # Errors
///
/// A message that names the text and shows the form.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("`{}` is not a size; write for example 65536, 64KiB or 256MiB", Escaped(text)))
}

/// Reads a duration: `500ms`, `30s`, `2min`.
///
/// # Errors
///
/// A message that names the text and shows the form.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{}` is not a duration; write for example 500ms or 30s", Escaped(text)))
}

/// Reads a number, or `unlimited`.
///
/// # Errors
///
/// A message that names the text and shows the form.
pub fn parse_unlimited(text: &str) -> Result<Option<u64>, String> {
    match text {
        "unlimited" => Ok(None),
        number => number
            .replace('_', "")
            .parse()
            .map(Some)
            .map_err(|_| format!("`{}` is not a number; write for example 1000000, or unlimited", Escaped(text))),
    }
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
