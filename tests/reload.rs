//! Plugins of a directory, loaded again while they are called.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use hotcell::{
    AnyPlugin, Contract, Policy, SandboxOptions,
    reload::{Change, PluginDir},
    sandbox,
};

/// Far above what anything here takes: only a hang comes to it.
const HANG: Duration = Duration::from_secs(60);
const SWAPS: u32 = 1_000;

/// A plugin whose reply is the four bytes of a number.
fn module(number: u32) -> Vec<u8> {
    let bytes: String = number.to_le_bytes().iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(module (memory (export "memory") 1) (data (i32.const 8) "{bytes}")
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64) (i64.const 0x800000004)))"#
    );
    wat::parse_str(text).unwrap()
}

/// Puts a file in its place at once.
fn put(directory: &Path, name: &str, bytes: &[u8]) {
    let written = directory.join("written");
    fs::write(&written, bytes).unwrap();
    fs::rename(written, directory.join(name)).unwrap();
}

fn watch(directory: &Path) -> (PluginDir, Receiver<String>) {
    let sandbox = sandbox("wasmi", Policy::default(), &SandboxOptions::default()).unwrap();
    let (told, changes) = mpsc::channel();
    let load = move |name: &str, bytes: &[u8]| sandbox.named(name).load(bytes, &Contract::bytes("process"));
    let tell = move |change: Change<'_>| {
        let words = match change {
            Change::Loaded { name } => format!("{name} loaded"),
            Change::Refused { name, error } => format!("{name} refused: {error}"),
            Change::Removed { name } => format!("{name} removed"),
            _ => unreachable!("there are no others"),
        };
        let _ = told.send(words);
    };
    (PluginDir::watch(directory, load, tell).unwrap(), changes)
}

fn answer(plugin: &dyn AnyPlugin) -> u32 {
    let reply = plugin.call("process", b"", None).unwrap();
    u32::from_le_bytes(reply.bytes.try_into().unwrap())
}

#[test]
fn a_bad_file_leaves_the_old_plugin_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "one.wasm", &module(1));
    put(directory.path(), "other.txt", b"not looked at");
    let (plugins, changes) = watch(directory.path());
    let next = || changes.recv_timeout(HANG).unwrap();
    assert_eq!(next(), "one loaded");
    assert_eq!(plugins.names(), ["one"]);
    let held = plugins.get("one").unwrap();
    assert_eq!((held.name(), answer(&*held)), (Some("one"), 1));

    put(directory.path(), "one.wasm", b"no module");
    assert!(next().starts_with("one refused: not a WebAssembly module"));
    assert_eq!(answer(&*plugins.get("one").unwrap()), 1);

    put(directory.path(), "one.wasm", &module(2));
    assert_eq!(next(), "one loaded");
    assert_eq!(answer(&*plugins.get("one").unwrap()), 2);
    assert_eq!(answer(&*held), 1, "who holds the old one goes on with it");

    put(directory.path(), "two.wasm", &module(3));
    assert_eq!(next(), "two loaded");
    fs::remove_file(directory.path().join("one.wasm")).unwrap();
    assert_eq!(next(), "one removed");
    assert_eq!(plugins.names(), ["two"]);
}

#[test]
fn a_thousand_swaps_fail_no_call() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "plugin.wasm", &module(0));
    let (plugins, changes) = watch(directory.path());
    assert_eq!(changes.recv_timeout(HANG).unwrap(), "plugin loaded");
    let (plugins, done, calls) = (Arc::new(plugins), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (plugins, done, calls) = (plugins.clone(), done.clone(), calls.clone());
            thread::spawn(move || {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let number = answer(&*plugins.get("plugin").unwrap());
                    assert!(number >= last, "{number} came after {last}");
                    last = number;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for number in 1..=SWAPS {
        if number % 100 == 0 {
            put(directory.path(), "plugin.wasm", &module(number)[..20]);
            assert!(changes.recv_timeout(HANG).unwrap().starts_with("plugin refused"));
        }
        put(directory.path(), "plugin.wasm", &module(number));
        assert_eq!(changes.recv_timeout(HANG).unwrap(), "plugin loaded");
    }
    done.store(true, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    assert!(calls.load(Ordering::Relaxed) > 0);
    assert_eq!(answer(&*plugins.get("plugin").unwrap()), SWAPS);
}
