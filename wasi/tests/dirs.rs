//! The host's directories: what a guest can do there, and that it does not get out.

#![cfg(all(feature = "dirs", unix))]

use std::{fs, os::unix::fs::symlink, path::Path};

use hotcell_core::{Contract, Loader, Policy};
use hotcell_wasi::{Access, WasiConfig};
use hotcell_wasmi::Wasmi;

const BADF: u8 = 8;
const LOOP: u8 = 32;
const NOENT: u8 = 44;
const NOTCAPABLE: u8 = 76;
const NOTSUP: u8 = 58;
const ROFS: u8 = 69;

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;

/// Runs a guest that has `dir` on 3 and makes these calls, whose error codes come back. Paths are `{0}`, `{1}`: address and
/// length.
fn run(dir: &Path, access: Access, paths: &[&str], calls: &[String]) -> Vec<u8> {
    let mut data = String::new();
    let mut body = String::new();
    for (index, path) in paths.iter().enumerate() {
        data += &format!("(data (i32.const {}) {path:?})", 4096 + 256 * index);
    }
    for (index, call) in calls.iter().enumerate() {
        let mut call = call.clone();
        for (index, path) in paths.iter().enumerate() {
            let place = format!("(i32.const {}) (i32.const {})", 4096 + 256 * index, path.len());
            call = call.replace(&format!("{{{index}}}"), &place);
        }
        body += &format!("(i32.store8 (i32.const {}) {call})", 1024 + index);
    }
    let imports = [
        ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
        ("path_create_directory", "i32 i32 i32"),
        ("path_unlink_file", "i32 i32 i32"),
        ("path_remove_directory", "i32 i32 i32"),
        ("path_rename", "i32 i32 i32 i32 i32 i32"),
        ("path_filestat_get", "i32 i32 i32 i32 i32"),
        ("path_readlink", "i32 i32 i32 i32 i32 i32"),
        ("path_symlink", "i32 i32 i32 i32 i32"),
        ("fd_write", "i32 i32 i32 i32"),
        ("fd_read", "i32 i32 i32 i32"),
        ("fd_readdir", "i32 i32 i32 i64 i32"),
        ("fd_filestat_set_size", "i32 i64"),
    ]
    .map(|(name, params)| {
        format!(r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {params}) (result i32)))"#)
    });
    let text = format!(
        r#"(module {} (memory (export "memory") 2) {data}
            (data (i32.const 16) "\00\20\00\00\05\00\00\00")
            (data (i32.const 8192) "hello")
            (func (export "_start") {body}
                (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const {}))
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
        imports.concat(),
        calls.len()
    );
    let policy = Policy::default().with(|rules| rules.abi = None).unwrap();
    let loader = Loader::<Wasmi>::new(policy, &Default::default(), &Default::default()).unwrap();
    let mut imports = loader.imports::<()>();
    hotcell_wasi::offer(&mut imports, WasiConfig::sandbox().host_dir("/host", dir, access).unwrap()).unwrap();
    let plugin = loader.load(&wat::parse_str(text).unwrap(), &imports, &Contract::Command).unwrap();
    plugin.call("_start", b"").unwrap().bytes
}

/// `path_open` of path `index` on 3.
fn open(index: usize, follows: bool, oflags: u32, rights: u64) -> String {
    format!(
        "(call $path_open (i32.const 3) (i32.const {}) {{{index}}} (i32.const {oflags}) (i64.const {rights}) (i64.const -1) \
         (i32.const 0) (i32.const 64))",
        u32::from(follows)
    )
}

fn on(name: &str, index: usize) -> String {
    format!("(call ${name} (i32.const 3) {{{index}}})")
}

fn fixture() -> (tempfile::TempDir, std::path::PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("inner");
    fs::create_dir(&dir).unwrap();
    fs::write(outer.path().join("secret"), "secret").unwrap();
    fs::write(dir.join("file"), "text").unwrap();
    symlink("../secret", dir.join("out")).unwrap();
    symlink(outer.path().join("secret"), dir.join("absolute")).unwrap();
    symlink("..", dir.join("up")).unwrap();
    symlink("file", dir.join("within")).unwrap();
    (outer, dir)
}

