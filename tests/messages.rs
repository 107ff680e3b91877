//! What a policy file or a name from the command line says is quoted short, and moves no cursor.

use hotcell::{HostOptions, Policy, Proposal, parse_policy, sandbox};

/// Longest message.
const LONGEST: usize = 16 << 10;

/// Colours, a new line, a bell, text from right to left, a byte order mark, and more than any line holds.
fn evil(len: usize) -> String {
    let mut name = "\x1b[2J\x1b]0;title\x07\n\r\0\u{202e}live\u{2066}\u{feff}\u{200b}\u{2028}\u{9b}1mé".to_owned();
    while name.len() < len {
        name.push_str("\x1b[31m\u{202e}");
    }
    let mut end = len.max(40).min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

#[test]
fn policies_and_names_are_quoted_harmlessly() {
    let mut messages = Vec::new();
    for name in [evil(0), evil(200), evil(900), evil(100_000)] {
        for text in [
            name.clone(),
            format!("preset = {name:?}"),
            format!("[{name:?}]\na = 1"),
            format!("proposals = [{name:?}]"),
        ] {
            messages.push(parse_policy(&text).unwrap_err().to_string());
        }
        messages.push(sandbox(&name, Policy::default(), &HostOptions::default()).err().unwrap().to_string());
    }
    let unlimited = Policy::default().with(|rules| (rules.limits.fuel, rules.limits.deadline) = (None, None));
    messages.push(unlimited.unwrap_err().to_string());
    let memory64 = Policy::default().with(|rules| rules.proposals.allow(Proposal::Memory64)).unwrap();
    messages.push(sandbox("wasmi", memory64, &HostOptions::default()).err().unwrap().to_string());
    for message in messages {
        assert!(message.len() <= LONGEST, "{} bytes", message.len());
        // A policy file's error quotes it in lines.
        let moves = message.chars().find(|char| *char != '\n' && !is_harmless(*char));
        assert_eq!(moves, None, "{}", message.escape_debug());
    }
}

/// Whether it shows itself and moves nothing.
fn is_harmless(char: char) -> bool {
    !(char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
}
