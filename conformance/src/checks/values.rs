//! Values cross the host boundary bit for bit.

use hotcell_core::{Field, Proposal, Session, Value};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{ensure, ensure_eq},
    fixture::{byte_plugin, guest, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "values.numbers",
            "Arguments and results of dynamic calls keep every bit: signs, infinities, the payload of a NaN.",
            numbers::<B>,
        ),
        Check::mandatory(
            "values.order",
            "Arguments and results stay in their order, whatever their types.",
            order::<B>,
        ),
        Check::mandatory("values.typed", "Typed calls pass all bits of an unsigned number.", typed::<B>),
        Check::mandatory(
            "values.globals",
            "An exported global reads back as the guest left it, whatever its type.",
            globals::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::ReferenceTypes),
            "values.references",
            "A null reference is told from a function; no function crosses the host boundary.",
            references::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::Simd),
            "values.vectors",
            "Vectors keep their 128 bits in their order.",
            vectors::<B>,
        ),
    ]
}

/// Boundary values of each type; no two have the same bits in one half.
fn edges() -> impl Iterator<Item = Value> {
    let narrow = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1234_5678];
    let wide = [0, 1, u64::MAX >> 1, 1 << 63, u64::MAX, 0x1234_5678_9abc_def0];
    // One, minus zero, an infinity, the smallest number, NaNs: quiet, negative with a payload, and signalling.
    let singles = [0x3f80_0000, 0x8000_0000, 0xff80_0000, 1, 0x7fc0_0000, 0xffc1_2345, 0x7fa0_0001];
    let doubles = [1023 << 52, 1 << 63, 0xfff << 52, 1, 0x7ff8 << 48, 0xfff8_1234_5678_9abc, 0x7ff4_0000_0000_0001];
    narrow
        .into_iter()
        .map(|bits: u32| Value::I32(bits.cast_signed()))
        .chain(wide.into_iter().map(|bits| Value::I64(bits.cast_signed())))
        .chain(singles.into_iter().map(Value::F32))
        .chain(doubles.into_iter().map(Value::F64))
}

fn numbers<B: BackendUnderTest>() -> Outcome {
    let text = ["i32", "i64", "f32", "f64"]
        .map(|ty| format!(r#"(func (export "{ty}") (param {ty}) (result {ty}) (local.get 0))"#))
        .concat();
    let plugin = plain_plugin::<B>(policy(|_| ()), &wasm(&format!("(module {text})")))?;
    let mut session = plugin.session(())?;
    for value in edges() {
        ensure_eq!(session.call_values(value.ty().name(), &[value])?, [value]);
        ensure_eq!(plugin.call_values(value.ty().name(), &[value], (), None)?.0, [value]);
    }
    // The guest must have got the same bits.
    let plugin = plain_plugin::<B>(
        policy(|_| ()),
        &wasm(
            r#"(module (memory (export "memory") 1)
                (func (export "store") (param i32 i64 f64)
                    (i32.store (i32.const 0) (local.get 0))
                    (i64.store (i32.const 4) (local.get 1))
                    (f64.store (i32.const 12) (local.get 2))))"#,
        ),
    )?;
    let mut session = plugin.session(())?;
    let (narrow, wide, float) = (-2, i64::MIN + 3, 0xfff8_1234_5678_9abc_u64);
    session.call_values("store", &[Value::I32(narrow), Value::I64(wide), Value::F64(float)])?;
    let stored = [&narrow.to_le_bytes()[..], &wide.to_le_bytes(), &float.to_le_bytes()].concat();
    ensure_eq!(session.memory().get(..20), Some(&stored[..]));
    Ok(())
}

fn order<B: BackendUnderTest>() -> Outcome {
    let text = r#"(module
        (func (export "turn") (param i32 i64 f32 f64) (result f64 f32 i64)
            (local.get 3) (local.get 2) (i64.add (local.get 1) (i64.extend_i32_s (local.get 0))))
        (func (export "same") (param i32 i32 i32) (result i32 i32 i32)
            (local.get 1) (local.get 2) (local.get 0))
        (func (export "nothing")))"#;
    let plugin = plain_plugin::<B>(policy(|_| ()), &wasm(text))?;
    let mut session = plugin.session(())?;
    let (single, double) = (Value::F32(1.5f32.to_bits()), Value::F64((-2.5f64).to_bits()));
    let turned = session.call_values("turn", &[Value::I32(-1), Value::I64(1 << 40), single, double])?;
    ensure_eq!(turned, [double, single, Value::I64((1 << 40) - 1)]);
    let numbers = [1, 2, 3].map(Value::I32);
    ensure_eq!(session.call_values("same", &numbers)?, [2, 3, 1].map(Value::I32));
    ensure_eq!(session.call_values("nothing", &[])?, []);
    Ok(())
}

