//! Functions over columns: the guest's side of `hotcell-datafusion`, whose module `frame` describes the bytes.
//!
//! ```
//! hotcell_guest::scalar! {
//!     /// Words in lower case, with a hyphen between them.
//!     fn slug(text: &str) -> String {
//!         text.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-")
//!     }
//! }
//!
//! hotcell_guest::scalar! {
//!     fn share(part: i64, whole: Option<i64>) -> Result<Option<f64>, &'static str> {
//!         match whole {
//!             Some(0) => Err("the whole is 0"),
//!             Some(whole) => Ok(Some(part as f64 / whole as f64)),
//!             None => Ok(None),
//!         }
//!     }
//! }
//! # fn main() { assert_eq!(slug("A  B"), "a-b"); }
//! ```
//!
//! | Rust | SQL |
//! |---|---|
//! | `bool` | `BOOLEAN` |
//! | `i8` to `i64`, `u8` to `u64` | `TINYINT` to `BIGINT`, and with `UNSIGNED` |
//! | `f32`, `f64` | `REAL`, `DOUBLE` |
//! | `&str`, and `String` as a result | `TEXT` |
//! | `&[u8]`, and `Vec<u8>` as a result | `BYTEA` |
//! | [`Date`], [`Timestamp`], [`Decimal`] | `DATE`, `TIMESTAMP`, `DECIMAL` |
//!
//! An argument `T` is never null: a row with a null there is not asked, and its result is null. An argument `Option<T>` is
//! `None` for null. A result is `T`, `Option<T>`, or a [`Result`] of one of them, whose error ends the query.

mod read;
mod write;

use alloc_crate::{format, string::String, vec::Vec};

pub use read::{Argument, Value};
#[doc(hidden)]
pub use read::{Bits, Columns, Lists, Numbers, RawColumn, Validity};
pub use write::{Element, Returned};
#[doc(hidden)]
pub use write::{Output, Shape};

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// Units of the column's type since 1970-01-01 00:00:00 UTC: seconds, milli-, micro- or nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A decimal without its point, of the column's scale: 1.50 with scale 2 is 150.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(pub i128);

const HEAD: usize = 16;
const DESCRIPTOR: usize = 24;

/// Numbers of kinds, and their names in messages.
mod kind {
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const TEXT: u8 = 12;
    pub(super) const BINARY: u8 = 13;
    pub(super) const DATE: u8 = 14;
    pub(super) const TIMESTAMP: u8 = 15;
    pub(super) const DECIMAL: u8 = 16;

    pub(super) fn name(kind: u8) -> &'static str {
        const NAMES: [&str; 16] = [
            "boolean",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "float32",
            "float64",
            "text",
            "binary",
            "date",
            "timestamp",
            "decimal",
        ];
        NAMES.get(usize::from(kind).wrapping_sub(1)).copied().unwrap_or("unknown")
    }
}

/// Exports a function over the values of a row as one over the columns of a batch: see [the module](crate::arrow).
#[macro_export]
macro_rules! scalar {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty $body:block) => {
        $(#[$meta])*
        $visibility fn $name($($argument: $type),*) -> $result $body

        $crate::entry!($name, |request: &[u8]| {
            $crate::arrow::__private::answer(request, |_columns| {
                $(let $argument = _columns.next::<$type>()?;)*
                Ok(move |_row: usize| {
                    ::core::option::Option::Some($name($(<$type as $crate::arrow::Argument>::get(&$argument, _row)?),*))
                })
            })
        });
    };
}

/// What the macro expands to.
#[doc(hidden)]
pub mod __private {
    pub use super::answer;
}

/// Why a request has no rows to ask for, or which of them failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    row: u32,
    message: String,
}

impl Failure {
    fn of_request(message: impl Into<String>) -> Self {
        Self { row: u32::MAX, message: message.into() }
    }
}

/// Answers a request row by row. `bind` finds the columns, and gives what answers a row: `None` is null.
#[doc(hidden)]
pub fn answer<'a, R: Returned, F: FnMut(usize) -> Option<R>>(
    request: &'a [u8],
    bind: impl FnOnce(&mut Columns<'a>) -> Result<F, Failure>,
) -> Vec<u8> {
    match try_answer(request, bind) {
        Ok(reply) => reply,
        Err(failure) => write::error(failure.row, &failure.message),
    }
}

fn try_answer<'a, R: Returned, F: FnMut(usize) -> Option<R>>(
    request: &'a [u8],
    bind: impl FnOnce(&mut Columns<'a>) -> Result<F, Failure>,
) -> Result<Vec<u8>, Failure> {
    let mut columns = Columns::new(request)?;
    let mut ask = bind(&mut columns)?;
    let result = columns.result()?;
    if result[0] != R::Element::KIND {
        let (found, expected) = (kind::name(R::Element::KIND), kind::name(result[0]));
        return Err(Failure::of_request(format!("the result is {found}, the caller expects {expected}")));
    }
    let mut output = Output::new(columns.rows(), result, R::Element::SHAPE);
    for row in 0..columns.rows() {
        let value = match ask(row) {
            None => None,
            Some(returned) => returned.value().map_err(|message| Failure { row: row as u32, message })?,
        };
        match value {
            Some(value) => value.write(&mut output, row),
            None => output.null(row),
        }
    }
    Ok(output.finish())
}

#[cfg(test)]
mod tests;
