use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use wasmparser::{ExportSectionReader, ExternalKind, ImportSectionReader, Name, NameSectionReader, TypeRef};

/// Maximum bytes of a name that is shown.
const SHOWN: usize = 1_024;
/// Maximum bytes of a name that is demangled. Those of real programs are shorter; a made-up one may be expensive.
const DEMANGLED: usize = 4_096;
/// Most names: so many functions has no module that engines take.
const MOST_NAMES: usize = 1_000_000;

/// Names of functions, by index.
#[derive(Default)]
pub(super) struct Names<'m> {
    own: BTreeMap<u32, &'m str>,
    exported: BTreeMap<u32, &'m str>,
    imported: BTreeMap<u32, &'m str>,
}

impl<'m> Names<'m> {
    pub(super) fn read_imports(&mut self, imports: ImportSectionReader<'m>) {
        let functions = imports.into_iter().map_while(Result::ok);
        let functions = functions.filter(|import| matches!(import.ty, TypeRef::Func(_)));
        self.imported.extend((0..).zip(functions.take(MOST_NAMES)).map(|(index, import)| (index, import.name)));
    }

    pub(super) fn read_exports(&mut self, exports: ExportSectionReader<'m>) {
        for export in exports.into_iter().map_while(Result::ok).take(MOST_NAMES) {
            if export.kind == ExternalKind::Func {
                self.exported.entry(export.index).or_insert(export.name);
            }
        }
    }

    pub(super) fn read(&mut self, section: NameSectionReader<'m>) {
        for names in section.into_iter().map_while(Result::ok) {
            let Name::Function(names) = names else { continue };
            for naming in names.into_iter().map_while(Result::ok).take(MOST_NAMES) {
                self.own.entry(naming.index).or_insert(naming.name);
            }
        }
    }

    pub(super) fn get(&self, function: u32) -> Option<&'m str> {
        [&self.own, &self.exported, &self.imported].iter().find_map(|names| names.get(&function)).copied()
    }
}

/// A name as its language writes it, cut to [`SHOWN`] bytes.
pub(super) fn demangle(name: &str) -> String {
    let mut shown = Short(String::new());
    // What is too long ends in an error, and is cut.
    let _ = match name.len() <= DEMANGLED {
        true => demangled(&mut shown, name),
        false => shown.write_str(name),
    };
    shown.0
}

fn demangled(out: &mut Short, name: &str) -> fmt::Result {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return write!(out, "{rust:#}");
    }
    if name.starts_with("_Z")
        && let Ok(cpp) = cpp_demangle::Symbol::new(name)
        && cpp.structured_demangle(out, &cpp_demangle::DemangleOptions::default()).is_ok()
    {
        return Ok(());
    }
    if out.0.is_empty() { out.write_str(name) } else { Ok(()) }
}

/// A text that takes no more than [`SHOWN`] bytes.
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if self.0.len() + char.len_utf8() > SHOWN {
                return Err(fmt::Error);
            }
            self.0.push(char);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_their_language_writes_them() {
        assert_eq!(demangle("_ZN4core9panicking5panic17h0123456789abcdefE"), "core::panicking::panic");
        assert_eq!(demangle("_RNvNtCs1234_4core9panicking5panic"), "core::panicking::panic");
        assert_eq!(demangle("_ZN5space3fooEibc"), "space::foo(int, bool, char)");
        assert_eq!(demangle("main.process"), "main.process");
        assert_eq!(demangle("_Zwhatever"), "_Zwhatever");
    }

    #[test]
    fn no_name_is_longer_than_is_shown() {
        // Each type of the list is twice as long as the one before it.
        let doubling = (0..200).fold("_Z1fI1aE".to_owned(), |name, _| name + "St4pairIS_S_E");
        for name in [doubling, "_RNv".repeat(1_000), "é".repeat(5_000), "x".repeat(100_000)] {
            assert!(demangle(&name).len() <= SHOWN, "{}", name.len());
        }
    }
}
