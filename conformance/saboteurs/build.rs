//! Writes the example's backend with every saboteur's lies in it. Which of them tells its own is decided when the test
//! runs, so that all of them are one build.

use std::{collections::BTreeMap, env, fs, path::Path};

use list::Saboteur;

#[expect(dead_code, reason = "the test reads the rest")]
mod list;

const HONEST: &str = "../examples/custom_backend/custom";

fn main() {
    println!("cargo::rerun-if-changed={HONEST}");
    println!("cargo::rerun-if-changed=list");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let custom = Path::new(&out).join("custom");
    fs::create_dir_all(&custom).expect("a directory for the output");
    for file in ["mod.rs", "store.rs", "call.rs", "convert.rs"] {
        let honest = fs::read_to_string(Path::new(HONEST).join(file)).expect("the example's backend");
        fs::write(custom.join(file), with_lies(file, &honest)).expect("room for the output");
    }
    // Only a file that begins without inner documentation can be included.
    let entrance = "#[allow(warnings, reason = \"a lie leaves unused what the honest code used\")]\nmod custom;\n";
    fs::write(Path::new(&out).join("sabotaged.rs"), entrance).expect("room for the output");
}

/// A place in a file that ends there, with the name of each who lies in it, and the lie.
struct Place {
    end: usize,
    lies: Vec<(&'static str, &'static str)>,
}

/// The source, with a `match` on the saboteur's name in each place where one lies.
fn with_lies(file: &str, honest: &str) -> String {
    let mut places = BTreeMap::<usize, Place>::new();
    for (index, Saboteur { name, lies, .. }) in list::all().enumerate() {
        assert!(list::all().take(index).all(|other| other.name != *name), "there are two of {name}");
        for lie in lies.iter().filter(|lie| lie.file == file) {
            let (begin, end) = find(honest, lie.honest).unwrap_or_else(|| {
                panic!("{name}: this does not stand once in {file}: {}", lie.honest);
            });
            let place = places.entry(begin).or_insert(Place { end, lies: Vec::new() });
            assert_eq!(place.end, end, "{name}: two lies overlap in {file}: {}", lie.honest);
            place.lies.push((name, lie.sabotaged));
        }
    }
    let (mut source, mut copied) = (String::new(), 0);
    for (begin, Place { end, lies }) in places {
        assert!(copied <= begin, "two lies overlap in {file}: {}", &honest[begin..end]);
        source.push_str(&honest[copied..begin]);
        source.push_str("match crate::saboteur() {");
        for (name, sabotaged) in lies {
            source.push_str(&format!("{name:?} => {{ {sabotaged} }}"));
        }
        source.push_str(&format!("_ => {{ {} }} }}", &honest[begin..end]));
        copied = end;
    }
    source + &honest[copied..]
}

/// Where the text stands, if it does so once; only what is between `[[` and `]]`, if it has them.
fn find(source: &str, text: &str) -> Option<(usize, usize)> {
    let (before, rest) = text.split_once("[[").unwrap_or(("", text));
    let (lie, after) = rest.split_once("]]").unwrap_or((rest, ""));
    let whole = format!("{before}{lie}{after}");
    let begin = source.find(&whole).filter(|begin| source.rfind(&whole) == Some(*begin))? + before.len();
    Some((begin, begin + lie.len()))
}
