//! Where calls fail, and where their fuel goes.

use super::*;

fn run(backend: &str, module: &Path, input: &Path, more: &[&str]) -> Output {
    let args = ["run", path_text(module), "--input", path_text(input), "--backend", backend, "--no-cache"];
    output(args.iter().chain(more))
}

#[test]
fn a_trap_is_explained_the_same_on_each_backend() {
    let (module, input) = (shipped("traps/c.wasm"), file("inside-1-0", "1/0"));
    let mut seen = Vec::new();
    for backend in BACKENDS {
        let human = run(backend, &module, &input, &[]);
        assert_eq!(exit_code(&human), 5);
        let lines = text(&human.stderr);
        for line in ["in divide at 0x", ", ./trap.c:12", "by evaluate at 0x", "by process at 0x"] {
            assert!(lines.contains(line), "{line}: {lines}");
        }
        let mut object = json(&run(backend, &module, &input, &["--json"]));
        object["report"] = Value::Null;
        let offset = object["offset"].as_u64().unwrap();
        assert_eq!(object["backtrace"][0]["frames"][0]["offset"], offset);
        assert!(lines.contains(&format!("in call at offset {offset:#x}: integer division by zero")), "{lines}");
        seen.push(object);
    }
    assert!(seen.iter().all(|object| *object == seen[0]), "{seen:#?}");
}

#[test]
fn nothing_runs_again_where_that_is_not_wanted() {
    let (module, input) = (shipped("traps/c.wasm"), file("inside-1-0-again", "1/0"));
    let object = json(&run("wasmi", &module, &input, &["--json", "--no-explain"]));
    assert_eq!((&object["offset"], object.get("backtrace")), (&Value::Null, None));
    let engine = run("wasmtime", &module, &input, &["--json", "--metering", "engine"]);
    assert_eq!(json(&engine).get("backtrace"), None);
}

#[test]
fn recursion_is_folded_and_an_own_stack_is_named() {
    let module = shipped("traps/c.wasm");
    let lines = text(&run("wasmi", &module, &file("inside-r", "r"), &[]).stderr);
    assert!(lines.contains("stack-overflow in call") && lines.contains("these 2, "), "{lines}");
    assert!(lines.lines().count() < 20, "{lines}");
    let lines = text(&run("wasmi", &module, &file("inside-d", "d"), &[]).stderr);
    assert!(lines.contains("note: the guest's own stack in linear memory is full"), "{lines}");
    let lines = text(&run("wasmi", &module, &file("inside-b", "b"), &[]).stderr);
    assert!(lines.contains("bad-output in reply") && lines.contains("in process at 0x"), "{lines}");
}

#[test]
fn names_move_no_cursor() {
    let module = r#"(module (func (export "f") (call 1)) (func (@name "\1b[31m\n") (unreachable)))"#;
    let module = file("inside-names.wat", module);
    let lines = text(&output(["call", path_text(&module), "f"]).stderr);
    assert!(lines.contains(r"in \u{1b}[31m\u{a} at 0x"), "{lines}");
    assert!(lines.contains("by f at 0x"), "{lines}");
}

#[test]
fn a_profile_accounts_for_all_fuel() {
    let (module, input) = (shipped("markdown.wasm"), file("inside.md", "# Title\n\n* one\n* two\n"));
    let fuel = json(&run("wasmi", &module, &input, &["--json"]))["report"]["fuel_used"].as_u64().unwrap();
    let [folded, speedscope, svg] = ["inside.folded", "inside.json", "inside.svg"].map(|name| file(name, ""));
    let args = ["profile", path_text(&module), "--input", path_text(&input), "--json", "--folded", path_text(&folded)];
    let more = ["--speedscope", path_text(&speedscope), "--svg", path_text(&svg)];
    for backend in BACKENDS {
        let object = json(&output(args.iter().chain(&more).chain(&["--backend", backend])));
        assert_eq!(object["fuel_used"], fuel);
        let functions = object["functions"].as_array().unwrap();
        assert_eq!(functions.iter().map(|function| function["fuel"].as_u64().unwrap()).sum::<u64>(), fuel);
        let lines = fs::read_to_string(&folded).unwrap();
        let weights = lines.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
        assert_eq!(weights.sum::<u64>(), fuel);
        let scope: Value = serde_json::from_str(&fs::read_to_string(&speedscope).unwrap()).unwrap();
        assert_eq!(scope["profiles"][0]["endValue"], fuel);
        let svg = fs::read_to_string(&svg).unwrap();
        assert!(svg.starts_with("<svg ") && svg.contains(&format!("{fuel} fuel</text>")) && svg.ends_with("</svg>\n"));
    }
    let table = text(&output(args[..4].iter()).stdout);
    assert!(table.lines().last().unwrap().trim() == format!("{fuel} fuel"), "{table}");
    let same = output(args[..4].iter().chain(&["--against", path_text(&module)]));
    assert_eq!(text(&same.stdout).lines().count(), 2, "{}", text(&same.stdout));
}

#[test]
fn what_became_dearer_fails() {
    let (module, small, large) = (shipped("wordcount.wasm"), file("inside-budget", "a b"), shipped("../README.md"));
    let budgets = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inside-budgets.toml");
    let _ = fs::remove_file(&budgets);
    let profile = |input: &Path, flag: &str| {
        output(["profile", path_text(&module), "--input", path_text(input), flag, path_text(&budgets)])
    };
    assert_eq!(exit_code(&profile(&small, "--save")), 0);
    assert_eq!(exit_code(&profile(&small, "--check")), 0);
    let unknown = profile(&large, "--check");
    assert!(exit_code(&unknown) == 1 && text(&unknown.stderr).contains("over-budget: no budget"));
    fs::write(&small, "a b c").unwrap();
    let dearer = profile(&small, "--check");
    assert_eq!(exit_code(&dearer), 1);
    assert!(text(&dearer.stderr).contains("% more than the"), "{}", text(&dearer.stderr));
    assert_eq!(exit_code(&profile(&small, "--save")), 0);
    assert_eq!(exit_code(&profile(&small, "--check")), 0);
}
