use std::sync::Arc;

use datafusion::arrow::{
    array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray, new_null_array},
    datatypes::DataType,
};

use super::*;

const ALLOWED: u64 = 1 << 20;

fn written(arguments: &[ArrayRef], result: &DataType) -> Vec<u8> {
    let rows = arguments.first().map_or(0, |array| array.len());
    write(arguments, rows, FrameType::of(result).unwrap(), ALLOWED).unwrap().unwrap()
}

/// The reply of a guest that gives back its argument, and its column's descriptor.
fn echo(array: &ArrayRef) -> Vec<u8> {
    let mut request = written(std::slice::from_ref(array), array.data_type());
    // The descriptor of the result goes unread: a reply has one column.
    request[8..12].copy_from_slice(&1_u32.to_le_bytes());
    request
}

#[test]
fn a_request_is_what_the_table_says() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["no", "a", "bc"]).slice(1, 2));
    let request = written(&[numbers, texts], &DataType::Boolean);
    let number = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(&request[..4], b"HCF1");
    assert_eq!((number(4), number(8), number(12)), (2, 2, request.len()));
    assert_eq!((request[16], request[40], request[64]), (5, 12, 1));

    assert_eq!((request[17], request[number(24)]), (1, 0b01));
    assert_eq!(request[number(32)..][..8], 1_i64.to_le_bytes());
    assert_eq!((number(36), number(32) % 8), (16, 0));

    assert_eq!(request[41], 0, "no text is null");
    assert_eq!(request[number(52)..][..12], [0_u32, 1, 3].map(u32::to_le_bytes).concat());
    assert_eq!(&request[number(56)..][..number(60)], b"abc");
}

#[test]
fn a_request_is_not_larger_than_allowed() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(2_000)]));
    let ty = FrameType::of(&DataType::Utf8).unwrap();
    let error = write(std::slice::from_ref(&texts), 1, ty, 2_000).unwrap().unwrap_err();
    assert!(matches!(error, FrameError::TooLarge { allowed: 2_000, .. }));
    for array in [texts, Arc::new(BooleanArray::from(vec![true; 99])), new_null_array(&DataType::Utf8View, 9)] {
        let request = written(std::slice::from_ref(&array), &DataType::Utf8);
        let rows = array.len();
        let largest = write(&[array], rows, ty, request.len() as u64 + 100).unwrap();
        assert!(largest.is_ok(), "the estimate is near");
    }
}

/// No byte of a reply, and no end of it, makes the reader panic; and no text that it gives is not UTF-8.
#[test]
fn a_reply_may_be_anything() {
    let arrays: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec![Some("é"), None, Some("long enough for no view to hold it")])),
        Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
    ];
    for array in arrays {
        let good = echo(&array);
        let read = |reply: Vec<u8>| read(reply, array.len(), array.data_type());
        assert_eq!(&read(good.clone()).unwrap(), &array);
        for end in 0..good.len() {
            read(good[..end].to_vec()).unwrap_err();
        }
        for at in 0..good.len() {
            for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut damaged = good.clone();
                damaged[at] = byte;
                if let Ok(array) = read(damaged) {
                    array.to_data().validate_full().unwrap();
                }
            }
        }
    }
}

#[test]
fn offsets_of_a_reply_are_validated() {
    let array: ArrayRef = Arc::new(StringArray::from(vec!["aé", "b"]));
    let good = echo(&array);
    let offsets = u32::from_le_bytes(good[28..32].try_into().unwrap()) as usize;
    for (row, offset) in [(0, 1_u32), (1, 2), (1, 5), (1, u32::MAX), (2, 5), (2, 1), (0, 1 << 31)] {
        let mut damaged = good.clone();
        damaged[offsets + row * 4..][..4].copy_from_slice(&offset.to_le_bytes());
        let outcome = read(damaged, 2, &DataType::Utf8);
        match (row, offset) {
            // The first text just begins later.
            (0, 1) => assert!(outcome.is_ok()),
            _ => assert_eq!(outcome.unwrap_err(), FrameError::Bad("its offsets, or its text, are not valid")),
        }
    }
}

#[test]
fn numbers_of_a_reply_may_lie_anywhere() {
    let mut reply = echo(&(Arc::new(Int64Array::from(vec![7])) as ArrayRef));
    let at = u32::from_le_bytes(reply[32..36].try_into().unwrap()) as usize;
    reply.splice(at..at, [0; 3]);
    let len = reply.len() as u32;
    reply[12..16].copy_from_slice(&len.to_le_bytes());
    reply[32..36].copy_from_slice(&(at as u32 + 3).to_le_bytes());
    let expected: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    assert_eq!(&read(reply, 1, &DataType::Int64).unwrap(), &expected);
}
