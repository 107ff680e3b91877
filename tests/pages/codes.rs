//! docs/errors.md has a paragraph for each code that a program can get, and for no other.

use std::collections::BTreeSet;

use hotcell::Phase;

use crate::{each_block, read, sources};

#[test]
fn every_code_has_its_paragraph() {
    let page = read("docs/errors.md");
    let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let set: BTreeSet<_> = headings.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(set.len(), headings.len(), "a code stands twice");
    let codes = codes();
    let missing: Vec<_> = codes.difference(&set).collect();
    let unknown: Vec<_> = set.difference(&codes).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
    for (index, line) in page.lines().enumerate().filter(|(_, line)| line.starts_with("### ")) {
        let next = page.lines().skip(index + 1).find(|line| !line.is_empty()).unwrap_or("#");
        assert!(!next.starts_with('#'), "{line} has no paragraph");
    }
}

/// The library's guide has a row for each blame, with its codes. One word covers all traps.
#[test]
fn the_guide_names_every_code_of_the_library() {
    let page = read("docs/embed.md");
    let blames = ["Module", "Guest", "HostFunction", "Caller", "Engine"].map(|blame| format!("| `{blame}` | "));
    let rows = page.lines().filter_map(|line| blames.iter().find_map(|blame| line.strip_prefix(blame.as_str())));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let named: BTreeSet<_> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    let codes = library().into_iter().map(|code| if code.starts_with("trap-") { "trap-…".to_owned() } else { code });
    assert_eq!(named, codes.collect());
}

/// Quoted output on a page has the form `hotcell: CODE in PHASE`.
#[test]
fn outputs_have_codes_and_phases_that_exist() {
    let codes = codes();
    let phases =
        [Phase::Admit, Phase::Compile, Phase::Instantiate, Phase::Abi, Phase::Alloc, Phase::Call, Phase::Reply];
    each_block("text", |block| {
        for words in block.text.lines().filter_map(|line| line.strip_prefix("hotcell: ")) {
            let (before, _) = words.split_once(':').unwrap();
            let mut words = before.split(' ');
            let code = words.next().unwrap();
            assert!(codes.contains(code), "{}: no code {code}", block.place());
            if words.next() == Some("in") {
                let phase = words.next().unwrap();
                assert!(phases.iter().any(|known| known.name() == phase), "{}: no phase {phase}", block.place());
            }
        }
    });
}

fn codes() -> BTreeSet<String> {
    let mut codes = library();
    codes.extend(program());
    codes
}

/// The string literals in every `fn code` of the library.
fn library() -> BTreeSet<String> {
    let text = sources("core/src");
    let bodies = text.split("pub fn code(").skip(1).map(|rest| rest.split("\n    }\n").next().unwrap_or(rest));
    let codes: BTreeSet<_> = bodies.flat_map(texts).collect();
    assert!(codes.len() >= 40, "{codes:?}");
    codes
}

/// The program's codes in addition to the library's: those of its failures, of the table of exit codes, and of its
/// conformance results.
fn program() -> BTreeSet<String> {
    let text = sources("cli/src");
    let made = ["Self::new(", "Failure::new(", "arguments(", "{ \"ok\" } else { "].into_iter();
    let made = made.flat_map(|before| text.split(before).skip(1).filter(|rest| rest.starts_with('"')));
    let made = made.filter_map(|rest| texts(rest).into_iter().next());
    let table = text.split("fn class(").nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("the table");
    // Verdicts are in brackets, codes in patterns; `trap-` is a prefix of codes.
    let patterns = table.split("=>").map(|part| part.rsplit(['}', ')']).next().unwrap_or(part));
    let patterns = patterns.flat_map(texts).filter(|code| !code.ends_with('-'));
    let codes: BTreeSet<_> = made.chain(patterns).filter(|code| code != "error").collect();
    assert!(codes.contains("not-conforming") && codes.contains("io") && codes.contains("text"), "{codes:?}");
    codes
}

/// String literals that may be codes.
fn texts(rust: &str) -> Vec<String> {
    let quoted = rust.split('"').skip(1).step_by(2);
    let is_code = |text: &&str| {
        !text.is_empty() && text.chars().all(|character| character.is_ascii_lowercase() || character == '-')
    };
    quoted.filter(is_code).map(str::to_owned).collect()
}
