//! Guests that try to reach, bypass or overload the rewrite.

use hotcell::{
    Contract, Offered, Policy, Preset, Proposal, Rules, Sandbox, Value, Wasmi, Wasmtime, admit,
    policy::{Floats, Metering},
};
use hotcell_conformance::BackendUnderTest;
use hotcell_differential::{Host, Observed, Runner};
use wasmparser::{Operator, Parser, Payload};

use super::run::{Both, plain, policy, wasm};

const PLENTY: u64 = 1_000_000_000;
const MODES: [Metering; 2] = [Metering::Exact, Metering::Engine];
/// Maximum bytes of a function body in wasmtime.
const MOST_BODY_BYTES: usize = 7_654_321;

fn tail_calls(fuel: u64) -> Policy {
    policy(fuel, |rules| rules.proposals.allow(Proposal::TailCall))
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

// Far branches.

/// Bodies over which a branch is far on wasmi, with fewer operators than a large body has for the rewrite.
fn far_bodies() -> [(&'static str, String); 4] {
    let table = format!("(block $t (block $u (br_table {} (local.get 0))))", "$t $u ".repeat(4_096));
    [
        ("40,000 operators", "i32.const 1 drop ".repeat(20_000)),
        ("3,900 growths", format!("i32.const 0 {} drop", "memory.grow ".repeat(3_900))),
        ("3,900 calls of an import", "call $nop ".repeat(3_900)),
        ("5 tables of 8,192 targets", table.repeat(5)),
    ]
}

/// wasmi 1.1 panics when it translates a fused conditional branch over more than 32,767 of its instructions. On a
/// target that does not unwind nothing catches that.
#[test]
fn far_branches_translate() {
    let forms = [
        ("forward br_if", "(block $b (br_if $b (i32.and (local.get 0) (i32.const 4))) ", ")"),
        ("forward if", "(if (i32.and (local.get 0) (i32.const 3)) (then ", "))"),
        (
            "backward br_if",
            "(loop $l ",
            "(local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if $l (i32.lt_s (local.get 0) (i32.const 3))))",
        ),
        (
            "backward br_if with operands",
            "(i32.const 5) (loop $l (param i32) (result i32) ",
            "(i32.const 1) i32.sub (local.tee 0) (br_if $l (i32.gt_s (local.get 0) (i32.const 3)))) (drop)",
        ),
    ];
    let mut wrong = Vec::new();
    for metering in MODES {
        let both = Both::new(&policy(PLENTY, |rules| rules.metering = metering));
        for (far, body) in far_bodies() {
            for (form, begin, end) in forms {
                let wasm = wasm(&format!(
                    r#"(memory 1) (func (export "f") (param i32) (result i32) {begin} {body} {end} (local.get 0))"#
                ));
                let params = [Value::I32(1)];
                let outcomes =
                    [both.wasmtime.call(&wasm, "f", &params), both.wasmi.call(&wasm, "f", &params)].map(|observed| {
                        let Observed { code, values, message, .. } = observed;
                        (code, values, message)
                    });
                if outcomes[0] != outcomes[1] || outcomes[0].0 != "ok" {
                    wrong.push(format!("{metering:?}, {form} over {far}: {outcomes:?}"));
                }
            }
        }
    }
    assert_none(&wrong);
}

// Tail calls.

/// A function that the host called tail-calls one that the host cannot call.
const TAIL: &str = r#"
    (func $leaf)
    (func $tail (param i32)
        (if (local.get 0) (then))
        (call $leaf)
        i32.const 1 drop i32.const 1 drop i32.const 1 drop i32.const 1 drop i32.const 1 drop i32.const 1 drop)
    (func (export "f") (return_call $tail (i32.const 1)))"#;

#[test]
fn a_tail_call_gives_its_stack_back() {
    fn calls<B: BackendUnderTest>() -> Result<(), String> {
        let plugin = Runner::<B>::new(&tail_calls(PLENTY)).unwrap().load(&wasm(TAIL)).unwrap();
        let mut session = plugin.session(Host::default()).unwrap();
        for call in 0..20_000 {
            session.call_values("f", &[]).map_err(|fault| format!("{} after {call} calls: {fault}", B::ID))?;
        }
        Ok(())
    }
    assert_none(&[calls::<Wasmtime>(), calls::<Wasmi>()].into_iter().filter_map(Result::err).collect::<Vec<_>>());
}

#[test]
fn a_tail_call_of_an_export_pays_for_its_last_run() {
    let wasm = wasm(TAIL);
    let cost = Both::new(&tail_calls(PLENTY)).call(&wasm, "f", &[]).unwrap().fuel();
    for fuel in 0..cost + 3 {
        let observed = Both::new(&tail_calls(fuel)).call(&wasm, "f", &[]).unwrap();
        let expected = if fuel < cost { ("out-of-fuel", fuel) } else { ("ok", cost) };
        assert_eq!((observed.code, observed.fuel()), expected, "{fuel} of {cost}");
    }
}

/// A host function does not check the guest's fuel, so a guest without fuel must not be able to call it.
#[test]
fn no_import_runs_without_fuel() {
    let run = "i32.const 1 drop ".repeat(9);
    let ways = [
        ("call", "(call $nop)"),
        ("call_indirect", "(call_indirect (i32.const 0))"),
        ("return_call", "(return_call $nop)"),
        ("return_call_indirect", "(return_call_indirect (i32.const 0))"),
    ];
    let mut wrong = Vec::new();
    for (name, way) in ways {
        let wasm = wasm(&format!(
            r#"(table 1 funcref) (elem (i32.const 0) $nop)
            (func $inner (param i32) (if (local.get 0) (then)) {run} {way})
            (func (export "direct") (param i32) (if (local.get 0) (then)) {run} {way})
            (func (export "nested") (param i32) (call $inner (local.get 0)))"#
        ));
        for export in ["direct", "nested"] {
            let params = [Value::I32(1)];
            let cost = Both::new(&tail_calls(PLENTY)).call(&wasm, export, &params).unwrap().fuel();
            for fuel in 0..cost + 3 {
                let observed = Both::new(&tail_calls(fuel)).call(&wasm, export, &params).unwrap();
                let expected = if fuel < cost { ("out-of-fuel", fuel, 0) } else { ("ok", cost, 1) };
                let found = (observed.code, observed.fuel(), observed.host.calls);
                if found != expected {
                    wrong.push(format!("{name} {export}, fuel {fuel} of {cost}: {found:?}, not {expected:?}"));
                }
            }
        }
    }
    assert_none(&wrong);
}

// Stack.

/// Values that an optimiser hoists out of a loop are live across the call in it: a native frame is larger than the
/// guest's locals and operands.
#[test]
fn hoisted_values_do_not_change_the_depth() {
    let both = Both::new(&policy(PLENTY, |_| ()));
    let mut wrong = Vec::new();
    for count in [100, 384] {
        let shifts: String = ["shl", "shr_u", "shr_s"]
            .iter()
            .flat_map(|shift| ["i8x16", "i16x8", "i32x4", "i64x2"].map(|lanes| format!("{lanes}.{shift}")))
            .flat_map(|shift| (0..32).map(move |by| format!("local.get $x i32.const {by} {shift} v128.xor ")))
            .take(count)
            .collect();
        let wasm = wasm(&format!(
            r#"(global $depth (export "depth") (mut i32) (i32.const 0))
            (func $f (export "f") (param $y i64) (local $x v128) (local $a v128)
                (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
                (local.set $x (i64x2.splat (local.get $y)))
                (loop $l
                    (local.set $a (local.get $a) {shifts})
                    (if (v128.any_true (local.get $a)) (then (call $f (local.get $y))))
                    (br_if $l (i64.eqz (i64x2.extract_lane 0 (local.get $a))))))"#
        ));
        match both.call(&wasm, "f", &[Value::I64(0x1_2345_6789)]) {
            Ok(observed) => assert_eq!(observed.code, "stack-overflow"),
            Err(difference) => wrong.push(format!("{count} values:\n{difference}")),
        }
    }
    assert_none(&wrong);
}

/// Functions that recurse endlessly: directly, and through a table, where there is an entrance between calls. Also with
/// parameters of the maximum total size.
fn endless_recursions() -> [(&'static str, Vec<u8>); 4] {
    let through_table = |params: usize, ty: &str, value: &str| {
        let (params, values) = (format!("{ty} ").repeat(params), format!("{value} ").repeat(params));
        plain(&format!(
            r#"(type $t (func (param {params}))) (table 1 funcref) (elem (i32.const 0) $f)
            (func (export "f") (call $f {values}))
            (func $f (type $t) (call_indirect (type $t) {values} (i32.const 0)))"#
        ))
    };
    [
        ("by name", plain(r#"(func $f (export "f") (call $f))"#)),
        ("through a table", through_table(0, "i64", "")),
        ("with 64 numbers", through_table(64, "i64", "(i64.const 1)")),
        ("with 64 vectors", through_table(64, "v128", "(v128.const i64x2 1 1)")),
    ]
}

#[test]
fn every_stack_that_a_policy_may_ask_for_is_there() {
    let mut policies = vec![("ceiling".to_owned(), Policy::ceiling())];
    for stack in [4 << 10, 64 << 10, 512 << 10, 1 << 20, 16 << 20, 256 << 20] {
        policies.push((format!("{stack} bytes"), policy(PLENTY, |rules| rules.limits.stack_bytes = stack)));
    }
    let mut wrong = Vec::new();
    for (name, policy) in policies {
        if let Err(error) = Sandbox::<Wasmtime>::on(policy.clone()) {
            wrong.push(format!("{name}: {error}"));
            continue;
        }
        let both = Both::new(&policy);
        for (way, wasm) in endless_recursions() {
            match both.call(&wasm, "f", &[]) {
                Ok(observed) if observed.code == "stack-overflow" => {}
                other => wrong.push(format!("{name}, {way}: {other:?}")),
            }
        }
    }
    assert_none(&wrong);
}

fn rewritten(wasm: &[u8], policy: &Policy) -> Result<Vec<u8>, hotcell::Rejection> {
    admit(wasm, policy, &nop_alone(), &Contract::None).map(|admitted| admitted.bytes().to_vec())
}

/// Offers `env::nop` only.
fn nop_alone() -> Offered {
    let mut offered = Offered::default();
    let ty = admit::FuncType::default();
    offered.offer(hotcell::Signature { module: "env".into(), name: "nop".into(), ty }).unwrap();
    offered
}

/// Bytes and blocks of the largest body. A loop counts as two blocks (the caps count four).
fn largest_body(wasm: &[u8]) -> (usize, u64) {
    let bodies = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload.unwrap() {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let measures = bodies.map(|body| {
        let blocks = body.get_operators_reader().unwrap().into_iter().map(|operator| match operator.unwrap() {
            Operator::Block { .. } | Operator::If { .. } => 1,
            Operator::Loop { .. } => 2,
            _ => 0,
        });
        (body.range().len(), blocks.sum())
    });
    measures.fold((0, 0), |(bytes, blocks), (b, n)| (bytes.max(b), blocks.max(n)))
}

const NOP: &str = r#"(import "env" "nop" (func $nop))"#;

/// Bodies of many operators of one kind, within the caps of the default policy.
fn long_bodies() -> [(&'static str, String); 6] {
    let module = |rest: &str, begin: &str, operators: &str, count: usize, end: &str| {
        format!(r#"{NOP} {rest} (func (export "f") {begin} {} {end})"#, operators.repeat(count))
    };
    let memory = "(memory 1)";
    [
        ("calls", module("", "", "call 1 ", 500_000, "")),
        ("calls of an import", module("", "", "call 0 ", 500_000, "")),
        ("growths", module(memory, "i32.const 0", "memory.grow ", 500_000, "drop")),
        ("fills", module(memory, "(param i32)", "local.get 0 local.get 0 local.get 0 memory.fill ", 100_000, "")),
        ("roundings", module("", "(param f32) local.get 0", "f32.ceil f32.neg ", 500_000, "drop")),
        ("vectors", module("", "(param v128) local.get 0", "f32x4.sqrt v128.not ", 170_000, "drop")),
    ]
}

#[test]
fn no_rewritten_body_is_larger_than_an_engine_takes() {
    let policy = policy(PLENTY, |_| ());
    let mut wrong = Vec::new();
    for (name, body) in long_bodies() {
        let wasm = plain(&body);
        if let Ok(after) = rewritten(&wasm, &policy) {
            let (before, after) = (largest_body(&wasm).0, largest_body(&after).0);
            if after > MOST_BODY_BYTES {
                wrong.push(format!("{name}: {before} bytes become {after}, wasmtime takes {MOST_BODY_BYTES}"));
            }
        }
    }
    assert_none(&wrong);
}

/// The caps on blocks bound a compiler's time, so the rewrite must not add an unbounded number of blocks.
#[test]
fn the_rewrite_multiplies_no_blocks() {
    let policy = policy(PLENTY, |_| ());
    let allowed = 2 * policy.rules().module.blocks;
    let mut wrong = Vec::new();
    for (name, body) in long_bodies() {
        if let Ok(after) = rewritten(&plain(&body), &policy) {
            let blocks = largest_body(&after).1;
            if blocks > allowed {
                wrong.push(format!("{name}: {blocks} blocks, twice the cap is {allowed}"));
            }
        }
    }
    assert_none(&wrong);
}

/// Operators that Cranelift turns into several blocks each. With many values live across them, compiling takes minutes
/// and all available memory: 100,000 growths end the host's process.
#[test]
fn operators_that_become_blocks_count_as_blocks() {
    let policy = Policy::strict();
    let locals = policy.rules().module.locals - 10;
    let allowed = policy.rules().module.locals_x_blocks;
    let declared = "i64 ".repeat(locals as usize);
    let [sets, gets] = [
        |local: u64| format!("(local.set {local} (i64.load (i32.const {})))", local * 8),
        |local: u64| format!("(i64.store (i32.const {}) (local.get {local}))", local * 8),
    ]
    .map(|each| (0..locals).map(each).collect::<String>());
    let mut wrong = Vec::new();
    for operator in [
        "memory.grow",
        "drop (table.grow (ref.null func) (i32.const 0))",
        "drop (i32.const 0) (table.copy (i32.const 0) (i32.const 0) (i32.const 0))",
        "(drop (table.get (i32.const 0)))",
        "(call_indirect (i32.const 0))",
    ] {
        let count = 10_000;
        let wasm = plain(&format!(
            r#"(memory 1) (table 1 funcref)
            (func (export "f") (local {declared}) {sets} (i32.const 0) {} (drop) {gets})"#,
            format!("{operator} ").repeat(count)
        ));
        if admit(&wasm, &policy, &Offered::default(), &Contract::None).is_ok() {
            wrong.push(format!(
                "{count} times `{operator}` with {locals} locals: the cap on locals times blocks is {allowed}"
            ));
        }
    }
    assert_none(&wrong);
}

/// A module that the ceiling's caps admit must be within the engine's own limit after the rewrite.
#[test]
fn modules_at_the_caps_of_the_ceiling_compile() {
    let rules = Rules { floats: Floats::Canonical, ..Rules::preset(Preset::Ceiling) };
    let policy = Policy::new(rules).unwrap();
    let (constants, types) = (policy.rules().module.constants, policy.rules().module.types);
    let add = |n: u64| format!("(local.set 0 (i64.xor (local.get 0) (i64.const {})))", (n + 1) * 1_000_003);
    let adds: String = (0..constants).map(add).collect();
    let modules = [
        (
            "constants",
            format!(
                r#"(func (export "f") (local i64 f32 f64 v128) {adds}
                (local.set 1 (f32.sqrt (local.get 1))) (local.set 2 (f64.sqrt (local.get 2)))
                (local.set 3 (f32x4.sqrt (local.get 3))))"#
            ),
        ),
        (
            "types",
            "(type (func))".repeat(types as usize - 1)
                + r#"(type $two (func (result i32 i64))) (func (export "f") (type $two) i32.const 1 i64.const 2)"#,
        ),
    ];
    let runner = Runner::<Wasmi>::new(&policy).unwrap();
    let mut wrong = Vec::new();
    for (name, text) in modules {
        if let Err(error) = runner.load(&plain(&text))
            && error.code() == "backend"
        {
            wrong.push(format!("{name}: {error}: {:?}", std::error::Error::source(&error)));
        }
    }
    assert_none(&wrong);
}

/// A compiler does not always find a free spill slot: in the worst case each value of a body has its own.
#[test]
fn values_that_find_no_place_do_not_change_the_depth() {
    const LOCALS: usize = 30;
    const VALUES: usize = 60;
    for make in ["call $one", "local.get $at i64.load", "local.get 1 i64.const 7 i64.mul", "call $three drop drop"] {
        let values = format!("{make} ").repeat(VALUES);
        let rounds = format!("{values} call $none call $sink ").repeat(400);
        let change: String =
            (1..=LOCALS).map(|at| format!("local.get {at} i64.const {at} i64.add local.set {at} ")).collect();
        let body = format!(
            r#"(memory 1) (func $none) (func $one (result i64) i64.const 5)
            (func $three (result i64 i64 i64) i64.const 1 i64.const 2 i64.const 3)
            (func $sink (param {params}))
            (func $f (export "f") (param i64) (result i64) (local {locals}) (local $at i32)
                (if (i64.eqz (local.get 0)) (then (return (i64.const 7))))
                (loop $again
                    {rounds}
                    (local.set 1 (i64.add (local.get 1) (call $f (i64.sub (local.get 0) (i64.const 1)))))
                    {change}
                    (br_if $again (i64.eqz (local.get 1))))
                {gets} {sums})"#,
            params = "i64 ".repeat(VALUES),
            locals = "i64 ".repeat(LOCALS),
            gets = (1..=LOCALS).map(|at| format!("local.get {at} ")).collect::<String>(),
            sums = "i64.add ".repeat(LOCALS - 1),
        );
        let both = Both::new(&policy(100_000_000, |_| ()));
        for depth in [2, 5, 10, 40] {
            both.call(&plain(&body), "f", &[Value::I64(depth)]).unwrap_or_else(|error| panic!("{make}: {error}"));
        }
    }
}

/// A segment that is out of bounds traps, whatever the fuel.
#[test]
fn an_initialisation_that_does_not_fit_is_a_trap() {
    let data = "a".repeat(65_536);
    let body = format!(
        r#"(memory 1) (data $d "{data}") (table 9 funcref) (func $n) (elem $e func {entries})
        (func (export "memory") (memory.init $d (i32.const 1) (i32.const 0) (i32.const 65536)))
        (func (export "table") (table.init $e (i32.const 8) (i32.const 0) (i32.const 4000)))
        (func (export "fits") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 65536)))"#,
        entries = "$n ".repeat(5_000),
    );
    for fuel in [20, 1_000, 1_000_000] {
        let both = Both::new(&policy(fuel, |_| ()));
        let code = |export: &str| both.call(&plain(&body), export, &[]).unwrap().code;
        assert_eq!(code("memory"), "trap-memory-out-of-bounds", "{fuel}");
        assert_eq!(code("table"), "trap-table-out-of-bounds", "{fuel}");
        assert_eq!(code("fits"), if fuel > 4_200 { "ok" } else { "out-of-fuel" }, "{fuel}");
    }
}
