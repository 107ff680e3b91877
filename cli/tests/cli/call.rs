//! `hotcell call`.

use super::*;

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
            (&["add", "7", "35"][..], "42\n"),
            (&["add", "-1", "-1"], "-2\n"),
            (&["add", "--", "-1", "-1"], "-2\n"),
            (&["add", "1_000_000", "-0x10"], "999984\n"),
            (&["add", "4294967295", "0"], "-1\n"),
            (&["add", "0xff", "1"], "256\n"),
            (&["wide", "18446744073709551615"], "-1\n"),
            (&["half", "1"], "0.5\n"),
            (&["half", "nan"], "nan:0x7fc00000\n"),
            (&["half", "-inf"], "-inf\n"),
            (&["both", "2.5", "7"], "7\n2.5\n"),
            (&["nothing"], ""),
        ] {
            let output = call(args);
            assert_eq!((exit_code(&output), text(&output.stdout).as_str()), (0, expected), "{args:?}");
        }
        let told = call(&["both", "2.5", "7", "--json"]);
        let object = json(&told);
        assert_eq!(object["results"], serde_json::json!(["i32:7", "f64:2.5"]));
        assert!(object.get("output_base64").is_none());
        for (args, code, exit) in [
            (&["add", "1"][..], "wrong-arguments", 1),
            (&["add", "1", "2", "3"], "wrong-arguments", 1),
            (&["add", "1", "two"], "wrong-arguments", 1),
            (&["add", "1", "4294967296"], "wrong-arguments", 1),
            (&["add", "1", "0.5"], "wrong-arguments", 1),
            (&["wide", "-9223372036854775809"], "wrong-arguments", 1),
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
