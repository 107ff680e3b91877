//! Reading modules and inputs.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use hotcell::Policy;

use crate::outcome::Failure;

/// Text is longer than the binary that it assembles to, but not by more than this.
const TEXT_FACTOR: u64 = 16;

/// The binary of a module: the file itself, or what its text assembles to.
pub(crate) fn read_module(path: &Path, policy: &Policy) -> Result<Vec<u8>, Failure> {
    let limit = policy.rules().module.bytes;
    let is_text = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wat"));
    if !is_text {
        return read_file("read the module", path, limit);
    }
    let text = read_file("read the module", path, limit.saturating_mul(TEXT_FACTOR))?;
    wat::parse_bytes(&text).map(|binary| binary.into_owned()).map_err(|mut error| {
        error.set_path(path);
        Failure::text(&error.to_string())
    })
}

/// The input of a call. More than the policy allows is not read: the call then refuses it.
pub(crate) fn read_input(path: Option<&Path>, policy: &Policy) -> Result<Vec<u8>, Failure> {
    let limit = policy.rules().limits.input_bytes;
    match path {
        None => Ok(Vec::new()),
        Some(path) if path == Path::new("-") => {
            read(io::stdin().lock(), limit).map_err(|error| Failure::stream("read standard input", &error))
        }
        Some(path) => read_file("read the input", path, limit),
    }
}

fn read_file(what: &str, path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    File::open(path).and_then(|file| read(file, limit)).map_err(|error| Failure::file(what, path, &error))
}

/// Reads to the end, or one byte past `limit`: enough for whoever checks the limit to see it exceeded.
fn read(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
