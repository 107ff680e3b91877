//! docs/json.md lists the keys of what the program prints.

use std::collections::BTreeSet;

use super::*;

const PAGE: &str = include_str!("../../../docs/json.md");

/// The keys in the tables of the page, under this heading.
fn listed(heading: &str) -> BTreeSet<String> {
    let section =
        PAGE.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("{heading}"));
    let keys = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    keys.map(str::to_owned).collect()
}

/// All keys of an object, those of objects inside behind a point.
fn keys(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let key = format!("{prefix}{key}");
                keys(value, &format!("{key}."), found);
                found.insert(key);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, prefix, found)),
        _ => {}
    }
}

/// Not in every object of this test: what only some backtraces have.
const RARE: [&str; 4] = ["gap", "note", "backtrace.frames.file", "backtrace.frames.line"];

/// The page lists what the objects have between them, and no more.
fn holds(heading: &str, objects: &[Value]) {
    let mut found = BTreeSet::new();
    objects.iter().for_each(|object| keys(object, "", &mut found));
    let mut listed = listed(heading);
    listed.retain(|key| !RARE.contains(&&**key) || found.contains(key));
    assert_eq!(found, listed, "{heading}");
}

#[test]
fn the_page_lists_every_key() {
    let echo = file("page-echo.wat", guest(ECHO));
    let endless = file("page-endless.wat", guest(LOOP));
    let add = file("page-add.wat", r#"(module (func (export "one") (result i32) (i32.const 1)))"#);
    let refused = file("page-refused.wat", r#"(module (import "env" "log" (func)) (memory 1) (table 1 funcref))"#);
    let said = file(
        "page-said.wat",
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 3) (data (i32.const 8) "said")
            (func (export "_start")
                (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 100000))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 131064)))
                (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 131064)))
                (unreachable)))"#,
    );
    let run = |module: &Path, flags: &[&str]| json(&output(["run", path_text(module), "--json"].iter().chain(flags)));
    holds(
        "A verdict",
        &[
            run(&echo, &["--text", "a", "--backend", "tiered"]),
            run(&endless, &["--fuel", "1k"]),
            run(&refused, &[]),
            run(&said, &[]),
            json(&output(["call", path_text(&add), "one", "--json"])),
        ],
    );
    let inspect = |module: &Path| json(&output(["inspect", path_text(module), "--json"]));
    holds("What `inspect` prints", &[inspect(&echo), inspect(&refused)]);
}
