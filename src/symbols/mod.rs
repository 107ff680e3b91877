//! What a module says about its functions: names, and places in its source. All of it is the guest's own word.

mod names;
mod source;

pub use source::Source;

use std::{collections::BTreeMap, ops::Range};

use wasmparser::{KnownCustom, Parser, Payload};

use self::{names::Names, source::Lines};

/// What a module says about its functions. Names and paths come from the guest: [escape](crate::verdict::Escaped) them before
/// they reach a terminal.
pub struct Symbols<'m> {
    names: Names<'m>,
    lines: Option<Lines<'m>>,
}

impl<'m> Symbols<'m> {
    /// Reads a module's custom sections. What is missing or malformed there is not said.
    pub fn of(module: &'m [u8]) -> Self {
        let (mut names, mut sections, mut code) = (Names::default(), BTreeMap::new(), Range::default());
        for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
            match payload {
                Payload::ImportSection(imports) => names.read_imports(imports),
                Payload::ExportSection(exports) => names.read_exports(exports),
                Payload::CodeSectionStart { range, .. } => code = range,
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Name(section) => names.read(section),
                    _ => {
                        sections.entry(section.name()).or_insert_with(|| section.data());
                    }
                },
                _ => {}
            }
        }
        Self { names, lines: Lines::new(&sections, code) }
    }

    /// The name of a function, demangled: that of the `name` section, otherwise that under which it is exported. At most 1 KiB.
    pub fn name(&self, function: u32) -> Option<String> {
        self.names.get(function).map(names::demangle)
    }

    /// The place in the source of the operator at an offset in the module.
    pub fn source(&self, offset: u32) -> Option<Source> {
        self.lines.as_ref()?.find(offset)
    }
}
