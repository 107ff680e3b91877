//! The program as scripts see it: what goes to which stream, the one JSON object, the exit codes, signals.

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
    assert_eq!(value["schema"], 1);
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

const BACKENDS: [&str; 2] = ["wasmtime", "wasmi"];

#[test]
fn run_takes_a_file_or_standard_input_or_nothing() {
    let module = file("run.wat", guest(ECHO));
    let input = file("run.input", "from a file");
    for backend in BACKENDS {
        let base = ["run", path_text(&module), "--backend", backend];
        let from_file = output(base.into_iter().chain(["--input", path_text(&input)]));
        assert_eq!((exit_code(&from_file), text(&from_file.stdout).as_str()), (0, "from a file"));
        let report = text(&from_file.stderr);
        assert_eq!(report.lines().count(), 1, "{report}");
        assert!(report.starts_with(backend) && report.contains("fuel"), "{report}");

        let mut child = hotcell(base.into_iter().chain(["--input", "-", "--quiet"]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"\0piped\xff").unwrap();
        let piped = child.wait_with_output().unwrap();
        assert_eq!((exit_code(&piped), &piped.stdout[..], &piped.stderr[..]), (0, &b"\0piped\xff"[..], &b""[..]));

        let nothing = output(base);
        assert_eq!((exit_code(&nothing), &nothing.stdout[..]), (0, &b""[..]));
    }
}

#[test]
fn run_writes_to_a_file() {
    let (module, input) = (file("write.wat", guest(ECHO)), file("write.input", "to a file"));
    let reply = Path::new(env!("CARGO_TARGET_TMPDIR")).join("write.output");
    let run = |to: &Path| output(["run", path_text(&module), "--input", path_text(&input), "--output", path_text(to)]);
    let written = run(&reply);
    assert_eq!((exit_code(&written), &written.stdout[..]), (0, &b""[..]));
    assert_eq!(fs::read(&reply).unwrap(), b"to a file");
    let nowhere = run(&reply.join("below/a/file"));
    assert_eq!(exit_code(&nowhere), 1);
    assert!(text(&nowhere.stderr).starts_with("hotcell: io"), "{}", text(&nowhere.stderr));
}

#[test]
fn run_calls_another_entry() {
    let module = file("entry.wat", guest(&ECHO.replace("process", "other")));
    assert_eq!(exit_code(&output(["run", path_text(&module), "--entry", "other"])), 0);
    assert_eq!(exit_code(&output(["run", path_text(&module)])), 3);
}

#[test]
fn the_readme_is_the_same_html_everywhere() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let markdown = shipped("markdown.wasm");
    let [one, other] = BACKENDS.map(|backend| {
        let args = ["run", path_text(&markdown), "--input", path_text(&readme), "--backend", backend];
        let output = output(args);
        assert_eq!(exit_code(&output), 0);
        output.stdout
    });
    assert!(one.starts_with(b"<h1>hotcell</h1>"), "{}", text(&one));
    assert!(one == other);
}

