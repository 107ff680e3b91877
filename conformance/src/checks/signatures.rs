//! Host functions of every arity and type.

use hotcell_core::{Contract, Value};

use crate::{
    BackendUnderTest, Check, Outcome,
    failure::{ensure, ensure_eq},
    fixture::{Fixture, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![Check::mandatory(
        "host.types",
        "Host functions of every arity and type get what the guest passes, and the guest gets what they return.",
        types::<B>,
    )]
}

/// A number in the text format and in a dynamic call.
trait Number: Copy {
    const TYPE: &'static str;
    fn text(self) -> String;
    fn value(self) -> Value;
}

macro_rules! numbers {
    ($($rust:ty, $wasm:literal, $text:expr, $value:expr;)*) => {
        $(
            impl Number for $rust {
                const TYPE: &'static str = $wasm;
                fn text(self) -> String {
                    let text: fn($rust) -> String = $text;
                    text(self)
                }
                fn value(self) -> Value {
                    let value: fn($rust) -> Value = $value;
                    value(self)
                }
            }
        )*
    };
}
numbers! {
    i32, "i32", |n| format!("(i32.const {n})"), Value::I32;
    u32, "i32", |n| format!("(i32.const {n})"), |n| Value::I32(n.cast_signed());
    i64, "i64", |n| format!("(i64.const {n})"), Value::I64;
    u64, "i64", |n| format!("(i64.const {n})"), |n| Value::I64(n.cast_signed());
    f32, "f32", |n| format!("(f32.reinterpret_i32 (i32.const {}))", n.to_bits()), |n| Value::F32(n.to_bits());
    f64, "f64", |n| format!("(f64.reinterpret_i64 (i64.const {}))", n.to_bits()), |n| Value::F64(n.to_bits());
}

/// A host function of this type gets these arguments from the guest, and returns these results to it.
macro_rules! signature {
    ($fixture:ident, ($($param:ty = $argument:expr),*) -> $returns:ty = $result:expr, [$($value:ty = $expected:expr),*]) => {{
        let mut imports = $fixture.imports::<()>();
        imports
            .func("env", "f", |_, given: ($($param,)*)| {
                ensure_eq!(given, ($($argument,)*));
                Ok::<$returns, _>($result)
            })
            ?;
        let params: &[&str] = &[$(<$param as Number>::TYPE),*];
        let arguments: &[String] = &[$(<$param as Number>::text($argument)),*];
        let results: &[&str] = &[$(<$value as Number>::TYPE),*];
        let expected: &[Value] = &[$(<$value as Number>::value($expected)),*];
        let text = format!(
            r#"(module (import "env" "f" (func $f (param {}) (result {})))
                (func (export "run") (result {}) (call $f {})))"#,
            params.join(" "), results.join(" "), results.join(" "), arguments.join(" "),
        );
        let plugin = $fixture.load_with(&wasm(&text), &imports, &Contract::None)?;
        let (values, report) = plugin.call_values("run", &[], (), None)?;
        ensure_eq!(values, expected, "{text}");
        ensure_eq!(report.usage.host_calls, 1);
    }};
}

fn types<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    signature!(fixture, () -> () = (), []);
    signature!(fixture, () -> u64 = u64::MAX, [u64 = u64::MAX]);
    signature!(fixture, (i32 = i32::MIN) -> i32 = -1, [i32 = -1]);
    signature!(fixture, (u32 = u32::MAX) -> u32 = 1 << 31, [u32 = 1 << 31]);
    signature!(fixture, (i64 = i64::MIN) -> i64 = i64::MAX, [i64 = i64::MAX]);
    signature!(fixture, (u64 = u64::MAX) -> (u64,) = (1 << 63,), [u64 = 1 << 63]);
    signature!(fixture, (f32 = f32::MIN_POSITIVE) -> f32 = -0.0, [f32 = -0.0]);
    signature!(fixture, (f64 = f64::NEG_INFINITY) -> f64 = f64::MAX, [f64 = f64::MAX]);
    signature!(fixture, (i32 = 7, f64 = 0.5) -> (i32, f64) = (-7, -0.5), [i32 = -7, f64 = -0.5]);
    signature!(fixture, (u32 = 1, i64 = -2, f32 = 3.5) -> (f32, u32) = (1.5, 2), [f32 = 1.5, u32 = 2]);
    signature!(fixture, (u64 = 1, u64 = 2, u64 = 3, u64 = 4) -> (u64, i64) = (5, -6), [u64 = 5, i64 = -6]);
    signature!(fixture, (f64 = 1.0, f32 = 2.0, i32 = -3, u32 = 4, i64 = -5)
        -> (u32, f32, u64) = (6, 7.0, 8), [u32 = 6, f32 = 7.0, u64 = 8]);
    signature!(fixture, (i32 = -1, i64 = -2, i32 = -3, i64 = -4, i32 = -5, i64 = -6)
        -> (f64, f64, f64) = (7.5, 8.5, 9.5), [f64 = 7.5, f64 = 8.5, f64 = 9.5]);
    signature!(fixture, (f32 = 1.0, f32 = 2.0, f32 = 3.0, f32 = 4.0, f32 = 5.0, f32 = 6.0, f32 = 7.0) -> () = (), []);
    signature!(fixture, (i32 = -1, u32 = u32::MAX, i64 = -3, u64 = u64::MAX, f32 = 5.5, f64 = -6.5, i32 = 7, u64 = 8)
        -> (i32, i64, f32) = (-9, -10, 11.5), [i32 = -9, i64 = -10, f32 = 11.5]);
    Ok(())
}
