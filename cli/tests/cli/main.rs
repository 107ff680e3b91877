//! The program as scripts see it: what goes to which stream, the one JSON object, the exit codes, signals.

mod cache;
mod call;
mod comfort;
mod environment;
mod inside;
mod inspect;
mod json_page;
mod measure;
mod new;
mod outcomes;
mod run;

use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// Far above what anything here takes: only a hang comes to it.
const HANG: Duration = Duration::from_secs(60);

fn hotcell<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotcell"));
    command.args(args).stdin(Stdio::null());
    // Not the user's own cache.
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command
}

fn output<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    hotcell(args).output().unwrap()
}

fn exit_code(output: &Output) -> i32 {
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
    output.status.code().unwrap_or_else(|| panic!("{}", output.status))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output, as the one JSON object that it must be.
fn json(output: &Output) -> Value {
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}:\n{}\n{}", text(&output.stdout), text(&output.stderr)));
    assert!(value.is_object());
    assert_eq!(value["schema"], 2);
    value
}

/// A file of one test's own.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn shipped(guest: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests").join(guest)
}

/// A guest with these entries, as text.
fn guest(body: &str) -> String {
    format!(
        r#"(module {body}
            (memory (export "memory") 1)
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024)))"#
    )
}

const ECHO: &str = r#"(func (export "process") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))"#;
const LOOP: &str = r#"(func (export "process") (param i32 i32) (result i64) (loop $again (br $again)) (unreachable))"#;

const BACKENDS: [&str; 3] = ["wasmtime", "wasmi", "tiered"];

/// A guest whose entry has this body.
fn process(body: &str) -> String {
    guest(&format!(r#"(func (export "process") (param i32 i32) (result i64) {body})"#))
}