#[test]
fn json_of_a_run_that_worked() {
    let (module, input) = (file("json.wat", guest(ECHO)), file("json.input", "\0\u{e9}"));
    let [one, other] = BACKENDS.map(|backend| {
        let run = ["run", path_text(&module), "--input", path_text(&input), "--json", "--backend", backend];
        let output = output(run);
        assert_eq!((exit_code(&output), &output.stderr[..]), (0, &b""[..]));
        let mut object = json(&output);
        assert_eq!(object["verdict"], "ok");
        assert_eq!(object["code"], "ok");
        assert_eq!(object["phase"], "call");
        assert!(object["message"].is_string());
        assert_eq!(object["offset"], Value::Null);
        assert_eq!(STANDARD.decode(object["output"].as_str().unwrap()).unwrap(), "\0\u{e9}".as_bytes());
        assert!(object.get("results").is_none());
        let report = &object["report"];
        assert_eq!(report["backend"], backend);
        for field in ["backend_version", "policy"] {
            assert!(report[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {report}");
        }
        for field in ["fuel_used", "peak_memory_bytes", "guest_time_us", "host_time_us"] {
            assert!(report[field].is_u64(), "{field}: {report}");
        }
        assert_eq!(report["peak_memory_bytes"], 1 << 16);
        for field in ["backend", "backend_version", "guest_time_us"] {
            object["report"].as_object_mut().unwrap().remove(field);
        }
        object
    });
    assert_eq!(one, other, "all that is not about the engine is equal");
}

/// What to run, its exit code, and of the JSON object: verdict, code and phase.
struct Case {
    name: &'static str,
    module: String,
    args: &'static [&'static str],
    exit: i32,
    verdict: [&'static str; 3],
}

fn case(
    name: &'static str,
    module: impl Into<String>,
    args: &'static [&'static str],
    exit: i32,
    verdict: [&'static str; 3],
) -> Case {
    Case { name, module: module.into(), args, exit, verdict }
}

/// An entry with that body.
fn process(body: &str) -> String {
    guest(&format!(r#"(func (export "process") (param i32 i32) (result i64) {body})"#))
}

fn cases() -> Vec<Case> {
    let answer = "(func (export \"__hotcell_abi_version\") (result i32) (i32.const 1))";
    vec![
        case("ok", guest(ECHO), &[], 0, ["ok", "ok", "call"]),
        case("too-large", guest(ECHO), &["--preset", "embedded"], 1, ["error", "input-too-large", "alloc"]),
        case("text", "(module (func", &[], 3, ["rejected", "text", "admit"]),
        case("invalid", "(module (func (result i32)))", &[], 3, ["rejected", "invalid", "admit"]),
        case("no-exports", "(module)", &[], 3, ["rejected", "export-missing", "admit"]),
        case("proposal", "(module (memory 1 1 shared))", &[], 3, ["rejected", "proposal-denied", "admit"]),
        case("import", "(module (import \"a\" \"b\" (func)))", &[], 3, ["rejected", "import-denied", "admit"]),
        case("start", "(module (func $f) (start $f))", &[], 3, ["rejected", "start-denied", "admit"]),
        case("memory", guest(ECHO), &["--max-memory", "1KiB"], 3, ["rejected", "limit-exceeded", "admit"]),
        case("abi-missing", guest(ECHO).replace(answer, ""), &[], 4, ["fault", "abi-missing", "abi"]),
        case("abi-mismatch", guest(ECHO), &["--abi", "__hotcell_abi_version=2-3"], 4, ["fault", "abi-mismatch", "abi"]),
        case("trap", process("(unreachable)"), &[], 5, ["fault", "trap-unreachable", "call"]),
        case(
            "divide",
            process("(i64.div_u (i64.const 1) (i64.const 0))"),
            &[],
            5,
            ["fault", "trap-integer-division-by-zero", "call"],
        ),
        case(
            "stack",
            process("(call $deeper) (i64.const 0)").replace("(module", "(module (func $deeper (call $deeper))"),
            &[],
            5,
            ["fault", "stack-overflow", "call"],
        ),
        case("fuel", guest(LOOP), &["--fuel", "1000000"], 6, ["fault", "out-of-fuel", "call"]),
        case("no-fuel", guest(ECHO), &["--fuel", "0"], 6, ["fault", "out-of-fuel", "abi"]),
        case(
            "deadline",
            guest(LOOP),
            &["--deadline", "300ms", "--fuel", "unlimited"],
            7,
            ["fault", "deadline-exceeded", "call"],
        ),
        case(
            "bad-alloc",
            guest(ECHO).replace("(i32.const 1024)", "(i32.const -1)"),
            &[],
            8,
            ["fault", "bad-alloc", "alloc"],
        ),
        case("bad-output", process("(i64.const 0xffffffff00000001)"), &[], 8, ["fault", "bad-output", "reply"]),
        case("much-output", process("(i64.const 0xffffffff)"), &[], 8, ["fault", "output-too-large", "reply"]),
    ]
}

#[test]
fn every_class_has_its_exit_code() {
    // More than the preset for microcontrollers takes.
    let input = file("classes.input", vec![b'x'; 40 << 10]);
    for backend in BACKENDS {
        for Case { name, module, args, exit, verdict } in cases() {
            let module = file(&format!("class-{backend}-{name}.wat"), module);
            let run = ["run", path_text(&module), "--input", path_text(&input), "--backend", backend];
            let begin = Instant::now();
            let plain = output(run.iter().chain(args));
            assert!(begin.elapsed() < HANG / 2, "{name} took {:?}", begin.elapsed());
            assert_eq!(exit_code(&plain), exit, "{name} on {backend}: {}", text(&plain.stderr));
            if exit != 0 {
                assert!(plain.stdout.is_empty(), "{name}");
                let message = text(&plain.stderr);
                assert!(message.starts_with(&format!("hotcell: {}", verdict[1])), "{name}: {message}");
            }
            let told = output(run.iter().chain(args).chain(&["--json"]));
            assert_eq!((exit_code(&told), &told.stderr[..]), (exit, &b""[..]), "{name}");
            let object = json(&told);
            let found = ["verdict", "code", "phase"].map(|key| object[key].as_str().unwrap_or("null"));
            assert_eq!(found, verdict, "{name} on {backend}: {object}");
            // An input that is too large is seen before anything is loaded.
            assert_eq!(object["report"].is_object(), name != "too-large" && verdict[2] != "admit");
            assert_eq!(object["offset"].is_u64(), verdict[2] == "admit" && !["text", "no-exports"].contains(&name));
        }
    }
}

#[test]
fn names_that_only_the_host_may_use() {
    let start = r#"(global $runs (mut i32) (i32.const 0)) (func $start) (start $start)"#;
    let module = file("hidden.wat", guest(&format!("{start} {ECHO}")));
    let policy = file("hidden.toml", "[module]\nstart = true");
    for backend in BACKENDS {
        for name in ["__hotcell_start", "__hotcell_fuel", "__hotcell_stack"] {
            let base = ["--policy", path_text(&policy), "--backend", backend, "--json"];
            let code = |args: &[&str]| json(&output(args.iter().chain(&base)))["code"].as_str().unwrap().to_owned();
            assert_eq!(code(&["call", path_text(&module), name]), "no-such-export");
            assert_eq!(code(&["run", path_text(&module), "--entry", name]), "export-missing");
            assert_eq!(code(&["run", path_text(&module), "--abi", &format!("{name}=0-4294967295")]), "abi-missing");
        }
    }
}

#[test]
fn files_that_cannot_be_read() {
    let directory = env!("CARGO_TARGET_TMPDIR");
    let module = file("unread.wat", guest(ECHO));
    let missing = Path::new(directory).join("there is no such file");
    for args in [
        ["run", path_text(&missing), "--input", path_text(&module)],
        ["run", directory, "--input", path_text(&module)],
        ["run", path_text(&module), "--input", path_text(&missing)],
        ["run", path_text(&module), "--input", directory],
        ["run", path_text(&module), "--policy", path_text(&missing)],
        ["inspect", path_text(&missing), "--preset", "strict"],
        ["call", path_text(&missing), "f", "--quiet"],
    ] {
        let plain = output(args);
        assert_eq!(exit_code(&plain), 1, "{args:?}");
        assert!(text(&plain.stderr).starts_with("hotcell: io"), "{}", text(&plain.stderr));
        let told = output(args.iter().chain(&["--json"]));
        assert_eq!(exit_code(&told), 1);
        let object = json(&told);
        assert_eq!((&object["verdict"], &object["code"]), (&"error".into(), &"io".into()), "{args:?}");
    }
}

#[test]
fn bytes_that_are_no_module() {
    for (name, bytes, code) in [
        ("empty.wasm", &b""[..], "malformed"),
        ("magic.wasm", b"\0asm", "malformed"),
        ("component.wasm", b"\0asm\x0d\0\x01\0", "not-a-core-module"),
        // Only the name says that a file is text.
        ("text.wasm", b"(module)", "malformed"),
        ("binary.wat", b"\xff\xfe\0\0", "text"),
    ] {
        let module = file(name, bytes);
        for command in ["run", "inspect"] {
            let output = output([command, path_text(&module), "--json", "--backend", "wasmi"]);
            assert_eq!(exit_code(&output), 3, "{command} {name}");
            let object = json(&output);
            match command {
                "run" => assert_eq!(object["code"], code, "{name}"),
                _ if code == "text" => assert_eq!(object["code"], code, "{name}"),
                _ => assert_eq!(object["backends"][0]["code"], code, "{name}"),
            }
        }
    }
}

#[test]
fn wrong_usage() {
    let module = file("usage.wat", guest(ECHO));
    let module = path_text(&module);
    for args in [
        &[][..],
        &["walk"],
        &["run"],
        &["call", module],
        &["run", module, "--no-such-flag"],
        &["run", module, "--fuel", "lots"],
        &["run", module, "--fuel", "-1"],
        &["run", module, "--fuel", "18446744073709551616"],
        &["run", module, "--deadline", "soon"],
        &["run", module, "--max-memory", "big"],
        &["run", module, "--preset", "lax"],
        &["run", module, "--metering", "guess"],
        &["run", module, "--abi", "version"],
        &["run", module, "--abi", "version=one"],
        &["run", module, "--abi", "version=1", "--no-abi"],
        &["run", module, "--preset", "strict", "--policy", "file.toml"],
    ] {
        let output = output(args);
        assert_eq!(exit_code(&output), 2, "{args:?}");
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).contains("--help"), "{args:?}: {}", text(&output.stderr));
    }
    for args in [&["--help"][..], &["run", "--help"], &["call", "--help"], &["--version"]] {
        let output = output(args);
        assert_eq!(exit_code(&output), 0, "{args:?}");
        assert!(text(&output.stdout).contains("hotcell"));
    }
}

#[test]
fn policies_that_cannot_be() {
    let module = file("policies.wat", guest(ECHO));
    let run = |args: &[&str]| {
        let base = ["run", path_text(&module)];
        let told = output(base.iter().chain(args).chain(&["--json"]));
        assert_eq!(exit_code(&told), 1, "{args:?}");
        let object = json(&told);
        assert_eq!(object["verdict"], "error", "{object}");
        assert!(object["report"].is_null());
        (object["code"].as_str().unwrap().to_owned(), object["message"].as_str().unwrap().to_owned())
    };
    let (code, message) = run(&["--fuel", "unlimited", "--deadline", "none"]);
    assert_eq!(code, "policy");
    assert!(message.contains("unbounded"), "{message}");
    assert_eq!(run(&["--deadline", "0s"]).0, "policy");
    assert_eq!(run(&["--max-memory", "1EiB"]).0, "policy");
    assert_eq!(run(&["--abi", "=1"]).0, "policy");
    assert_eq!(run(&["--abi", "version=3-1"]).0, "policy");
    for (name, policy) in [
        ("key.toml", "fule = 1"),
        ("syntax.toml", "[limits"),
        ("value.toml", "[limits]\nfuel = \"much\""),
        ("preset.toml", "preset = \"lax\""),
        ("contradiction.toml", "[limits]\nfuel = \"unlimited\"\ndeadline = \"none\""),
    ] {
        let policy = file(name, policy);
        let (code, message) = run(&["--policy", path_text(&policy)]);
        assert_eq!(code, "policy");
        assert!(message.contains(name), "{message}");
    }
    let bounded = file("unbounded.toml", "unbounded = true\n[limits]\nfuel = \"unlimited\"\ndeadline = \"none\"");
    assert_eq!(exit_code(&output(["run", path_text(&module), "--policy", path_text(&bounded)])), 0);
}

#[test]
fn a_backend_that_is_not_there() {
    let module = file("backend.wat", guest(ECHO));
    let module = path_text(&module);
    for args in [&["run", module][..], &["call", module, "alloc", "1"], &["inspect", module], &["policy"]] {
        for extra in [&[][..], &["--json"]] {
            let output = output(args.iter().chain(&["--backend", "wasm3\u{1b}[31m"]).chain(extra));
            let told = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(exit_code(&output), 1, "{args:?}: {told}");
            assert!(told.contains("unsupported"), "{told}");
            assert!(told.contains("wasmtime") && told.contains("wasmi"), "it says what there is: {told}");
            assert!(!told.contains('\u{1b}'), "{told}");
        }
    }
}

#[test]
fn call_reads_its_arguments_by_the_exports_type() {
    let module = file(
        "call.wat",
        r#"(module
            (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
            (func (export "wide") (param i64) (result i64) (local.get 0))
            (func (export "half") (param f32) (result f32) (f32.div (local.get 0) (f32.const 2)))
            (func (export "both") (param f64 i32) (result i32 f64) (local.get 1) (local.get 0))
            (func (export "nothing"))
            (func (export "vector") (param v128))
            (func (export "trap") (unreachable))
            (memory (export "memory") 1))"#,
    );
    let module = path_text(&module);
    for backend in BACKENDS {
        let call = |args: &[&str]| output(["call", module, "--backend", backend].iter().chain(args));
        for (args, expected) in [
            (&["add", "7", "35"][..], "i32:42\n"),
            (&["add", "--", "-1", "-1"], "i32:-2\n"),
            (&["add", "4294967295", "0"], "i32:-1\n"),
            (&["add", "0xff", "1"], "i32:256\n"),
            (&["wide", "18446744073709551615"], "i64:-1\n"),
            (&["half", "1"], "f32:0.5\n"),
            (&["half", "nan"], "f32:nan:0x7fc00000\n"),
            (&["both", "2.5", "7"], "i32:7\nf64:2.5\n"),
            (&["nothing"], ""),
        ] {
            let output = call(args);
            assert_eq!((exit_code(&output), text(&output.stdout).as_str()), (0, expected), "{args:?}");
        }
        let told = call(&["both", "2.5", "7", "--json"]);
        let object = json(&told);
        assert_eq!(object["results"], serde_json::json!(["i32:7", "f64:2.5"]));
        assert!(object.get("output").is_none());
        for (args, code, exit) in [
            (&["add", "1"][..], "wrong-arguments", 1),
            (&["add", "1", "2", "3"], "wrong-arguments", 1),
            (&["add", "1", "two"], "wrong-arguments", 1),
            (&["add", "1", "4294967296"], "wrong-arguments", 1),
            (&["add", "1", "0.5"], "wrong-arguments", 1),
            (&["wide", "--", "-9223372036854775809"], "wrong-arguments", 1),
            (&["half", ""], "wrong-arguments", 1),
            (&["vector", "1"], "wrong-arguments", 1),
            (&["sub", "1", "2"], "no-such-export", 1),
            (&["memory"], "no-such-export", 1),
            (&["trap"], "trap-unreachable", 5),
        ] {
            let output = call(args);
            let message = text(&output.stderr);
            assert_eq!(exit_code(&output), exit, "{args:?}: {message}");
            assert!(output.stdout.is_empty());
            assert!(message.starts_with(&format!("hotcell: {code}")), "{args:?}: {message}");
            if code == "no-such-export" {
                assert!(message.contains("add") && message.contains("nothing"), "it says what there is: {message}");
            }
        }
    }
}

#[test]
fn inspect_tells_what_a_module_needs() {
    let markdown = shipped("markdown.wasm");
    let output_of = |args: &[&str]| output(["inspect", path_text(&markdown)].iter().chain(args));
    let plain = output_of(&[]);
    assert_eq!(exit_code(&plain), 0);
    for word in ["memory", "process", "alloc", "wasmtime", "wasmi", "admitted"] {
        assert!(text(&plain.stdout).contains(word), "{word}: {}", text(&plain.stdout));
    }
    let object = json(&output_of(&["--json"]));
    assert_eq!(object["module"]["bytes"], fs::metadata(&markdown).unwrap().len());
    assert_eq!(object["module"]["imports"], serde_json::json!([]));
    let verdicts: Vec<_> = object["backends"].as_array().unwrap().iter().map(|backend| &backend["code"]).collect();
    assert_eq!(verdicts, ["ok", "ok"]);
    assert_eq!(json(&output_of(&["--json", "--backend", "wasmi"]))["backends"].as_array().unwrap().len(), 1);

    assert_eq!(exit_code(&output_of(&["--check"])), 0);
    assert_eq!(exit_code(&output_of(&["--check", "--json"])), 0);
    for (args, exit) in [
        (&["--entry", "missing"][..], 3),
        (&["--max-memory", "64KiB"], 3),
        (&["--max-memory", "64KiB", "--check"], 3),
        (&["--no-contract"], 0),
    ] {
        assert_eq!(exit_code(&output_of(args)), exit, "{args:?}");
    }
}

#[test]
fn inspect_names_wasi() {
    let module = file(
        "wasi.wat",
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "_start")))"#,
    );
    for args in [&["inspect"][..], &["inspect", "--check"], &["run"], &["inspect", "--json"], &["run", "--json"]] {
        let output = output(args[..1].iter().chain(&[path_text(&module)]).chain(&args[1..]));
        assert_eq!(exit_code(&output), 3, "{args:?}");
        let told = text(&output.stdout) + &text(&output.stderr);
        for word in ["import-denied", "wasi_snapshot_preview1", "fd_write", "WASI", "wasm32-unknown-unknown"] {
            assert!(told.contains(word), "{args:?} {word}: {told}");
        }
        if args.contains(&"--json") {
            json(&output);
        }
    }
}

