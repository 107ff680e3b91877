//! `hotcell run`.

use super::*;

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
        // The engine that answered.
        assert!(
            BACKENDS.iter().any(|engine| report.starts_with(engine))
                && report.contains("fuel, ")
                && report.contains(", loaded in "),
            "{report}"
        );
        assert!(backend == "tiered" || report.starts_with(backend), "{report}");

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
fn plugins_of_extism_are_run_as_they_are() {
    let plugin = shipped("extism/words-rust.wasm");
    let input = file("words.input", "Hello, World!");
    for backend in BACKENDS {
        let base = ["run", path_text(&plugin), "--input", path_text(&input), "--backend", backend, "--entry"];
        let counted = output(base.into_iter().chain(["count_vowels", "--config", "vowels=lo"]));
        assert_eq!(text(&counted.stdout), r#"{"count":5,"total":5,"vowels":"lo"}"#);
        assert_eq!(exit_code(&counted), 0);
        assert!(text(&counted.stderr).contains(", as an Extism plugin"), "{}", text(&counted.stderr));

        let failed = output(base.into_iter().chain(["fail"]));
        assert_eq!(exit_code(&failed), 9);
        let message = text(&failed.stderr);
        assert!(message.starts_with("hotcell: guest-error in call: the guest reports: Hello, World!"), "{message}");

        let said = output(base.into_iter().chain(["say"]));
        assert!(text(&said.stderr).starts_with("guest: info: Hello, World!\n"), "{}", text(&said.stderr));

        let object = json(&output(base.into_iter().chain(["echo", "--json"])));
        assert_eq!((&object["kind"], &object["report"]["host_calls"]), (&"extism".into(), &0.into()));
    }
    assert_eq!(exit_code(&output(["inspect", path_text(&plugin), "--check"])), 0);
    assert_eq!(exit_code(&output(["run", path_text(&plugin), "--entry", "echo", "--config", "novalue"])), 2);
}

#[test]
fn the_readme_is_the_same_html_everywhere() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let markdown = shipped("markdown.wasm");
    let [one, others @ ..] = BACKENDS.map(|backend| {
        let args = ["run", path_text(&markdown), "--input", path_text(&readme), "--backend", backend];
        let output = output(args);
        assert_eq!(exit_code(&output), 0);
        output.stdout
    });
    assert!(one.starts_with(b"<h1>hotcell</h1>"), "{}", text(&one));
    assert!(others.iter().all(|other| *other == one));
}

#[test]
fn json_of_a_run_that_worked() {
    let (module, input) = (file("json.wat", guest(ECHO)), file("json.input", "\0\u{e9}"));
    let [one, others @ ..] = BACKENDS.map(|backend| {
        let run = ["run", path_text(&module), "--input", path_text(&input), "--json", "--backend", backend];
        let output = output(run);
        assert_eq!((exit_code(&output), &output.stderr[..]), (0, &b""[..]));
        let mut object = json(&output);
        assert_eq!(object["verdict"], "ok");
        assert_eq!(object["code"], "ok");
        assert_eq!(object["phase"], "call");
        assert!(object["message"].is_string());
        assert_eq!(object["offset"], Value::Null);
        assert_eq!(STANDARD.decode(object["output_base64"].as_str().unwrap()).unwrap(), "\0\u{e9}".as_bytes());
        assert_eq!((&object["output_text"], &object["report"]["name"]), (&"\0\u{e9}".into(), &"json".into()));
        assert!(object.get("results").is_none());
        let report = &object["report"];
        assert_eq!(report["backend"], backend);
        for field in ["backend_version", "policy"] {
            assert!(report[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {report}");
        }
        for field in ["fuel_used", "peak_memory_bytes", "load_time_us", "guest_time_us", "host_time_us"] {
            assert!(report[field].is_u64(), "{field}: {report}");
        }
        assert_eq!(report["peak_memory_bytes"], 1 << 16);
        assert_eq!(report["tier"].is_string(), backend == "tiered");
        for field in ["backend", "backend_version", "tier", "cached", "load_time_us", "guest_time_us"] {
            object["report"].as_object_mut().unwrap().remove(field);
        }
        object
    });
    assert!(others.iter().all(|other| *other == one), "all that is not about the engine is equal");
}
