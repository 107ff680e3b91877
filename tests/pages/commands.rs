//! The commands on the pages are commands of the program, with flags that exist.

use std::collections::{BTreeMap, BTreeSet};

use hotcell::{Preset, backends};

use crate::{Block, each_block, read, root, sources};

/// The flags of each command, by its name.
type Commands = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_command_is_understood() {
    let known = commands();
    let checked = std::cell::Cell::new(0);
    each_block("sh", |block| {
        for line in lines(&block.text) {
            for command in line.split(['|', ';', '(', ')']).flat_map(|part| part.split("&&")) {
                let words: Vec<_> = command.split_whitespace().collect();
                let ours = match &*words {
                    ["hotcell", rest @ ..] => rest,
                    ["cargo", "run", rest @ ..] if rest.contains(&"hotcell-cli") => {
                        let end = rest.iter().position(|word| *word == "--").unwrap_or(rest.len() - 1);
                        &rest[end + 1..]
                    }
                    other => {
                        check_cargo(block, other);
                        continue;
                    }
                };
                checked.set(checked.get() + 1);
                check(block, &known, ours);
            }
        }
    });
    assert!(checked.get() > 15, "{} commands", checked.get());
}

/// The plugins on the page are built as in `guests/languages`, where a test holds them to their replies: with the same
/// versions and options.
#[test]
fn plugins_are_built_as_in_their_script() {
    const TOOLS: [&str; 5] = ["pip", "npm", "npx", "python3", "GOOS=wasip1"];
    let script = read("guests/languages/build.sh");
    let page = read("docs/guests.md");
    let section = page.split("\n## ").find(|section| section.starts_with("In other languages")).expect("the section");
    let lines = lines(section);
    let commands: Vec<_> = lines.iter().filter(|line| TOOLS.iter().any(|tool| line.starts_with(tool))).collect();
    assert!(commands.len() > 10, "{commands:?}");
    for word in commands.iter().flat_map(|command| command.split_whitespace()) {
        let matters = word.starts_with(['-', 'G']) || word.contains("==") || word.contains('@');
        let is_of_the_place = ["-m", "-o"].contains(&word);
        assert!(!matters || is_of_the_place || script.contains(word), "guests/languages/build.sh has no {word}");
    }
    let runs: Vec<_> = section.lines().filter(|line| line.contains("| hotcell run ")).collect();
    assert!(runs.len() > 7, "{runs:?}");
    for run in runs {
        let is_known = run.starts_with(r#"echo '{"text":"to be or not to be"}' "#)
            && run.ends_with(r#" # {"words":6,"unique":4,"longest":"not"}"#);
        assert!(is_known, "{run}");
    }
}

fn check(block: &Block<'_>, known: &Commands, words: &[&str]) {
    let Some((name, words)) = words.split_first() else { panic!("{}: no command", block.place()) };
    if ["--help", "--version"].contains(name) {
        return;
    }
    let flags = known.get(*name).unwrap_or_else(|| panic!("{}: no command {name}", block.place()));
    for (index, word) in words.iter().enumerate().take_while(|(_, word)| **word != "--") {
        let Some(flag) = word.strip_prefix("--") else { continue };
        assert!(flags.contains(flag), "{}: {name} has no flag --{flag}", block.place());
        let value = words.get(index + 1).copied().unwrap_or("");
        let is_right = match flag {
            "preset" => Preset::ALL.iter().any(|preset| preset.name() == value),
            "backend" => backends().iter().any(|backend| backend.id == value),
            _ => true,
        };
        assert!(is_right, "{}: --{flag} {value}", block.place());
    }
}

/// Examples and packages in cargo commands exist.
fn check_cargo(block: &Block<'_>, words: &[&str]) {
    let value = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1).copied());
    if words.first() != Some(&"cargo") {
        return;
    }
    if let Some(example) = value("--example") {
        let is_there = root().join(format!("examples/{example}.rs")).exists();
        assert!(is_there, "{}: no example {example}", block.place());
    }
    if let Some(path) = value("--path") {
        let inside = path.strip_prefix("hotcell/").unwrap_or(path);
        assert!(root().join(inside).join("Cargo.toml").exists(), "{}: no package in {path}", block.place());
    }
}

/// Lines without comments; those that end in a backslash are joined.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let bare = |line: &str| line.split(" #").next().unwrap_or("").trim().to_owned();
    text.lines().map(bare).filter(|line| !line.is_empty()).collect()
}

/// Parsed from the program's arguments: each variant of `Command`, with the flags of its structure and of those within
/// it.
fn commands() -> Commands {
    let source = sources("cli/src");
    let structures = structures(&source);
    let variants = source.split("enum Command {").nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("commands");
    let mut commands = Commands::new();
    let mut inline: Option<String> = None;
    for line in variants.lines() {
        let line = line.strip_prefix("    ").unwrap_or("");
        let name = line.split(['(', ' ', ',']).next().unwrap_or("");
        match (&inline, name.starts_with(|first: char| first.is_ascii_uppercase() && name.len() > 2)) {
            (_, true) if line.ends_with("{") => {
                inline = Some(kebab(name));
                commands.insert(kebab(name), BTreeSet::new());
            }
            (_, true) if line.ends_with("),") => {
                let structure = line.split(['(', ')']).nth(1).unwrap_or("");
                commands.insert(kebab(name), flags(&structures, structure));
            }
            (Some(command), false) => {
                if let Some((field, _)) = line.trim().split_once(": ") {
                    commands.get_mut(command).unwrap().insert(kebab(field));
                }
            }
            _ => {}
        }
    }
    assert!(commands.len() >= 7 && commands["run"].contains("max-memory"), "{commands:?}");
    assert!(commands["backends"].contains("json") && !commands["backends"].contains("fuel"), "{commands:?}");
    commands
}

/// The body of each structure.
fn structures(source: &str) -> BTreeMap<&str, &str> {
    let bodies = source.split("struct ").skip(1).filter_map(|rest| {
        let (name, body) = rest.split_once(" {")?;
        let is_name = name.chars().all(char::is_alphanumeric);
        is_name.then(|| (name, body.split("\n}").next().unwrap_or(body)))
    });
    bodies.collect()
}

fn flags(structures: &BTreeMap<&str, &str>, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from(["help".to_owned()]);
    let (mut is_long, mut is_flat) = (false, false);
    for line in structures.get(name).unwrap_or_else(|| panic!("no structure {name}")).lines().map(str::trim) {
        is_long |= line.starts_with("#[arg(long");
        is_flat |= line.starts_with("#[command(flatten");
        let Some((field, ty)) = line.strip_prefix("pub ").and_then(|line| line.split_once(": ")) else { continue };
        if is_long {
            found.insert(kebab(field));
        }
        if is_flat {
            found.extend(flags(structures, ty.trim_end_matches(',')));
        }
        (is_long, is_flat) = (false, false);
    }
    found
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(if character == '_' { '-' } else { character.to_ascii_lowercase() });
    }
    kebab
}
