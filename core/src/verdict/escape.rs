use core::fmt::{self, Write as _};

/// Text from a guest, made safe to show: cut to 1 KiB, and every character escaped that is invisible, moves the cursor,
/// or changes how its neighbours are shown. Combining marks are ordinary text.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

/// Maximum bytes of guest text in one message.
const SHOWN: usize = 1_024;

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = 0;
        for char in self.0.chars() {
            let width = if is_harmless(char) { char.len_utf8() } else { char.escape_unicode().len() };
            if written + width > SHOWN {
                return write!(f, "… ({} bytes)", self.0.len());
            }
            written += width;
            match is_harmless(char) {
                true => f.write_char(char)?,
                false => write!(f, "{}", char.escape_unicode())?,
            }
        }
        Ok(())
    }
}

/// Whether `char` is visible and moves nothing.
fn is_harmless(char: char) -> bool {
    match char {
        '\\' => false,
        ' '..='~' => true,
        _ => is_printable(char) && !is_blank(char),
    }
}

/// Whether `char`, which is not ASCII, is in none of the general categories control, format, unassigned, private use,
/// surrogate and separator.
///
/// Uses the standard library's table, by which `Debug` escapes those. `Debug` escapes combining marks too, but only at
/// the beginning of a text.
fn is_printable(char: char) -> bool {
    let mut buffer = [b'x'; 5];
    let len = 1 + char.encode_utf8(&mut buffer[1..]).len();
    core::str::from_utf8(&buffer[..len]).is_ok_and(|text| text.escape_debug().eq(text.chars()))
}

/// Invisible letters, marks and symbols: joiners, fillers and variation selectors.
fn is_blank(char: char) -> bool {
    matches!(char,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
        | '\u{2d7f}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{1107f}' | '\u{13441}' | '\u{13442}' | '\u{16fe4}' | '\u{1d159}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_gets_through() {
        let shown = Escaped("a\x1b[31m\n\0\u{202e}é\\").to_string();
        assert_eq!(shown, r"a\u{1b}[31m\u{a}\u{0}\u{202e}é\u{5c}");
    }

    #[test]
    fn ordinary_text_passes() {
        for text in [
            "it's \"quoted\" ~",
            "é e\u{301} \u{308}",
            "हिन्दी में",
            "العَرَبِيَّة",
            "עִבְרִית",
            "ไทย",
            "日本語、한국어",
            "😀 ½ € №",
        ] {
            assert_eq!(Escaped(text).to_string(), text);
        }
    }

    /// Compares with the general categories of an independent table. If one table knows a character that the other does
    /// not, it is the newer one, because no older table can classify such a character. Characters that only ours knows
    /// may pass, those that only the other knows may be escaped, and there are not many.
    #[test]
    fn what_is_escaped_follows_from_the_general_category() {
        use unicode_general_category::{GeneralCategory as Category, get_general_category};

        let (mut newer_here, mut newer_there) = (0, 0);
        for char in '\0'..=char::MAX {
            let passes = is_harmless(char);
            let is_escaped_by_name = char == '\\' || is_blank(char);
            match get_general_category(char) {
                Category::Unassigned => newer_here += u32::from(passes),
                Category::SpaceSeparator => assert_eq!(passes, char == ' ', "{char:?}"),
                Category::Control
                | Category::Format
                | Category::PrivateUse
                | Category::Surrogate
                | Category::LineSeparator
                | Category::ParagraphSeparator => assert!(!passes, "{char:?}"),
                _ if is_escaped_by_name => assert!(!passes, "{char:?}"),
                _ => newer_there += u32::from(!passes),
            }
            let is_noncharacter = matches!(u32::from(char), 0xfdd0..=0xfdef) || u32::from(char) & 0xfffe == 0xfffe;
            assert!(!(passes && is_noncharacter), "{char:?}");
        }
        assert!(newer_here == 0 || newer_there == 0, "{newer_here} and {newer_there}: one table is newer");
        assert!(
            newer_here.max(newer_there) < 10_000,
            "{newer_here} and {newer_there}: a version brings some thousands"
        );
    }

    #[test]
    fn what_shows_nothing_is_escaped_by_name() {
        let ranges = [
            0x34f..=0x34f,
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            0x2800..=0x2800,
            0x3164..=0x3164,
            0xfe00..=0xfe0f,
            0xffa0..=0xffa0,
            0x2d7f..=0x2d7f,
            0x1107f..=0x1107f,
            0x13441..=0x13442,
            0xe0100..=0xe01ef,
            0x5c..=0x5c,
        ];
        for char in ranges.into_iter().flatten().filter_map(char::from_u32) {
            assert_eq!(Escaped(char.encode_utf8(&mut [0; 4])).to_string(), char.escape_unicode().to_string());
        }
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let shown = Escaped(&"\0".repeat(100_000)).to_string();
        assert!(shown.len() < 1_100, "{}", shown.len());
        assert!(shown.ends_with("(100000 bytes)"));
        assert_eq!(Escaped(&"x".repeat(1_024)).to_string().len(), 1_024);
        assert!(format!("{}", Escaped(&"é".repeat(1_024))).len() < 1_100);
    }
}
