use alloc_crate::{string::String, vec, vec::Vec};

use super::*;

/// A request for `kind`, with columns of kind, validity, offsets and values.
fn request(rows: u32, columns: &[(u8, Option<&[u8]>, &[u32], &[u8])], kind: u8) -> Vec<u8> {
    let mut frame = vec![0; HEAD + (columns.len() + 1) * DESCRIPTOR];
    let put = |frame: &mut Vec<u8>, at: usize, number: usize| {
        frame[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
    };
    frame[..4].copy_from_slice(b"HCF1");
    put(&mut frame, 4, rows as usize);
    put(&mut frame, 8, columns.len());
    for (index, (kind, validity, offsets, values)) in columns.iter().enumerate() {
        let at = HEAD + index * DESCRIPTOR;
        frame[at] = *kind;
        let end = frame.len();
        if let Some(validity) = validity {
            frame[at + 1] = 1;
            put(&mut frame, at + 8, end);
            frame.extend_from_slice(validity);
        }
        let end = frame.len();
        put(&mut frame, at + 12, end);
        frame.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
        let end = frame.len();
        put(&mut frame, at + 16, end);
        put(&mut frame, at + 20, values.len());
        frame.extend_from_slice(values);
    }
    frame[HEAD + columns.len() * DESCRIPTOR] = kind;
    frame
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn lengths(request: &[u8]) -> Vec<u8> {
    answer(request, |columns| {
        let text = columns.next::<Option<&str>>()?;
        Ok(move |row| Some(<Option<&str> as Argument>::get(&text, row)?.map(|text| text.len() as i64)))
    })
}

fn sums(request: &[u8]) -> Vec<u8> {
    answer(request, |columns| {
        let (a, b) = (columns.next::<i64>()?, columns.next::<i64>()?);
        Ok(move |row| {
            let (a, b) = (<i64 as Argument>::get(&a, row)?, <i64 as Argument>::get(&b, row)?);
            Some(a.checked_add(b).ok_or("too large"))
        })
    })
}

fn message(reply: &[u8]) -> &str {
    assert_eq!(&reply[..4], b"HCE1");
    core::str::from_utf8(&reply[HEAD..]).unwrap()
}

#[test]
fn a_row_with_a_null_is_not_asked_unless_the_argument_is_an_option() {
    let numbers = i64s(&[1, 2, 3]);
    let reply = sums(&request(3, &[(5, None, &[], &numbers), (5, Some(&[0b101]), &[], &numbers)], 5));
    assert_eq!(reply[HEAD + 1], 1, "it has a validity");
    assert_eq!(reply[40] & 0b111, 0b101);
    assert_eq!(reply[48..56], i64s(&[2]));
    assert_eq!(reply[64..72], i64s(&[6]));

    let reply = lengths(&request(2, &[(12, Some(&[0b01]), &[0, 3, 3], "hé".as_bytes())], 5));
    assert_eq!(reply[48..56], i64s(&[3]));
    assert_eq!(reply[40] & 0b11, 0b01);
}

#[test]
fn an_error_names_its_row() {
    let reply = sums(&request(2, &[(5, None, &[], &i64s(&[1, i64::MAX])), (5, None, &[], &i64s(&[1, 1]))], 5));
    assert_eq!(reply[4..8], [1, 0, 0, 0]);
    assert_eq!(message(&reply), "too large");
}

#[test]
fn other_types_are_refused_by_name() {
    let numbers = i64s(&[1]);
    let one = (5, None, &[][..], &numbers[..]);
    assert_eq!(message(&sums(&request(1, &[one, (12, None, &[0, 0], b"")], 5))), "argument 2 is text, not int64");
    assert_eq!(message(&sums(&request(1, &[one, one], 12))), "the result is int64, the caller expects text");
    assert_eq!(message(&sums(&request(1, &[one], 5))), "the caller gives 1 arguments, which are too few");
    assert_eq!(message(&sums(&request(1, &[one, one, one], 5))), "the caller gives 3 arguments, not 2");
}

#[test]
fn no_request_is_read_beyond_its_end() {
    let numbers = i64s(&[1, 2]);
    let whole = request(2, &[(5, Some(&[3]), &[], &numbers), (5, None, &[], &numbers)], 5);
    for end in 0..whole.len() {
        assert_eq!(&sums(&whole[..end])[..4], b"HCE1", "{end} bytes");
    }
    for at in 0..HEAD + 3 * DESCRIPTOR {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        if at < 4 || at >= 8 {
            sums(&damaged);
        }
    }
}

#[test]
fn texts_and_bits_are_written_one_after_another() {
    let reply = answer(&request(3, &[], 12), |_| Ok(|row| (row != 1).then(|| String::from("x").repeat(row + 1))));
    let column = &reply[HEAD..HEAD + DESCRIPTOR];
    let at = |at: usize| u32::from_le_bytes(column[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(reply[at(12)..at(12) + 16], [0u32, 1, 1, 4].map(u32::to_le_bytes).concat());
    assert_eq!(&reply[at(16)..][..at(20)], b"xxxx");

    let reply = answer(&request(10, &[], 1), |_| Ok(|row| Some(row % 3 == 0)));
    assert_eq!(reply[HEAD + 1], 0, "no row is null");
    assert_eq!(reply[48..50], [0b0100_1001, 0b10]);
}
