//! Properties that must not differ between backends: one table of small guests, run on both, compared in everything but
//! time.

use hotcell::{Contract, Plugin, Policy, Sandbox, TrapKind, Value, Wasmi, Wasmtime, backend::Backend};

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Everything that must be equal.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: &'static str,
    phase: &'static str,
    output: Vec<u8>,
    results: Vec<Value>,
    peak_memory_bytes: u64,
    refused_growths: u64,
    host_calls: u64,
    fuel_used: Option<u64>,
}

impl Outcome {
    fn new(code: &'static str, phase: &'static str, report: &hotcell::Report) -> Self {
        let usage = report.usage;
        Self {
            code,
            phase,
            output: Vec::new(),
            results: Vec::new(),
            peak_memory_bytes: usage.peak_memory_bytes,
            refused_growths: usage.refused_growths,
            host_calls: usage.host_calls,
            fuel_used: usage.fuel_used,
        }
    }

    fn of_error(error: &hotcell::CallError) -> Self {
        Self::new(error.code(), error.phase.name(), &error.report)
    }
}

/// Allows a start function, four pages and a table of eight.
fn starting() -> Policy {
    let policy = Policy::default().with(|rules| {
        rules.module.start = true;
        rules.limits.memory_bytes = (4 << 16) + 64;
    });
    policy.unwrap()
}

fn byte_call<B: Backend>(wasm: &[u8]) -> Outcome {
    let plugin: Plugin<B> = Sandbox::on(starting()).unwrap().load(wasm, "process").unwrap();
    match plugin.call("process", b"0123456789") {
        Ok(reply) => Outcome { output: reply.bytes, ..Outcome::new("ok", "call", &reply.report) },
        Err(error) => Outcome::of_error(&error),
    }
}

fn value_call<B: Backend>(wasm: &[u8]) -> Outcome {
    let sandbox = Sandbox::<B>::on(starting()).unwrap();
    let plugin = sandbox.load_with(wasm, &sandbox.imports::<()>(), &Contract::None).unwrap();
    match plugin.call_values("run", &[], (), None) {
        Ok((results, report)) => Outcome { results, ..Outcome::new("ok", "call", &report) },
        Err(error) => Outcome::of_error(&error),
    }
}

/// An operator that traps, for each kind.
const TRAPS: [(TrapKind, &str); 16] = [
    (TrapKind::Unreachable, "(unreachable)"),
    (TrapKind::MemoryOutOfBounds, "(drop (i32.load (i32.const 131069)))"),
    (TrapKind::MemoryOutOfBounds, "(i64.store offset=0xffffffff (i32.const -1) (i64.const 0))"),
    (TrapKind::MemoryOutOfBounds, "(memory.fill (i32.const 131072) (i32.const 0) (i32.const 1))"),
    (TrapKind::MemoryOutOfBounds, "(memory.init $data (i32.const 0) (i32.const 2) (i32.const 3))"),
    (TrapKind::MemoryOutOfBounds, "(memory.copy (i32.const 0) (i32.const -1) (i32.const 2))"),
    (TrapKind::TableOutOfBounds, "(drop (table.get (i32.const 4)))"),
    (TrapKind::TableOutOfBounds, "(table.copy (i32.const 3) (i32.const 0) (i32.const 2))"),
    (TrapKind::TableOutOfBounds, "(table.init $elem (i32.const 0) (i32.const 1) (i32.const 1))"),
    (TrapKind::TableOutOfBounds, "(call_indirect (type $plain) (i32.const 4))"),
    (TrapKind::IndirectCallToNull, "(call_indirect (type $plain) (i32.const 3))"),
    (TrapKind::BadSignature, "(call_indirect (type $other) (i32.const 0) (i32.const 0)) (drop)"),
    (TrapKind::IntegerOverflow, "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"),
    (TrapKind::IntegerOverflow, "(drop (i32.trunc_f64_s (f64.const 2147483648)))"),
    (TrapKind::IntegerDivisionByZero, "(drop (i64.rem_u (i64.const 1) (i64.const 0)))"),
    (TrapKind::BadConversionToInteger, "(drop (i32.trunc_f32_u (f32.const nan)))"),
];

