//! Guests that try to observe the bits of a NaN. With `floats = canonical` every NaN that an operator makes has the
//! same bits, however they are read; bits that the specification defines are unchanged.

use hotcell::Value;
use hotcell_differential::Guest;

use super::run::{Both, plain, policy, wasm};

/// Scalar operators whose NaN bits the specification leaves open, with the number of their operands.
const OPEN: [(&str, usize); 11] = [
    ("add", 2),
    ("sub", 2),
    ("mul", 2),
    ("div", 2),
    ("min", 2),
    ("max", 2),
    ("ceil", 1),
    ("floor", 1),
    ("trunc", 1),
    ("nearest", 1),
    ("sqrt", 1),
];

/// Operands, as the bits of an f32; an f64 gets the same sign, exponent and first bits of the fraction.
const OPERANDS: [u32; 11] = [
    0,
    0x8000_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0000,
    0x7fa1_2345,
    0xffd5_4321,
    0x7f80_0001,
];

/// Ways to read the value that `{op}` leaves. `{t}` is its type, `{i}` the integer of its width.
const WAYS: [(&str, &str); 27] = [
    ("reinterpret", "{op} {i}.reinterpret_{t}"),
    ("nop", "{op} nop {i}.reinterpret_{t}"),
    ("store", "i32.const 8 {op} {t}.store i32.const 8 {i}.load"),
    ("global", "{op} global.set $g global.get $g {i}.reinterpret_{t}"),
    ("local", "{op} local.set $x local.get $x {i}.reinterpret_{t}"),
    ("tee", "{op} local.tee $x drop local.get $x {i}.reinterpret_{t}"),
    ("tee and a comparison", "{op} local.tee $x local.get $x {t}.eq drop local.get $x {i}.reinterpret_{t}"),
    ("parameter", "{op} call $bits"),
    ("parameter through a table", "{op} i32.const 0 call_indirect (param {t}) (result {i})"),
    ("result", "local.get 0 local.get 1 call $op {i}.reinterpret_{t}"),
    ("return", "(block (result {t}) {op} br 0) {i}.reinterpret_{t}"),
    ("result of a block", "block (result {t}) {op} end {i}.reinterpret_{t}"),
    ("parameter of a block", "{op} block (param {t}) (result {i}) {i}.reinterpret_{t} end"),
    ("parameter of a loop", "{op} loop (param {t}) (result {i}) {i}.reinterpret_{t} end"),
    ("result of an if", "i32.const 1 if (result {t}) {op} else {t}.const 0 end {i}.reinterpret_{t}"),
    ("result of an else", "i32.const 0 if (result {t}) {t}.const 0 else {op} end {i}.reinterpret_{t}"),
    (
        "parameter of an if",
        "{op} i32.const 1 if (param {t}) (result {i}) {i}.reinterpret_{t} else {i}.reinterpret_{t} end",
    ),
    ("br", "block (result {t}) {op} br 0 end {i}.reinterpret_{t}"),
    ("br_if", "block (result {t}) {op} i32.const 1 br_if 0 drop {t}.const 0 end {i}.reinterpret_{t}"),
    ("br_if that is not taken", "block (result {t}) {op} i32.const 0 br_if 0 end {i}.reinterpret_{t}"),
    ("br_table", "block (result {t}) block (result {t}) {op} i32.const 1 br_table 0 1 end end {i}.reinterpret_{t}"),
    ("select, the first", "{op} {t}.const 0 i32.const 1 select {i}.reinterpret_{t}"),
    ("select, the second", "{t}.const 0 {op} i32.const 0 select {i}.reinterpret_{t}"),
    ("hidden by an operator", "{t}.const 0 {op} {t}.add {i}.reinterpret_{t}"),
    ("hidden twice", "{op} {t}.ceil {t}.sqrt {i}.reinterpret_{t}"),
    ("absolute value", "{op} {t}.abs {i}.reinterpret_{t}"),
    ("sign from elsewhere", "{op} {t}.const 1 {t}.copysign {i}.reinterpret_{t}"),
];

