//! The journal format, and what can be wrong with a journal.
//!
//! ```text
//! ; a comment, also with '#' in the first column
//! 2024-01-05 Groceries          ; a date (or 2024/01/05) and a description
//!     Expenses:Food   23.40 EUR ; an account, two spaces or a tab, an amount, a currency or none
//!     Assets:Cash               ; one posting may leave its amount out: here -23.40 EUR
//! ```
//!
//! An empty line or the next date ends a transaction. In each currency its amounts must add up to
//! zero.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::amount::Amount;

/// Problems that are spelled out; the rest is counted. Bounds the reply, whatever the input is.
const MAX_REPORTED: u32 = 100;

/// Currencies in one transaction. Bounds the memory and the time that a transaction takes.
const MAX_CURRENCIES: usize = 16;

/// Characters of the journal's own text that a message repeats.
const MAX_QUOTED: usize = 60;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// Checks a journal: one line per problem, then one line of summary.
///
/// Any bytes are a journal, though perhaps not a correct one. Takes time linear in their number.
pub(crate) fn check(journal: &[u8]) -> String {
    let journal = journal.strip_prefix(UTF8_BOM).unwrap_or(journal);
    let mut checker = Checker::default();
    for (number, line) in (1..).zip(journal.split(|&byte| byte == b'\n')) {
        checker.line(number, line.strip_suffix(b"\r").unwrap_or(line));
    }
    checker.finish()
}

#[derive(Default)]
struct Checker<'a> {
    report: String,
    problems: u32,
    transactions: u32,
    postings: u32,
    open: Option<Transaction<'a>>,
}

struct Transaction<'a> {
    line: u32,
    title: &'a [u8],
    postings: u32,
    /// Whether a posting left its amount out.
    inferred: bool,
    /// Whether a problem was reported already: then its sums mean nothing.
    broken: bool,
    totals: Vec<(&'a [u8], Amount)>,
}

impl<'a> Transaction<'a> {
    fn new(line: u32, title: &'a [u8], broken: bool) -> Self {
        Self {
            line,
            title,
            postings: 0,
            inferred: false,
            broken,
            totals: Vec::new(),
        }
    }

    /// Adds one posting's text, which is neither empty nor a comment.
    fn post(&mut self, text: &'a [u8]) -> Result<(), String> {
        let (account, rest) = split_account(text);
        let mut words = rest
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let Some(amount) = words.next() else {
            return self.post_without_amount(account);
        };
        let currency = words.next().unwrap_or_default();
        if words.next().is_some() {
            return Err(format!(
                "more than an amount and a currency: {}",
                quoted(rest)
            ));
        }
        let amount = Amount::parse(amount)
            .map_err(|error| format!("{} {}", quoted(amount), error.message()))?;
        self.add(currency, amount)
    }

    fn post_without_amount(&mut self, account: &[u8]) -> Result<(), String> {
        // "Assets:Cash 5": one space belongs to the account's name, and the amount would silently
        // be inferred.
        if let Some(space) = account.iter().rposition(u8::is_ascii_whitespace)
            && Amount::parse(&account[space + 1..]).is_ok()
        {
            return Err("account and amount need two spaces or a tab between them".into());
        }
        if self.inferred {
            return Err("a second posting without an amount".into());
        }
        self.inferred = true;
        Ok(())
    }

    fn add(&mut self, currency: &'a [u8], amount: Amount) -> Result<(), String> {
        let Some((_, total)) = self.totals.iter_mut().find(|(name, _)| *name == currency) else {
            if self.totals.len() == MAX_CURRENCIES {
                return Err(format!(
                    "more than {MAX_CURRENCIES} currencies in one transaction"
                ));
            }
            self.totals.push((currency, amount));
            return Ok(());
        };
        *total = total.checked_add(amount).ok_or("the sum is too large")?;
        Ok(())
    }

    /// What is wrong with the whole of it, now that it is complete.
    fn problem(&self) -> Option<String> {
        if self.broken {
            return None;
        }
        if self.postings < 2 {
            return Some(format!("{}: fewer than two postings", quoted(self.title)));
        }
        if self.inferred {
            return None;
        }
        let mut off = String::new();
        for (currency, total) in self.totals.iter().filter(|(_, total)| !total.is_zero()) {
            off.push_str(if off.is_empty() { ": off by " } else { ", " });
            total.write_to(&mut off);
            if !currency.is_empty() {
                off.push(' ');
                off.push_str(&quoted(currency));
            }
        }
        (!off.is_empty()).then(|| format!("{}{off}", quoted(self.title)))
    }
}

