//! The binary that the engine gets.

use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

use super::{START, pass::Passed};

const EXPORT_SECTION: u8 = 7;
const FUNCTION: u8 = 0;

/// `bytes` without custom sections; a start section becomes an export.
pub(super) fn for_engine<'a>(bytes: &'a [u8], passed: &Passed) -> Cow<'a, [u8]> {
    let mut edits: Vec<(Range<usize>, Vec<u8>)> =
        passed.custom_sections.iter().map(|range| (range.clone(), Vec::new())).collect();
    if let Some(start) = &passed.start {
        // The export section stands before the start section, so where there is none, one may stand in its place.
        let (count, items) =
            passed.exports.as_ref().map_or((0, 0..0), |exports| (exports.count, exports.items.clone()));
        let section = export_section(count, &bytes[items], start.function);
        match &passed.exports {
            Some(exports) => edits.extend([(exports.section.clone(), section), (start.section.clone(), Vec::new())]),
            None => edits.push((start.section.clone(), section)),
        }
        edits.sort_by_key(|(range, _)| range.start);
    }
    if edits.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(edited(bytes, &edits)) }
}

/// `bytes` with each range replaced. The ranges are in order and do not overlap.
fn edited(bytes: &[u8], edits: &[(Range<usize>, Vec<u8>)]) -> Vec<u8> {
    let removed: usize = edits.iter().map(|(range, _)| range.len()).sum();
    let added: usize = edits.iter().map(|(_, new)| new.len()).sum();
    let mut result = Vec::with_capacity(bytes.len() - removed + added);
    let mut from = 0;
    for (range, new) in edits {
        result.extend_from_slice(&bytes[from..range.start]);
        result.extend_from_slice(new);
        from = range.end;
    }
    result.extend_from_slice(&bytes[from..]);
    result
}

/// The export section with one more export: function `index` as [`START`].
fn export_section(count: u32, items: &[u8], index: u32) -> Vec<u8> {
    let mut content = Vec::with_capacity(items.len() + START.len() + 16);
    leb128(&mut content, count as usize + 1);
    content.extend_from_slice(items);
    leb128(&mut content, START.len());
    content.extend_from_slice(START.as_bytes());
    content.push(FUNCTION);
    leb128(&mut content, index as usize);
    let mut section = Vec::with_capacity(content.len() + 6);
    section.push(EXPORT_SECTION);
    leb128(&mut section, content.len());
    section.append(&mut content);
    section
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