/// The ways that need vectors: the lanes of `{op}`, as numbers and as another type.
const LANES: [(&str, &str); 4] = [
    ("splat", "{op} {s}.splat {j}.extract_lane 1"),
    ("replace", "v128.const i64x2 0 0 {op} {s}.replace_lane 0 {j}.extract_lane 0"),
    ("splat and abs", "{op} {s}.splat {s}.abs {j}.extract_lane 0"),
    ("splat and pmax", "{op} {s}.splat local.get $v {s}.pmax {j}.extract_lane 0"),
];

struct Float {
    t: &'static str,
    i: &'static str,
    s: &'static str,
    j: &'static str,
}

const FLOATS: [Float; 2] =
    [Float { t: "f32", i: "i32", s: "f32x4", j: "i32x4" }, Float { t: "f64", i: "i64", s: "f64x2", j: "i64x2" }];

impl Float {
    fn fill(&self, template: &str, op: &str) -> String {
        let Self { t, i, s, j } = self;
        template.replace("{op}", op).replace("{t}", t).replace("{i}", i).replace("{s}", s).replace("{j}", j)
    }

    /// A function for each way.
    fn module(&self, op: &str) -> Vec<u8> {
        let ways = WAYS.iter().chain(&LANES).enumerate().map(|(way, (_, template))| {
            let body = self.fill(template, op);
            self.fill(
                &format!(
                    r#"(func (export "way{way}") (param {{t}} {{t}}) (result {{i}}) (local $x {{t}}) (local $v v128) {body})"#
                ),
                "",
            )
        });
        let rest = "(memory 1) (global $g (mut {t}) ({t}.const 0)) (table 1 1 funcref) (elem (i32.const 0) $bits)
            (func $bits (param {t}) (result {i}) local.get 0 {i}.reinterpret_{t})
            (func $op (param {t} {t}) (result {t}) {op})";
        plain(&(self.fill(rest, op) + &ways.collect::<String>()))
    }

    fn operand(&self, bits: u32) -> Value {
        match self.t {
            "f32" => Value::F32(bits),
            _ => {
                let (sign, exponent, fraction) = (bits >> 31, bits >> 23 & 0xff, bits & 0x7f_ffff);
                let exponent = match exponent {
                    0 => 0,
                    0xff => 0x7ff,
                    biased => biased + 1_023 - 127,
                };
                Value::F64(u64::from(sign) << 63 | u64::from(exponent) << 52 | u64::from(fraction) << 29)
            }
        }
    }

    fn is_canonical_nan(&self, value: &Value) -> bool {
        match value {
            Value::I32(bits) => bits.cast_unsigned() == 0x7fc0_0000,
            Value::I64(bits) => bits.cast_unsigned() == 0x7ff8_0000_0000_0000,
            _ => false,
        }
    }

    fn is_nan(&self, value: &Value) -> bool {
        match value {
            Value::I32(bits) => f32::from_bits(bits.cast_unsigned()).is_nan(),
            Value::I64(bits) => f64::from_bits(bits.cast_unsigned()).is_nan(),
            _ => false,
        }
    }
}