/// A guest that traps in one phase.
fn trapping(phase: &str, trap: &str) -> Vec<u8> {
    let in_phase = |this: &str| if this == phase { trap } else { "" };
    wasm(&format!(
        r#"(module
            (type $plain (func))
            (type $other (func (param i32) (result i32)))
            (memory (export "memory") 1)
            (table 4 funcref)
            (elem (i32.const 0) func $f $f)
            (elem $elem func $f)
            (data $data "data")
            (func $f)
            (func $start {start})
            (start $start)
            (func (export "__hotcell_abi_version") (result i32) {abi} (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (drop (memory.grow (i32.const 1))) {alloc} (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64) (drop (memory.grow (i32.const 9))) {call} (i64.const 0)))"#,
        start = in_phase("instantiate"),
        abi = in_phase("abi"),
        alloc = in_phase("alloc"),
        call = in_phase("call"),
    ))
}

#[test]
fn traps_of_every_kind_in_every_phase() {
    assert!(TrapKind::ALL.iter().all(|kind| TRAPS.iter().any(|(trap, _)| trap == kind)));
    for (kind, trap) in TRAPS {
        for phase in ["instantiate", "abi", "alloc", "call"] {
            let wasm = trapping(phase, trap);
            let outcome = byte_call::<Wasmtime>(&wasm);
            assert_eq!(outcome, byte_call::<Wasmi>(&wasm), "{trap} in {phase}");
            let code = if phase == "abi" { "abi-missing" } else { kind.code() };
            assert_eq!((outcome.code, outcome.phase), (code, phase), "{trap}");
            let pages = if ["alloc", "call"].contains(&phase) { 2 } else { 1 };
            assert_eq!(outcome.peak_memory_bytes, (pages << 16) + 32, "{trap} in {phase}");
            assert_eq!(outcome.refused_growths, u64::from(phase == "call"), "{trap} in {phase}");
        }
    }
}

