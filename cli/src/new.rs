//! `hotcell new`: a plugin to start from, in one of some languages.

use std::{fs, io, path::Path, process::ExitCode};

use clap::ValueEnum;
use hotcell::verdict::Escaped;

use crate::outcome::{Failure, exit};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// With the library `hotcell-guest`
    Rust,
    /// With clang, without a C library
    C,
    /// With its own compiler, from npm
    #[value(name = "assemblyscript")]
    AssemblyScript,
    /// With Go's own compiler, for WASI
    Go,
    /// Without its build system
    Zig,
}

/// A file of a template: where it stands in the new directory, and what is in it.
type File = (&'static str, &'static str);

impl Language {
    fn files(self) -> &'static [File] {
        match self {
            Self::Rust => &[
                ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.txt")),
                ("src/lib.rs", include_str!("../templates/rust/lib.rs")),
                ("README.md", include_str!("../templates/rust/README.md")),
                (".gitignore", "/target\n"),
                ("hotcell-guest/Cargo.toml", include_str!("../templates/rust/guest.toml.txt")),
                ("hotcell-guest/src/lib.rs", include_str!("../../guest/src/lib.rs")),
                ("hotcell-guest/src/allocator.rs", include_str!("../../guest/src/allocator.rs")),
                ("hotcell-guest/src/exports.rs", include_str!("../../guest/src/exports.rs")),
                ("hotcell-guest/src/failure.rs", include_str!("../../guest/src/failure.rs")),
                ("hotcell-guest/src/session.rs", include_str!("../../guest/src/session.rs")),
            ],
            Self::C => &[
                ("plugin.c", include_str!("../templates/c/plugin.c")),
                ("README.md", include_str!("../templates/c/README.md")),
            ],
            Self::AssemblyScript => &[
                ("plugin.ts", include_str!("../templates/assemblyscript/plugin.ts")),
                ("package.json", include_str!("../templates/assemblyscript/package.json")),
                ("README.md", include_str!("../templates/assemblyscript/README.md")),
                (".gitignore", "/node_modules\n"),
            ],
            Self::Go => &[
                ("main.go", include_str!("../templates/go/main.go")),
                ("go.mod", include_str!("../templates/go/go.mod.txt")),
                ("README.md", include_str!("../templates/go/README.md")),
            ],
            Self::Zig => &[
                ("plugin.zig", include_str!("../templates/zig/plugin.zig")),
                ("README.md", include_str!("../templates/zig/README.md")),
            ],
        }
    }
}

/// `hotcell new`
pub(crate) fn new(language: Language, directory: &Path) -> ExitCode {
    let Some(name) = directory.file_name().and_then(|name| name.to_str()).filter(|name| is_name(name)) else {
        let message = "a plugin's name is of the letters a to z, digits, - and _, and begins with a letter";
        return Failure::arguments("wrong-arguments", message.to_owned()).finish(false);
    };
    if let Err(error) = write(language, directory, name) {
        return Failure::file("write the plugin to", directory, &error).finish(false);
    }
    let shown = directory.to_string_lossy();
    let shown = Escaped(&shown);
    exit(io::Write::write_fmt(&mut io::stdout(), format_args!("{shown}: README.md says how to build and run it\n")))
}

/// Writes the files to a directory that is not there yet.
fn write(language: Language, directory: &Path, name: &str) -> io::Result<()> {
    fs::create_dir(directory)?;
    for (path, text) in language.files() {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text.replace("{{name}}", name).replace("{{file}}", &name.replace('-', "_")))?;
    }
    Ok(())
}

/// Whether every language takes the name for a package.
fn is_name(name: &str) -> bool {
    let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_inside)
}
