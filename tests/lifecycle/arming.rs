//! Limits hold from the first instruction that comes from the guest: start functions, segments and the ABI check are
//! under the same budget as the call.

use std::{thread, time::Duration};

use hotcell::{
    CallError, CancelToken, Contract, Phase, Plugin, Policy, Rules, Sandbox,
    backend::Backend,
    policy::Abi,
    verdict::{AbiFault, Fault},
};

use crate::{
    guest::{guest, policy, wasm},
    load::byte_plugin,
};

on_each_backend! {
    a_start_function_that_loops_ends
    a_start_function_shares_the_budget_of_the_call
    a_start_function_that_fails_fails_instantiation
    an_abi_function_that_loops_is_no_answer
    an_abi_function_without_the_means_is_out_of_fuel
    what_the_abi_check_used_counts
    an_abi_function_that_does_not_answer
    the_ends_of_the_range_are_inside
    every_instance_is_asked_once
}

/// A guest whose start function is `start`.
fn starting<B: Backend>(start: &str, change: impl FnOnce(&mut Rules)) -> Plugin<B> {
    let body = format!(
        r#"(global $state (mut i32) (i32.const 0))
        (func $deeper (call $deeper))
        (func $start {start})
        (start $start)
        (func (export "process") (param i32 i32) (result i64)
            (i32.store8 (i32.const 0) (global.get $state))
            (i64.const 1))"#
    );
    let policy = policy(|rules| {
        rules.module.start = true;
        change(rules);
    });
    byte_plugin(policy, &guest(&body))
}

/// Code and phase of a byte call and of a session, which must be the same.
fn verdict<B: Backend>(plugin: &Plugin<B>) -> (&'static str, Phase) {
    let of = |error: CallError| (error.code(), error.phase);
    let call = of(plugin.call("process", b"").unwrap_err());
    assert_eq!(of(plugin.session(()).err().unwrap()), call);
    call
}

const LOOP: &str = "(loop $again (br $again))";

fn a_start_function_that_loops_ends<B: Backend>() {
    let by_fuel = starting::<B>(LOOP, |rules| rules.limits.fuel = Some(1_000_000));
    assert_eq!(verdict(&by_fuel), ("out-of-fuel", Phase::Instantiate));
    let report = by_fuel.call("process", b"").unwrap_err().report;
    assert!((900_000..=1_000_000).contains(&report.usage.fuel_used.unwrap()), "{report:?}");

    let by_deadline = starting::<B>(LOOP, |rules| {
        (rules.limits.fuel, rules.limits.deadline) = (None, Some(Duration::from_millis(100)));
    });
    assert_eq!(verdict(&by_deadline), ("deadline-exceeded", Phase::Instantiate));

    let by_cancel = starting::<B>(LOOP, |rules| rules.limits.fuel = None);
    let token = CancelToken::new();
    thread::scope(|scope| {
        let call = scope.spawn(|| by_cancel.call_with("process", b"", (), Some(token.clone())));
        thread::sleep(Duration::from_millis(50));
        token.cancel();
        let error = call.join().unwrap().unwrap_err();
        assert_eq!((error.code(), error.phase), ("cancelled", Phase::Instantiate));
    });
}

fn a_start_function_shares_the_budget_of_the_call<B: Backend>() {
    let count = |rounds: i32| {
        format!(
            "(local $i i32)
            (loop $next
                (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {rounds}))))
            (global.set $state (i32.const 42))"
        )
    };
    let used = |rounds| {
        let plugin = starting::<B>(&count(rounds), |_| ());
        let opening = plugin.session(()).unwrap().usage().fuel_used.unwrap();
        let reply = plugin.call("process", b"").unwrap();
        assert_eq!(reply.bytes, [42]);
        (opening, reply.report.usage.fuel_used.unwrap())
    };
    let (little, much) = (used(10), used(10_000));
    assert!(much.1 > little.1 + 9_990, "{little:?} {much:?}");
    // What the start function used is no longer there for the entry.
    let plugin = starting::<B>(&count(10_000), |rules| rules.limits.fuel = Some(much.0));
    let error = plugin.call("process", b"").unwrap_err();
    assert_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call));
}

fn a_start_function_that_fails_fails_instantiation<B: Backend>() {
    let verdict = |start: &str| verdict(&starting::<B>(start, |_| ()));
    assert_eq!(verdict("(unreachable)"), ("trap-unreachable", Phase::Instantiate));
    assert_eq!(verdict("(call $deeper)"), ("stack-overflow", Phase::Instantiate));
    assert_eq!(verdict("(i32.store (i32.const -1) (i32.const 0))"), ("trap-memory-out-of-bounds", Phase::Instantiate));

    let small =
        starting::<B>("(global.set $state (memory.grow (i32.const 1)))", |rules| rules.limits.memory_bytes = 1 << 16);
    let reply = small.call("process", b"").unwrap();
    assert_eq!((reply.bytes, reply.report.usage.refused_growths), (vec![0xff], 1));

    let denied = Sandbox::<B>::on(Policy::default()).unwrap();
    let wasm = wasm("(module (func $start) (start $start))");
    let error = denied.load_with::<()>(&wasm, &denied.imports(), &Contract::None).err().unwrap();
    assert_eq!((error.code(), error.phase()), ("start-denied", Phase::Admit));
}