#[test]
fn segments_that_do_not_fit() {
    for (segment, code) in [
        ("(data (i32.const 65535) \"ab\")", "trap-memory-out-of-bounds"),
        ("(data (i32.const -1) \"a\")", "trap-memory-out-of-bounds"),
        ("(data (i32.const 65537) \"\")", "trap-memory-out-of-bounds"),
        ("(elem (i32.const 4) func $f)", "trap-table-out-of-bounds"),
        ("(elem (i32.const -1) func $f)", "trap-table-out-of-bounds"),
        ("(elem (i32.const 3) func $f $f)", "trap-table-out-of-bounds"),
        // The first one is copied, the second one fails.
        ("(data (i32.const 0) \"a\") (data (i32.const 65536) \"b\")", "trap-memory-out-of-bounds"),
        ("(data (i32.const 65536) \"\")", "ok"),
        ("(elem (i32.const 4) func)", "ok"),
    ] {
        let wasm = wasm(&format!(r#"(module (memory 1) (table 4 funcref) (func $f) {segment} (func (export "run")))"#));
        let outcome = value_call::<Wasmtime>(&wasm);
        assert_eq!(outcome, value_call::<Wasmi>(&wasm), "{segment}");
        let phase = if code == "ok" { "call" } else { "instantiate" };
        assert_eq!((outcome.code, outcome.phase), (code, phase), "{segment}");
    }
}

/// Expressions and their values.
#[rustfmt::skip]
const EXPRESSIONS: &[(&str, Value)] = &[
    ("i32 (i32.add (i32.const 0x7fffffff) (i32.const 1))", Value::I32(i32::MIN)),
    ("i32 (i32.mul (i32.const 0x10001) (i32.const 0x10001))", Value::I32(0x2_0001)),
    ("i32 (i32.div_s (i32.const -7) (i32.const 2))", Value::I32(-3)),
    ("i32 (i32.div_u (i32.const -7) (i32.const 2))", Value::I32(0x7fff_fffc)),
    ("i32 (i32.rem_s (i32.const 0x80000000) (i32.const -1))", Value::I32(0)),
    ("i32 (i32.shl (i32.const 1) (i32.const 33))", Value::I32(2)),
    ("i32 (i32.shr_s (i32.const -8) (i32.const 1))", Value::I32(-4)),
    ("i32 (i32.rotr (i32.const 1) (i32.const 1))", Value::I32(i32::MIN)),
    ("i32 (i32.clz (i32.const 0))", Value::I32(32)),
    ("i32 (i32.ctz (i32.const 0))", Value::I32(32)),
    ("i32 (i32.popcnt (i32.const -1))", Value::I32(32)),
    ("i32 (i32.extend8_s (i32.const 0x80))", Value::I32(-128)),
    ("i32 (i32.lt_u (i32.const -1) (i32.const 1))", Value::I32(0)),
    ("i32 (i32.eqz (i32.const 0))", Value::I32(1)),
    ("i32 (i32.wrap_i64 (i64.const 0x1_0000_0007))", Value::I32(7)),
    ("i32 (i32.trunc_sat_f64_s (f64.const nan))", Value::I32(0)),
    ("i32 (i32.trunc_sat_f32_u (f32.const inf))", Value::I32(-1)),
    ("i32 (i32.trunc_f64_s (f64.const -2147483648.9))", Value::I32(i32::MIN)),
    ("i32 (select (i32.const 1) (i32.const 2) (i32.lt_s (i32.const -1) (i32.const 0)))", Value::I32(1)),
    ("i32 (select (i32.const 1) (i32.const 2) (i32.eqz (i32.const 0)))", Value::I32(1)),
    ("i32 (select (i32.const 1) (i32.const 2) (i64.eqz (i64.const 1)))", Value::I32(2)),
    ("i64 (i64.mul (i64.const 0x1_0000_0001) (i64.const 0x1_0000_0001))", Value::I64(0x2_0000_0001)),
    ("i64 (i64.div_s (i64.const -9) (i64.const 4))", Value::I64(-2)),
    ("i64 (i64.rem_u (i64.const -1) (i64.const 10))", Value::I64(5)),
    ("i64 (i64.rotl (i64.const 1) (i64.const 65))", Value::I64(2)),
    ("i64 (i64.extend_i32_s (i32.const -1))", Value::I64(-1)),
    ("i64 (i64.extend_i32_u (i32.const -1))", Value::I64(0xffff_ffff)),
    ("i64 (i64.extend32_s (i64.const 0x8000_0000))", Value::I64(-0x8000_0000)),
    ("i64 (i64.trunc_sat_f64_u (f64.const 1e300))", Value::I64(-1)),
    ("i64 (i64.reinterpret_f64 (f64.const -0))", Value::I64(i64::MIN)),
    ("f32 (f32.add (f32.const 0.1) (f32.const 0.2))", Value::F32(0x3e99_999a)),
    ("f32 (f32.demote_f64 (f64.const 0.1))", Value::F32(0x3dcc_cccd)),
    ("f32 (f32.convert_i64_u (i64.const -1))", Value::F32(0x5f80_0000)),
    ("f32 (f32.nearest (f32.const 2.5))", Value::F32(0x4000_0000)),
    ("f32 (f32.min (f32.const 0) (f32.const -0))", Value::F32(0x8000_0000)),
    ("f32 (f32.copysign (f32.const 1) (f32.const -0))", Value::F32(0xbf80_0000)),
    ("f64 (f64.add (f64.const 0.1) (f64.const 0.2))", Value::F64(0x3fd3_3333_3333_3334)),
    ("f64 (f64.div (f64.const 1) (f64.const -0))", Value::F64(0xfff0_0000_0000_0000)),
    ("f64 (f64.sqrt (f64.const 2))", Value::F64(0x3ff6_a09e_667f_3bcd)),
    ("f64 (f64.max (f64.const 0) (f64.const -0))", Value::F64(0)),
    ("f64 (f64.trunc (f64.const -1.9))", Value::F64(0xbff0_0000_0000_0000)),
    ("f64 (f64.convert_i32_s (i32.const -1))", Value::F64(0xbff0_0000_0000_0000)),
    ("f64 (f64.promote_f32 (f32.const 0.1))", Value::F64(0x3fb9_9999_a000_0000)),
    ("i32 (i32.load16_s (i32.const 1))", Value::I32(0x0302)),
    ("i32 (i32.load8_s offset=7 (i32.const 0))", Value::I32(-8)),
    ("i64 (i64.load (i32.const 0))", Value::I64(0xf807_0605_0403_0201u64.cast_signed())),
    ("i64 (i64.load32_u (i32.const 65532))", Value::I64(0)),
    ("i32 (memory.size)", Value::I32(1)),
    ("i32 (memory.grow (i32.const 3))", Value::I32(1)),
    ("i32 (memory.grow (i32.const 4))", Value::I32(-1)),
    ("i32 (table.grow (ref.null func) (i32.const 3))", Value::I32(4)),
    ("i32 (ref.is_null (table.get (i32.const 0)))", Value::I32(0)),
    ("i32 (call_indirect (result i32) (i32.const 0))", Value::I32(41)),
    ("i32 (call_indirect (result i32) (i32.const 1))", Value::I32(42)),
    ("i32 (global.get $number)", Value::I32(7)),
    ("i32 (block (result i32) (br_table 0 1 (i32.const 5) (i32.const 0)) (drop) (i32.const 6))", Value::I32(5)),
    ("funcref (ref.null func)", Value::NullFuncRef),
    ("funcref (table.get (i32.const 0))", Value::FuncRef),
    ("v128 (i8x16.add (v128.const i32x4 1 2 3 4) (v128.const i32x4 1 1 1 1))", Value::V128(0x5_0000_0004_0000_0003_0000_0002)),
    ("i32 (i8x16.extract_lane_s 15 (i8x16.splat (i32.const 200)))", Value::I32(-56)),
];

#[test]
fn expressions_have_their_value() {
    for (expression, value) in EXPRESSIONS {
        let (ty, expression) = expression.split_once(' ').unwrap();
        let wasm = wasm(&format!(
            r#"(module
                (memory (export "memory") 1)
                (data (i32.const 0) "\01\02\03\04\05\06\07\f8")
                (table 4 8 funcref)
                (elem (i32.const 0) func $first $second)
                (global $number i32 (i32.const 7))
                (func $first (result i32) (i32.const 41))
                (func $second (result i32) (i32.const 42))
                (func (export "run") (result {ty}) {expression}))"#
        ));
        let outcome = value_call::<Wasmtime>(&wasm);
        assert_eq!(outcome, value_call::<Wasmi>(&wasm), "{expression}");
        assert_eq!((outcome.code, &outcome.results[..]), ("ok", &[*value][..]), "{expression}");
    }
}

/// Guests with several steps; they write their results to the reply.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "copies that overlap",
        r#"
        (memory.copy (i32.const 2) (i32.const 0) (i32.const 6))
        (memory.fill (i32.const 7) (i32.const 0x55) (i32.const 2))
        (memory.copy (i32.const 8) (i32.const 0) (i32.const 8))"#,
    ),
    (
        "tables",
        r#"
        (table.set (i32.const 3) (ref.func $f))
        (table.copy (i32.const 0) (i32.const 2) (i32.const 2))
        (i32.store8 (i32.const 0) (ref.is_null (table.get (i32.const 0))))
        (i32.store8 (i32.const 1) (ref.is_null (table.get (i32.const 1))))
        (table.fill (i32.const 0) (ref.null func) (i32.const 4))
        (i32.store8 (i32.const 2) (ref.is_null (table.get (i32.const 3))))
        (i32.store8 (i32.const 3) (table.grow (ref.func $f) (i32.const 4)))
        (i32.store8 (i32.const 4) (table.grow (ref.func $f) (i32.const 4)))
        (i32.store8 (i32.const 5) (table.size))"#,
    ),
    (
        "growth and refusal",
        r#"
        (i32.store8 (i32.const 0) (memory.grow (i32.const 2)))
        (i32.store8 (i32.const 1) (memory.grow (i32.const 2)))
        (i32.store8 (i32.const 2) (memory.grow (i32.const 0)))
        (i32.store (i32.const 196604) (i32.const -1))
        (i32.store8 (i32.const 3) (memory.size))"#,
    ),
    (
        "segments",
        r#"
        (memory.init $data (i32.const 0) (i32.const 1) (i32.const 3))
        (data.drop $data)
        (memory.init $data (i32.const 9) (i32.const 0) (i32.const 0))"#,
    ),
    (
        "many results",
        r#"
        (i32.const 0) (call $three) (drop) (drop) (i32.store8)
        (call $three) (i32.add) (i32.add) (local.set 0) (i32.store8 (i32.const 1) (local.get 0))"#,
    ),
    (
        "a loop",
        r#"
        (local.set 1 (i32.const 15))
        (loop $next
            (i32.store8 (local.get 1) (i32.mul (local.get 1) (local.get 1)))
            (br_if $next (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))"#,
    ),
];

