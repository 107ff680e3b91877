//! What a guest wrote to its standard streams, for a terminal.

use std::fmt::{self, Display};

use hotcell::{Output, Report, verdict::Escaped};
use serde::Serialize;

use crate::outcome::base64;

/// Bytes of each stream that are printed. The JSON object has all that was kept.
const SHOWN: usize = 16 << 10;
/// Lines of each stream that are printed.
const LINES: usize = 400;

/// Both streams, line by line and escaped.
pub(crate) struct GuestLines<'a>(pub &'a Report);

impl Display for GuestLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output { stdout, stderr, dropped_stdout, dropped_stderr } = &self.0.output;
        for (bytes, dropped) in [(stdout, *dropped_stdout), (stderr, *dropped_stderr)] {
            let mut shown = 0;
            for line in bytes[..bytes.len().min(SHOWN)].split_inclusive(|byte| *byte == b'\n').take(LINES) {
                shown += line.len();
                let line = String::from_utf8_lossy(line);
                writeln!(f, "guest: {}", Escaped(line.trim_end_matches(['\n', '\r'])))?;
            }
            let more = dropped.saturating_add((bytes.len() - shown) as u64);
            if more > 0 {
                writeln!(f, "guest: and {more} bytes more")?;
            }
        }
        Ok(())
    }
}

/// Bytes in JSON: always as base64, and as text where they are.
#[derive(Default, Serialize)]
pub(crate) struct Streams {
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr_text: Option<String>,
    /// Bytes of both that were not kept.
    #[serde(skip_serializing_if = "is_zero")]
    dropped_bytes: u64,
}

impl From<&Output> for Streams {
    fn from(output: &Output) -> Self {
        let (stdout_base64, stdout_text) = in_json(&output.stdout);
        let (stderr_base64, stderr_text) = in_json(&output.stderr);
        let dropped_bytes = output.dropped_stdout.saturating_add(output.dropped_stderr);
        Self { stdout_base64, stdout_text, stderr_base64, stderr_text, dropped_bytes }
    }
}

fn in_json(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match bytes {
        [] => (None, None),
        bytes => (Some(base64(bytes)), text(bytes)),
    }
}

/// The bytes as text, if they are UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().map(str::to_owned)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
