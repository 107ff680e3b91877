//! Code blocks are valid.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use hotcell::{Contract, Offered, Policy, admit, parse_policy};
use toml::{Table, Value};

use crate::{Page, each_block, files, pages, read, root};

/// Blocks of Rust that no test compiles: the page, their number, and the reason.
const IGNORED: [(&str, usize, &str); 2] = [
    ("docs/embed.md", 1, "an async runtime is no dependency of hotcell"),
    ("docs/writing-a-backend.md", 6, "parts of a backend, whole in conformance/examples"),
];

/// Languages of blocks that have to be files of `guests/languages`.
const FROM_FILES: [&str; 6] = ["cpp", "go", "js", "python", "ts", "zig"];

/// Possible top-level keys of a cargo manifest.
const CARGO: [&str; 7] = ["dependencies", "dev-dependencies", "features", "lib", "package", "profile", "test"];

#[test]
fn every_block_of_rust_is_a_test() {
    let library = read("src/lib.rs");
    for page in pages() {
        let blocks = page.blocks();
        let rust: Vec<_> = blocks.iter().filter(|block| block.language() == "rust").collect();
        let ignored = rust.iter().filter(|block| block.info.contains("ignore")).count();
        let allowed = IGNORED.iter().find(|(path, ..)| *path == page.path).map_or(0, |(_, count, _)| *count);
        assert_eq!(ignored, allowed, "{}: blocks that are ignored", page.path);
        let is_tested = library.contains(&format!("include_str!(\"../{}\")", page.path));
        assert!(is_tested || rust.len() == ignored, "{} has Rust and is not in src/lib.rs", page.path);
    }
}

/// A repeated key is a parser error.
#[test]
fn every_block_of_toml_is_a_policy_or_is_for_cargo() {
    let (policies, manifests) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    each_block("toml", |block| {
        let table: Table = block.text.parse().unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        if table.keys().all(|key| CARGO.contains(&key.as_str())) {
            manifests.set(manifests.get() + 1);
            dependencies(&table).for_each(|(name, value)| check_dependency(&block.place(), name, value));
        } else {
            policies.set(policies.get() + 1);
            parse_policy(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        }
    });
    assert!(policies.get() > 0 && manifests.get() > 4, "{} policies, {} manifests", policies.get(), manifests.get());
}

fn dependencies(table: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let tables = ["dependencies", "dev-dependencies"].into_iter().filter_map(|key| table.get(key)?.as_table());
    tables.flatten()
}

/// A path leads to the package with this name, from beside a checkout, and the requested features exist.
fn check_dependency(place: &str, name: &str, value: &Value) {
    let Some(path) = value.get("path").and_then(Value::as_str) else {
        return;
    };
    let Some(inside) = path.strip_prefix("../hotcell") else { panic!("{place}: {path} is not beside the project") };
    let manifest = root().join(inside.trim_start_matches('/')).join("Cargo.toml");
    let manifest: Table = fs::read_to_string(&manifest).expect(place).parse().unwrap();
    assert_eq!(manifest["package"]["name"].as_str(), Some(name), "{place}");
    for feature in value.get("features").and_then(Value::as_array).into_iter().flatten() {
        let features = manifest["features"].as_table().unwrap();
        assert!(features.contains_key(feature.as_str().unwrap()), "{place}: {name} has no feature {feature}");
    }
}

/// As a reader does: the block and the sample, in a new project. The documentation test of the sample compiles them;
/// here cargo must find the packages.
#[test]
fn the_readme_makes_a_new_project() {
    let page = Page { path: "README.md".to_owned(), text: read("README.md") };
    let blocks = page.blocks();
    let block = |language: &str| &blocks.iter().find(|block| block.language() == language).unwrap().text;
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    fs::create_dir_all(project.join("src")).unwrap();
    let dependencies = block("toml").replace("../hotcell", root().to_str().unwrap());
    let manifest = format!(
        "[package]\nname = \"readme\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n{dependencies}\n[workspace]\n"
    );
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::write(project.join("src/main.rs"), block("rust")).unwrap();
    // Uses the locked versions, so that no registry is needed.
    fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--depth", "1", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(&project)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let packages: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for name in used_crates(block("rust")) {
        assert!(packages.contains(&name), "the sample uses {name}, the block has {packages:?}");
    }
}

/// The crates in the paths of the sample.
fn used_crates(rust: &str) -> Vec<&str> {
    let in_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let paths = rust.match_indices("::").map(|(at, _)| &rust[..at]);
    let firsts = paths.filter_map(|before| {
        let name = &before[before.trim_end_matches(in_name).len()..];
        let is_first = !before.trim_end_matches(in_name).ends_with("::");
        (is_first && name.starts_with(|first: char| first.is_ascii_lowercase())).then_some(name)
    });
    firsts.filter(|name| *name != "std").collect()
}

#[test]
fn crates_are_seen() {
    let rust = "use hotcell::{A, B};\nlet a = wat::parse(x)?; std::fs::read(y); A::new()";
    assert_eq!(used_crates(rust), ["hotcell", "wat"]);
}

#[test]
fn every_block_of_wat_is_a_guest() {
    each_block("wat", |block| {
        let module = wat::parse_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        let admitted = admit(&module, &Policy::default(), &Offered::default(), &Contract::bytes("process"));
        admitted.unwrap_or_else(|rejection| panic!("{}: {rejection}", block.place()));
    });
}

/// The host's compiler supports C, if not the attributes for exports.
#[test]
#[cfg(target_os = "linux")]
fn every_block_of_c_compiles() {
    each_block("c", |block| {
        let mut child = Command::new("cc")
            .args([
                "-x",
                "c",
                "-std=c11",
                "-ffreestanding",
                "-fsyntax-only",
                "-w",
                "-iquote",
                "guests/languages/c",
                "-",
            ])
            .current_dir(root())
            .stdin(Stdio::piped())
            .spawn()
            .expect("cc, which also links Rust");
        child.stdin.take().unwrap().write_all(block.text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{}", block.place());
    });
}

/// The plugins' test runs what these files are compiled to.
#[test]
fn every_block_in_another_language_is_a_file_of_a_plugin() {
    let folders = files(&root().join("guests/languages")).into_iter().filter(|path| path.is_dir());
    let sources: Vec<_> =
        folders.flat_map(|folder| files(&folder)).filter_map(|path| fs::read_to_string(path).ok()).collect();
    for language in FROM_FILES {
        each_block(language, |block| assert!(sources.contains(&block.text), "{} is no file", block.place()));
    }
    each_block("c", |block| {
        let is_whole = !block.text.contains("#include \"");
        assert!(is_whole || sources.contains(&block.text), "{} is no file", block.place());
    });
}

#[test]
fn no_block_is_without_a_language() {
    const KNOWN: [&str; 6] = ["c", "rust", "sh", "text", "toml", "wat"];
    for page in pages() {
        for block in page.blocks() {
            let is_known = KNOWN.contains(&block.language()) || FROM_FILES.contains(&block.language());
            assert!(is_known, "{}: {:?}", block.place(), block.info);
        }
    }
}
