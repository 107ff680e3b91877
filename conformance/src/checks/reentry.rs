//! Host functions that call back into the guest.

use std::{error::Error, panic::resume_unwind, time::Duration};

use hotcell_core::{Fault, Field, HostError, Phase, Plugin, Rules, Value};

use super::host::Refused;

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Present, ensure, ensure_eq},
    fixture::{BACKSTOP, guest, hosted_plugin, policy},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "host.reentry_denied",
            "A host function may not call back unless the policy allows it, whatever it then returns.",
            reentry_denied::<B>,
        ),
        Check::optional(
            Field::Reentry,
            "host.reentry_depth",
            "A host function may call back exactly as deep as the policy allows.",
            reentry_depth::<B>,
        ),
        Check::optional(
            Field::Reentry,
            "host.reentry_budget",
            "Nested calls share the budget of the outer one.",
            reentry_budget::<B>,
        ),
        Check::optional(
            Field::Reentry,
            "host.reentry_fault",
            "The fault of a nested call ends the outer call too, whatever the host function returns.",
            reentry_fault::<B>,
        ),
        Check::optional(
            Field::Reentry,
            "host.reentry_cause",
            "Of several failures on the way up, the first cause stays.",
            reentry_cause::<B>,
        ),
    ]
}

/// `down` asks the host for one less, until the number is zero.
const DOWN: &str = r#"
    (import "env" "again" (func $again (param i32) (result i32)))
    (func (export "process") (param i32) (param i32) (result i64)
        (i64.extend_i32_u (call $down (local.get 1))))
    (func $down (export "down") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (call $again (i32.sub (local.get 0) (i32.const 1))))
            (else (i32.const 0))))"#;

/// The state counts the depth. With `swallow` the host reports success.
fn going_down<B: BackendUnderTest>(reentry: u32, swallow: bool) -> Result<Plugin<B, u32>, Failure> {
    hosted_plugin::<B, u32>(policy(|rules| rules.limits.reentry = reentry), &guest(DOWN), |imports| {
        imports.func("env", "again", move |cx, (number,): (u32,)| {
            let outcome = cx.call("down", &[Value::I32(number.cast_signed())]);
            *cx.state() += 1;
            match outcome {
                Ok(values) => match values[..] {
                    [Value::I32(depth)] => Ok(depth.cast_unsigned() + 1),
                    _ => Err(HostError::message(format!("{values:?}"))),
                },
                Err(_) if swallow => Ok(0),
                Err(error) => Err(error),
            }
        })?;
        Ok(())
    })
}

fn reentry_denied<B: BackendUnderTest>() -> Outcome {
    for swallow in [false, true] {
        let plugin = going_down::<B>(0, swallow)?;
        ensure_eq!(plugin.call("process", b"")?.bytes, b"");
        let error = plugin.call("process", b"1").denied()?;
        ensure_eq!((error.code(), error.phase), ("reentry-denied", Phase::Call));
        ensure!(matches!(error.fault, Fault::ReentryDenied { depth: 1, allowed: 0 }), "{error}");
        ensure!(error.source().is_none());
    }
    Ok(())
}

fn reentry_depth<B: BackendUnderTest>() -> Outcome {
    for allowed in [1, 2, 5, 64] {
        for swallow in [false, true] {
            let plugin = going_down::<B>(allowed, swallow)?;
            let mut session = plugin.session(0)?;
            // Twice: the depth must return to zero.
            for _ in 0..2 {
                let values = session.call_values("down", &[Value::I32(allowed.cast_signed())])?;
                ensure_eq!(values, [Value::I32(allowed.cast_signed())]);
            }
            let fault = session.call_values("down", &[Value::I32(allowed.cast_signed() + 1)]).denied()?;
            ensure_eq!(fault.code(), "reentry-denied");
            match fault {
                Fault::ReentryDenied { depth, allowed: limit } => ensure_eq!((depth, limit), (allowed + 1, allowed)),
                fault => return Err(fault.into()),
            }
            ensure!(session.is_poisoned());
        }
    }
    Ok(())
}

