//! Host functions that are steps of the guest, and memory that the host keeps for it.

use hotcell_core::Value;

use crate::{
    BackendUnderTest, Check, Outcome,
    failure::{ensure, ensure_eq},
    fixture::{guest, hosted_plugin, policy},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "host.step",
            "A host function that is a step of the guest does not count as a host call; what it charges is fuel.",
            step::<B>,
        ),
        Check::mandatory(
            "host.reserve",
            "What the host keeps for a guest is held against the budget of its memories and tables, until it is released.",
            reserve::<B>,
        ),
    ]
}

fn step<B: BackendUnderTest>() -> Outcome {
    let wasm = guest(
        r#"(import "env" "step" (func $step (param i32))) (import "env" "call" (func $call (param i32)))
        (func (export "process") (param i32 i32) (result i64)
            (loop $again (call $step (local.get 1)) (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
            (call $call (i32.const 1)) (i64.const 0))"#,
    );
    let plugin = |fuel: u64| {
        hosted_plugin::<B, u32>(policy(|rules| rules.limits.host_calls = Some(1)), &wasm, move |imports| {
            imports
                .step_func("env", "step", move |cx, (_,): (i32,)| {
                    *cx.state() += 1;
                    cx.charge(fuel)
                })?
                .func("env", "call", |_, (_,): (i32,)| Ok(()))?;
            Ok(())
        })
    };
    let used = |fuel: u64| {
        let reply = plugin(fuel)?.call("process", &[0; 1_000])?;
        Ok::<_, crate::Failure>((reply.report.usage.host_calls, reply.report.usage.fuel_used))
    };
    let ((calls, without), (_, with)) = (used(0)?, used(7)?);
    ensure_eq!(calls, 1, "host calls beside 1,000 steps");
    ensure_eq!(with.zip(without).map(|(with, without)| with - without), Some(7_000), "fuel of 1,000 steps");
    Ok(())
}

fn reserve<B: BackendUnderTest>() -> Outcome {
    const PAGE: u64 = 1 << 16;
    let wasm = guest(
        r#"(import "env" "keep" (func $keep (param i32) (result i32)))
        (func (export "keep") (param i32) (result i32) (call $keep (local.get 0)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "process") (param i32 i32) (result i64) (i64.const 0))"#,
    );
    let policy = policy(|rules| rules.limits.memory_bytes = 4 * PAGE);
    let plugin = hosted_plugin::<B, ()>(policy, &wasm, |imports| {
        // Keeps so many pages, or gives them back.
        imports.func("env", "keep", |cx, (pages,): (i32,)| {
            let bytes = u64::from(pages.unsigned_abs()) * PAGE;
            match pages < 0 {
                true => cx.release(bytes),
                false if !cx.reserve(bytes) => return Ok(0),
                false => {}
            }
            Ok(1)
        })?;
        Ok(())
    })?;
    let mut session = plugin.session(())?;
    let mut asks = |export: &str, pages: i32| session.call_values(export, &[Value::I32(pages)]);
    let expected = [
        ("keep", 4, 0),
        ("keep", 2, 1),
        ("grow", 2, -1),
        ("grow", 1, 1),
        ("keep", 1, 0),
        ("keep", -1, 1),
        ("grow", 1, 2),
        ("keep", 1, 0),
    ];
    for (at, (export, pages, answer)) in expected.into_iter().enumerate() {
        ensure_eq!(asks(export, pages)?, [Value::I32(answer)], "step {at}: {export} {pages}");
    }
    ensure_eq!(
        plugin.session(())?.call_values("keep", &[Value::I32(3)])?,
        [Value::I32(1)],
        "another instance has all of it"
    );
    Ok(())
}
