//! A plugin that turns CommonMark into HTML, with tables, footnotes and strikethrough.
//!
//! NUL and bytes that are not UTF-8 become U+FFFD. Raw HTML passes through, as CommonMark says: whoever
//! shows the reply to others sanitises it.

#![forbid(unsafe_code)]

use pulldown_cmark::{Options, Parser, html};

hotcell_guest::entry!(render);

fn render(input: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(input);
    if text.contains('\0') {
        text = text.replace('\0', "\u{fffd}").into();
    }
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    // HTML is a little longer than its Markdown: most replies then need no second allocation.
    let mut reply = String::with_capacity(text.len() + text.len() / 2);
    html::push_html(&mut reply, Parser::new_ext(&text, options));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commonmark() {
        assert_eq!(
            render(b"# Hot\n\na *cell* & more"),
            "<h1>Hot</h1>\n<p>a <em>cell</em> &amp; more</p>\n"
        );
        assert_eq!(render(b"<b>raw</b>"), "<p><b>raw</b></p>\n");
        assert_eq!(render(b""), "");
    }

    #[test]
    fn extensions() {
        assert_eq!(render(b"~~gone~~"), "<p><del>gone</del></p>\n");
        let table = render(b"| a | b |\n|---|--:|\n| 1 | 2 |\n");
        assert!(
            table.contains("<td style=\"text-align: right\">2</td>"),
            "{table}"
        );
        let footnote = render(b"Text[^1].\n\n[^1]: Note.\n");
        assert!(
            footnote.contains("class=\"footnote-definition\""),
            "{footnote}"
        );
    }

    #[test]
    fn bytes_that_are_no_text() {
        assert_eq!(render(b"a\xffb"), "<p>a\u{fffd}b</p>\n");
        assert_eq!(render(b"\0"), "<p>\u{fffd}</p>\n");
    }
}
