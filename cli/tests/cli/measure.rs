//! `hotcell conformance` and `hotcell bench`.

use super::*;

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