/// A guest whose version function is `abi`.
fn answering<B: Backend>(abi: &str, change: impl FnOnce(&mut Rules)) -> Plugin<B> {
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (global $asked (mut i32) (i32.const 0))
            (func $deeper (call $deeper))
            {abi}
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64)
                (i32.store8 (i32.const 0) (global.get $asked))
                (i64.const 1)))"#
    );
    byte_plugin(policy(change), &wasm(&text))
}

fn answer(body: &str) -> String {
    format!(r#"(func (export "__hotcell_abi_version") (result i32) {body})"#)
}

const ABI_LOOP: &str = "(loop $again (br $again)) (unreachable)";

fn an_abi_function_that_loops_is_no_answer<B: Backend>() {
    for fuel in [None, Some(u64::MAX), Some(1_000_000_000), Some(100_001), Some(100_000)] {
        let plugin = answering::<B>(&answer(ABI_LOOP), |rules| rules.limits.fuel = fuel);
        assert_eq!(verdict(&plugin), ("abi-missing", Phase::Abi), "{fuel:?}");
    }
}

fn an_abi_function_without_the_means_is_out_of_fuel<B: Backend>() {
    for fuel in [0, 1, 50_000, 99_999] {
        let plugin = answering::<B>(&answer(ABI_LOOP), |rules| rules.limits.fuel = Some(fuel));
        assert_eq!(verdict(&plugin), ("out-of-fuel", Phase::Abi), "{fuel}");
    }
}

fn what_the_abi_check_used_counts<B: Backend>() {
    let report = answering::<B>(&answer(ABI_LOOP), |_| ()).call("process", b"").unwrap_err().report;
    let used = report.usage.fuel_used.unwrap();
    assert!((99_000..=100_000).contains(&used), "{used}");

    let slow = "(local $i i32)
        (loop $next
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5_000))))
        (i32.const 1)";
    let used = |abi: &str| {
        let reply = answering::<B>(&answer(abi), |_| ()).call("process", b"").unwrap();
        reply.report.usage.fuel_used.unwrap()
    };
    assert!(used(slow) > used("(i32.const 1)") + 5_000);
}

fn an_abi_function_that_does_not_answer<B: Backend>() {
    for abi in [
        "",
        &answer("(unreachable)"),
        &answer("(i32.div_u (i32.const 1) (i32.const 0))"),
        &answer("(i32.load (i32.const -1))"),
        &answer("(call $deeper) (i32.const 1)"),
        r#"(func (export "__hotcell_abi_version") (result i64) (i64.const 1))"#,
        r#"(func (export "__hotcell_abi_version") (param i32) (result i32) (i32.const 1))"#,
        r#"(func (export "__hotcell_abi_version"))"#,
        r#"(global (export "__hotcell_abi_version") i32 (i32.const 1))"#,
        r#"(table (export "__hotcell_abi_version") 1 funcref)"#,
    ] {
        let plugin = answering::<B>(abi, |_| ());
        assert_eq!(verdict(&plugin), ("abi-missing", Phase::Abi), "{abi}");
    }
}

fn the_ends_of_the_range_are_inside<B: Backend>() {
    let call = |version: u32, (min, max): (u32, u32)| {
        let abi = answer(&format!("(i32.const {version})"));
        let export = "__hotcell_abi_version".to_owned();
        let plugin = answering::<B>(&abi, |rules| rules.abi = Some(Abi { export, min, max }));
        plugin.call("process", b"").map(drop).map_err(|error| {
            assert_eq!((error.code(), error.phase), ("abi-mismatch", Phase::Abi));
            match error.fault {
                Fault::Abi(AbiFault { found, accepted, .. }) => (found, accepted),
                fault => panic!("{fault}"),
            }
        })
    };
    for (version, range) in [(2, (2, 4)), (3, (2, 4)), (4, (2, 4)), (0, (0, 0)), (u32::MAX, (u32::MAX, u32::MAX))] {
        assert_eq!(call(version, range), Ok(()), "{version}");
    }
    for (version, (min, max)) in [(1, (2, 4)), (5, (2, 4)), (0, (1, 1)), (u32::MAX, (0, u32::MAX - 1))] {
        assert_eq!(call(version, (min, max)), Err((Some(version), min..=max)), "{version}");
    }
}

fn every_instance_is_asked_once<B: Backend>() {
    // The first answer is 1, the second would be 2.
    let counting = answer("(global.set $asked (i32.add (global.get $asked) (i32.const 1))) (global.get $asked)");
    let plugin = answering::<B>(&counting, |_| ());
    for _ in 0..3 {
        assert_eq!(plugin.call("process", b"").unwrap().bytes, [1]);
        let mut session = plugin.session(()).unwrap();
        assert_eq!(session.call("process", b"").unwrap().bytes, [1]);
        assert_eq!(session.call("process", b"").unwrap().bytes, [1]);
    }
}