fn typed<B: BackendUnderTest>() -> Outcome {
    let text = r#"
        (func (export "same") (param i32) (result i32) (local.get 0))
        (func (export "minus_one") (result i32) (i32.const -1))
        (func (export "process") (param i32 i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))"#;
    let plugin = byte_plugin::<B>(policy(|_| ()), &guest(text))?;
    let mut session = plugin.session(())?;
    let same = session.func::<u32, u32>("same")?;
    for number in [0, 1, u32::MAX >> 1, 1 << 31, u32::MAX] {
        ensure_eq!(session.call_typed(&same, number)?, number);
    }
    let minus_one = session.func::<(), u32>("minus_one")?;
    ensure_eq!(session.call_typed(&minus_one, ())?, u32::MAX);
    let pack = session.func::<(u32, u32), u64>("process")?;
    for (high, low) in [(0, 0), (1, 2), (u32::MAX, 0), (0, u32::MAX), (1 << 31, 1 << 31), (u32::MAX, u32::MAX)] {
        ensure_eq!(session.call_typed(&pack, (high, low))?, u64::from(high) << 32 | u64::from(low));
    }
    Ok(())
}

fn globals<B: BackendUnderTest>() -> Outcome {
    let text = r#"(module
        (global (export "i32") i32 (i32.const -7))
        (global $i64 (export "i64") (mut i64) (i64.const 0x8000000000000001))
        (global (export "f32") f32 (f32.const nan:0x412345))
        (global $f64 (export "f64") (mut f64) (f64.const -0))
        (global $hidden (mut i32) (i32.const 9))
        (memory (export "memory") 1)
        (func (export "change") (global.set $i64 (i64.const -2)) (global.set $f64 (f64.const inf)))
        (func (export "change_and_trap") (global.set $i64 (i64.const -3)) (unreachable)))"#;
    let plugin = plain_plugin::<B>(policy(|_| ()), &wasm(text))?;
    let mut session = plugin.session(())?;
    let constants = [("i32", Value::I32(-7)), ("f32", Value::F32(0x7fc1_2345))];
    let declared = [("i64", Value::I64(i64::MIN + 1)), ("f64", Value::F64(1 << 63))];
    let changed = [("i64", Value::I64(-2)), ("f64", Value::F64(f64::INFINITY.to_bits()))];
    let read = |session: &mut Session<B>, expected: &[(&str, Value)]| -> Result<(), Failure> {
        for (name, value) in expected {
            ensure_eq!(session.global(name), Some(*value), "{name}");
        }
        for other in ["hidden", "memory", "change", ""] {
            ensure_eq!(session.global(other), None, "{other}");
        }
        Ok(())
    };
    read(&mut session, &[&constants[..], &declared].concat())?;
    session.call_values("change", &[])?;
    read(&mut session, &[&constants[..], &changed].concat())?;
    ensure!(session.call_values("change_and_trap", &[]).is_err());
    read(&mut session, &[("i64", Value::I64(-3)), changed[1]])?;
    read(&mut plugin.session(())?, &declared)
}

fn references<B: BackendUnderTest>() -> Outcome {
    let text = r#"(module
        (global (export "null") funcref (ref.null func))
        (global (export "some") funcref (ref.func $null))
        (func $null (export "give_null") (result funcref) (ref.null func))
        (func (export "give_some") (result funcref) (ref.func $null))
        (func (export "is_null") (param funcref) (result i32) (ref.is_null (local.get 0))))"#;
    let plugin = plain_plugin::<B>(policy(|_| ()), &wasm(text))?;
    let mut session = plugin.session(())?;
    ensure_eq!(session.call_values("give_null", &[])?, [Value::NullFuncRef]);
    ensure_eq!(session.call_values("give_some", &[])?, [Value::FuncRef]);
    ensure_eq!((session.global("null"), session.global("some")), (Some(Value::NullFuncRef), Some(Value::FuncRef)));
    for reference in [Value::NullFuncRef, Value::FuncRef] {
        ensure_eq!(session.call_values("is_null", &[reference])?, [Value::I32(1)], "{reference}");
    }
    Ok(())
}

fn vectors<B: BackendUnderTest>() -> Outcome {
    let with_vectors = policy(|rules| rules.proposals.allow(Proposal::Simd));
    let text = r#"(module
        (global $v (export "v") (mut v128) (v128.const i64x2 0x0123456789abcdef 0xfedcba9876543210))
        (func (export "same") (param v128) (result v128) (local.get 0))
        (func (export "lane") (param v128) (result i32) (i32x4.extract_lane 3 (local.get 0)))
        (func (export "set") (param v128) (global.set $v (local.get 0))))"#;
    let plugin = plain_plugin::<B>(with_vectors, &wasm(text))?;
    let mut session = plugin.session(())?;
    ensure_eq!(session.global("v"), Some(Value::V128(0xfedc_ba98_7654_3210_0123_4567_89ab_cdef)));
    for bits in [0, 1, u128::MAX, 0x89ab_cdef_0000_0000_0000_0000_0000_0001] {
        let vector = Value::V128(bits);
        ensure_eq!(session.call_values("same", &[vector])?, [vector]);
        ensure_eq!(session.call_values("lane", &[vector])?, [Value::I32((bits >> 96) as i32)]);
        session.call_values("set", &[vector])?;
        ensure_eq!(session.global("v"), Some(vector));
    }
    Ok(())
}
