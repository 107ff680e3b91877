//! A parser of JSON (RFC 8259) that keeps nothing but counts: branches on every byte.

use alloc::{format, string::String};

/// How deep arrays and objects may nest.
const DEEPEST: u32 = 128;

pub(crate) fn parse(input: &[u8]) -> String {
    let mut parser = Parser { input, at: 0, counts: Counts::default() };
    match parser.document() {
        Some(()) => {
            let Counts { objects, arrays, strings, numbers, words } = parser.counts;
            format!("objects {objects}, arrays {arrays}, strings {strings}, numbers {numbers}, words {words}")
        }
        None => format!("wrong at byte {}", parser.at),
    }
}

#[derive(Default)]
struct Counts {
    objects: u32,
    arrays: u32,
    strings: u32,
    numbers: u32,
    /// `true`, `false` and `null`.
    words: u32,
}

/// Every method gives `None` where the input is wrong, and leaves `at` there.
struct Parser<'a> {
    input: &'a [u8],
    at: usize,
    counts: Counts,
}

impl Parser<'_> {
    fn document(&mut self) -> Option<()> {
        self.value(0)?;
        self.space();
        (self.at == self.input.len()).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' => {
                self.counts.objects += 1;
                self.list(depth, b'}', |parser| {
                    parser.space();
                    parser.string()?;
                    parser.space();
                    parser.expect(b':')
                })
            }
            b'[' => {
                self.counts.arrays += 1;
                self.list(depth, b']', |_| Some(()))
            }
            b'"' => self.string(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// Values between commas up to `end`; `before` reads what comes before each.
    fn list(&mut self, depth: u32, end: u8, before: fn(&mut Self) -> Option<()>) -> Option<()> {
        if depth == DEEPEST {
            return None;
        }
        self.at += 1;
        self.space();
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            before(self)?;
            self.value(depth + 1)?;
            self.space();
            if self.peek()? == end {
                self.at += 1;
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        self.counts.strings += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let digits = match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return None,
        };
        self.at += 1;
        for _ in 0..digits {
            if !self.peek()?.is_ascii_hexdigit() {
                return None;
            }
            self.at += 1;
        }
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.counts.words += 1;
        word.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn number(&mut self) -> Option<()> {
        self.counts.numbers += 1;
        let _ = self.expect(b'-');
        if self.expect(b'0').is_none() {
            self.digits()?;
        }
        if self.expect(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_is_counted() {
        let text = br#" {"a": [1, -2.5e+3, 0, true], "b\n\u00e9": {}, "": [null, "x", false]} "#;
        assert_eq!(parse(text), "objects 2, arrays 2, strings 4, numbers 3, words 3");
    }

    #[test]
    fn what_is_wrong_is_found() {
        for (text, at) in
            [("", 0), ("[1,]", 3), ("{\"a\" 1}", 5), ("01", 1), ("\"\\x\"", 2), ("[1", 2), ("1.", 2), ("nul", 3)]
        {
            assert_eq!(parse(text.as_bytes()), format!("wrong at byte {at}"), "{text}");
        }
        let deep = "[".repeat(200);
        assert_eq!(parse(deep.as_bytes()), "wrong at byte 128");
    }
}
