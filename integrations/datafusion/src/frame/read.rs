use datafusion::arrow::{
    array::{ArrayData, ArrayRef, AsArray, make_array},
    buffer::{BooleanBuffer, Buffer, NullBuffer},
    compute::cast,
    datatypes::{DataType, Decimal128Type},
};

use super::{DESCRIPTOR_BYTES, ERROR_MAGIC, FrameError, FrameType, HEAD_BYTES, Kind, MAGIC, canonical};

/// The column of a reply. Every number in it is the guest's: each range is held against the reply before a buffer is
/// taken, and Arrow validates offsets and UTF-8 before there is an array.
pub(crate) fn read(reply: Vec<u8>, rows: usize, data_type: &DataType) -> Result<ArrayRef, FrameError> {
    let bytes = Buffer::from_vec(reply);
    match bytes.get(..4) {
        Some(magic) if magic == ERROR_MAGIC => return Err(read_error(&bytes)),
        Some(magic) if magic == MAGIC => {}
        _ => return Err(FrameError::Bad("it does not begin with HCF1")),
    }
    let head = bytes.get(..HEAD_BYTES + DESCRIPTOR_BYTES).ok_or(FrameError::Bad("it ends within its head"))?;
    let found = number(head, 4);
    if found as usize != rows {
        return Err(FrameError::Rows { found, expected: rows });
    }
    if number(head, 8) != 1 {
        return Err(FrameError::Bad("it has more or less than one column"));
    }
    if number(head, 12) as usize != bytes.len() {
        return Err(FrameError::Bad("its length is not that of the reply"));
    }
    let array = read_column(&bytes, &head[HEAD_BYTES..], rows, &canonical(data_type))?;
    cast(&array, data_type).map_err(|_| FrameError::Bad("its values are not of the result's type"))
}

fn read_error(bytes: &[u8]) -> FrameError {
    let Some(head) = bytes.get(..HEAD_BYTES) else {
        return FrameError::Bad("an error ends within its head");
    };
    let Some(message) = (number(head, 8) as usize).checked_add(HEAD_BYTES).and_then(|end| bytes.get(HEAD_BYTES..end))
    else {
        return FrameError::Bad("an error ends within its message");
    };
    let row = Some(number(head, 4)).filter(|row| *row != u32::MAX);
    FrameError::Guest { row, message: String::from_utf8_lossy(message).into_owned() }
}

/// The four bytes at `at`, which are there.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn read_column(bytes: &Buffer, descriptor: &[u8], rows: usize, data_type: &DataType) -> Result<ArrayRef, FrameError> {
    let ty = FrameType::of(data_type).expect("the function was created for a type that crosses");
    if descriptor[..1] != [ty.kind as u8] || descriptor[2..4] != [ty.precision, ty.scale.to_le_bytes()[0]] {
        return Err(FrameError::Bad("its column is of another type than the result"));
    }
    let nulls = match descriptor[1] {
        0 => None,
        1 => Some(slice(bytes, number(descriptor, 8), rows.div_ceil(8), "its validity is not within it")?),
        _ => return Err(FrameError::Bad("its column has unknown flags")),
    };
    let nulls = nulls.map(|bits| NullBuffer::new(BooleanBuffer::new(bits, 0, rows)));

    let values_len = number(descriptor, 20) as usize;
    let values = slice(bytes, number(descriptor, 16), values_len, "its values are not within it")?;
    let mut data = ArrayData::builder(data_type.clone()).len(rows).nulls(nulls).align_buffers(true);
    if ty.has_offsets() {
        data = data.add_buffer(slice(bytes, number(descriptor, 12), (rows + 1) * 4, "its offsets are not within it")?);
    } else if values_len < ty.width().map_or(rows.div_ceil(8), |width| rows * width) {
        return Err(FrameError::Bad("it has fewer values than rows"));
    }
    let data = data.add_buffer(values).build();
    let array = make_array(data.map_err(|_| FrameError::Bad("its offsets, or its text, are not valid"))?);
    if ty.kind == Kind::Decimal {
        let precision = array.as_primitive::<Decimal128Type>().validate_decimal_precision(ty.precision);
        precision.map_err(|_| FrameError::Bad("a decimal has more digits than the result's type"))?;
    }
    Ok(array)
}

fn slice(bytes: &Buffer, offset: u32, len: usize, error: &'static str) -> Result<Buffer, FrameError> {
    let offset = offset as usize;
    match offset.checked_add(len) {
        Some(end) if end <= bytes.len() => Ok(bytes.slice_with_length(offset, len)),
        _ => Err(FrameError::Bad(error)),
    }
}