#[test]
fn programs_leave_the_same_bytes() {
    for (name, body) in PROGRAMS {
        let wasm = wasm(&format!(
            r#"(module
                (memory (export "memory") 1)
                (data $data "data")
                (table 4 8 funcref)
                (elem declare func $f)
                (func $f)
                (func $three (result i32 i32 i32) (i32.const 1) (i32.const 2) (i32.const 3))
                (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
                (func (export "alloc") (param i32) (result i32) (i32.const 1024))
                (func (export "process") (param i32 i32) (result i64) {body} (i64.const 16)))"#
        ));
        let (on_wasmtime, on_wasmi) = (byte_call::<Wasmtime>(&wasm), byte_call::<Wasmi>(&wasm));
        assert_eq!(on_wasmtime, on_wasmi, "{name}");
        assert_eq!((on_wasmtime.code, on_wasmtime.output.len()), ("ok", 16), "{name}");
        assert!(on_wasmtime.output.iter().any(|byte| *byte != 0), "{name} did nothing");
    }
}

/// The largest memories of both engines. Runs only on wasmtime, which does not commit untouched pages.
#[test]
fn the_largest_memories_are_had() {
    let policy = Policy::default().with(|rules| {
        rules.proposals.allow(hotcell::Proposal::CustomPageSizes);
        rules.limits.memory_bytes = 1 << 32;
    });
    let policy = policy.unwrap();
    for (text, size) in [
        ("(memory 1 (pagesize 1)) (func $grow (result i32) (memory.grow (i32.const 0xfffffffd)))", -2),
        ("(memory 0xfffffffe (pagesize 1)) (func $grow (result i32) (i32.const 1))", -2),
        ("(memory 1) (func $grow (result i32) (memory.grow (i32.const 0xffff)))", 0x10000),
        ("(memory 0x10000) (func $grow (result i32) (i32.const 1))", 0x10000),
    ] {
        let wasm = wasm(&format!(
            r#"(module {text}
                (func (export "run") (result i32)
                    (if (i32.eq (call $grow) (i32.const -1)) (then (unreachable)))
                    (i32.store8 (i32.const 0xfffffffd) (i32.const 7))
                    (if (i32.ne (i32.load8_u (i32.const 0xfffffffd)) (i32.const 7)) (then (unreachable)))
                    (memory.size)))"#
        ));
        let sandbox = Sandbox::<Wasmtime>::on(policy.clone()).unwrap();
        let plugin = sandbox.load_with::<()>(&wasm, &sandbox.imports(), &Contract::None).unwrap();
        let (values, _) = plugin.call_values("run", &[], (), None).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(values, [Value::I32(size)], "{text}");
    }
}