#[test]
fn policy_prints_what_it_reads() {
    for (name, args) in [
        ("default", &[][..]),
        ("strict", &["--preset", "strict"]),
        ("embedded", &["--preset", "embedded"]),
        ("ceiling", &["--preset", "ceiling"]),
        ("flags", &["--fuel", "unlimited", "--deadline", "1500ms", "--max-memory", "5MiB", "--no-abi"]),
        ("abi", &["--preset", "strict", "--deadline", "none", "--abi", "version=2-7", "--metering", "engine"]),
    ] {
        let printed = output(["policy"].iter().chain(args));
        assert_eq!(exit_code(&printed), 0, "{name}");
        let policy = file(&format!("policy-{name}.toml"), &printed.stdout);
        let again = output(["policy", "--policy", path_text(&policy)]);
        assert_eq!(text(&again.stdout), text(&printed.stdout), "{name}");
        let [one, other] = [
            output(["policy", "--json"].iter().chain(args)),
            output(["policy", "--json", "--policy", path_text(&policy)]),
        ]
        .map(|output| json(&output));
        assert_eq!(one, other);
        assert!(text(&printed.stdout).contains(one["fingerprint"].as_str().unwrap()));
        let backends: Vec<_> = one["backends"].as_array().unwrap().iter().map(|backend| &backend["id"]).collect();
        assert_eq!(backends, BACKENDS);
    }
    // The report names the policy by the same fingerprint.
    let module = file("fingerprint.wat", guest(ECHO));
    let report = json(&output(["run", path_text(&module), "--json", "--preset", "strict"]));
    let policy = json(&output(["policy", "--json", "--preset", "strict"]));
    assert_eq!(report["report"]["policy"], policy["fingerprint"]);
}

