//! A request's columns.

use alloc_crate::format;

use super::{DESCRIPTOR, Date, Decimal, Failure, HEAD, Timestamp, kind};

/// The columns of a request, one after another.
#[derive(Debug)]
pub struct Columns<'a> {
    frame: &'a [u8],
    rows: usize,
    arguments: usize,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn new(frame: &'a [u8]) -> Result<Self, Failure> {
        let number = |at| number(frame, at).ok_or_else(|| Failure::of_request("the request ends within its head"));
        if frame.get(..4) != Some(b"HCF1") {
            return Err(Failure::of_request("the request does not begin with HCF1"));
        }
        Ok(Self { frame, rows: number(4)?, arguments: number(8)?, next: 0 })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The next argument.
    #[doc(hidden)]
    pub fn next<T: Argument<'a>>(&mut self) -> Result<T::Column, Failure> {
        let index = self.next;
        if index >= self.arguments {
            return Err(Failure::of_request(format!("the caller gives {index} arguments, which are too few")));
        }
        self.next += 1;
        let descriptor = self.descriptor(index).ok_or_else(|| Failure::of_request("the request has no such column"))?;
        if descriptor[0] != T::KIND {
            let (found, expected) = (kind::name(descriptor[0]), kind::name(T::KIND));
            return Err(Failure::of_request(format!("argument {} is {found}, not {expected}", index + 1)));
        }
        let raw = RawColumn { frame: self.frame, descriptor, rows: self.rows };
        T::open(raw).ok_or_else(|| Failure::of_request(format!("argument {} is not within the request", index + 1)))
    }

    /// The descriptor of the result, after all arguments.
    pub(super) fn result(&self) -> Result<&'a [u8; DESCRIPTOR], Failure> {
        if self.next != self.arguments {
            let (found, expected) = (self.arguments, self.next);
            return Err(Failure::of_request(format!("the caller gives {found} arguments, not {expected}")));
        }
        self.descriptor(self.arguments).ok_or_else(|| Failure::of_request("the request asks for no result"))
    }

    fn descriptor(&self, index: usize) -> Option<&'a [u8; DESCRIPTOR]> {
        self.frame.get(HEAD..)?.as_chunks().0.get(index)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize)
}

/// A column, as its descriptor says.
#[derive(Clone, Copy, Debug)]
pub struct RawColumn<'a> {
    frame: &'a [u8],
    descriptor: &'a [u8; DESCRIPTOR],
    rows: usize,
}

impl<'a> RawColumn<'a> {
    fn slice(&self, at: usize, len: usize) -> Option<&'a [u8]> {
        let offset = number(self.descriptor, at)?;
        self.frame.get(offset..offset.checked_add(len)?)
    }

    fn validity(&self) -> Option<Validity<'a>> {
        match self.descriptor[1] {
            0 => Some(Validity(None)),
            _ => Some(Validity(Some(self.slice(8, self.rows.div_ceil(8))?))),
        }
    }

    fn values(&self) -> Option<&'a [u8]> {
        self.slice(16, number(self.descriptor, 20)?)
    }

    fn offsets(&self) -> Option<&'a [[u8; 4]]> {
        Some(self.slice(12, self.rows.checked_add(1)?.checked_mul(4)?)?.as_chunks().0)
    }
}

#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a>(Option<&'a [u8]>);

impl Validity<'_> {
    fn is_valid(self, row: usize) -> bool {
        self.0.is_none_or(|bits| bit(bits, row))
    }
}

fn bit(bits: &[u8], row: usize) -> bool {
    bits[row / 8] >> (row % 8) & 1 == 1
}

/// A type of an argument: a [`Value`], or an [`Option`] of one.
pub trait Argument<'a>: Sized {
    /// What reads the column.
    #[doc(hidden)]
    type Column;
    #[doc(hidden)]
    const KIND: u8;
    #[doc(hidden)]
    fn open(column: RawColumn<'a>) -> Option<Self::Column>;
    /// The row's argument; `None` when the row is not asked.
    #[doc(hidden)]
    fn get(column: &Self::Column, row: usize) -> Option<Self>;
}

/// A value that is not null.
pub trait Value<'a>: Sized {
    #[doc(hidden)]
    type Column;
    #[doc(hidden)]
    const KIND: u8;
    #[doc(hidden)]
    fn open(column: RawColumn<'a>) -> Option<Self::Column>;
    #[doc(hidden)]
    fn get(column: &Self::Column, row: usize) -> Option<Self>;
}

