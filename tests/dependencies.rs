//! Allowed dependencies: licences, sources, and crates that must not be combined.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Allowed licences of dependencies.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints text")
}

fn tree(arguments: &[&str]) -> BTreeSet<String> {
    let tree = cargo(&[&["tree", "--prefix", "none", "--format", "{p}", "--edges", "normal"], arguments].concat());
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn engines_in(tree: &BTreeSet<String>) -> Vec<&String> {
    let is_engine = |name: &&String| ["wasmtime", "cranelift", "pulley"].iter().any(|engine| name.starts_with(engine));
    tree.iter().filter(is_engine).collect()
}

#[test]
fn a_wasmi_only_build_has_no_jit() {
    let tree = tree(&["--package", "hotcell", "--no-default-features", "--features", "wasmi"]);
    assert!(tree.contains("wasmi"), "{tree:?}");
    assert_eq!(engines_in(&tree), Vec::<&String>::new());
}

/// The source files of a folder of core.
fn sources(folder: &str) -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => collect(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("core/src").join(folder), &mut found);
    found
}

/// Modules pass through core in one direction: policy, validation, the rewrite, and what uses their results.
#[test]
fn core_has_one_direction() {
    const LATER: [(&str, &[&str]); 3] = [
        ("policy", &["admit", "meter", "admission", "backend", "plugin"]),
        ("admit", &["meter", "admission", "backend", "plugin"]),
        ("meter", &["admission", "backend", "plugin"]),
    ];
    for (folder, later) in LATER {
        let files = sources(folder);
        assert!(files.len() > 5, "{files:?}");
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ");
            let imports = code.split("use crate::").skip(1).filter_map(|import| import.split(';').next());
            for import in imports.map(|import| import.replace(['{', '}', ','], " ")) {
                let roots = import.split_whitespace().filter_map(|path| path.split("::").next());
                let found: Vec<_> = roots.filter(|root| later.contains(root)).collect();
                assert_eq!(found, [""; 0], "{}", path.display());
            }
            for root in later {
                assert!(!code.contains(&format!("crate::{root}::")), "{} names {root}", path.display());
            }
        }
    }
}

/// The limitations of engines are in one file of the contract, each with its fence.
#[test]
fn core_speaks_of_engines_in_one_place() {
    let found = sources("");
    assert!(found.len() > 30, "{found:?}");
    for path in found.iter().filter(|path| !path.ends_with("fences.rs")) {
        let text = fs::read_to_string(path).unwrap().to_lowercase();
        // Which feature to enable is not a fact about an engine.
        let lines = text.lines().filter(|line| !line.contains("enable the feature"));
        for line in lines {
            let named = ["wasmtime", "wasmi", "cranelift"].iter().find(|engine| line.contains(*engine));
            assert_eq!(named, None, "{}: {line}", path.display());
        }
    }
}

#[test]
fn core_names_no_engine() {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let core = packages.iter().find(|package| package["name"] == "hotcell-core").unwrap();
    for dependency in core["dependencies"].as_array().unwrap() {
        let name = dependency["name"].as_str().unwrap();
        assert!(!name.starts_with("wasmtime") && !name.starts_with("wasmi"), "{name}");
    }
}

#[test]
fn the_engines_meet_in_no_backend() {
    assert!(!tree(&["--package", "hotcell-wasmi"]).contains("wasmtime"));
    assert!(!tree(&["--package", "hotcell-wasmtime"]).contains("wasmi"));
    assert!(!tree(&["--package", "hotcell-core", "--all-features"]).contains("wasmi"));
}

#[test]
fn every_dependency_has_an_allowed_licence_and_comes_from_the_registry() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--all-features"])).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = &package["name"];
        let Some(source) = package["source"].as_str() else {
            continue;
        };
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or("");
        assert!(is_allowed(licence), "{name} is under {licence:?}");
    }
}

/// Whether one side of every `AND` is available under an allowed licence.
fn is_allowed(expression: &str) -> bool {
    let one = |licence: &str| LICENCES.contains(&licence.trim_matches(['(', ')', ' ']));
    let either = |part: &str| part.replace('/', " OR ").split(" OR ").any(one);
    !expression.is_empty() && expression.split(" AND ").all(either)
}

#[test]
fn licences_are_told_apart() {
    assert!(is_allowed("MIT OR Apache-2.0"));
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(is_allowed("GPL-3.0 OR MIT"));
    assert!(!is_allowed("GPL-3.0"));
    assert!(!is_allowed("MIT AND GPL-3.0"));
    assert!(!is_allowed(""));
}