#[test]
fn nothing_leads_out() {
    let (outer, dir) = fixture();
    let paths = ["../secret", "/etc/passwd", "out", "absolute", "up/secret", "a/../../secret"];
    let mut calls: Vec<String> = (0..paths.len()).map(|index| open(index, true, 0, READ)).collect();
    calls.extend((0..paths.len()).map(|index| open(index, true, 1, READ | WRITE)));
    calls.push(on("path_unlink_file", 0));
    calls.push(on("path_unlink_file", 4));
    calls.push("(call $path_rename (i32.const 3) {4} (i32.const 3) {2})".into());
    calls.push("(call $path_rename (i32.const 3) {2} (i32.const 3) {0})".into());
    calls.push("(call $path_symlink {1} (i32.const 3) {5})".into());
    calls.push("(call $path_filestat_get (i32.const 3) (i32.const 1) {3} (i32.const 64))".into());
    let errnos = run(&dir, Access::Writable, &paths, &calls);
    for (index, errno) in errnos.iter().enumerate() {
        assert!([NOTCAPABLE, NOENT, NOTSUP].contains(errno), "{}: {errno}", calls[index]);
    }
    assert_eq!(fs::read(outer.path().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2);
}

#[test]
fn a_guest_writes_where_it_may() {
    let (_outer, dir) = fixture();
    let paths = ["new", "made", "made/moved", "file", "within"];
    let calls = [
        open(0, false, 1, READ | WRITE),
        "(call $fd_write (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 64))".into(),
        on("path_create_directory", 1),
        "(call $path_rename (i32.const 3) {0} (i32.const 3) {2})".into(),
        "(call $fd_write (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 64))".into(),
        on("path_unlink_file", 3),
        on("path_unlink_file", 4),
        "(call $fd_readdir (i32.const 3) (i32.const 16384) (i32.const 4096) (i64.const 0) (i32.const 64))".into(),
    ];
    assert_eq!(run(&dir, Access::Writable, &paths, &calls), [0; 8]);
    assert_eq!(fs::read(dir.join("made/moved")).unwrap(), b"hellohello");
    assert!(!dir.join("file").exists());
}

#[test]
fn a_guest_reads_and_changes_nothing_where_it_may_not() {
    let (_outer, dir) = fixture();
    let paths = ["file", "new", "within"];
    let calls = [
        open(0, false, 0, READ),
        "(call $fd_read (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 64))".into(),
        open(2, true, 0, READ),
        open(2, false, 0, READ),
        open(0, false, 0, READ | WRITE),
        open(0, false, 8, READ),
        open(1, false, 1, READ),
        on("path_create_directory", 1),
        on("path_unlink_file", 0),
        on("path_remove_directory", 1),
        "(call $path_rename (i32.const 3) {0} (i32.const 3) {1})".into(),
        "(call $fd_filestat_set_size (i32.const 9) (i64.const 0))".into(),
    ];
    let errnos = run(&dir, Access::ReadOnly, &paths, &calls);
    assert_eq!(errnos, [0, 0, 0, LOOP, ROFS, ROFS, ROFS, ROFS, ROFS, ROFS, ROFS, BADF]);
    assert_eq!(fs::read(dir.join("file")).unwrap(), b"text");
}

/// A pipe that nobody writes to would keep the host waiting.
#[test]
fn pipes_are_not_opened() {
    let (_outer, dir) = fixture();
    let made = std::process::Command::new("mkfifo").arg(dir.join("pipe")).status();
    assert!(made.unwrap().success());
    let errnos = run(&dir, Access::Writable, &["pipe"], &[open(0, false, 0, READ), open(0, true, 0, READ | WRITE)]);
    assert_eq!(errnos, [NOTSUP, NOTSUP]);
}
