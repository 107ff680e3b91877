//! Reading files and standard input. Reads no more than the limit of each: a device or a pipe may be endless.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
};

use hotcell::{Policy, Rejection, parse_policy, verdict::Reason};

use crate::{outcome::Failure, recognise::what_it_is};

/// The path of standard input, and of standard output.
pub(crate) const STDIN: &str = "-";

/// Maximum bytes of a policy file. A complete one has a few KiB.
const POLICY_BYTES: u64 = 1 << 20;

/// Maximum length of text, as a multiple of the binary that it assembles to.
const TEXT_FACTOR: u64 = 16;

/// Maximum bytes of a module's text, whatever the policy allows: the assembler takes many times as much.
const TEXT_BYTES: u64 = 64 << 20;

/// Reads a policy from a file.
pub(crate) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    const WHAT: &str = "read the policy";
    let text = read_file(WHAT, path, POLICY_BYTES)?.map_err(|_| Failure::long_policy(path, POLICY_BYTES))?;
    let text = String::from_utf8(text)
        .map_err(|error| Failure::file(WHAT, path, &io::Error::new(io::ErrorKind::InvalidData, error)))?;
    parse_policy(&text).map_err(|error| Failure::policy_file(path, &error))
}

/// Reads the binary of a module: the file itself, or its assembled text.
pub(crate) fn read_module(path: &Path, policy: &Policy) -> Result<Vec<u8>, Failure> {
    const WHAT: &str = "read the module";
    let allowed = policy.rules().module.bytes;
    if path == Path::new(STDIN) {
        let bytes =
            read(io::stdin().lock(), allowed).map_err(|error| Failure::stream("read standard input", &error))?;
        let bytes = bytes.map_err(|too_long| too_long.module(allowed))?;
        return if bytes.starts_with(MAGIC) { Ok(bytes) } else { assemble(path, bytes) };
    }
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wat")) {
        let bytes = read_file(WHAT, path, allowed)?.map_err(|too_long| too_long.module(allowed))?;
        return what_it_is(&bytes).map_or(Ok(bytes), |what| Err(Failure::not_a_module(what)));
    }
    let limit = allowed.saturating_mul(TEXT_FACTOR).min(TEXT_BYTES);
    let text = read_file(WHAT, path, limit)?.map_err(|_| {
        Failure::text(&format!("the text is longer than {limit} bytes, the most that is assembled here (module.bytes)"))
    })?;
    assemble(path, text)
}

/// The first bytes of a binary.
const MAGIC: &[u8] = b"\0asm";

/// The binary of a module's text. What is no text of one is told by what it is.
fn assemble(path: &Path, text: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let is_text = text.trim_ascii_start().starts_with(b"(") || text.trim_ascii_start().starts_with(b";;");
    if let Some(what) = what_it_is(&text).filter(|_| !is_text) {
        return Err(Failure::not_a_module(what));
    }
    wat::parse_bytes(&text).map(|binary| binary.into_owned()).map_err(|mut error| {
        error.set_path(path);
        Failure::text(&error.to_string())
    })
}

/// A name for a module: that of its file.
pub(crate) fn name_of(path: &Path) -> String {
    match path.file_stem() {
        Some(name) if path != Path::new(STDIN) => name.to_string_lossy().into_owned(),
        _ => "plugin".to_owned(),
    }
}

/// Reads the input of a call: a file, or standard input, which nobody is asked to type.
pub(crate) fn read_input(path: Option<&Path>, policy: &Policy) -> Result<Vec<u8>, Failure> {
    let limit = policy.rules().limits.input_bytes;
    let input = match path {
        None if io::stdin().is_terminal() => Ok(Vec::new()),
        Some(path) if path != Path::new(STDIN) => read_file("read the input", path, limit)?,
        None | Some(_) => {
            read(io::stdin().lock(), limit).map_err(|error| Failure::stream("read standard input", &error))?
        }
    };
    input.map_err(|TooLong { len }| Failure::input_too_large(len, limit))
}

/// An input that is there already.
pub(crate) fn check_input(input: Vec<u8>, policy: &Policy) -> Result<Vec<u8>, Failure> {
    let (len, limit) = (input.len() as u64, policy.rules().limits.input_bytes);
    if len > limit { Err(Failure::input_too_large(Some(len), limit)) } else { Ok(input) }
}

/// An input over the limit. Its content is not kept.
struct TooLong {
    /// Number of bytes, if known.
    len: Option<u64>,
}

impl TooLong {
    fn module(self, allowed: u64) -> Failure {
        let found = self.len.unwrap_or(allowed + 1);
        Rejection::new(None, Reason::LimitExceeded { limit: "module.bytes", found, allowed }).into()
    }
}

fn read_file(what: &str, path: &Path, limit: u64) -> Result<Result<Vec<u8>, TooLong>, Failure> {
    let read = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        // Devices and pipes have no length, and some files of /proc have one of zero.
        match metadata.len() {
            len if metadata.is_file() && len > limit => Ok(Err(TooLong { len: Some(len) })),
            _ => read(file, limit),
        }
    };
    read().map_err(|error| Failure::file(what, path, &error))
}

/// Reads to the end, or one byte past `limit`.
fn read(from: impl Read, limit: u64) -> io::Result<Result<Vec<u8>, TooLong>> {
    let mut bytes = Vec::new();
    let len = from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(if len as u64 > limit { Err(TooLong { len: None }) } else { Ok(bytes) })
}
