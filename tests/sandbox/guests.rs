//! The plugins of `guests/`: each returns its known replies on every backend, and each matches its source.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use hotcell::{
    Contract, Policy, Reply, Sandbox, Wasmi, Wasmtime,
    backend::{Backend, HostFn},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

on_each_backend! {
    markdown
    ledger_check
    ledger_check_in_a_microcontroller
    wordcount
    kernels
    kv
    kv_when_the_host_refuses
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

fn read(name: &str) -> Vec<u8> {
    let path = directory().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Calls a guest that imports nothing with `input`.
fn reply<B: Backend>(guest: &str, policy: Policy, input: &[u8]) -> Reply {
    let plugin = Sandbox::<B>::on(policy).unwrap().load(&read(guest), "process").unwrap();
    plugin.call("process", input).unwrap_or_else(|error| panic!("{guest}: {error}"))
}

/// Checks a guest's replies to these inputs, under the default policy and the strict one, in one session and on new
/// instances.
fn answers<B: Backend>(guest: &str, known: &[(&[u8], &str)]) {
    for policy in [Policy::default(), Policy::strict()] {
        let plugin = Sandbox::<B>::on(policy).unwrap().load(&read(guest), "process").unwrap();
        let mut session = plugin.session(()).unwrap();
        for (input, expected) in known {
            for reply in [plugin.call("process", input).unwrap(), session.call("process", input).unwrap()] {
                assert_eq!(String::from_utf8_lossy(&reply.bytes), *expected, "{:?}", String::from_utf8_lossy(input));
            }
        }
    }
}

fn markdown<B: Backend>() {
    answers::<B>(
        "markdown.wasm",
        &[
            (b"", ""),
            (b"# Hot\n\na *cell* & more", "<h1>Hot</h1>\n<p>a <em>cell</em> &amp; more</p>\n"),
            (b"1. one\n2. two\n", "<ol>\n<li>one</li>\n<li>two</li>\n</ol>\n"),
            (b"```rust\nfn main() {}\n```\n", "<pre><code class=\"language-rust\">fn main() {}\n</code></pre>\n"),
            (b"~~gone~~", "<p><del>gone</del></p>\n"),
            (b"[a](b \"c\")", "<p><a href=\"b\" title=\"c\">a</a></p>\n"),
            (b"a\xffb\0", "<p>a\u{fffd}b\u{fffd}</p>\n"),
        ],
    );
    let table = reply::<B>("markdown.wasm", Policy::default(), b"| a | b |\n|---|--:|\n| 1 | 2 |\n");
    assert!(String::from_utf8(table.bytes).unwrap().contains("<td style=\"text-align: right\">2</td>"));
}

fn ledger_check<B: Backend>() {
    let (journal, expected) = (read("ledger-check/sample.journal"), read("ledger-check/sample.expected"));
    answers::<B>(
        "ledger-check.wasm",
        &[
            (&journal, std::str::from_utf8(&expected).unwrap()),
            (b"", "ok: 0 transactions, 0 postings, 0 problems\n"),
            (b"2024-01-01 Start\n    A   1.00 EUR\n    B  -1.00 EUR\n", "ok: 1 transactions, 2 postings, 0 problems\n"),
        ],
    );
}

fn ledger_check_in_a_microcontroller<B: Backend>() {
    let journal = read("ledger-check/sample.journal");
    let reply = reply::<B>("ledger-check.wasm", Policy::embedded(), &journal);
    assert_eq!(reply.bytes, read("ledger-check/sample.expected"));
    assert_eq!(reply.report.usage.refused_growths, 0);
    assert_eq!(reply.report.usage.peak_memory_bytes / (64 << 10), 1, "it stays in its one page");
}

fn wordcount<B: Backend>() {
    answers::<B>(
        "wordcount.wasm",
        &[
            (b"", "lines 0\nwords 0\nbytes 0\n"),
            (b"\n\n", "lines 2\nwords 0\nbytes 2\n"),
            (
                b"The cat and the hat\nTHE END",
                "lines 2\nwords 7\nbytes 27\n   3 the\n   1 and\n   1 cat\n   1 end\n   1 hat\n",
            ),
            ("schön don't schön".as_bytes(), "lines 1\nwords 3\nbytes 19\n   2 schön\n   1 don't\n"),
        ],
    );
    // Thousands of different words, so that its table and its memory grow.
    let many: String = (0..20_000).map(|number| format!("w{} ", number % 5_000)).collect();
    let reply = reply::<B>("wordcount.wasm", Policy::default(), many.as_bytes());
    let text = String::from_utf8(reply.bytes).unwrap();
    assert!(
        text.starts_with(&format!("lines 1\nwords 20000\nbytes {}\n   4 w0\n   4 w1\n   4 w10\n", many.len())),
        "{text}"
    );
    assert!(reply.report.usage.peak_memory_bytes > 64 << 10);
}

fn kernels<B: Backend>() {
    let wasm = read("kernels.wasm");
    let answer = |kernel: &str, input: &[u8]| {
        let plugin = Sandbox::<B>::on(Policy::default()).unwrap().load(&wasm, kernel).unwrap();
        plugin.call(kernel, input).unwrap_or_else(|error| panic!("{kernel}: {error}")).bytes
    };
    let text = |kernel: &str, input: &[u8]| String::from_utf8(answer(kernel, input)).unwrap();
    // The examples of FIPS 180-4.
    assert_eq!(text("hash", b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(text("hash", &[b'a'; 1_000_000]), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    // One literal, a copy of eleven bytes at distance one, five literals.
    assert_eq!(answer("compress", &[b'a'; 17]), [0x17, b'a', 1, 0, 0x50, b'a', b'a', b'a', b'a', b'a']);
    assert_eq!(
        answer("sort", &[3, 0, 0, 0, 255, 255, 255, 255, 2, 1, 0, 0]),
        [3, 0, 0, 0, 2, 1, 0, 0, 255, 255, 255, 255]
    );
    // Two matrices of order 2: ((0, 3), (7, 10)) and ((0, 13), (5, 1)).
    assert_eq!(text("matrix", b"2"), "169");
    let json = br#"{"a": [1, -2.5e+3, true], "b": {}}"#;
    assert_eq!(text("parse", json), "objects 2, arrays 1, strings 2, numbers 2, words 1");
    assert_eq!(text("parse", b"[1,]"), "wrong at byte 3");
    assert_eq!(text("search", b"\\w+@\\w+\\.org\nme@example.org\nyou@example.com\n"), "1");
}

/// The store of one instance.
#[derive(Default)]
struct Store {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    log: Vec<String>,
}

fn kv_plugin<B>() -> hotcell::Plugin<B, Store>
where
    B: Backend + HostFn<(u32, u32, u32, u32), i32> + HostFn<(u32, u32), ()>,
{
    let sandbox = Sandbox::<B>::on(Policy::strict()).unwrap();
    let mut imports = sandbox.imports::<Store>();
    imports
        .func("env", "get", |cx, (key, key_len, out, room): (u32, u32, u32, u32)| {
            let key = cx.read(key, key_len)?.to_vec();
            let Some(value) = cx.state().values.get(&key).cloned() else {
                return Ok(-1);
            };
            cx.write(out, &value[..value.len().min(room as usize)])?;
            Ok(i32::try_from(value.len())?)
        })
        .unwrap()
        .func("env", "put", |cx, (key, key_len, value, value_len): (u32, u32, u32, u32)| {
            let key = cx.read(key, key_len)?.to_vec();
            let value = cx.read(value, value_len)?.to_vec();
            if key.starts_with(b"readonly.") {
                return Ok(-3);
            }
            cx.state().values.insert(key, value);
            Ok(0)
        })
        .unwrap()
        .func("env", "log", |cx, (text, len): (u32, u32)| {
            let text = String::from_utf8(cx.read(text, len)?.to_vec())?;
            cx.state().log.push(text);
            Ok(())
        })
        .unwrap();
    sandbox.load_with(&read("kv.wasm"), &imports, &Contract::bytes("process")).unwrap()
}

fn kv<B>()
where
    B: Backend + HostFn<(u32, u32, u32, u32), i32> + HostFn<(u32, u32), ()>,
{
    let plugin = kv_plugin::<B>();
    let mut session = plugin.session(Store::default()).unwrap();
    let mut call = |input: &str| String::from_utf8(session.call("process", input.as_bytes()).unwrap().bytes).unwrap();
    let input = "put name hot cell \r\n\nget name\n  get nothing\nincr n\nincr n\nget n";
    assert_eq!(call(input), "ok\n= hot cell\nnone\n= 1\n= 2\n= 2\n");
    assert_eq!(call("incr n"), "= 3\n");
    assert_eq!(call(""), "");
    assert_eq!(call("put a"), "error: usage: put KEY VALUE\n");
    // Longer than the guest's first guess.
    let long = "x".repeat(5_000);
    assert_eq!(call(&format!("put long {long}\nget long")), format!("ok\n= {long}\n"));
    let store = session.into_state();
    assert_eq!(store.values[&b"n"[..]], b"3");
    assert_eq!(store.values.len(), 3);
    assert_eq!(store.log.len(), 5);
    assert_eq!(store.log[..2], ["kv: 6 commands, 0 failed", "kv: 1 commands, 0 failed"]);

    // Another instance has another store, and a store can be filled in advance.
    assert_eq!(plugin.call("process", b"get n").unwrap().bytes, b"none\n");
    let mut filled = Store::default();
    filled.values.insert(b"max".into(), i64::MAX.to_string().into());
    let reply = plugin.call_with("process", b"get max\nincr max", filled, None).unwrap();
    assert_eq!(reply.bytes, b"= 9223372036854775807\nerror: the number is too large\n");
}

fn kv_when_the_host_refuses<B>()
where
    B: Backend + HostFn<(u32, u32, u32, u32), i32> + HostFn<(u32, u32), ()>,
{
    let plugin = kv_plugin::<B>();
    let reply = plugin.call("process", b"put readonly.a 1\nincr readonly.b").unwrap();
    assert_eq!(reply.bytes, b"error: refused by the host (-3)\nerror: refused by the host (-3)\n");
    assert_eq!(reply.report.usage.host_calls, 4);

    let error = Sandbox::<B>::on(Policy::default()).unwrap().load(&read("kv.wasm"), "process").err().unwrap();
    assert_eq!(error.code(), "import-denied");
    for name in ["env::get", "env::put", "env::log"] {
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn both_backends_give_the_same_bytes_and_use_the_same() {
    let readme = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let journal = read("ledger-check/sample.journal");
    for (guest, input) in [
        ("markdown.wasm", &readme),
        ("markdown.wasm", &read("README.md")),
        ("ledger-check.wasm", &journal),
        ("ledger-check.wasm", &readme),
        ("wordcount.wasm", &readme),
        ("wordcount.wasm", &read("markdown.wasm")),
    ] {
        let one = reply::<Wasmtime>(guest, Policy::default(), input);
        let other = reply::<Wasmi>(guest, Policy::default(), input);
        assert!(one.bytes == other.bytes, "{guest}");
        assert!(!one.bytes.is_empty(), "{guest}");
        assert_eq!(one.report.usage, other.report.usage, "{guest}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    wasm: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
}

/// Every file below `directory`, relative to `base`.
fn files_below(base: &Path, directory: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(base.join(directory)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{directory}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files_below(base, &name, found);
        } else {
            found.push(name);
        }
    }
}

#[test]
fn the_compiled_guests_are_those_of_the_sources() {
    let manifest: Manifest = toml::from_str(&String::from_utf8(read("manifest.toml")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (name, expected) in manifest.wasm.iter().chain(&manifest.sources) {
        let hash: String = Sha256::digest(read(name)).iter().map(|byte| format!("{byte:02x}")).collect();
        if hash != *expected {
            wrong.push(format!("{name} is {hash}"));
        }
    }
    assert!(wrong.is_empty(), "run guests/build.sh, the manifest says otherwise:\n{}", wrong.join("\n"));

    let base = directory();
    let mut sources: Vec<String> =
        ["Cargo.toml", "Cargo.lock", "build.sh", "../guest/Cargo.toml"].map(str::to_owned).into();
    for directory in ["kernels", "kv", "ledger-check", "markdown", "wordcount", "../guest/src"] {
        files_below(&base, directory, &mut sources);
    }
    sources.sort();
    assert_eq!(manifest.sources.into_keys().collect::<Vec<_>>(), sources);

    let mut compiled: Vec<String> = fs::read_dir(&base)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".wasm"))
        .collect();
    compiled.sort();
    assert_eq!(manifest.wasm.into_keys().collect::<Vec<_>>(), compiled);
}
