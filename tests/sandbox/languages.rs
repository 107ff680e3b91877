//! The plugin of `guests/languages/`: the same replies from each language on every backend, and each file is built from its
//! source.

use std::{collections::BTreeMap, fs, path::Path};

use hotcell::{
    Contract, LoadError, Plugin, Policy, Sandbox, Tiered, Wasmi, Wasmtime,
    admit::{COMMAND, ModuleKind},
    backend::Backend,
    policy::Wasi,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

on_each_backend! {
    wasi_is_imported_and_may_be_denied
}

/// Need nothing of the host.
const PLAIN: [&str; 5] =
    ["assemblyscript/plugin.wasm", "c/plugin.wasm", "c/wasi.wasm", "rust/plugin.wasm", "zig/plugin.wasm"];

/// Import WASI.
const WASI: [&str; 5] =
    ["c/command.wasm", "cpp/plugin.wasm", "go/plugin.wasm", "javascript/plugin.wasm", "rust/wasi.wasm"];

const REPLIES: [(&str, &str); 8] = [
    (r#"{"text":"to be or not to be"}"#, r#"{"words":6,"unique":4,"longest":"not"}"#),
    (r#"{"text":""}"#, r#"{"words":0,"unique":0,"longest":""}"#),
    ("\n { \"text\" :\t\" \\t\\n\\f\\r \" }\r", r#"{"words":0,"unique":0,"longest":""}"#),
    (r#"{"t\u0065xt":"\u0061 a A"}"#, r#"{"words":3,"unique":2,"longest":"a"}"#),
    // Separated by white space of ASCII alone, and escaped where JSON must.
    (
        r#"{"text":"<\"\\\/\b\u000b\u001F\u00a0> x"}"#,
        "{\"words\":2,\"unique\":2,\"longest\":\"<\\\"\\\\/\\b\\u000b\\u001f\u{a0}>\"}",
    ),
    // The length is that in characters, not in bytes or units of UTF-16.
    (r#"{"text":"\ud83d\ude00\ud83d\ude00 abc"}"#, r#"{"words":2,"unique":2,"longest":"abc"}"#),
    (r#"{"text":"abc 😀éß\u2028 abcd"}"#, "{\"words\":3,\"unique\":3,\"longest\":\"😀éß\u{2028}\"}"),
    (r#"{"text":"a\u0000b a a\u0000b"}"#, r#"{"words":3,"unique":2,"longest":"a\u0000b"}"#),
];

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/languages").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn load<B: Backend>(name: &str, policy: Policy) -> Result<Plugin<B>, LoadError> {
    let module = read(name);
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    sandbox.load_with(&module, &sandbox.imports(), &Contract::of(&module, "process"))
}

/// The fuel of a plugin's replies: on new instances, and of those that are no commands in one session, too.
fn fuel_of_replies<B: Backend>(name: &str) -> Vec<Option<u64>> {
    let plugin = load::<B>(name, Policy::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let is_command = plugin.summary().kind() == ModuleKind::Command;
    let entry = if is_command { COMMAND } else { "process" };
    let mut session = (!is_command).then(|| plugin.session(()).unwrap());
    let mut fuel = Vec::new();
    for (input, expected) in REPLIES {
        let again = session.as_mut().map(|session| session.call(entry, input.as_bytes()));
        for reply in [plugin.call(entry, input.as_bytes())].into_iter().chain(again) {
            let reply = reply.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(String::from_utf8_lossy(&reply.bytes), expected, "{name}: {input}");
            fuel.push(reply.report.usage.fuel_used);
        }
    }
    fuel
}

#[test]
fn every_language_replies_the_same_with_the_same_fuel_on_every_backend() {
    for name in PLAIN.iter().chain(&WASI) {
        let fuel = fuel_of_replies::<Wasmtime>(name);
        assert_eq!(fuel_of_replies::<Wasmi>(name), fuel, "{name}");
        assert_eq!(fuel_of_replies::<Tiered>(name), fuel, "{name}");
        println!("{name:<30} wasmtime, wasmi, tiered: {} fuel", fuel[0].unwrap());
    }
}

fn wasi_is_imported_and_may_be_denied<B: Backend>() {
    for name in WASI {
        let denied = Policy::default().with(|rules| rules.wasi = Wasi::Deny).unwrap();
        let error = load::<B>(name, denied).err().unwrap();
        assert_eq!(error.code(), "import-denied", "{name}: {error}");
        assert!(error.to_string().contains("wasi_snapshot_preview1"), "{name}: {error}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    wasm: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
}

#[test]
fn the_compiled_plugins_are_those_of_the_sources() {
    let manifest: Manifest = toml::from_str(&String::from_utf8(read("manifest.toml")).unwrap()).unwrap();
    for (name, expected) in manifest.wasm.iter().chain(&manifest.sources) {
        let hash: String = Sha256::digest(read(name)).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, *expected, "run guests/languages/build.sh: {name}");
    }
    let mut compiled = [&PLAIN[..], &WASI[..]].concat();
    compiled.sort_unstable();
    assert_eq!(manifest.wasm.into_keys().collect::<Vec<_>>(), compiled);
}
