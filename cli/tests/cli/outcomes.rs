//! Exit codes and messages for everything that can go wrong.

use super::*;

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
        case(
            "missing",
            guest(ECHO).replacen("(module", "(module (import \"a\" \"b\" (func $missing)) (start $missing)", 1),
            &["--trap-unknown"],
            5,
            ["fault", "import-missing", "instantiate"],
        ),
        case(
            "start",
            "(module (func $f) (start $f))",
            &["--preset", "strict"],
            3,
            ["rejected", "start-denied", "admit"],
        ),
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
            if verdict[2] == "admit" {
                assert_eq!(object["offset"].is_u64(), !["text", "no-exports"].contains(&name));
            }
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
                _ if object["admission"].is_object() => assert_eq!(object["admission"]["code"], code, "{name}"),
                _ => assert_eq!(object["code"], code, "{name}"),
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