#[test]
fn no_way_shows_what_a_nan_is_made_of() {
    let both = Both::new(&policy(None, |_| ()));
    let (mut wrong, mut nans) = (Vec::new(), 0);
    for float in FLOATS {
        for (operator, operands) in OPEN {
            let op = format!("{} {}.{operator}", ["local.get 0", "local.get 0 local.get 1"][operands - 1], float.t);
            let wasm = float.module(&op);
            let (one, other) = (both.wasmtime.load(&wasm).unwrap(), both.wasmi.load(&wasm).unwrap());
            let (mut one, mut other) = (Guest::new(&one), Guest::new(&other));
            for a in OPERANDS {
                for b in OPERANDS {
                    let operands = [float.operand(a), float.operand(b)];
                    for (way, (name, _)) in WAYS.iter().chain(&LANES).enumerate() {
                        let export = format!("way{way}");
                        let (one, other) = (one.call(&export, &operands), other.call(&export, &operands));
                        let found = &one.values[0];
                        nans += u64::from(float.is_nan(found));
                        if one != other || (float.is_nan(found) && !float.is_canonical_nan(found)) {
                            wrong.push(format!("{op} {operands:?}, {name}: {:?}, {:?}", one.values, other.values));
                        }
                    }
                }
            }
        }
    }
    assert!(nans > 10_000, "{nans}");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

/// Conversions make NaNs too, and a host function observes its arguments.
#[test]
fn conversions_and_host_functions_see_canonical_nans() {
    let both = Both::new(&policy(None, |_| ()));
    let wasm = wasm(
        r#"(func (export "demote") (param f64) (result i32) local.get 0 f32.demote_f64 i32.reinterpret_f32)
        (func (export "promote") (param f32) (result i64) local.get 0 f64.promote_f32 i64.reinterpret_f64)
        (func (export "host") (param f32) (result i64)
            local.get 0 f32.sqrt local.get 0 f64.promote_f32 f64.sqrt call $mix i64.reinterpret_f64)"#,
    );
    for bits in OPERANDS.into_iter().filter(|bits| f32::from_bits(*bits).is_nan()) {
        let call = |export, param| both.call(&wasm, export, &[param]).unwrap();
        assert_eq!(call("demote", FLOATS[1].operand(bits)).values, [Value::I32(0x7fc0_0000)], "{bits:x}");
        assert_eq!(call("promote", Value::F32(bits)).values, [Value::I64(0x7ff8_0000_0000_0000)], "{bits:x}");
        let seen = call("host", Value::F32(bits));
        assert_eq!(seen.values, [Value::I64(0x7ff8_0000_0000_0000)], "{bits:x}");
        // The host must have recorded the same as for canonical NaNs.
        assert_eq!(seen.host, call("host", Value::F32(0x7fc0_0000)).host, "{bits:x}");
    }
}

/// Values that are not results of arithmetic keep their bits.
#[test]
fn bits_that_no_operator_made_stay() {
    let both = Both::new(&policy(None, |_| ()));
    let wasm = plain(
        r#"(memory 1)
        (func (export "same") (param i32) (result i32) local.get 0 f32.reinterpret_i32 i32.reinterpret_f32)
        (func (export "load") (param i32) (result i32)
            (i32.store (i32.const 0) (local.get 0)) (i32.reinterpret_f32 (f32.load (i32.const 0))))
        (func (export "neg") (param i32) (result i32)
            local.get 0 f32.reinterpret_i32 f32.neg f32.neg i32.reinterpret_f32)
        (func (export "copysign") (param i32) (result i32)
            local.get 0 f32.reinterpret_i32 local.get 0 f32.reinterpret_i32 f32.copysign i32.reinterpret_f32)
        (func (export "lane") (param i32) (result i32)
            local.get 0 i32x4.splat f32x4.extract_lane 2 f32x4.splat i32x4.extract_lane 3)
        (func (export "select") (param i32) (result i32)
            local.get 0 f32.reinterpret_i32 f32.const 0 i32.const 1 select i32.reinterpret_f32)"#,
    );
    for bits in OPERANDS {
        for export in ["same", "load", "neg", "copysign", "lane", "select"] {
            let value = Value::I32(bits.cast_signed());
            assert_eq!(both.call(&wasm, export, &[value]).unwrap().values, [value], "{export} of {bits:x}");
        }
    }
}

/// Vector operators whose NaN bits are open, with their shape and the number of their operands.
fn vector_operators() -> impl Iterator<Item = (&'static str, String)> {
    let of_shape = |s: &'static str| {
        OPEN.into_iter().map(move |(operator, operands)| {
            (s, format!("{} {s}.{operator}", ["local.get $a", "local.get $a local.get $b"][operands - 1]))
        })
    };
    let conversions = [
        ("f32x4", "local.get $a f32x4.demote_f64x2_zero".to_owned()),
        ("f64x2", "local.get $a f64x2.promote_low_f32x4".to_owned()),
    ];
    of_shape("f32x4").chain(of_shape("f64x2")).chain(conversions)
}

