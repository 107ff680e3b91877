//! What is too long is not read to its end, be it a file, a device or a pipe: each has a limit, which the message names.

#![cfg(unix)]

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Far above what anything here takes.
const HANG: Duration = Duration::from_secs(30);

/// KiB of address space: what reads on and on ends there, and not where the machine's memory does.
const ADDRESS_SPACE: u64 = 2 << 20;

const GUEST: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
    (func (export "alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "process") (param i32 i32) (result i64) (i64.const 0)))"#;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reading-{name}"))
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> String {
    fs::write(path(name), bytes).unwrap();
    path(name).to_str().unwrap().to_owned()
}

/// A file of so many bytes, none of which takes room.
fn sparse(name: &str, len: u64) -> String {
    File::create(path(name)).unwrap().set_len(len).unwrap();
    path(name).to_str().unwrap().to_owned()
}

/// A name for an endless device.
fn endless(name: &str) -> String {
    let _ = fs::remove_file(path(name));
    std::os::unix::fs::symlink("/dev/zero", path(name)).unwrap();
    path(name).to_str().unwrap().to_owned()
}

/// The program, which must be done soon.
fn hotcell(args: &[&str], input: Stdio) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_hotcell")]);
    let child = command.args(args).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begin.elapsed() < HANG, "{args:?} took {:?}", begin.elapsed());
    output
}

/// Exit code, code and message.
fn verdict(args: &[&str], input: Stdio) -> (Option<i32>, String, String) {
    let output = hotcell(&[args, &["--json"]].concat(), input);
    let told = String::from_utf8_lossy(&output.stderr);
    let object: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {told}"));
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    (output.status.code(), text("code"), text("message"))
}

/// Ends with this code and these words.
fn ends(args: &[&str], exit: i32, code: &str, words: &str) {
    ends_with_input(args, Stdio::null(), exit, code, words);
}

fn ends_with_input(args: &[&str], input: Stdio, exit: i32, code: &str, words: &str) {
    let (found, found_code, message) = verdict(args, input);
    assert_eq!((found, &*found_code), (Some(exit), code), "{args:?}: {message}");
    assert!(message.contains(words), "{args:?}: {message}");
}

const ZERO: &str = "/dev/zero";

#[test]
fn policies() {
    const WORDS: &str = "longer than 1048576 bytes";
    let module = &*file("policies.wat", GUEST);
    let long = sparse("long.toml", 1 << 40);
    for policy in [ZERO, &long] {
        for command in ["run", "inspect", "bench"] {
            ends(&[command, module, "--policy", policy], 1, "policy", WORDS);
        }
        ends(&["call", module, "process", "--policy", policy], 1, "policy", WORDS);
        ends(&["policy", "--policy", policy], 1, "policy", WORDS);
    }
    // The longest that there may be.
    let comment = |len: usize| format!("preset = \"strict\"\n#{}", "x".repeat(len - 19));
    let longest = file("longest.toml", comment(1 << 20));
    assert_eq!(hotcell(&["policy", "--policy", &longest], Stdio::null()).status.code(), Some(0));
    ends(&["policy", "--policy", &file("longer.toml", comment((1 << 20) + 1))], 1, "policy", WORDS);
}

#[test]
fn inputs() {
    let module = &*file("inputs.wat", GUEST);
    let long = sparse("long.input", 1 << 40);
    for (preset, allowed) in [("embedded", 32u64 << 10), ("default", 64 << 20)] {
        let run = |input: &str| ["run", module, "--preset", preset, "--input", input].map(str::to_owned);
        let ends = |input: &str, words: &str| {
            let args = run(input);
            let stdin = File::open(ZERO).unwrap().into();
            ends_with_input(&args.each_ref().map(|arg| &**arg), stdin, 1, "input-too-large", words);
        };
        let unknown = format!("longer than the {allowed} bytes that the policy allows (limits.input_bytes");
        ends(ZERO, &unknown);
        ends("-", &unknown);
        ends(&long, &format!("is {} bytes, the policy allows {allowed} (limits.input_bytes", 1u64 << 40));
    }
    let bench = ["bench", module, "--input", ZERO, "--quiet"];
    ends(&bench, 1, "input-too-large", "limits.input_bytes");
}

#[test]
fn modules() {
    for (preset, allowed) in [("embedded", 256u64 << 10), ("strict", 4 << 20), ("default", 16 << 20)] {
        let long = sparse(&format!("long-{preset}.wasm"), 3 << 30);
        let words = |found: u64| format!("module.bytes is {found}, the policy allows {allowed}");
        for (module, found) in [(ZERO, allowed + 1), (&long, 3 << 30)] {
            for command in [&["run", module][..], &["call", module, "f"], &["inspect", module], &["bench", module]] {
                let args = [command, &["--preset", preset]].concat();
                ends(&args, 3, "limit-exceeded", &words(found));
            }
        }
        let (sixteen, most) = (allowed * 16, 64 << 20);
        let words = format!("longer than {} bytes", sixteen.min(most));
        for text in [endless(&format!("{preset}.wat")), sparse(&format!("long-{preset}.wat"), 3 << 30)] {
            ends(&["run", &text, "--preset", preset], 3, "text", &words);
            ends(&["inspect", &text, "--preset", preset], 3, "text", &words);
        }
    }
}

/// Nobody knows how long a pipe is: it is read up to the limit, and no writer is waited for after that.
#[test]
fn pipes() {
    let module = file("pipes.wat", GUEST);
    let words = ["longer than 1048576 bytes", "limits.input_bytes", "module.bytes is 262145, the policy allows 262144"];
    for (name, code, words) in
        [("policy", "policy", words[0]), ("input", "input-too-large", words[1]), ("module", "limit-exceeded", words[2])]
    {
        let pipe = path(&format!("pipe-{name}"));
        let _ = fs::remove_file(&pipe);
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let end = pipe.clone();
        // Writes until nobody reads any more.
        let writer = thread::spawn(move || {
            let mut end = OpenOptions::new().write(true).open(end).unwrap();
            while end.write_all(&[b'#'; 1 << 12]).is_ok() {}
        });
        let pipe = pipe.to_str().unwrap();
        match name {
            "policy" => ends(&["run", &module, "--policy", pipe], 1, code, words),
            "input" => ends(&["run", &module, "--input", pipe, "--preset", "embedded"], 1, code, words),
            _ => ends(&["run", pipe, "--preset", "embedded"], 3, code, words),
        }
        writer.join().unwrap();
    }
}
