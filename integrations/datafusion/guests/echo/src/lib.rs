//! A function for each type: it gives back what it gets, null or not.

#![cfg_attr(target_arch = "wasm32", no_std)]
extern crate alloc;

use hotcell_guest::arrow::{Date, Decimal, Timestamp};

hotcell_guest::runtime!();

macro_rules! echo {
    ($($name:ident: $type:ty,)*) => {$(
        hotcell_guest::scalar! {
            fn $name(value: Option<$type>) -> Option<$type> {
                value
            }
        }
    )*};
}

echo! {
    boolean: bool,
    int8: i8,
    int16: i16,
    int32: i32,
    int64: i64,
    uint8: u8,
    uint16: u16,
    uint32: u32,
    uint64: u64,
    float32: f32,
    float64: f64,
    text: &str,
    binary: &[u8],
    date: Date,
    timestamp: Timestamp,
    decimal: Decimal,
}
