//! A reply's column.

use alloc_crate::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Display;

use super::{DESCRIPTOR, Date, Decimal, HEAD, Timestamp, kind};

/// Bytes of an error's message.
const MESSAGE_BYTES: usize = 1_024;

/// How a column's values lie.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bit per row.
    Bits,
    /// So many bytes per row.
    Numbers(usize),
    /// Offsets, then the bytes of all rows.
    Lists,
}

/// The column of a reply, built in place: all that has a known size is there from the start.
#[doc(hidden)]
#[derive(Debug)]
pub struct Output {
    reply: Vec<u8>,
    rows: usize,
    shape: Shape,
    validity: usize,
    offsets: usize,
    values: usize,
    has_nulls: bool,
}

impl Output {
    pub(super) fn new(rows: usize, result: &[u8; DESCRIPTOR], shape: Shape) -> Self {
        let validity = HEAD + DESCRIPTOR;
        let offsets = validity + rows.div_ceil(8).next_multiple_of(8);
        let (values, end) = match shape {
            Shape::Bits => (offsets, offsets + rows.div_ceil(8)),
            Shape::Numbers(width) => (offsets, offsets + rows * width),
            Shape::Lists => (offsets + (rows + 1) * 4, offsets + (rows + 1) * 4),
        };
        let mut reply = Vec::new();
        reply.resize(end, 0);
        reply[..4].copy_from_slice(b"HCF1");
        reply[HEAD..validity].copy_from_slice(result);
        reply[validity..offsets].fill(0xff);
        Self { reply, rows, shape, validity, offsets, values, has_nulls: false }
    }

    pub(super) fn null(&mut self, row: usize) {
        self.has_nulls = true;
        self.reply[self.validity + row / 8] &= !(1 << (row % 8));
        if self.shape == Shape::Lists {
            self.end_list(row);
        }
    }

    #[inline]
    fn number<const WIDTH: usize>(&mut self, row: usize, bytes: [u8; WIDTH]) {
        let at = self.values + row * WIDTH;
        self.reply[at..at + WIDTH].copy_from_slice(&bytes);
    }

    fn list(&mut self, row: usize, bytes: &[u8]) {
        self.reply.extend_from_slice(bytes);
        self.end_list(row);
    }

    fn end_list(&mut self, row: usize) {
        let end = (self.reply.len() - self.values) as u32;
        let at = self.offsets + (row + 1) * 4;
        self.reply[at..at + 4].copy_from_slice(&end.to_le_bytes());
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let (len, values_len) = (self.reply.len(), self.reply.len() - self.values);
        self.reply[HEAD + 1] = u8::from(self.has_nulls);
        let numbers = [(4, self.rows), (8, 1), (12, len)];
        let column = [(8, self.validity), (12, self.offsets), (16, self.values), (20, values_len)];
        for (at, number) in numbers.into_iter().chain(column.map(|(at, number)| (HEAD + at, number))) {
            self.reply[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
        }
        self.reply
    }
}

/// An error as a reply.
pub(super) fn error(row: u32, message: &str) -> Vec<u8> {
    let message = &message.as_bytes()[..message.floor_char_boundary(MESSAGE_BYTES)];
    let mut reply = Vec::with_capacity(HEAD + message.len());
    reply.extend(b"HCE1");
    reply.extend(row.to_le_bytes());
    reply.extend((message.len() as u32).to_le_bytes());
    reply.extend([0; 4]);
    reply.extend(message);
    reply
}

/// A value of a result that is not null.
pub trait Element {
    #[doc(hidden)]
    const KIND: u8;
    #[doc(hidden)]
    const SHAPE: Shape;
    #[doc(hidden)]
    fn write(self, output: &mut Output, row: usize);
}

macro_rules! numbers {
    ($($type:ty, $kind:expr, $width:literal, |$value:ident| $bytes:expr;)*) => {$(
        impl Element for $type {
            const KIND: u8 = $kind;
            const SHAPE: Shape = Shape::Numbers($width);

            #[inline]
            fn write(self, output: &mut Output, row: usize) {
                let $value = self;
                output.number::<$width>(row, $bytes);
            }
        }
    )*};
}

numbers! {
    i8, 2, 1, |value| value.to_le_bytes();
    i16, 3, 2, |value| value.to_le_bytes();
    i32, 4, 4, |value| value.to_le_bytes();
    i64, 5, 8, |value| value.to_le_bytes();
    u8, 6, 1, |value| value.to_le_bytes();
    u16, 7, 2, |value| value.to_le_bytes();
    u32, 8, 4, |value| value.to_le_bytes();
    u64, 9, 8, |value| value.to_le_bytes();
    f32, 10, 4, |value| value.to_le_bytes();
    f64, 11, 8, |value| value.to_le_bytes();
    Date, kind::DATE, 4, |value| value.0.to_le_bytes();
    Timestamp, kind::TIMESTAMP, 8, |value| value.0.to_le_bytes();
    Decimal, kind::DECIMAL, 16, |value| value.0.to_le_bytes();
}

macro_rules! lists {
    ($($type:ty, $kind:expr;)*) => {$(
        impl Element for $type {
            const KIND: u8 = $kind;
            const SHAPE: Shape = Shape::Lists;

            fn write(self, output: &mut Output, row: usize) {
                output.list(row, self.as_ref());
            }
        }
    )*};
}

lists! {
    &str, kind::TEXT;
    String, kind::TEXT;
    &[u8], kind::BINARY;
    Vec<u8>, kind::BINARY;
}

impl Element for bool {
    const KIND: u8 = kind::BOOLEAN;
    const SHAPE: Shape = Shape::Bits;

    fn write(self, output: &mut Output, row: usize) {
        output.reply[output.values + row / 8] |= u8::from(self) << (row % 8);
    }
}

/// What a function returns: an [`Element`], an [`Option`] of one, or a [`Result`] of one of both.
pub trait Returned {
    /// The value.
    type Element: Element;

    /// The value, null, or the error's words.
    ///
    /// # Errors
    ///
    /// The error of the function's result.
    fn value(self) -> Result<Option<Self::Element>, String>;
}

impl<T: Element> Returned for T {
    type Element = T;

    fn value(self) -> Result<Option<T>, String> {
        Ok(Some(self))
    }
}

impl<T: Element> Returned for Option<T> {
    type Element = T;

    fn value(self) -> Result<Option<T>, String> {
        Ok(self)
    }
}

impl<R: Returned, E: Display> Returned for Result<R, E> {
    type Element = R::Element;

    fn value(self) -> Result<Option<Self::Element>, String> {
        self.map_err(|error| error.to_string())?.value()
    }
}
