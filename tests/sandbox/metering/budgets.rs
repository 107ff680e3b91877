//! The verdict as a function of the budget is a step, at the same budget on both backends.

use hotcell::Value;

use super::run::{Both, plain, policy, wasm};

/// Small modules that together contain everything that is charged in its own way.
fn modules() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "loop",
            plain(
                r#"(func (export "run") (param $n i32) (result i32)
                (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (local.get $n))"#,
            ),
        ),
        (
            "recursion",
            plain(
                r#"(func $f (export "run") (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
                    (else (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))))"#,
            ),
        ),
        (
            "bulk",
            plain(
                r#"(memory 1) (data $d "0123456789abcdef0123456789abcdef")
               (func (export "run") (param i32) (result i32)
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 100))
                (memory.copy (i32.const 50) (i32.const 0) (i32.const 33))
                (memory.init $d (i32.const 0) (i32.const 0) (i32.const 32))
                (i32.load8_u (local.get 0)))"#,
            ),
        ),
        (
            "growth",
            plain(
                r#"(memory 1 3) (table $t 1 2 funcref) (func (export "run") (param i32) (result i32)
                (drop (memory.grow (i32.const 0))) (drop (memory.grow (i32.const 1000)))
                (drop (table.grow $t (ref.null func) (i32.const 1)))
                (table.grow $t (ref.null func) (i32.const 99)))"#,
            ),
        ),
        (
            "table",
            plain(
                r#"(type $f (func (result i32))) (table 4 4 funcref) (func $one (result i32) (i32.const 1))
               (func $two (result i32) (i32.const 2)) (elem (i32.const 0) $one $two $one $two)
               (func (export "run") (param i32) (result i32)
                (table.fill (i32.const 3) (ref.null func) (i32.const 1))
                (table.copy (i32.const 1) (i32.const 0) (i32.const 2))
                (i32.add (call_indirect (type $f) (local.get 0)) (call_indirect (type $f) (i32.const 2))))"#,
            ),
        ),
        (
            "host",
            wasm(
                r#"(func (export "run") (param i32) (result i32)
                (call $charge (i32.const 11)) (call $nop) (i32.add (call $step (local.get 0)) (i32.const 1)))"#,
            ),
        ),
        (
            "trap",
            plain(
                r#"(func (export "run") (param i32) (result i32)
                (block (br_if 0 (i32.const 0))) (i32.div_u (i32.const 1) (i32.sub (local.get 0) (local.get 0))))"#,
            ),
        ),
        (
            "start",
            plain(
                r#"(global $g (mut i32) (i32.const 9)) (func $s (loop $a
                (global.set $g (i32.sub (global.get $g) (i32.const 1))) (br_if $a (global.get $g)))) (start $s)
               (func (export "run") (param i32) (result i32) (global.get $g))"#,
            ),
        ),
        (
            "branches",
            plain(
                r#"(func (export "run") (param i32) (result i32)
                (block $c (block $b (block $a (br_table $a $b $c (local.get 0))) (return (i32.const 10)))
                    (return (i32.const 11)))
                (if (i32.and (local.get 0) (i32.const 1)) (then (nop)) (else (return (i32.const 12))))
                (i32.const 13))"#,
            ),
        ),
        (
            "values",
            plain(
                r#"(func (export "run") (param i32) (result i32) (local $n i32) (local.set $n (i32.const 4))
                (i32.const 1) (i32.const 2)
                (loop $l (param i32 i32) (result i32 i32)
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (i32.add (i32.const 1)) (br_if $l (local.get $n)))
                (i32.mul))"#,
            ),
        ),
    ]
}

#[test]
fn the_verdict_is_a_step_in_the_budget() {
    for (name, wasm) in modules() {
        let call = |fuel: u64| {
            let both = Both::new(&policy(fuel, |_| {}));
            both.call(&wasm, "run", &[Value::I32(1)]).unwrap_or_else(|error| panic!("{name} with {fuel}: {error}"))
        };
        let plenty = call(1_000_000);
        assert_ne!(plenty.code, "out-of-fuel", "{name}");
        // A start function is an operation of its own: opening the session has a budget, and so has the call.
        let mut first_success = None;
        // A trap reports less than was used, and a start function is an operation of its own.
        let last = plenty.fuel() + 200;
        for fuel in 0..=last {
            let observed = call(fuel);
            if observed.code == "out-of-fuel" {
                assert_eq!(first_success, None, "{name}: {fuel} is too little, but less was enough");
            } else {
                assert_eq!((observed.code, &observed.values), (plenty.code, &plenty.values), "{name} with {fuel}");
                assert_eq!(observed.fuel(), plenty.fuel(), "{name} with {fuel}");
                first_success.get_or_insert(fuel);
            }
        }
        let first = first_success.unwrap_or_else(|| panic!("{name}: no budget is enough"));
        if plenty.code == "ok" && name != "start" {
            assert_eq!(first, plenty.fuel(), "{name}: what is used is what is needed");
        }
    }
}

#[test]
fn the_ends_of_the_range_behave() {
    let wasm = &modules()[0].1;
    for fuel in [i64::MAX as u64, u64::MAX] {
        let both = Both::new(&policy(fuel, |_| {}));
        assert_eq!(both.call(wasm, "run", &[Value::I32(9)]).unwrap().code, "ok");
    }
    let unlimited = Both::new(&policy(None, |_| {})).call(wasm, "run", &[Value::I32(9)]).unwrap();
    let limited = Both::new(&policy(1_000, |_| {})).call(wasm, "run", &[Value::I32(9)]).unwrap();
    assert_eq!(unlimited.fuel(), limited.fuel());
}

/// Every frame costs the same number of cells on both backends, for every stack size.
#[test]
fn the_stack_ends_at_the_same_depth() {
    let wasm = plain(
        r#"(global $depth (export "depth") (mut i32) (i32.const 0))
           (func $f (export "run") (param i32) (result i32)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (i32.add (call $f (local.get 0)) (i32.const 1)))"#,
    );
    for bytes in (4_096..=16_384).step_by(296) {
        let both = Both::new(&policy(1_000_000, |rules| rules.limits.stack_bytes = bytes));
        let observed = both.call(&wasm, "run", &[Value::I32(0)]).unwrap_or_else(|error| panic!("{bytes}: {error}"));
        assert_eq!(observed.code, "stack-overflow", "{bytes}");
        let Some(Value::I32(depth)) = observed.globals[0] else { panic!("no depth") };
        assert!(depth > 20, "{bytes} bytes are {depth} frames");
    }
}