fn reentry_budget<B: BackendUnderTest>() -> Outcome {
    let used = |depth: usize| -> Result<_, Failure> {
        let plugin = going_down::<B>(64, false)?;
        let mut session = plugin.session(0)?;
        session.call_values("down", &[Value::I32(depth as i32)])?;
        let usage = session.usage();
        ensure_eq!(usage.host_calls, depth as u64);
        usage.fuel_used.present()
    };
    let (one, eleven, twenty_one) = (used(1)?, used(11)?, used(21)?);
    ensure!(eleven > one);
    ensure_eq!(twenty_one - eleven, eleven - one, "every level costs the same");
    Ok(())
}

/// The host calls `inner` and ignores its failure.
const INNER: &str = r#"
    (import "env" "inner" (func $inner))
    (func $deeper (call $deeper))
    (func (export "process") (param i32 i32) (result i64) (call $inner) (i64.const 0))
    (func (export "loop") (loop $again (br $again)))
    (func (export "trap") (unreachable))
    (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func (export "recurse") (call $deeper))
    (func (export "takes") (param i32))
    (func (export "fine"))"#;

fn reentry_fault<B: BackendUnderTest>() -> Outcome {
    let inner = |change: fn(&mut Rules), export: &'static str, swallow: bool| -> Result<_, Failure> {
        let policy = policy(|rules| {
            rules.limits.reentry = 2;
            change(rules);
        });
        let plugin = hosted_plugin::<B, ()>(policy, &guest(INNER), |imports| {
            imports.func("env", "inner", move |cx, ()| {
                let outcome = cx.call(export, &[]);
                if swallow { Ok(()) } else { outcome.map(drop) }
            })?;
            Ok(())
        })?;
        Ok(plugin.call("process", b"").map(drop))
    };
    for swallow in [false, true] {
        for (change, export, code) in [
            ((|rules| rules.limits.fuel = Some(5_000_000)) as fn(&mut Rules), "loop", "out-of-fuel"),
            (
                |rules| (rules.limits.fuel, rules.limits.deadline) = (BACKSTOP, Some(Duration::from_millis(100))),
                "loop",
                "deadline-exceeded",
            ),
            (|_| (), "trap", "trap-unreachable"),
            (|_| (), "divide", "trap-integer-division-by-zero"),
            (|_| (), "recurse", "stack-overflow"),
            (|_| (), "nothing", "no-such-export"),
            (|_| (), "memory", "no-such-export"),
            (|_| (), "takes", "wrong-arguments"),
        ] {
            let error = inner(change, export, swallow)?.denied()?;
            ensure_eq!((error.code(), error.phase), (code, Phase::Call), "{export} {swallow}");
        }
        inner(|_| (), "fine", swallow)??;
    }
    Ok(())
}

/// A host function that fails inside a call that a host function made.
fn reentry_cause<B: BackendUnderTest>() -> Outcome {
    let wasm = guest(
        r#"(import "env" "outer" (func $outer)) (import "env" "fail" (func $fail))
        (func (export "process") (param i32 i32) (result i64) (call $outer) (i64.const 0))
        (func (export "inner") (call $fail))"#,
    );
    for outer in ["says nothing", "passes it on", "has an error of its own", "panics"] {
        let plugin = hosted_plugin::<B, ()>(policy(|rules| rules.limits.reentry = 1), &wasm, |imports| {
            imports.func("env", "fail", |_, ()| Err::<(), _>(Refused { number: 1 }.into()))?.func(
                "env",
                "outer",
                move |cx, ()| {
                    let outcome = cx.call("inner", &[]);
                    match outer {
                        "says nothing" => Ok(()),
                        "passes it on" => outcome.map(drop),
                        "has an error of its own" => Err(Refused { number: 2 }.into()),
                        _ => resume_unwind(Box::new("later")),
                    }
                },
            )?;
            Ok(())
        })?;
        let error = plugin.call("process", b"").denied()?;
        ensure_eq!((error.code(), error.phase), ("host-function", Phase::Call), "{outer}");
        ensure_eq!(error.source().present()?.downcast_ref(), Some(&Refused { number: 1 }), "{outer}");
    }
    Ok(())
}
