use core::fmt::{self, Write as _};

/// Text from a guest, made safe to show: cut to 1 KiB, control and bidirectional characters escaped.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

/// Most bytes of guest text that one message shows.
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

/// Whether `char` shows itself and moves nothing: no control, no format or bidirectional character, no odd separator.
fn is_harmless(char: char) -> bool {
    !char.is_control()
        && !matches!(char,
            '\\' | '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
    fn long_text_is_cut_and_says_so() {
        let shown = Escaped(&"\0".repeat(100_000)).to_string();
        assert!(shown.len() < 1_100, "{}", shown.len());
        assert!(shown.ends_with("(100000 bytes)"));
        assert_eq!(Escaped(&"x".repeat(1_024)).to_string().len(), 1_024);
        assert!(format!("{}", Escaped(&"é".repeat(1_024))).len() < 1_100);
    }
}
