use std::{collections::BTreeMap, ops::Range};

use addr2line::{
    Context,
    gimli::{Dwarf, EndianSlice, LittleEndian, SectionId},
};

/// Maximum bytes of a module's debugging information that is read.
const MOST_BYTES: usize = 64 << 20;
/// Maximum bytes of a path.
const PATH: usize = 1_024;

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path of the file, as it was compiled. At most 1 KiB.
    pub file: String,
    /// Line, from 1.
    pub line: Option<u32>,
}

/// The lines of a module's source.
pub(super) struct Lines<'m> {
    context: Context<EndianSlice<'m, LittleEndian>>,
    /// Addresses in debugging information are offsets in here.
    code: Range<usize>,
}

impl<'m> Lines<'m> {
    /// From the custom sections of a module.
    pub(super) fn new(sections: &BTreeMap<&'m str, &'m [u8]>, code: Range<usize>) -> Option<Self> {
        let find = |id: SectionId| sections.get(id.name()).copied().unwrap_or(&[]);
        if !sections.contains_key(SectionId::DebugInfo.name())
            || sections.values().map(|section| section.len()).sum::<usize>() > MOST_BYTES
        {
            return None;
        }
        let dwarf =
            Dwarf::load(|id| Ok::<_, addr2line::gimli::Error>(EndianSlice::new(find(id), LittleEndian))).ok()?;
        Some(Self { context: Context::from_dwarf(dwarf).ok()?, code })
    }

    pub(super) fn find(&self, offset: u32) -> Option<Source> {
        let address = (offset as usize).checked_sub(self.code.start).filter(|_| (offset as usize) < self.code.end)?;
        let location = self.context.find_location(address as u64).ok()??;
        let file = location.file?.chars().scan(0, |len, char| {
            *len += char.len_utf8();
            (*len <= PATH).then_some(char)
        });
        Some(Source { file: file.collect(), line: location.line })
    }
}
