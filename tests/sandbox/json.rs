//! Byte calls whose bytes are JSON, and a guest's own words for its failure.

use std::{error::Error, fs, path::Path};

use hotcell::{
    Json, JsonError, Plugin, Policy, Sandbox,
    backend::Backend,
    log::{self, Caps, Level},
};
use serde_json::{Value, json};

on_each_backend! {
    a_value_in_and_a_value_out
    what_is_no_json_says_where
    a_log_is_capped
}

fn plugin<B: Backend>(name: &str) -> Plugin<B> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Sandbox::<B>::on(Policy::default()).unwrap().load(&bytes, "process").unwrap()
}

fn a_value_in_and_a_value_out<B: Backend>() {
    let plugin = plugin::<B>("languages/rust/plugin.wasm");
    let input = json!({ "text": "to be or not to be" });
    let Json { value, report } = plugin.call_json::<_, Value>("process", &input).unwrap();
    assert_eq!(value, json!({ "words": 6, "unique": 4, "longest": "not" }));
    assert_eq!(plugin.call("process", input.to_string().as_bytes()).unwrap().report.usage, report.usage);
    let mut session = plugin.session(()).unwrap();
    assert_eq!(session.call_json::<_, Value>("process", &input).unwrap().value, value);
}

fn what_is_no_json_says_where<B: Backend>() {
    let plugin = plugin::<B>("wordcount.wasm");
    match plugin.call_json::<_, Value>("process", "some text") {
        Err(JsonError::Reply { source, reply }) => assert!(source.line() == 1 && !reply.bytes.is_empty(), "{source}"),
        other => panic!("{other:?}"),
    }
    let keys = std::collections::BTreeMap::from([([1], 1)]);
    let error = plugin.call_json::<_, Value>("process", &keys).unwrap_err();
    assert!(matches!(error, JsonError::Input(_)) && error.source().is_some(), "{error:?}");
}

fn a_log_is_capped<B: Backend>() {
    const GUEST: &str = r#"(module
        (import "hotcell" "log" (func $log (param i32 i32 i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\1b[31mred\ff")
        (func (export "log") (param i32 i32 i32) (call $log (local.get 0) (local.get 1) (local.get 2))))"#;
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    let mut imports = sandbox.imports::<Vec<String>>();
    let caps = Caps { level: Level::Debug, line_bytes: 9, lines: 3 };
    log::offer(&mut imports, caps, |lines: &mut Vec<String>, line| lines.push(line.to_string())).unwrap();
    let plugin = sandbox.load_with(&wat::parse_str(GUEST).unwrap(), &imports, &hotcell::Contract::None).unwrap();
    let mut session = plugin.session(Vec::new()).unwrap();
    let mut log = |level: i32, len: i32| session.call_values("log", &[level, 0, len].map(hotcell::Value::I32));
    log(3, 65_536).unwrap();
    log(5, 8).unwrap();
    log(-1, 0).unwrap();
    log(4, 3).unwrap();
    log(4, 3).unwrap();
    log(4, 3).unwrap();
    assert_eq!(log(3, 65_537).unwrap_err().code(), "host-function");
    let red = "\\u{1b}[31mred\u{fffd}";
    let rest = "warn: the rest of this log is left out";
    assert_eq!(
        session.into_state(),
        [format!("info: {red}"), "error: ".into(), "debug: \\u{1b}[3".into(), rest.into()]
    );
}