#[test]
fn every_preset_runs_on_every_backend() {
    let module = file("presets.wat", guest(ECHO));
    let input = file("presets.input", "x");
    for backend in BACKENDS {
        for preset in ["default", "strict", "embedded", "ceiling"] {
            let args =
                ["run", path_text(&module), "--input", path_text(&input), "--preset", preset, "--backend", backend];
            let output = output(args);
            assert_eq!(exit_code(&output), 0, "{preset} on {backend}: {}", text(&output.stderr));
            assert_eq!(output.stdout, b"x");
        }
    }
}

#[test]
fn backends_are_listed() {
    let plain = output(["backends"]);
    assert_eq!(exit_code(&plain), 0);
    let object = json(&output(["backends", "--json"]));
    let listed: Vec<_> = object["backends"].as_array().unwrap().iter().map(|backend| &backend["id"]).collect();
    assert_eq!(listed, BACKENDS);
    for backend in object["backends"].as_array().unwrap() {
        assert!(text(&plain.stdout).contains(backend["version"].as_str().unwrap()));
        assert_eq!(backend["jit"], backend["id"] == "wasmtime");
        let fields: Vec<_> = backend["enforcement"].as_array().unwrap().iter().map(|row| &row["field"]).collect();
        for field in ["limits.fuel", "limits.deadline", "limits.memory_bytes", "limits.stack_bytes"] {
            assert!(fields.contains(&&Value::from(field)), "{field}");
        }
    }
}

