//! Links have targets, and the index lists every page.

use std::collections::BTreeMap;

use crate::{names, pages, read, root};

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut checked = 0;
    for page in pages() {
        for target in targets(&page.prose()) {
            if target.contains("://") {
                continue;
            }
            checked += 1;
            let (file, anchor) = target.split_once('#').map_or((&*target, None), |(file, anchor)| (file, Some(anchor)));
            let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let path = if file.is_empty() { page.path.clone() } else { joined(folder, file) };
            assert!(root().join(&path).exists(), "{}: {target} leads to no file", page.path);
            if let Some(anchor) = anchor {
                let anchors = anchors(&read(&path));
                assert!(anchors.contains(&anchor.to_owned()), "{}: {target} leads to no heading", page.path);
            }
        }
    }
    assert!(checked > 100, "{checked} links");
}

#[test]
fn the_index_has_every_page() {
    let index = targets(&read("docs/README.md"));
    for name in names("docs", "md").filter(|name| name != "README.md") {
        assert!(index.contains(&name), "docs/README.md does not lead to {name}");
    }
}

/// The targets in round brackets of all links.
fn targets(prose: &str) -> Vec<String> {
    let starts = prose.match_indices("](").map(|(at, found)| at + found.len());
    starts.filter_map(|at| Some(prose[at..].split_once(')')?.0.trim().to_owned())).collect()
}

/// `target`, relative to `folder`.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => assert!(parts.pop().is_some(), "{target} leads out of the repository"),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors that GitHub and others generate from a page's headings.
fn anchors(text: &str) -> Vec<String> {
    let (mut seen, mut inside) = (BTreeMap::<String, u32>::new(), false);
    let mut anchors = Vec::new();
    for line in text.lines() {
        inside ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if inside || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
        let anchor: String = kept.map(|character| if character == ' ' { '-' } else { character }).collect();
        let anchor = anchor.to_lowercase();
        let before = seen.entry(anchor.clone()).or_default();
        anchors.push(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
        *before += 1;
    }
    anchors
}

#[test]
fn anchors_are_made_as_usual() {
    let text = "# A `b` c\n## What it says, of both\n```\n# no heading\n```\n#nor this\n## A b c\n### What a call may use: `[limits]`";
    assert_eq!(anchors(text), ["a-b-c", "what-it-says-of-both", "a-b-c-1", "what-a-call-may-use-limits"]);
}