impl<'a> Checker<'a> {
    fn line(&mut self, number: u32, line: &'a [u8]) {
        let text = without_comment(line).trim_ascii();
        if text.is_empty() {
            // A line of nothing but a comment does not end a transaction.
            if line.trim_ascii().is_empty() {
                self.end_transaction();
            }
        } else if line[0].is_ascii_whitespace() {
            self.posting(number, text);
        } else {
            self.header(number, text);
        }
    }

    fn header(&mut self, number: u32, text: &'a [u8]) {
        self.end_transaction();
        let end = text
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(text.len());
        let problem = match text[0] {
            b'0'..=b'9' if is_date(&text[..end]) => None,
            b'0'..=b'9' => Some("is not a date (YYYY-MM-DD)"),
            _ => Some("is neither a date, a posting nor a comment"),
        };
        match problem {
            None => self.transactions += 1,
            Some(problem) => self.report(number, &format!("{} {problem}", quoted(&text[..end]))),
        }
        // The postings below a broken header are not reported one by one.
        self.open = Some(Transaction::new(number, text, problem.is_some()));
    }

    fn posting(&mut self, number: u32, text: &'a [u8]) {
        let Some(transaction) = &mut self.open else {
            return self.report(number, "a posting outside of a transaction");
        };
        self.postings += 1;
        transaction.postings += 1;
        if let Err(problem) = transaction.post(text) {
            transaction.broken = true;
            self.report(number, &problem);
        }
    }

    fn end_transaction(&mut self) {
        if let Some(transaction) = self.open.take()
            && let Some(problem) = transaction.problem()
        {
            self.report(transaction.line, &problem);
        }
    }

    fn report(&mut self, line: u32, problem: &str) {
        self.problems += 1;
        if self.problems <= MAX_REPORTED {
            self.report.push_str(&format!("line {line}: {problem}\n"));
        }
    }

    fn finish(mut self) -> String {
        self.end_transaction();
        if let unsaid @ 1.. = self.problems.saturating_sub(MAX_REPORTED) {
            self.report.push_str(&format!("... and {unsaid} more\n"));
        }
        let verdict = if self.problems == 0 { "ok" } else { "failed" };
        self.report.push_str(&format!(
            "{verdict}: {} transactions, {} postings, {} problems\n",
            self.transactions, self.postings, self.problems
        ));
        self.report
    }
}

/// Splits a posting at the first tab or pair of spaces: the account, and what follows it.
fn split_account(text: &[u8]) -> (&[u8], &[u8]) {
    let is_gap = |at: usize| text[at] == b'\t' || text[at..].starts_with(b"  ");
    match (0..text.len()).find(|&at| is_gap(at)) {
        Some(gap) => (&text[..gap], text[gap..].trim_ascii()),
        None => (text, &[]),
    }
}

/// Cuts a comment off: from a `;` at the start or after a space, or from a `#` in the first column.
fn without_comment(line: &[u8]) -> &[u8] {
    let starts_comment = |at: usize| match line[at] {
        b';' => at == 0 || line[at - 1].is_ascii_whitespace(),
        b'#' => at == 0,
        _ => false,
    };
    let end = (0..line.len())
        .find(|&at| starts_comment(at))
        .unwrap_or(line.len());
    &line[..end]
}

