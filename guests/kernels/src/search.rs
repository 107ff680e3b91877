//! A matcher of patterns that runs a nondeterministic automaton, all its states at once: one word of bits.
//!
//! A pattern is a row of atoms: a byte, `.` for any, `\d` for a digit, `\w` for a letter, digit or `_`, or `\` and a byte
//! for the byte itself. `?`, `*` and `+` after an atom mean what they usually do.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// One state for each atom, and one for the end: they are the bits of a word.
const MOST_ATOMS: usize = 63;

pub(crate) fn search(input: &[u8]) -> String {
    let mut lines = input.split(|byte| *byte == b'\n');
    match Automaton::new(lines.next().unwrap_or_default()) {
        Some(automaton) => lines.filter(|line| automaton.finds(line)).count().to_string(),
        None => format!("the first line is a pattern of at most {MOST_ATOMS} atoms"),
    }
}

struct Automaton {
    /// For each byte, the states that it leaves for the next one.
    steps: Vec<u64>,
    /// States that keep what they have taken: `*` and `+`.
    loops: u64,
    /// States that may be passed without a byte: `?` and `*`.
    optional: u64,
    end: u64,
}

impl Automaton {
    fn new(pattern: &[u8]) -> Option<Self> {
        let mut automaton = Self { steps: vec![0; 256], loops: 0, optional: 0, end: 0 };
        let (mut state, mut rest) = (1u64, pattern);
        let mut atoms = 0;
        while let Some((&first, after)) = rest.split_first() {
            atoms += 1;
            let (takes, after): (fn(u8, u8) -> bool, _) = match (first, after.split_first()) {
                (b'\\', Some((b'd', after))) => (|byte, _| byte.is_ascii_digit(), after),
                (b'\\', Some((b'w', after))) => (|byte, _| byte.is_ascii_alphanumeric() || byte == b'_', after),
                (b'\\', Some((_, after))) => (|byte, own| byte == own, after),
                (b'\\', None) => return None,
                (b'.', _) => (|_, _| true, after),
                _ => (|byte, own| byte == own, after),
            };
            let own = if first == b'\\' { rest[1] } else { first };
            for byte in 0..=u8::MAX {
                if takes(byte, own) {
                    automaton.steps[usize::from(byte)] |= state;
                }
            }
            rest = match after.split_first() {
                Some((b'?', after)) => {
                    automaton.optional |= state;
                    after
                }
                Some((b'*', after)) => {
                    automaton.optional |= state;
                    automaton.loops |= state;
                    after
                }
                Some((b'+', after)) => {
                    automaton.loops |= state;
                    after
                }
                _ => after,
            };
            state <<= 1;
        }
        automaton.end = state;
        (atoms <= MOST_ATOMS).then_some(automaton)
    }

    /// Whether some part of `line` matches.
    fn finds(&self, line: &[u8]) -> bool {
        let mut states = self.pass(1);
        for byte in line {
            if states & self.end != 0 {
                return true;
            }
            let taken = states & self.steps[usize::from(*byte)];
            // A match may begin anywhere.
            states = self.pass(taken << 1 | taken & self.loops | 1);
        }
        states & self.end != 0
    }

    /// Adds the states that are reached without a byte.
    fn pass(&self, mut states: u64) -> u64 {
        loop {
            let more = states | (states & self.optional) << 1;
            if more == states {
                return states;
            }
            states = more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, line, matches) in [
            ("cell", "a hot cell.", true),
            ("cell", "a hot cel", false),
            ("c.ll", "call", true),
            ("ab?c", "xacx", true),
            ("ab?c", "abbc", false),
            ("ab*c", "abbbc", true),
            ("ab+c", "ac", false),
            ("ab+c", "abbc", true),
            ("\\d\\d:\\d\\d", "at 12:30", true),
            ("\\d\\d:\\d\\d", "at 1:30", false),
            ("\\w+@\\w+\\.\\w+", "write to me_1@example.org", true),
            ("\\w+@\\w+\\.\\w+", "write to me@example", false),
            ("a?b?c?", "", true),
        ] {
            let input = format!("{pattern}\n{line}");
            assert_eq!(search(input.as_bytes()), if matches { "1" } else { "0" }, "{pattern} in {line}");
        }
        assert_eq!(search(b"a\nxa\nb\na\n"), "2");
        assert_eq!(search(b"\\\n"), "the first line is a pattern of at most 63 atoms");
        assert_eq!(search(&[b'a'; 64]), "the first line is a pattern of at most 63 atoms");
    }
}
