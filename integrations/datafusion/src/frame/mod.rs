//! The raw frame: how a batch of rows crosses into a guest, and its column back. All numbers are little-endian, all
//! offsets count from the frame's first byte.
//!
//! A **request** is the input of the entry:
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `HCF1` |
//! | 4..8 | rows |
//! | 8..12 | number of arguments |
//! | 12..16 | bytes of the frame |
//! | 24 each | a descriptor per argument, then one of the result, which has no buffers |
//! | ... | the buffers of the arguments, each at a multiple of 8 |
//!
//! A **descriptor**:
//!
//! | bytes | what |
//! |---|---|
//! | 0 | kind, see [`Kind`] |
//! | 1 | bit 0: there is a validity buffer. Without it, no row is null |
//! | 2 | decimals: precision. Timestamps: unit: 0 s, 1 ms, 2 µs, 3 ns. Otherwise 0 |
//! | 3 | decimals: scale, signed. Otherwise 0 |
//! | 4..8 | 0 |
//! | 8..12 | offset of the validity: a bit per row, least significant first, 1 is valid |
//! | 12..16 | offset of the offsets, for text and bytes: `rows + 1` of `u32`, that never fall, the first of them 0 |
//! | 16..20 | offset of the values |
//! | 20..24 | bytes of the values |
//!
//! Values are a bit per row for booleans, a number of 1, 2, 4, 8 or 16 bytes per row, or the bytes of all rows one after
//! another. A null row's number may be anything.
//!
//! A **reply** is a frame with the same number of rows, one column, and the result's descriptor with its buffers: of the
//! kind that the request asks for. Or it is an **error**: `HCE1`, the row in the batch (`u32::MAX` for none), the bytes of
//! the message, 0, and the message.

mod read;
mod write;

use std::fmt;

use datafusion::arrow::datatypes::{DataType, TimeUnit};

pub(crate) use read::read;
pub(crate) use write::write;

/// Bytes of a frame's head.
pub const HEAD_BYTES: usize = 16;
/// Bytes of a descriptor.
pub const DESCRIPTOR_BYTES: usize = 24;
/// First bytes of a frame.
pub const MAGIC: [u8; 4] = *b"HCF1";
/// First bytes of an error.
pub const ERROR_MAGIC: [u8; 4] = *b"HCE1";

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A bit per row.
    Boolean = 1,
    /// `i8`
    Int8 = 2,
    /// `i16`
    Int16 = 3,
    /// `i32`
    Int32 = 4,
    /// `i64`
    Int64 = 5,
    /// `u8`
    UInt8 = 6,
    /// `u16`
    UInt16 = 7,
    /// `u32`
    UInt32 = 8,
    /// `u64`
    UInt64 = 9,
    /// `f32`
    Float32 = 10,
    /// `f64`
    Float64 = 11,
    /// UTF-8
    Text = 12,
    /// Bytes
    Binary = 13,
    /// Days since 1970-01-01, `i32`
    Date = 14,
    /// Units since 1970-01-01 00:00:00 UTC, `i64`
    Timestamp = 15,
    /// `i128` without its point
    Decimal = 16,
}

/// A type of SQL, as it crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameType {
    /// What the values are.
    pub kind: Kind,
    /// Byte 2 of the descriptor.
    pub precision: u8,
    /// Byte 3 of the descriptor.
    pub scale: i8,
}

impl FrameType {
    /// How a type crosses; `None` when it does not.
    pub fn of(data_type: &DataType) -> Option<Self> {
        let (kind, precision, scale) = match data_type {
            DataType::Boolean => (Kind::Boolean, 0, 0),
            DataType::Int8 => (Kind::Int8, 0, 0),
            DataType::Int16 => (Kind::Int16, 0, 0),
            DataType::Int32 => (Kind::Int32, 0, 0),
            DataType::Int64 => (Kind::Int64, 0, 0),
            DataType::UInt8 => (Kind::UInt8, 0, 0),
            DataType::UInt16 => (Kind::UInt16, 0, 0),
            DataType::UInt32 => (Kind::UInt32, 0, 0),
            DataType::UInt64 => (Kind::UInt64, 0, 0),
            DataType::Float32 => (Kind::Float32, 0, 0),
            DataType::Float64 => (Kind::Float64, 0, 0),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => (Kind::Text, 0, 0),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => (Kind::Binary, 0, 0),
            DataType::Date32 => (Kind::Date, 0, 0),
            DataType::Timestamp(unit, _) => (Kind::Timestamp, unit_number(*unit), 0),
            DataType::Decimal128(precision, scale) => (Kind::Decimal, *precision, *scale),
            _ => return None,
        };
        Some(Self { kind, precision, scale })
    }

    /// Bytes of a row's number; `None` for bits, text and bytes.
    pub fn width(self) -> Option<usize> {
        match self.kind {
            Kind::Boolean | Kind::Text | Kind::Binary => None,
            Kind::Int8 | Kind::UInt8 => Some(1),
            Kind::Int16 | Kind::UInt16 => Some(2),
            Kind::Int32 | Kind::UInt32 | Kind::Float32 | Kind::Date => Some(4),
            Kind::Int64 | Kind::UInt64 | Kind::Float64 | Kind::Timestamp => Some(8),
            Kind::Decimal => Some(16),
        }
    }

    /// Whether rows have lengths of their own.
    pub fn has_offsets(self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Binary)
    }
}

fn unit_number(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

/// The type with this crossing that has 32-bit offsets where it has any.
fn canonical(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

/// Why a batch does not cross.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The request is larger than the policy allows.
    TooLarge { bytes: u64, allowed: u64 },
    /// The guest says so.
    Guest { row: Option<u32>, message: String },
    /// The reply has another number of rows.
    Rows { found: u32, expected: usize },
    /// The reply is not a frame.
    Bad(&'static str),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, allowed } => write!(f, "the batch is {bytes} bytes, the policy allows {allowed}"),
            Self::Guest { message, .. } => f.write_str(message),
            Self::Rows { found, expected } => write!(f, "the reply has {found} rows, the batch has {expected}"),
            Self::Bad(reason) => write!(f, "the reply is no frame: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests;
