//! Writes the example's backend with the mutations of every mutant in it. Which mutant is on is decided when the test
//! runs, so that all of them are one build.

use std::{collections::BTreeMap, env, fs, path::Path};

use list::Mutant;

#[expect(dead_code, reason = "the test reads the rest")]
mod list;

const ORIGINAL: &str = "../examples/custom_backend/custom";

fn main() {
    println!("cargo::rerun-if-changed={ORIGINAL}");
    println!("cargo::rerun-if-changed=list");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let custom = Path::new(&out).join("custom");
    fs::create_dir_all(&custom).expect("a directory for the output");
    for file in ["mod.rs", "store.rs", "call.rs", "convert.rs"] {
        let original = fs::read_to_string(Path::new(ORIGINAL).join(file)).expect("the example's backend");
        fs::write(custom.join(file), with_mutations(file, &original)).expect("room for the output");
    }
    // Only a file that begins without inner documentation can be included.
    let entrance =
        "#[allow(warnings, reason = \"a mutation leaves unused what the original code used\")]\nmod custom;\n";
    fs::write(Path::new(&out).join("mutated.rs"), entrance).expect("room for the output");
}

/// A place in a file that ends there, with the mutants that have a mutation in it, and what each does.
struct Place {
    end: usize,
    mutations: Vec<(&'static str, &'static str)>,
}

/// The source, with a `match` on the mutant's name in each place that one of them changes.
fn with_mutations(file: &str, original: &str) -> String {
    let mut places = BTreeMap::<usize, Place>::new();
    for (index, Mutant { name, mutations, .. }) in list::all().enumerate() {
        assert!(list::all().take(index).all(|other| other.name != *name), "there are two of {name}");
        for mutation in mutations.iter().filter(|mutation| mutation.file == file) {
            let (begin, end) = find(original, mutation.original).unwrap_or_else(|| {
                panic!("{name}: this is not in the file exactly once: {file}: {}", mutation.original);
            });
            let place = places.entry(begin).or_insert(Place { end, mutations: Vec::new() });
            assert_eq!(place.end, end, "{name}: two mutations overlap in {file}: {}", mutation.original);
            place.mutations.push((name, mutation.mutated));
        }
    }
    let (mut source, mut copied) = (String::new(), 0);
    for (begin, Place { end, mutations }) in places {
        assert!(copied <= begin, "two mutations overlap in {file}: {}", &original[begin..end]);
        source.push_str(&original[copied..begin]);
        source.push_str("match crate::mutant() {");
        for (name, mutated) in mutations {
            source.push_str(&format!("{name:?} => {{ {mutated} }}"));
        }
        source.push_str(&format!("_ => {{ {} }} }}", &original[begin..end]));
        copied = end;
    }
    source + &original[copied..]
}

/// Where the text stands, if it does so once; only what is between `[[` and `]]`, if it has them.
fn find(source: &str, text: &str) -> Option<(usize, usize)> {
    let (before, rest) = text.split_once("[[").unwrap_or(("", text));
    let (mutation, after) = rest.split_once("]]").unwrap_or((rest, ""));
    let whole = format!("{before}{mutation}{after}");
    let begin = source.find(&whole).filter(|begin| source.rfind(&whole) == Some(*begin))? + before.len();
    Some((begin, begin + mutation.len()))
}
