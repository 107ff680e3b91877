//! What people type, and what they have in place of a module.

use super::*;

fn with_stdin(args: &[&str], input: &[u8]) -> Output {
    let mut command = hotcell(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_file_alone_is_run() {
    let module = file("alone.wat", guest(ECHO));
    let told = output([path_text(&module), "--text", "hello"]);
    assert_eq!((exit_code(&told), text(&told.stdout).as_str()), (0, "hello"));
    let told = output(["alone.wa"]);
    assert_eq!(exit_code(&told), 2);
    assert!(text(&told.stderr).contains("A file is run by its path"), "{}", text(&told.stderr));
    let both = output(["run", path_text(&module), "--text", "a", "--input", "b"]);
    assert_eq!(exit_code(&both), 2);
    let long = output(["run", path_text(&module), "--preset", "embedded", "--text", &"x".repeat(40_000)]);
    assert_eq!(exit_code(&long), 1);
    assert!(text(&long.stderr).contains("(limits.input_bytes, a file for --policy)"), "{}", text(&long.stderr));
}

#[test]
fn a_module_from_standard_input() {
    let source = guest(ECHO);
    for module in [source.clone().into_bytes(), wat::parse_str(&source).unwrap()] {
        let told = with_stdin(&["-", "--text", "hello", "--quiet"], &module);
        assert_eq!((exit_code(&told), text(&told.stdout).as_str()), (0, "hello"), "{}", text(&told.stderr));
        assert_eq!(exit_code(&with_stdin(&["inspect", "-"], &module)), 0);
        assert_eq!(exit_code(&with_stdin(&["run", "-"], &module)), 0, "the input is empty then");
    }
    let told = with_stdin(&["run", "-", "--input", "-"], source.as_bytes());
    assert!(text(&told.stderr).starts_with("hotcell: wrong-arguments"), "{}", text(&told.stderr));
}

#[test]
fn limits_in_every_form() {
    let module = file("forms.wat", guest(ECHO));
    for flags in [
        ["--fuel", "1M"],
        ["--fuel", "1_000_000"],
        ["--fuel", "1,000,000 units"],
        ["--deadline", "5"],
        ["--deadline", "1.5s"],
        ["--deadline", "30s"],
        ["--max-memory", "64MiB"],
        ["--max-memory", "1M"],
        ["--max-memory", "64.0 MiB"],
        ["--max-stack", "524,288 bytes"],
    ] {
        let told = output(["run", path_text(&module)].iter().chain(&flags));
        assert_eq!(exit_code(&told), 0, "{flags:?}: {}", text(&told.stderr));
    }
    let policy = |flags: [&str; 2]| text(&output(["policy"].iter().chain(&flags)).stdout);
    assert!(policy(["--fuel", "2k"]).contains("fuel = 2000"), "{}", policy(["--fuel", "2k"]));
    assert!(policy(["--deadline", "5"]).contains("deadline = \"5s\""));
}

#[test]
fn a_limit_says_its_key_and_its_flag() {
    let deep = guest(
        r#"(func $deep (result i64) (i64.add (call $deep) (i64.const 1)))
        (func (export "process") (param i32 i32) (result i64) (call $deep))"#,
    );
    let (endless, deep) = (file("endless.wat", guest(LOOP)), file("deep.wat", deep));
    for (module, flags, words) in [
        (&endless, ["--fuel", "1M"], "out of fuel: 1,000,000 units (limits.fuel, --fuel)"),
        (&endless, ["--deadline", "50ms"], "the deadline has passed: 50ms (limits.deadline, --deadline)"),
        (&deep, ["--max-stack", "64KiB"], "exhausted: 65,536 bytes (limits.stack_bytes, --max-stack)"),
    ] {
        let fuel: &[&str] = if flags[0] == "--deadline" { &["--fuel", "unlimited"] } else { &[] };
        let told = output(["run", path_text(module)].iter().chain(&flags).chain(fuel));
        assert!(text(&told.stderr).contains(words), "{words}: {}", text(&told.stderr));
    }
    let object = json(&output(["run", path_text(&endless), "--fuel", "1M", "--json"]));
    let limit = serde_json::json!({"key": "limits.fuel", "allowed": "1,000,000 units", "flag": "--fuel"});
    assert_eq!(object["limit"], limit);
}

#[test]
fn files_that_are_something_else() {
    for (name, bytes, word) in [
        ("nothing.wasm", &b""[..], "empty"),
        ("packed.wasm", b"\x1f\x8b\x08\0", "gzip"),
        ("page.wasm", b"\n<!DOCTYPE html><html>", "web page"),
        ("pointer.wasm", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        ("words.wasm", b"(module)", ".wat"),
        ("packed.wat", b"\x1f\x8b\x08\0", "gzip"),
    ] {
        let module = file(name, bytes);
        for command in [&["run"][..], &["inspect"], &["call"]] {
            let rest: &[&str] = if command == ["call"] { &["f"] } else { &[] };
            let told = output(command.iter().chain(&[path_text(&module)]).chain(rest));
            let message = text(&told.stderr);
            assert_eq!(exit_code(&told), 3, "{command:?} {name}: {message}");
            assert!(message.starts_with("hotcell: malformed") && message.contains(word), "{name}: {message}");
        }
    }
}

#[test]
fn what_a_guest_says_is_capped() {
    let module = file(
        "flood.wat",
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 2)
            (func (export "_start") (local $left i32)
                (memory.fill (i32.const 1024) (i32.const 10) (i32.const 60000))
                (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 60000))
                (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
    );
    let told = output(["run", path_text(&module)]);
    let lines = text(&told.stderr);
    assert_eq!(exit_code(&told), 0, "{lines}");
    assert!(lines.lines().count() < 500, "{} lines", lines.lines().count());
    assert!(lines.contains("guest: and 59600 bytes more"), "{}", &lines[lines.len() - 300..]);
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(["completions", shell]);
        assert_eq!(exit_code(&script), 0);
        assert!(text(&script.stdout).contains("inspect"), "{shell}");
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    fs::create_dir_all(&directory).unwrap();
    assert_eq!(exit_code(&output(["man", path_text(&directory)])), 0);
    for page in ["hotcell.1", "hotcell-run.1", "hotcell-inspect.1"] {
        assert!(fs::read_to_string(directory.join(page)).unwrap().contains("hotcell"), "{page}");
    }
    assert_eq!(exit_code(&output(["man", path_text(&directory.join("not/there"))])), 1);
}

/// Colours are for terminals.
#[test]
fn a_pipe_gets_no_escapes() {
    let told = output(["run", "there is no such file"]);
    assert!(text(&told.stderr).starts_with("hotcell: io"), "{}", text(&told.stderr));
}
