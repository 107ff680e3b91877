//! Sections with items that the rewrite appends.

use alloc::vec::Vec;

use wasm_encoder::{Encode, RawSection, Section as _, SectionId};
use wasmparser::BinaryReader;

use super::context::encoded;
use crate::admit::FuncType;

/// Opcode of a function type.
const FUNCTION_TYPE: u8 = 0x60;

/// Encoded items of a section.
#[derive(Default)]
pub(super) struct Items {
    pub(super) count: u32,
    pub(super) bytes: Vec<u8>,
}

impl Items {
    pub(super) fn add(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.count += 1;
        encode(&mut self.bytes);
    }

    pub(super) fn add_type(&mut self, ty: &FuncType) {
        self.add(|out| {
            out.push(FUNCTION_TYPE);
            for types in [&ty.params, &ty.results] {
                types.len().encode(out);
                types.iter().for_each(|ty| encoded(*ty).encode(out));
            }
        });
    }
}

/// Writes a section with the existing content and the new items; no section when there are neither.
pub(super) fn append(module: &mut Vec<u8>, id: SectionId, content: Option<&[u8]>, new: Items) {
    let (count, items) = match content {
        None if new.count == 0 => return,
        None => (0, &[][..]),
        Some(content) => {
            let mut reader = BinaryReader::new(content, 0);
            let Ok(count) = reader.read_var_u32() else {
                unreachable!("admission has read this section");
            };
            (count, &content[reader.original_position()..])
        }
    };
    let mut data = Vec::with_capacity(items.len() + new.bytes.len() + 5);
    (count + new.count).encode(&mut data);
    data.extend_from_slice(items);
    data.extend_from_slice(&new.bytes);
    RawSection { id: id as u8, data: &data }.append_to(module);
}
