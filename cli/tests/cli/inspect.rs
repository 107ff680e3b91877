//! `hotcell inspect`, `hotcell policy` and `hotcell backends`.

use super::*;

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
    assert_eq!(verdicts, BACKENDS.map(|_| "ok"));
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
        let strict = [path_text(&module), "--preset", "strict"];
        let output = output(args[..1].iter().chain(&strict).chain(&args[1..]));
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
fn everything_that_is_wrong_is_listed() {
    let module = file(
        "several.wat",
        r#"(module
            (import "gojs" "runtime.wasmExit" (func (param i32)))
            (import "env" "abort" (func (param i32 i32 i32 i32)))
            (memory 1) (func $f) (start $f)
            (func (result i32 i32 i32) (i32.const 1) (i32.const 2) (i32.const 3))
            (func (export "alloc")))"#,
    );
    let codes = ["import-denied", "start-denied", "export-missing", "export-mismatch", "export-missing"];
    for command in ["inspect", "run"] {
        let args = [command, path_text(&module), "--preset", "strict"];
        let told = output(args);
        assert_eq!(exit_code(&told), 3);
        let told = text(&told.stdout) + &text(&told.stderr);
        for word in codes.iter().chain(&["GOOS=wasip1", "AssemblyScript", "also start-denied"]) {
            assert!(told.contains(word), "{command} {word}: {told}");
        }
        let object = json(&output(args.iter().chain(&["--json"])));
        let verdict = if command == "run" { &object } else { &object["admission"] };
        let listed = verdict["rejections"].as_array().unwrap();
        assert_eq!(listed.iter().map(|rejection| rejection["code"].as_str().unwrap()).collect::<Vec<_>>(), codes);
        assert_eq!(listed[0]["message"], verdict["message"]);
        assert_eq!(listed[0]["hints"].as_array().unwrap().len(), 2);
    }
    let admitted = file("admitted.wat", guest(ECHO));
    assert_eq!(json(&output(["run", path_text(&admitted), "--json"])).get("rejections"), None);
}

#[test]
fn what_is_wrong_is_listed_once() {
    let module = file("once.wat", r#"(module (import "env" "log" (func (param i32))) (memory 1))"#);
    let told = text(&output(["inspect", path_text(&module)]).stdout);
    assert_eq!(told.matches("export-missing: does not export `alloc`").count(), 1, "{told}");
    assert_eq!(told.matches("import-denied").count(), 1, "{told}");
    assert!(told.contains("offer them as host functions"), "{told}");
}

#[test]
fn a_module_for_another_host_is_inspected_with_offer() {
    let module = file("offer.wat", guest(&format!(r#"(import "env" "log" (func (param i32))) {ECHO}"#)));
    for (flags, exit) in [(&[][..], 3), (&["--check"], 3), (&["--offer"], 0), (&["--offer", "--check"], 0)] {
        let told = output(["inspect", path_text(&module)].iter().chain(flags));
        assert_eq!(exit_code(&told), exit, "{flags:?}: {}", text(&told.stdout));
    }
    let object = json(&output(["inspect", path_text(&module), "--offer", "--json"]));
    assert_eq!(object["backends"].as_array().unwrap().len(), 3);
    assert_eq!(object["admission"]["code"], "ok");
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
        assert_eq!(backend["jit"], backend["id"] != "wasmi");
        let fields: Vec<_> = backend["enforcement"].as_array().unwrap().iter().map(|row| &row["field"]).collect();
        for field in ["limits.fuel", "limits.deadline", "limits.memory_bytes", "limits.stack_bytes"] {
            assert!(fields.contains(&&Value::from(field)), "{field}");
        }
    }
}