/// Whether `text` is a day of the Gregorian calendar, as `YYYY-MM-DD` or `YYYY/MM/DD`.
fn is_date(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, sep1, m1, m2, sep2, d1, d2] = text else {
        return false;
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
    if sep1 != sep2 || !matches!(sep1, b'-' | b'/') || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |n, &digit| n * 10 + u32::from(digit - b'0'))
    };
    let (year, month, day) = (
        number(&digits[..4]),
        number(&digits[4..6]),
        number(&digits[6..]),
    );
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The journal's own text, fit for a line of the report: short, UTF-8, no control characters.
fn quoted(text: &[u8]) -> String {
    let mut out = String::new();
    let chars = text.utf8_chunks().flat_map(|chunk| {
        let invalid = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(invalid)
    });
    for (count, char) in chars.enumerate() {
        if count == MAX_QUOTED {
            out.push_str("...");
            break;
        }
        out.push(if char.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            char
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_gives_the_expected_report() {
        let report = check(include_bytes!("../sample.journal"));
        assert_eq!(report, include_str!("../sample.expected"));
    }

    #[test]
    fn nothing_is_fine() {
        let report = "ok: 0 transactions, 0 postings, 0 problems\n";
        for journal in [
            "",
            "\n",
            "\r\n\r\n",
            "; only\n# comments\n  ; here\n",
            "\u{feff}",
            " \t ",
        ] {
            assert_eq!(check(journal.as_bytes()), report, "{journal:?}");
        }
    }

    /// The report on one transaction with these postings, without its last line.
    fn problems(postings: &str) -> String {
        let report = check(format!("2024-01-01 T\n{postings}").as_bytes());
        let (problems, _summary) = report.trim_end().rsplit_once('\n').unwrap_or_default();
        problems.into()
    }

    #[test]
    fn balanced_transactions() {
        let balanced = [
            " a  1\n b  -1",
            " a\t1 EUR\r\n b\t-1.00 EUR\r\n",
            " a  1 EUR\n b  2 USD\n c",
            " a  0.1\n b  0.2\n c  -0.3",
            " a  1\n ; a comment between\n b  -1 ; and behind",
            " an account  1\n b",
            " a;b  1\n b",
            " a\n b  0",
        ];
        for postings in balanced {
            assert_eq!(problems(postings), "", "{postings:?}");
        }
    }

    #[test]
    fn broken_transactions() {
        let broken = [
            ("", "line 1: 2024-01-01 T: fewer than two postings"),
            (" a", "line 1: 2024-01-01 T: fewer than two postings"),
            (" a  1\n b  -2", "line 1: 2024-01-01 T: off by -1"),
            (
                " a  1 EUR\n b  -1",
                "line 1: 2024-01-01 T: off by 1 EUR, -1",
            ),
            (
                " a  1.00 A\n b  2 B\n c  -1 A",
                "line 1: 2024-01-01 T: off by 2 B",
            ),
            (" a\n b", "line 3: a second posting without an amount"),
            (" a  x\n b", "line 2: x is not an amount"),
            (
                " a  1 E F\n b",
                "line 2: more than an amount and a currency: 1 E F",
            ),
            (
                " a 5\n b  1",
                "line 2: account and amount need two spaces or a tab between them",
            ),
            (
                " a  99999999999999999999\n b  99999999999999999999\n c",
                "line 3: the sum is too large",
            ),
            (
                "\n a  1",
                "line 1: 2024-01-01 T: fewer than two postings\nline 3: a posting outside of a transaction",
            ),
        ];
        for (postings, expected) in broken {
            assert_eq!(problems(postings), expected, "{postings:?}");
        }
    }

    #[test]
    fn a_transaction_has_a_bounded_number_of_currencies() {
        let postings = |count| -> String { (0..count).map(|n| format!(" a  1 C{n}\n")).collect() };
        assert_eq!(problems(&(postings(MAX_CURRENCIES) + " b")), "");
        let expected = "line 18: more than 16 currencies in one transaction";
        assert_eq!(problems(&postings(MAX_CURRENCIES + 1)), expected);
    }

    #[test]
    fn dates() {
        for date in ["2024-02-29", "2000-02-29", "2023/12/31", "0000-01-01"] {
            assert!(is_date(date.as_bytes()), "{date}");
        }
        let wrong = [
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024-01/01",
            "2024.01.01",
            "2024-1-1",
            "24-01-01",
            "2024-01-011",
            "",
        ];
        for date in wrong {
            assert!(!is_date(date.as_bytes()), "{date}");
        }
    }

    #[test]
    fn a_broken_header_silences_its_postings() {
        let report = check(b"2024-02-30 T\n a  1\n b  2\n\nhello\n a  1\n");
        let expected = "line 1: 2024-02-30 is not a date (YYYY-MM-DD)\n\
                        line 5: hello is neither a date, a posting nor a comment\n\
                        failed: 0 transactions, 3 postings, 2 problems\n";
        assert_eq!(report, expected);
    }

    #[test]
    fn the_report_is_bounded() {
        let report = check("x\n".repeat(50_000).as_bytes());
        assert!(
            report.ends_with(
                "... and 49900 more\nfailed: 0 transactions, 0 postings, 50000 problems\n"
            )
        );
        assert_eq!(report.lines().count(), 102);
        let report = check(&[b'x'; 10_000]);
        assert!(report.len() < 200, "{report}");
    }

    #[test]
    fn any_bytes_are_answered() {
        // A small generator of lines made of what the parser looks at.
        let mut state = 1_u64;
        let mut random = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize
        };
        const PIECES: [&[u8]; 18] = [
            b"2024-01-01",
            b" ",
            b"  ",
            b"\t",
            b"\n",
            b"\r\n",
            b";",
            b"#",
            b"-",
            b"1",
            b",000",
            b".",
            b"99999999999999999999",
            b"EUR",
            b"\xff\xc3",
            "\u{e9}\u{202e}".as_bytes(),
            b"\0\x1b",
            b"a",
        ];
        for _ in 0..20_000 {
            let journal: Vec<u8> = (0..random() % 40)
                .flat_map(|_| PIECES[random() % PIECES.len()])
                .copied()
                .collect();
            let report = check(&journal);
            let last = report.lines().last().unwrap();
            assert!(
                last.starts_with("ok: ") || last.starts_with("failed: "),
                "{report}"
            );
            assert!(
                !report.replace('\n', "").contains(char::is_control),
                "{report:?}"
            );
        }
    }
}