impl<'a, T: Value<'a>> Argument<'a> for T {
    type Column = T::Column;
    const KIND: u8 = T::KIND;

    fn open(column: RawColumn<'a>) -> Option<Self::Column> {
        T::open(column)
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Option<Self> {
        T::get(column, row)
    }
}

impl<'a, T: Value<'a>> Argument<'a> for Option<T> {
    type Column = T::Column;
    const KIND: u8 = T::KIND;

    fn open(column: RawColumn<'a>) -> Option<Self::Column> {
        T::open(column)
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Option<Self> {
        Some(T::get(column, row))
    }
}

#[doc(hidden)]
#[derive(Debug)]
pub struct Numbers<'a, const WIDTH: usize> {
    validity: Validity<'a>,
    values: &'a [[u8; WIDTH]],
}

macro_rules! numbers {
    ($($type:ty, $kind:expr, $width:literal, $make:expr;)*) => {$(
        impl<'a> Value<'a> for $type {
            type Column = Numbers<'a, $width>;
            const KIND: u8 = $kind;

            fn open(column: RawColumn<'a>) -> Option<Self::Column> {
                let values = column.values()?.as_chunks().0;
                (values.len() >= column.rows).then_some(Numbers { validity: column.validity()?, values })
            }

            #[inline]
            fn get(column: &Self::Column, row: usize) -> Option<Self> {
                column.validity.is_valid(row).then(|| $make(column.values[row]))
            }
        }
    )*};
}

numbers! {
    i8, 2, 1, i8::from_le_bytes;
    i16, 3, 2, i16::from_le_bytes;
    i32, 4, 4, i32::from_le_bytes;
    i64, 5, 8, i64::from_le_bytes;
    u8, 6, 1, u8::from_le_bytes;
    u16, 7, 2, u16::from_le_bytes;
    u32, 8, 4, u32::from_le_bytes;
    u64, 9, 8, u64::from_le_bytes;
    f32, 10, 4, f32::from_le_bytes;
    f64, 11, 8, f64::from_le_bytes;
    Date, kind::DATE, 4, |bytes| Date(i32::from_le_bytes(bytes));
    Timestamp, kind::TIMESTAMP, 8, |bytes| Timestamp(i64::from_le_bytes(bytes));
    Decimal, kind::DECIMAL, 16, |bytes| Decimal(i128::from_le_bytes(bytes));
}

#[doc(hidden)]
#[derive(Debug)]
pub struct Bits<'a> {
    validity: Validity<'a>,
    values: &'a [u8],
}

impl<'a> Value<'a> for bool {
    type Column = Bits<'a>;
    const KIND: u8 = kind::BOOLEAN;

    fn open(column: RawColumn<'a>) -> Option<Self::Column> {
        let values = column.values()?;
        (values.len() >= column.rows.div_ceil(8)).then_some(Bits { validity: column.validity()?, values })
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Option<Self> {
        column.validity.is_valid(row).then(|| bit(column.values, row))
    }
}

#[doc(hidden)]
#[derive(Debug)]
pub struct Lists<'a, T: ?Sized> {
    validity: Validity<'a>,
    offsets: &'a [[u8; 4]],
    values: &'a T,
}

impl<'a, T: ?Sized> Lists<'a, T> {
    fn new(column: RawColumn<'a>, values: &'a T) -> Option<Self> {
        Some(Self { validity: column.validity()?, offsets: column.offsets()?, values })
    }

    #[inline]
    fn range(&self, row: usize) -> Option<core::ops::Range<usize>> {
        let at = |row: usize| u32::from_le_bytes(self.offsets[row]) as usize;
        self.validity.is_valid(row).then(|| at(row)..at(row + 1))
    }
}

impl<'a> Value<'a> for &'a str {
    type Column = Lists<'a, str>;
    const KIND: u8 = kind::TEXT;

    fn open(column: RawColumn<'a>) -> Option<Self::Column> {
        Lists::new(column, core::str::from_utf8(column.values()?).ok()?)
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Option<Self> {
        Some(&column.values[column.range(row)?])
    }
}

impl<'a> Value<'a> for &'a [u8] {
    type Column = Lists<'a, [u8]>;
    const KIND: u8 = kind::BINARY;

    fn open(column: RawColumn<'a>) -> Option<Self::Column> {
        Lists::new(column, column.values()?)
    }

    #[inline]
    fn get(column: &Self::Column, row: usize) -> Option<Self> {
        Some(&column.values[column.range(row)?])
    }
}
