//! Each sentence of Behavior in the backend contract names the checks that prove it, and each check is named.

use std::{fs, path::Path, process::Command};

/// One sentence, and the checks that it names: ids, or the beginning of ids and a star.
struct Sentence {
    text: String,
    names: Vec<String>,
}

#[test]
fn every_sentence_names_checks_that_exist() {
    let ids = ids();
    let sentences = sentences();
    assert!(sentences.len() > 15, "{} sentences", sentences.len());
    for Sentence { text, names } in sentences {
        assert!(!names.is_empty(), "nothing proves: {text}");
        for name in names {
            assert!(ids.iter().any(|id| is_named(id, &name)), "no check {name}: {text}");
        }
    }
}

#[test]
fn every_check_is_named_by_a_sentence() {
    let sentences = sentences();
    for id in ids() {
        let is_named = sentences.iter().any(|sentence| sentence.names.iter().any(|name| is_named(&id, name)));
        assert!(is_named, "no sentence names {id}");
    }
}

#[test]
fn every_id_stands_once() {
    let mut ids = ids();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

/// As the program lists them.
fn ids() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_hotcell")).args(["conformance", "--list"]).output().unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let ids: Vec<_> = list.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    assert!(ids.len() > 500, "{list}");
    ids
}

fn is_named(id: &str, name: &str) -> bool {
    name.strip_suffix('*').map_or(id == name, |beginning| id.starts_with(beginning))
}

/// The points of every list under `# Behavior` in the documentation of the contract.
fn sentences() -> Vec<Sentence> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/backend");
    let files = fs::read_dir(directory).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    files.flat_map(|text| points(&text)).map(sentence).collect()
}

fn points(source: &str) -> Vec<String> {
    let (mut points, mut inside) = (Vec::<String>::new(), false);
    for line in source.lines().map(str::trim) {
        let Some(text) = line.strip_prefix("///").map(str::trim) else {
            inside = false;
            continue;
        };
        if let Some(heading) = text.strip_prefix("# ") {
            inside = heading == "Behavior";
        } else if let Some(point) = text.strip_prefix("* ").filter(|_| inside) {
            points.push(point.to_owned());
        } else if let Some(point) = points.last_mut().filter(|_| inside && !text.is_empty()) {
            point.push(' ');
            point.push_str(text);
        }
    }
    points
}

/// The names are in brackets at the end.
fn sentence(text: String) -> Sentence {
    let end = text.rsplit_once('(').and_then(|(_, end)| end.strip_suffix(')')).unwrap_or_default();
    let names = end.split(", ").filter_map(|name| Some(name.strip_prefix('`')?.strip_suffix('`')?.to_owned()));
    Sentence { names: names.collect(), text }
}
