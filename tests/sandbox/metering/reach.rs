//! Guests that try to reach the counters, or to get more of what they count.

use hotcell::{
    Contract, Offered, Policy, Proposal, Sandbox, Value, Wasmi, Wasmtime, admit,
    backend::{Backend, HostFn},
    policy::Metering,
};
use hotcell_core::meter;
use hotcell_differential::Observed;
use wasm_encoder::{
    CodeSection, Function, FunctionSection, Module, RawSection, RefType, SectionId, TableSection, TableType,
    TypeSection, ValType,
};

use super::run::{Both, plain, policy, wasm};

const PLENTY: u64 = 1_000_000;

fn tail_calls(fuel: u64, stack_bytes: u64) -> Policy {
    policy(fuel, |rules| {
        rules.proposals.allow(Proposal::TailCall);
        rules.limits.stack_bytes = stack_bytes;
    })
}

#[test]
fn no_module_exports_a_reserved_name() {
    for metering in [Metering::Exact, Metering::Engine] {
        let both = Both::new(&policy(PLENTY, |rules| rules.metering = metering));
        for name in [meter::FUEL, meter::STACK, meter::START] {
            for export in ["(func", "(memory", "(table", "(global"] {
                let rest = match export {
                    "(memory" => "1)",
                    "(table" => "1 funcref)",
                    "(global" => "(mut i64) (i64.const 1000000))",
                    _ => ")",
                };
                let wasm = plain(&format!(r#"{export} (export "{name}") {rest}"#));
                let observed = both.call(&wasm, "f", &[]).unwrap();
                assert_eq!((observed.code, observed.phase), ("export-mismatch", "admit"), "{export} {name}");
            }
        }
    }
}

/// A name similar to a reserved one belongs to the guest, and the counters are not the guest's globals: neither the
/// host's calls nor its queries reach them.
#[test]
fn nobody_outside_reaches_the_counters() {
    let both = Both::new(&policy(PLENTY, |_| ()));
    let wasm = plain(
        r#"(global (export "__hotcell_fuel_") (mut i64) (i64.const 7)) (global (export " __hotcell_stack") i64 (i64.const 8))
        (func (export "__hotcell_starts") (result i64) (global.get 0))"#,
    );
    let observed = both.call(&wasm, "__hotcell_starts", &[]).unwrap();
    assert_eq!(observed.values, [Value::I64(7)]);
    assert_eq!(observed.globals, [Some(Value::I64(7)), Some(Value::I64(8))]);
    for reserved in [meter::FUEL, meter::STACK, meter::START] {
        assert_eq!(both.call(&wasm, reserved, &[]).unwrap().code, "no-such-export");
    }
}

/// A guest can neither import nor define the refill function.
#[test]
fn nobody_imports_the_function_that_gives_fuel() {
    let both = Both::new(&policy(PLENTY, |_| ()));
    let import = format!(r#"(import "{}" "{}" (func (param i64)))"#, meter::HOST, meter::REFILL);
    let observed = both.call(&plain(&import), "f", &[]).unwrap();
    assert_eq!((observed.code, observed.phase), ("import-denied", "admit"));

    fn define<B: Backend + HostFn<(i64,), ()>>() -> bool {
        let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
        let mut imports = sandbox.imports::<()>();
        imports.func(meter::HOST, meter::REFILL, |_, (_,): (i64,)| Ok(())).is_ok()
    }
    assert!(!define::<Wasmtime>() && !define::<Wasmi>());
}

/// At every position of a function index, in every encoding length.
#[test]
fn functions_stay_what_they_were() {
    const FIRST: [u8; 5] = [0x80, 0x80, 0x80, 0x80, 0];
    const SECOND: [u8; 5] = [0x81, 0x80, 0x80, 0x80, 0];
    let (mut types, mut functions, mut tables) = (TypeSection::new(), FunctionSection::new(), TableSection::new());
    types.ty().function([], [ValType::I32]);
    functions.function(0).function(0);
    let (element_type, maximum) = (RefType::FUNCREF, None);
    tables.table(TableType { element_type, table64: false, minimum: 2, maximum, shared: false });
    let exports = [&[1, 1, b'f', 0], &SECOND[..]].concat();
    // An index at 0, an expression at 1.
    let elements = [&[2, 0, 0x41, 0, 0x0b, 1], &FIRST[..], &[4, 0x41, 1, 0x0b, 1, 0xd2], &FIRST[..], &[0x0b]].concat();
    let (mut one, mut both) = (Function::new([]), Function::new([]));
    one.instructions().i32_const(1).end();
    both.instructions().i32_const(0).call_indirect(0, 0).i32_const(1).call_indirect(0, 0).i32_add().call(0);
    both.instructions().i32_add().ref_func(0).ref_is_null().i32_add().end();
    let mut code = CodeSection::new();
    code.function(&one).function(&both);
    let mut wasm = Module::new();
    wasm.section(&types).section(&functions).section(&tables);
    wasm.section(&RawSection { id: SectionId::Export as u8, data: &exports });
    wasm.section(&RawSection { id: SectionId::Element as u8, data: &elements });
    wasm.section(&code);
    let observed = Both::new(&policy(PLENTY, |_| ())).call(&wasm.finish(), "f", &[]).unwrap();
    assert_eq!((observed.code, observed.values), ("ok", vec![Value::I32(3)]), "{:?}", observed.message);
}

/// The engine gets three functions more than the guest has, one that is imported and two by which bodies call it, and engines
/// accept a million.
#[test]
fn there_is_room_for_three_functions_more() {
    const MOST: u32 = 1_000_000;
    let policy = Policy::ceiling();
    for (count, fits) in [(MOST - 3, true), (MOST - 2, false)] {
        let mut wasm = Module::new();
        let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
        types.ty().function([], []);
        for _ in 0..count {
            functions.function(0);
            code.raw(&[0, 0x0b]);
        }
        wasm.section(&types).section(&functions).section(&code);
        let wasm = wasm.finish();
        let admitted = admit(&wasm, &policy, &Offered::default(), &Contract::None);
        assert_eq!(admitted.is_ok(), fits, "{:?}", admitted.err());
    }
}

/// The index of a counter is out of the guest's range: validation refuses it before the counter exists.
#[test]
fn no_operator_names_a_counter() {
    let both = Both::new(&policy(PLENTY, |_| ()));
    let counters = 3;
    for index in 1..=counters {
        let text = |what: &str| plain(&format!("(global (mut i64) (i64.const 1)) (func (export \"f\") {what})"));
        for operator in [format!("global.get {index} drop"), format!("i64.const 99 global.set {index}")] {
            assert_eq!(both.call(&text(&operator), "f", &[]).unwrap().code, "invalid", "{operator}");
        }
        // The rewrite's locals follow the guest's.
        for operator in [format!("local.get {} drop", index - 1), format!("i64.const 9 local.set {}", index - 1)] {
            assert_eq!(both.call(&text(&operator), "f", &[]).unwrap().code, "invalid", "{operator}");
        }
    }
}

/// The rewrite needs no proposals of the policy that the guest does not need.
#[test]
fn every_proposal_may_be_denied() {
    let wasm = plain(r#"(memory 1) (func (export "f") (result i32) (i32.const 7))"#);
    for denied in Proposal::ALL {
        let both = Both::new(&policy(PLENTY, |rules| rules.proposals.deny(*denied)));
        let observed = both.call(&wasm, "f", &[]).unwrap();
        assert_eq!((observed.code, observed.values), ("ok", vec![Value::I32(7)]), "without {denied:?}");
    }
}

/// A host function that calls the guest back passes the counters on, and gets them back.
#[test]
fn reentry_goes_on_counting() {
    let body = r#"
        (global $depth (export "depth") (mut i32) (i32.const 0))
        (func (export "again") (param i32) (result i32)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (if (result i32) (local.get 0)
                (then (call $again (i32.sub (local.get 0) (i32.const 1))))
                (else (loop $forever (br $forever)) (unreachable))))
        (func $deep (export "deep") (param i32) (result i32) (call $again (i32.const 0)))"#;
    let both = Both::new(&policy(10_000, |rules| rules.limits.reentry = 64));
    let observed = both.call(&wasm(body), "again", &[Value::I32(50)]).unwrap();
    assert_eq!((observed.code, observed.fuel()), ("out-of-fuel", 10_000), "the loop inside uses the one budget");
    assert_eq!(observed.globals, [Some(Value::I32(51))]);

    let both = Both::new(&policy(PLENTY, |rules| {
        rules.limits.reentry = 64;
        rules.limits.stack_bytes = 4 << 10;
    }));
    let observed = both.call(&wasm(body), "again", &[Value::I32(62)]).unwrap();
    assert_eq!(observed.code, "stack-overflow", "frames below the host function count");
    let Some(Value::I32(depth)) = observed.globals[0] else { panic!("{observed:?}") };
    assert!((10..60).contains(&depth), "{depth}");
}

/// The counters after a host function's call are what they were: re-entry returns neither fuel nor stack.
#[test]
fn reentry_gives_nothing_back() {
    let body = r#"
        (func (export "again") (param i32) (result i32) (local.get 0))
        (func (export "f") (param $n i32)
            (loop $l
                (drop (call $again (i32.const 1)))
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (br_if $l (local.get $n))))"#;
    let used = |rounds: i32| {
        let both = Both::new(&policy(PLENTY, |rules| rules.limits.stack_bytes = 4 << 10));
        let observed = both.call(&wasm(body), "f", &[Value::I32(rounds)]).unwrap();
        assert_eq!(observed.code, "ok", "{rounds} rounds");
        observed.fuel()
    };
    let round = used(2) - used(1);
    assert_eq!(used(1_000), used(1) + 999 * round);
}

/// Tail calls continue while there is fuel, in the stack of one frame: also through a table, alternately, and through
/// functions that the host may call.
#[test]
fn tail_calls_go_on_for_as_long_as_there_is_fuel() {
    let ways = [
        (
            "itself",
            r#"(func $f (export "f") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
            (return_call $f (i32.sub (local.get 0) (i32.const 1))))"#,
        ),
        (
            "in turns",
            r#"(func $f (export "f") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
            (return_call $g (i64.const 5) (i32.sub (local.get 0) (i32.const 1))))
        (func $g (param i64 i32) (result i32) (local v128 i64) (return_call $f (local.get 1)))"#,
        ),
        (
            "through a table",
            r#"(table 2 2 funcref) (elem (i32.const 0) $f $g)
        (func $f (export "f") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
            (return_call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
        (func $g (param i32) (result i32) (local i64 i64 i64)
            (return_call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))"#,
        ),
        (
            "through a table and by name",
            r#"(table 2 2 funcref) (elem (i32.const 0) $f $g)
        (func $f (export "f") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
            (if (i32.eq (local.get 0) (i32.const -1)) (then (return (i32.add (call $g (i32.const 0)) (call $f (i32.const 0))))))
            (return_call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
        (func $g (param i32) (result i32)
            (return_call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))"#,
        ),
        (
            "called and tail called",
            r#"(func $f (export "f") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
            (return_call $g (i32.sub (local.get 0) (i32.const 1))))
        (func $g (export "g") (param i32) (result i32) (drop (call $leaf (local.get 0))) (return_call $f (local.get 0)))
        (func $leaf (export "leaf") (param i32) (result i32) (local.get 0))"#,
        ),
    ];
    for (name, body) in ways {
        let call = |fuel: u64, rounds: i32| {
            let both = Both::new(&tail_calls(fuel, 4 << 10));
            both.call(&plain(body), "f", &[Value::I32(rounds)]).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let observed: Observed = call(100_000_000, 200_000);
        assert_eq!((observed.code, observed.values.as_slice()), ("ok", &[Value::I32(7)][..]), "{name}");
        let observed = call(100_000, 200_000);
        assert_eq!((observed.code, observed.fuel()), ("out-of-fuel", 100_000), "{name}");
    }
}

/// However a function is called, and however many parameters it has, the guest's stack ends before the engine's.
#[test]
fn every_way_to_recurse_ends_at_the_same_depth() {
    let mut wrong = Vec::new();
    for params in [0, 1, 8, 16, 63] {
        for ty in ["i32", "i64", "f64", "v128"] {
            let types = format!("{ty} ").repeat(params);
            let gets: String = (0..params).map(|param| format!("local.get {param} ")).collect();
            let call = |what: &str| format!("{gets} {what}");
            let ways = [
                ("by name", call("call $f")),
                ("through the table", call("i32.const 0 call_indirect (type $t)")),
                ("in turns", call("call $g")),
                ("through the host", "i32.const 0 call $again drop".to_owned()),
            ];
            for (name, way) in ways {
                // `$f` is also called directly, through the table, and by the host.
                let body = format!(
                    r#"(type $t (func (param {types})))
                    (table 2 2 funcref) (elem (i32.const 0) $f $g)
                    (global $depth (export "depth") (mut i32) (i32.const 0))
                    (func $f (export "f") (type $t)
                        (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
                        {way}
                        (if (i32.eqz (global.get $depth)) (then {gets} call $g)))
                    (func $g (export "g") (type $t)
                        (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
                        {gets} i32.const 0 call_indirect (type $t)
                        (if (i32.eqz (global.get $depth)) (then {gets} call $f)))
                    (func (export "again") (param i32) (result i32) {zeros} call $f i32.const 0)"#,
                    zeros = zeros(ty, params),
                );
                for stack_bytes in [8 << 10, 512 << 10] {
                    let both = Both::new(&policy(100_000_000, |rules| {
                        rules.limits.stack_bytes = stack_bytes;
                        rules.limits.reentry = 64;
                    }));
                    let what = format!("{params} {ty}, {name}, {stack_bytes} bytes");
                    match both.call(&wasm(&body), "f", &vec![zero(ty); params]) {
                        Ok(observed) if ["stack-overflow", "reentry-denied"].contains(&observed.code) => {}
                        other => wrong.push(format!("{what}: {other:?}")),
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

fn zero(ty: &str) -> Value {
    match ty {
        "i32" => Value::I32(0),
        "i64" => Value::I64(0),
        "f64" => Value::F64(0),
        _ => Value::V128(0),
    }
}

fn zeros(ty: &str, count: usize) -> String {
    let zero = if ty == "v128" { "v128.const i64x2 0 0 ".to_owned() } else { format!("{ty}.const 0 ") };
    zero.repeat(count)
}
