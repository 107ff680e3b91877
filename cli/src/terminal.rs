//! What standard output and standard error need where a person reads them.

use std::io::{self, IsTerminal, Write};

use clap::builder::styling::{AnsiColor, Style};
use hotcell::verdict::Escaped;

/// Of an error's code.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Of a warning.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Writes a reply to standard output: as it is to a file or a pipe. A terminal gets text, in which nothing moves the cursor; and a
/// line's end behind it, if a report follows there.
pub(crate) fn write_reply(reply: &[u8], report_follows: bool) -> io::Result<()> {
    let stdout = io::stdout();
    let share_a_line = report_follows && stdout.is_terminal() && io::stderr().is_terminal();
    let is_terminal = stdout.is_terminal();
    write_to(&mut stdout.lock(), reply, is_terminal, share_a_line)
}

fn write_to(out: &mut impl Write, reply: &[u8], is_terminal: bool, share_a_line: bool) -> io::Result<()> {
    match str::from_utf8(reply) {
        Ok(text) if is_terminal && !text.chars().all(moves_nothing) => write_escaped(out, text)?,
        Err(_) if is_terminal => write_escaped(out, &String::from_utf8_lossy(reply))?,
        _ => out.write_all(reply)?,
    }
    if share_a_line && !reply.is_empty() && !reply.ends_with(b"\n") {
        writeln!(out)?;
    }
    out.flush()
}

/// Character by character: a reply is not cut.
fn write_escaped(out: &mut impl Write, text: &str) -> io::Result<()> {
    text.chars().try_for_each(|char| match moves_nothing(char) {
        true => write!(out, "{char}"),
        false => write!(out, "{}", char.escape_unicode()),
    })
}

/// Whether a terminal only shows the character, or moves on as with any text.
fn moves_nothing(char: char) -> bool {
    match char {
        '\n' | '\t' | ' '..='~' => true,
        char => Escaped(char.encode_utf8(&mut [0; 4])).to_string() == char.to_string(),
    }
}

/// Text for standard output: as wide as its terminal, with later lines indented so far. A file or a pipe gets one line.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    match console::Term::stdout().size_checked() {
        Some((_, width)) => wrapped_to(text, indent, width.into()),
        None => text.to_owned(),
    }
}

fn wrapped_to(text: &str, indent: usize, width: usize) -> String {
    let indent = " ".repeat(indent.min(width / 2));
    textwrap::fill(text, textwrap::Options::new(width.max(20)).subsequent_indent(&indent).break_words(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &[u8], is_terminal: bool, share_a_line: bool) -> Vec<u8> {
        let mut out = Vec::new();
        write_to(&mut out, reply, is_terminal, share_a_line).unwrap();
        out
    }

    #[test]
    fn a_terminal_gets_text_that_moves_nothing() {
        let long = "x".repeat(5_000);
        for text in ["plain", "two\nlines\n", "a\ttab", r#"{"a":"\n"}"#, "\u{e9}\u{4e2d}", "", &long] {
            assert_eq!(written(text.as_bytes(), true, false), text.as_bytes());
        }
        for bytes in [&b"\x1b[2Jgone"[..], b"back\rward", b"\xff\xfe", b"\0", "\u{202e}over".as_bytes()] {
            assert_eq!(written(bytes, false, false), bytes, "a pipe gets the bytes");
            let shown = String::from_utf8(written(bytes, true, false)).unwrap();
            assert!(!shown.contains(['\u{1b}', '\r', '\0', '\u{202e}']), "{shown:?}");
        }
        let long = [b"\x1b".as_slice(), long.as_bytes()].concat();
        assert!(written(&long, true, false).ends_with(&long[1..]), "it is whole");
        assert_eq!(written(b"\x1b\nline", true, false).iter().filter(|byte| **byte == b'\n').count(), 1);
    }

    #[test]
    fn a_report_begins_a_line() {
        for (reply, expected) in [("42", "42\n"), ("42\n", "42\n"), ("", "")] {
            assert_eq!(written(reply.as_bytes(), true, true), expected.as_bytes());
            assert_eq!(written(reply.as_bytes(), true, false), reply.as_bytes());
        }
    }

    #[test]
    fn long_text_is_wrapped() {
        let text = wrapped_to(&"word ".repeat(30), 4, 40);
        assert!(text.lines().all(|line| line.len() <= 40));
        assert!(text.lines().skip(1).all(|line| line.starts_with("    word")), "{text}");
    }
}
