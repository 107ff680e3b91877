use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray},
        buffer::BooleanBuffer,
        compute::cast,
        datatypes::DataType,
    },
    error::Result,
};

use super::{DESCRIPTOR_BYTES, FrameError, FrameType, HEAD_BYTES, Kind, MAGIC, canonical};

/// The request of a batch: the outer error is DataFusion's, the inner one is the batch's.
///
/// All arrays have `rows` rows, and types that cross; `result` is the type of the result.
pub(crate) fn write(
    arguments: &[ArrayRef],
    rows: usize,
    result: FrameType,
    allowed: u64,
) -> Result<std::result::Result<Vec<u8>, FrameError>> {
    // Before views are put one after another: many rows may be views of the same bytes.
    let bytes = arguments.iter().map(|array| bytes_of(array)).sum::<u64>() + head_bytes(arguments.len()) as u64;
    if bytes > allowed.min(i32::MAX as u64) {
        return Ok(Err(FrameError::TooLarge { bytes, allowed }));
    }
    let mut frame = Vec::with_capacity(bytes as usize);
    frame.extend(MAGIC);
    frame.extend((rows as u32).to_le_bytes());
    frame.extend((arguments.len() as u32).to_le_bytes());
    frame.resize(head_bytes(arguments.len()), 0);
    for (index, array) in arguments.iter().enumerate() {
        let array = cast(array, &canonical(array.data_type()))?;
        let descriptor = write_column(&mut frame, &array);
        place(&mut frame, HEAD_BYTES + index * DESCRIPTOR_BYTES, &descriptor);
    }
    let descriptor = Descriptor::new(result).bytes();
    place(&mut frame, HEAD_BYTES + arguments.len() * DESCRIPTOR_BYTES, &descriptor);
    let len = (frame.len() as u32).to_le_bytes();
    place(&mut frame, 12, &len);
    Ok(Ok(frame))
}

fn head_bytes(arguments: usize) -> usize {
    HEAD_BYTES + (arguments + 1) * DESCRIPTOR_BYTES
}

fn place(frame: &mut [u8], at: usize, bytes: &[u8]) {
    frame[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The bytes that a column's buffers take, and what aligning them may.
fn bytes_of(array: &ArrayRef) -> u64 {
    let rows = array.len() as u64;
    let offsets = (rows + 1) * 4;
    let values = match array.data_type() {
        DataType::Utf8View => sum(array, array.as_string_view().lengths()) + offsets,
        DataType::BinaryView => sum(array, array.as_binary_view().lengths()) + offsets,
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets()) + offsets,
        DataType::LargeUtf8 => span(array.as_string::<i64>().value_offsets()) + offsets,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets()) + offsets,
        DataType::LargeBinary => span(array.as_binary::<i64>().value_offsets()) + offsets,
        other => other.primitive_width().map_or(rows.div_ceil(8), |width| rows * width as u64),
    };
    let validity = if array.null_count() > 0 { rows.div_ceil(8) } else { 0 };
    values + validity + 3 * 8
}

fn sum(array: &ArrayRef, lengths: impl Iterator<Item = u32>) -> u64 {
    lengths.enumerate().filter(|(row, _)| array.is_valid(*row)).map(|(_, length)| u64::from(length)).sum()
}

fn span<O: Copy + Into<i64>>(offsets: &[O]) -> u64 {
    let (first, last) = (offsets.first(), offsets.last());
    first.zip(last).map_or(0, |(&first, &last)| (last.into() - first.into()).unsigned_abs())
}

struct Descriptor {
    ty: FrameType,
    has_validity: bool,
    validity: usize,
    offsets: usize,
    values: usize,
    values_len: usize,
}

impl Descriptor {
    fn new(ty: FrameType) -> Self {
        Self { ty, has_validity: false, validity: 0, offsets: 0, values: 0, values_len: 0 }
    }

    fn bytes(&self) -> [u8; DESCRIPTOR_BYTES] {
        let mut bytes = [0; DESCRIPTOR_BYTES];
        bytes[0] = self.ty.kind as u8;
        bytes[1] = u8::from(self.has_validity);
        bytes[2] = self.ty.precision;
        bytes[3] = self.ty.scale.to_le_bytes()[0];
        for (at, number) in [(8, self.validity), (12, self.offsets), (16, self.values), (20, self.values_len)] {
            place(&mut bytes, at, &(number as u32).to_le_bytes());
        }
        bytes
    }
}

/// Appends a column's buffers, and gives its descriptor.
fn write_column(frame: &mut Vec<u8>, array: &ArrayRef) -> [u8; DESCRIPTOR_BYTES] {
    let ty = FrameType::of(array.data_type()).expect("the function was created for types that cross");
    let mut descriptor = Descriptor::new(ty);
    if let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) {
        descriptor.has_validity = true;
        descriptor.validity = append_bits(frame, nulls.inner());
    }
    match ty.kind {
        Kind::Boolean => {
            let values = array.as_boolean().values();
            descriptor.values = append_bits(frame, values);
            descriptor.values_len = values.len().div_ceil(8);
        }
        Kind::Text => {
            let array = array.as_string::<i32>();
            append_lists(frame, &mut descriptor, array.value_offsets(), array.value_data());
        }
        Kind::Binary => {
            let array = array.as_binary::<i32>();
            append_lists(frame, &mut descriptor, array.value_offsets(), array.value_data());
        }
        _ => {
            let width = ty.width().expect("every other kind is a number");
            let data = array.to_data();
            let numbers = &data.buffers()[0].as_slice()[data.offset() * width..][..data.len() * width];
            descriptor.values = append(frame, numbers);
            descriptor.values_len = numbers.len();
        }
    }
    descriptor.bytes()
}

fn append_lists(frame: &mut Vec<u8>, descriptor: &mut Descriptor, offsets: &[i32], values: &[u8]) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    align(frame);
    descriptor.offsets = frame.len();
    frame.extend(offsets.iter().flat_map(|offset| (offset - first).to_le_bytes()));
    let values = &values[first as usize..last as usize];
    descriptor.values = append(frame, values);
    descriptor.values_len = values.len();
}

fn append_bits(frame: &mut Vec<u8>, bits: &BooleanBuffer) -> usize {
    let sliced = bits.sliced();
    append(frame, &sliced.as_slice()[..bits.len().div_ceil(8)])
}

fn append(frame: &mut Vec<u8>, bytes: &[u8]) -> usize {
    align(frame);
    let at = frame.len();
    frame.extend_from_slice(bytes);
    at
}

fn align(frame: &mut Vec<u8>) {
    frame.resize(frame.len().next_multiple_of(8), 0);
}