/// A reader that goes away is no reason to panic, and none for words.
#[test]
fn a_reader_that_goes_away() {
    let module = file("pipe.wat", process("(i64.const 0x8000)"));
    let markdown = shipped("markdown.wasm");
    for args in [
        &["run", path_text(&module), "--quiet"][..],
        &["run", path_text(&module), "--quiet", "--json"],
        &["call", path_text(&module), "__hotcell_abi_version", "--quiet"],
        &["backends"],
        &["backends", "--json"],
        &["policy"],
        &["policy", "--json"],
        &["inspect", path_text(&markdown)],
        &["inspect", path_text(&markdown), "--json"],
        &["inspect", path_text(&markdown), "--check"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = hotcell(args).stdout(writer).output().unwrap();
        assert_eq!((exit_code(&output), text(&output.stderr).as_str()), (1, ""), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full() {
    let module = file("full.wat", process("(i64.const 0x8000)"));
    for args in [&["run", path_text(&module)][..], &["backends"], &["policy", "--json"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = hotcell(args).stdout(full).output().unwrap();
        assert_eq!(exit_code(&output), 1, "{args:?}");
        assert!(text(&output.stderr).starts_with("hotcell: io"), "{args:?}: {}", text(&output.stderr));
    }
}

/// Signals, as the shell sends them.
#[cfg(target_os = "linux")]
mod interrupted {
    use std::{io::Read, process::Child, thread};

    use super::*;

    const SIGINT: u32 = 2;

    fn interrupt(running: &Running) {
        let status = Command::new("bash").arg("-c").arg(format!("kill -INT {}", running.id())).status().unwrap();
        assert!(status.success());
    }

    /// A program that does not outlive its test.
    struct Running(Child);

    impl Running {
        fn start(args: &[&str]) -> Self {
            Self(hotcell(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        }

        fn id(&self) -> u32 {
            self.0.id()
        }

        /// Its exit code, and what it wrote.
        fn finish(mut self) -> (Option<i32>, String, String) {
            let begin = Instant::now();
            let status = loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    break status;
                }
                assert!(begin.elapsed() < HANG, "it hangs");
                thread::sleep(Duration::from_millis(5));
            };
            let (mut out, mut err) = (String::new(), String::new());
            self.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            self.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            (status.code(), out, err)
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Runs it until it has said what is to happen on Ctrl-C, and is busy.
    fn busy(args: &[&str]) -> Running {
        let running = Running::start(args);
        let begin = Instant::now();
        loop {
            let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
            if u64::from_str_radix(caught, 16).unwrap() & (1 << (SIGINT - 1)) != 0 {
                thread::sleep(Duration::from_millis(200));
                return running;
            }
            assert!(begin.elapsed() < HANG, "it never listens for Ctrl-C");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn once() {
        let module =
            file("interrupt.wat", guest(&format!("{LOOP} (func (export \"spin\") (loop $again (br $again)))")));
        let module = path_text(&module);
        for backend in BACKENDS {
            for args in [&["run", module][..], &["call", module, "spin"]] {
                let args: Vec<_> = args.iter().chain(&["--fuel", "unlimited", "--backend", backend]).copied().collect();
                let running = busy(&args);
                interrupt(&running);
                let (code, out, err) = running.finish();
                assert_eq!((code, out.as_str()), (Some(130), ""), "{args:?}: {err}");
                assert!(err.starts_with("hotcell: cancelled"), "{err}");
            }
            let running = busy(&["run", module, "--fuel", "unlimited", "--json", "--backend", backend]);
            interrupt(&running);
            let (code, out, _) = running.finish();
            let object: Value = serde_json::from_str(&out).unwrap();
            assert_eq!(code, Some(130));
            assert_eq!((&object["verdict"], &object["code"]), (&"error".into(), &"cancelled".into()));
        }
    }

    #[test]
    fn twice() {
        let module = file("twice.wat", guest(LOOP));
        for backend in BACKENDS {
            let running = busy(&["run", path_text(&module), "--fuel", "unlimited", "--backend", backend]);
            interrupt(&running);
            let _ = Command::new("bash").arg("-c").arg(format!("kill -INT {} 2>&-", running.id())).status();
            assert_eq!(running.finish().0, Some(130));
        }
    }

    /// Where the policy lets nothing cancel a call, the first one leaves.
    #[test]
    fn where_nothing_cancels() {
        let module = file("leave.wat", guest(LOOP));
        let policy = file("leave.toml", "[interrupt]\ncancel = false\n[limits]\nfuel = \"unlimited\"");
        for backend in BACKENDS {
            let running = busy(&["run", path_text(&module), "--policy", path_text(&policy), "--backend", backend]);
            interrupt(&running);
            assert_eq!(running.finish().0, Some(130));
        }
    }
}

/// What surrounds the process does not end it.
#[cfg(target_os = "linux")]
#[test]
fn a_poor_environment() {
    let module = file("poor.wat", guest(ECHO));
    let input = file("poor.input", "x");
    for backend in BACKENDS {
        for setting in [
            "ulimit -v 4000000",
            "ulimit -v 1000000",
            "ulimit -s 256",
            "ulimit -n 8",
            "export RUST_MIN_STACK=1",
            "export RUST_BACKTRACE=full WASMTIME_BACKTRACE_DETAILS=1",
            "export RAYON_NUM_THREADS=0",
            "export -n HOME PATH",
        ] {
            let script = format!("{setting} && exec \"$0\" \"$@\"");
            let mut command = Command::new("bash");
            command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_hotcell"));
            command.args(["run", path_text(&module), "--input", path_text(&input), "--backend", backend]);
            let output = command.stdin(Stdio::null()).output().unwrap();
            assert_eq!(exit_code(&output), 0, "{setting} on {backend}: {}", text(&output.stderr));
            assert_eq!(output.stdout, b"x");
        }
    }
}

/// Some room for a program, but not for what the default policy allows its guests: a verdict, whichever it is.
#[cfg(target_os = "linux")]
#[test]
fn a_very_poor_environment() {
    let module = file("very-poor.wat", guest(ECHO));
    for backend in BACKENDS {
        for kib in [400_000, 200_000, 100_000, 60_000] {
            let script = format!("ulimit -v {kib} && exec \"$0\" \"$@\"");
            let mut command = Command::new("bash");
            command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_hotcell"));
            command.args(["run", path_text(&module), "--json", "--backend", backend]);
            let output = command.stdin(Stdio::null()).output().unwrap();
            let code = exit_code(&output);
            assert!([0, 1].contains(&code), "{kib} KiB on {backend}: {code}: {}", text(&output.stderr));
            assert_eq!(json(&output)["verdict"], if code == 0 { "ok" } else { "error" });
        }
    }
}

#[test]
fn conformance_holds_every_backend_to_the_checks() {
    let output = output(["conformance", "--filter", "limits.memory.", "--json"]);
    assert_eq!(exit_code(&output), 0, "{}", text(&output.stderr));
    let object = json(&output);
    assert_eq!((object["verdict"].as_str(), object["code"].as_str()), (Some("ok"), Some("ok")));
    let reports = object["reports"].as_array().unwrap();
    assert_eq!(reports.iter().map(|report| report["backend"].as_str().unwrap()).collect::<Vec<_>>(), BACKENDS);
    for report in reports {
        let checks = report["checks"].as_array().unwrap();
        assert!(checks.iter().any(|check| check["id"] == "limits.memory.total" && check["verdict"] == "passed"));
        assert_eq!(report["counts"]["checks"], checks.len());
        assert_eq!(report["counts"]["failed"], 0);
        assert!(report["counts"]["assertions"].as_u64().unwrap() > 10);
    }
}

#[test]
fn conformance_prints_a_table_and_what_is_unsupported() {
    let output = output(["conformance", "--backend", "wasmi", "--filter", "admission.proposal."]);
    assert_eq!(exit_code(&output), 0, "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.starts_with("wasmi 1.1.0\n"), "{table}");
    for line in ["admission ", "all ", "  admission.proposal.memory64: unsupported: "] {
        assert!(table.lines().any(|found| found.starts_with(line)), "no `{line}` in\n{table}");
    }
}

#[test]
fn conformance_lists_and_does_not_pass_over_nothing() {
    let listed = output(["conformance", "--list", "--filter", "limits.memory.total"]);
    assert_eq!(exit_code(&listed), 0);
    assert!(text(&listed.stdout).starts_with("limits.memory.total (mandatory): The budget is the sum"));
    for nothing in [&["--filter", "no such id"][..], &["--backend", "no-such-backend"]] {
        let output = output(["conformance", "--json"].iter().chain(nothing));
        assert_eq!(exit_code(&output), 1, "{nothing:?}");
        assert_eq!(json(&output)["verdict"], "error");
    }
    let confused = output(["conformance", "--suite", "differential", "--filter", "limits."]);
    assert_eq!(exit_code(&confused), 2);
}

#[test]
fn bench_measures_every_backend_and_draws() {
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.svg");
    let (module, input) = (shipped("ledger-check.wasm"), shipped("ledger-check/sample.journal"));
    let output =
        output(["bench", path_text(&module), "--input", path_text(&input), "--svg", path_text(&picture), "--json"]);
    assert_eq!(exit_code(&output), 0, "{}", text(&output.stderr));
    let object = json(&output);
    assert_eq!(object["verdict"], "ok");
    let engines = object["backends"].as_array().unwrap();
    assert_eq!(engines.iter().map(|engine| &engine["backend"]).collect::<Vec<_>>(), BACKENDS);
    for engine in engines {
        for key in ["compile_us", "instantiate_us", "first_call_us", "call_us", "live_call_us", "fuel_per_second"] {
            assert!(engine[key].as_f64().unwrap() > 0.0, "{key} of {engine}");
        }
        for key in ["fuel_per_call", "peak_memory_bytes"] {
            assert_eq!(engine[key], engines[0][key], "{key} is the same everywhere");
        }
    }
    let svg = fs::read_to_string(picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("wasmi (interpreter)"), "{svg}");
    // The compiler is never free, and the interpreter is never as fast.
    let calls = object["break_even"]["calls"].as_u64().unwrap();
    assert!(svg.contains(&format!("break-even: {calls} calls")), "{calls}");
}

#[test]
fn bench_says_what_went_wrong() {
    let endless = file("bench-endless.wat", guest(LOOP));
    let output = output(["bench", path_text(&endless), "--fuel", "1000", "--json"]);
    assert_eq!((exit_code(&output), &json(&output)["code"]), (6, &Value::from("out-of-fuel")));
}