/// Ways to read a vector; each leaves one.
const VECTOR_WAYS: [(&str, &str); 12] = [
    ("result", "{op}"),
    ("store", "i32.const 16 {op} v128.store i32.const 16 v128.load"),
    ("local", "{op} local.set $a local.get $a"),
    ("not twice", "{op} v128.not v128.not"),
    ("shuffle", "{op} {op} i8x16.shuffle 0 1 2 3 4 5 6 7 24 25 26 27 28 29 30 31"),
    ("bitselect", "{op} {op} local.get $a v128.bitselect"),
    ("block", "block (result v128) {op} end"),
    ("branch", "block (result v128) {op} i32.const 1 br_if 0 drop local.get $b end"),
    ("select", "{op} local.get $b i32.const 1 select"),
    ("hidden", "v128.const i64x2 0 0 {op} {s}.add"),
    ("abs", "{op} {s}.abs"),
    ("the other shape sees", "{op} {o}.abs"),
];

#[test]
fn no_way_shows_what_a_nan_in_a_vector_is_made_of() {
    let both = Both::new(&policy(None, |_| ()));
    let (mut wrong, mut nans) = (Vec::new(), 0);
    for (shape, op) in vector_operators() {
        let other_shape = if shape == "f32x4" { "f64x2" } else { "f32x4" };
        let ways = VECTOR_WAYS.iter().enumerate().map(|(way, (_, template))| {
            let body = template.replace("{op}", &op).replace("{s}", shape).replace("{o}", other_shape);
            format!(r#"(func (export "way{way}") (param $a v128) (param $b v128) (result v128) {body})"#)
        });
        let wasm = plain(&("(memory 1)".to_owned() + &ways.collect::<String>()));
        let (one, other) = (both.wasmtime.load(&wasm).unwrap(), both.wasmi.load(&wasm).unwrap());
        let (mut one, mut other) = (Guest::new(&one), Guest::new(&other));
        for round in 0..OPERANDS.len() {
            let vector = |turn: usize| {
                let lane = |lane: usize| u128::from(OPERANDS[(round + turn * lane) % OPERANDS.len()]);
                Value::V128(lane(0) | lane(1) << 32 | lane(2) << 64 | lane(3) << 96)
            };
            for operands in [[vector(1), vector(2)], [vector(3), vector(5)], [vector(0), vector(4)]] {
                for (way, (name, _)) in VECTOR_WAYS.iter().enumerate() {
                    let export = format!("way{way}");
                    let (one, other) = (one.call(&export, &operands), other.call(&export, &operands));
                    let Value::V128(bits) = one.values[0] else { panic!("{one:?}") };
                    // The other shape clears the sign of every other lane, and changes nothing else.
                    let is_canonical = match shape {
                        "f32x4" => (0..4).map(|lane| (bits >> (lane * 32)) as u32).all(|bits| {
                            nans += u64::from(f32::from_bits(bits).is_nan());
                            !f32::from_bits(bits).is_nan() || bits == 0x7fc0_0000
                        }),
                        _ => (0..2).map(|lane| (bits >> (lane * 64)) as u64).all(|bits| {
                            nans += u64::from(f64::from_bits(bits).is_nan());
                            !f64::from_bits(bits).is_nan() || bits == 0x7ff8_0000_0000_0000
                        }),
                    };
                    if one != other || !is_canonical {
                        wrong.push(format!("{op} {operands:x?}, {name}: {:x?}, {:x?}", one.values, other.values));
                    }
                }
            }
        }
    }
    assert!(nans > 1_000, "{nans}");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}
