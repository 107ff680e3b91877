//! The commands: one per line, answered by one line each.
//!
//! | command | answer |
//! |---|---|
//! | `put KEY VALUE` | `ok`; the value is the rest of the line |
//! | `get KEY` | `= VALUE`, or `none` |
//! | `incr KEY` | `= NUMBER`: the value plus one, where an absent value counts as 0 |
//!
//! What goes wrong is answered by `error: ...`. Empty lines are skipped. A key is a word.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Where the values are. A host in WebAssembly, a map in the tests.
pub(crate) trait Store {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    /// The error is the host's own code: a negative number.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), i32>;
    fn log(&self, message: &str);
}

enum Answer {
    Done,
    Value(Vec<u8>),
    Absent,
}

enum Problem {
    UnknownCommand,
    Usage(&'static str),
    NotANumber,
    Overflow,
    Refused(i32),
}

/// Runs all commands of `input` and returns the answers.
pub(crate) fn run(input: &[u8], store: &mut impl Store) -> Vec<u8> {
    let mut reply = Vec::new();
    let (mut commands, mut failed) = (0_u32, 0_u32);
    for line in input.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.is_empty() {
            continue;
        }
        commands += 1;
        match command(line, store) {
            Ok(Answer::Done) => reply.extend_from_slice(b"ok"),
            Ok(Answer::Absent) => reply.extend_from_slice(b"none"),
            Ok(Answer::Value(value)) => {
                reply.extend_from_slice(b"= ");
                // A value that the host got from elsewhere may have line breaks; an answer is a line.
                reply.extend(value.iter().map(|&byte| match byte {
                    b'\n' | b'\r' => b' ',
                    byte => byte,
                }));
            }
            Err(problem) => {
                failed += 1;
                reply.extend_from_slice(b"error: ");
                problem.write_to(&mut reply);
            }
        }
        reply.push(b'\n');
    }
    store.log(&format!("kv: {commands} commands, {failed} failed"));
    reply
}

fn command(line: &[u8], store: &mut impl Store) -> Result<Answer, Problem> {
    let (name, rest) = split_word(line);
    let (key, value) = split_word(rest);
    match name {
        b"put" if key.is_empty() || value.is_empty() => Err(Problem::Usage("put KEY VALUE")),
        b"put" => put(store, key, value).map(|()| Answer::Done),
        b"get" if key.is_empty() || !value.is_empty() => Err(Problem::Usage("get KEY")),
        b"get" => Ok(store.get(key).map_or(Answer::Absent, Answer::Value)),
        b"incr" if key.is_empty() || !value.is_empty() => Err(Problem::Usage("incr KEY")),
        b"incr" => incr(store, key),
        _ => Err(Problem::UnknownCommand),
    }
}

fn put(store: &mut impl Store, key: &[u8], value: &[u8]) -> Result<(), Problem> {
    store.put(key, value).map_err(Problem::Refused)
}

fn incr(store: &mut impl Store, key: &[u8]) -> Result<Answer, Problem> {
    let number = match store.get(key) {
        None => 0,
        Some(value) => {
            let text = str::from_utf8(&value).map_err(|_| Problem::NotANumber)?;
            text.parse::<i64>().map_err(|_| Problem::NotANumber)?
        }
    };
    let next = number
        .checked_add(1)
        .ok_or(Problem::Overflow)?
        .to_string()
        .into_bytes();
    put(store, key, &next)?;
    Ok(Answer::Value(next))
}

/// The first word, and what follows the whitespace behind it.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

impl Problem {
    fn write_to(&self, reply: &mut Vec<u8>) {
        match self {
            Self::UnknownCommand => reply.extend_from_slice(b"unknown command"),
            Self::Usage(usage) => {
                reply.extend_from_slice(b"usage: ");
                reply.extend_from_slice(usage.as_bytes());
            }
            Self::NotANumber => reply.extend_from_slice(b"the value is not a number"),
            Self::Overflow => reply.extend_from_slice(b"the number is too large"),
            Self::Refused(code) => {
                reply.extend_from_slice(format!("refused by the host ({code})").as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::string::String;

    use super::*;

    #[derive(Default)]
    struct Map {
        values: BTreeMap<Vec<u8>, Vec<u8>>,
        log: RefCell<Vec<String>>,
    }

    impl Store for Map {
        fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
            self.values.get(key).cloned()
        }

        fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), i32> {
            if key.starts_with(b"readonly.") {
                return Err(-3);
            }
            self.values.insert(key.into(), value.into());
            Ok(())
        }

        fn log(&self, message: &str) {
            self.log.borrow_mut().push(message.into());
        }
    }

    fn answers(store: &mut Map, input: &str) -> String {
        String::from_utf8(run(input.as_bytes(), store)).unwrap()
    }

    #[test]
    fn commands_are_answered_line_by_line() {
        let mut store = Map::default();
        let input = "put name hot cell \r\n\nget name\n  get nothing\nincr n\nincr n\nget n";
        assert_eq!(
            answers(&mut store, input),
            "ok\n= hot cell\nnone\n= 1\n= 2\n= 2\n"
        );
        assert_eq!(answers(&mut store, "incr n"), "= 3\n");
        assert_eq!(
            *store.log.borrow(),
            ["kv: 6 commands, 0 failed", "kv: 1 commands, 0 failed"]
        );
        assert_eq!(answers(&mut store, ""), "");
    }

    #[test]
    fn what_goes_wrong_is_answered_too() {
        let mut store = Map::default();
        store
            .values
            .insert(b"max".into(), i64::MAX.to_string().into());
        store.values.insert(b"bytes".into(), b"\xff".into());
        store.values.insert(b"lines".into(), b"a\r\nb".into());
        let cases = [
            ("put", "error: usage: put KEY VALUE\n"),
            ("put k", "error: usage: put KEY VALUE\n"),
            ("get", "error: usage: get KEY\n"),
            ("get a b", "error: usage: get KEY\n"),
            ("incr a b", "error: usage: incr KEY\n"),
            ("delete k", "error: unknown command\n"),
            ("incr max", "error: the number is too large\n"),
            ("incr bytes", "error: the value is not a number\n"),
            ("incr lines", "error: the value is not a number\n"),
            ("put readonly.x 1", "error: refused by the host (-3)\n"),
            ("incr readonly.n", "error: refused by the host (-3)\n"),
            ("get lines", "= a  b\n"),
        ];
        for (input, expected) in cases {
            assert_eq!(answers(&mut store, input), expected, "{input}");
        }
    }
}
