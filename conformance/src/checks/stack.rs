//! The guest's stack limit is the policy's, not the thread's.

use std::{hint::black_box, thread};

use hotcell_core::{Contract, Field, Policy, Preset, Proposal, Rules, Value};

use crate::{
    BackendUnderTest, Check, Outcome,
    failure::{Denied, Joined, ensure, ensure_eq},
    fixture::{Fixture, guest, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "limits.stack.small_thread",
            "A guest may go as deep on a small thread as on a large one, and too deep is a stack overflow on both.",
            small_thread::<B>,
        ),
        Check::mandatory(
            "limits.stack.host_at_the_bottom",
            "A host function has room at the bottom of a deep guest.",
            host_at_the_bottom::<B>,
        ),
        Check::optional(
            Field::Reentry,
            "limits.stack.reentry",
            "Host and guest call each other as deep as any policy allows.",
            reentry::<B>,
        ),
        Check::mandatory(
            "limits.stack.everything",
            "Everything happens on a small thread: engine, module, call.",
            everything::<B>,
        ),
        Check::mandatory(
            "limits.stack.compiling",
            "Compiling deeply nested code needs no large thread.",
            compiling::<B>,
        ),
        Check::mandatory("limits.stack.large", "A policy may allow more stack than the thread has.", large::<B>),
        Check::mandatory("limits.stack.every_call", "Every call of a session has the whole stack.", every_call::<B>),
        Check::mandatory("limits.stack.presets", "Every preset gets the stack that it asks for.", presets::<B>),
    ]
}

/// `down` recurses `more` times; `endless` never stops.
const DEEP: &str = r#"(module
    (func $down (export "down") (param $more i32) (result i32)
        (if (result i32) (local.get $more)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get $more) (i32.const 1)))))
            (else (i32.const 0))))
    (func $endless (export "endless") (param i64) (result i64)
        (i64.add (local.get 0) (call $endless (i64.add (local.get 0) (i64.const 1))))))"#;

/// Runs `work` on a thread with a stack of this size.
fn on_a_thread_of(stack_kib: usize, work: impl FnOnce() -> Outcome + Send) -> Outcome {
    thread::scope(|scope| thread::Builder::new().stack_size(stack_kib << 10).spawn_scoped(scope, work)?.joined()?)
}

fn small_thread<B: BackendUnderTest>() -> Outcome {
    let plugin = plain_plugin::<B>(policy(|_| ()), &wasm(DEEP))?;
    let check = || -> Outcome {
        for depth in [1, 900] {
            let (values, _) = plugin.call_values("down", &[Value::I32(depth)], (), None)?;
            ensure_eq!(values, [Value::I32(depth)]);
        }
        let error = plugin.call_values("endless", &[Value::I64(0)], (), None).denied()?;
        ensure_eq!(error.code(), "stack-overflow");
        let mut session = plugin.session(())?;
        ensure_eq!(session.call_values("down", &[Value::I32(900)])?, [Value::I32(900)]);
        ensure_eq!(session.call_values("endless", &[Value::I64(0)]).denied()?.code(), "stack-overflow");
        Ok(())
    };
    on_a_thread_of(64, check)?;
    on_a_thread_of(1_024, check)?;
    check()?;
    thread::scope(|scope| -> Outcome {
        let (one, other) = (scope.spawn(check), scope.spawn(check));
        one.joined()??;
        other.joined()?
    })
}

/// Uses this many KiB of the host's stack.
#[inline(never)]
fn use_stack<const KIB: usize>() -> u8 {
    let mut bytes = [[0u8; 1 << 10]; KIB];
    for kib in black_box(&mut bytes) {
        kib[0] = 1;
    }
    black_box(&bytes).iter().fold(0, |sum, kib| sum ^ kib[0])
}

fn host_at_the_bottom<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "host", |_, (large,): (u32,)| {
        black_box(if large == 0 { use_stack::<16>() } else { use_stack::<96>() });
        Ok(())
    })?;
    let wasm = guest(
        r#"(import "env" "host" (func $host (param i32)))
        (func $down (param i64 i32) (result i64)
            (call $host (local.get 1))
            (i64.add (local.get 0) (call $down (i64.add (local.get 0) (i64.const 1)) (local.get 1))))
        (func (export "process") (param i32 i32) (result i64) (call $down (i64.const 0) (local.get 1)))"#,
    );
    let plugin = fixture.load_with(&wasm, &imports, &Contract::bytes("process"))?;
    for (stack_kib, input) in [(64, &b""[..]), (2_048, b"large")] {
        on_a_thread_of(stack_kib, || {
            let error = plugin.call("process", input).denied()?;
            ensure_eq!(error.code(), "stack-overflow");
            ensure!(error.report.usage.host_calls > 900, "{:?}", error.report);
            Ok(())
        })?;
    }
    Ok(())
}

/// The guest's `process` calls the host, which calls `process` again.
fn reentry<B: BackendUnderTest>() -> Outcome {
    const DEEPEST: u32 = 64;
    let fixture = Fixture::<B>::on(policy(|rules| rules.limits.reentry = DEEPEST))?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "again", |cx, ()| {
        black_box(use_stack::<2>());
        cx.call("process", &[Value::I32(0), Value::I32(0)])?;
        Ok(())
    })?;
    let wasm = guest(
        r#"(import "env" "again" (func $again))
        (func $down (param $more i32)
            (if (local.get $more)
                (then (call $down (i32.sub (local.get $more) (i32.const 1))))
                (else (call $again))))
        (func (export "process") (param i32 i32) (result i64) (call $down (i32.const 20)) (i64.const 0))"#,
    );
    let plugin = fixture.load_with(&wasm, &imports, &Contract::bytes("process"))?;
    for stack_kib in [1_024, 512] {
        on_a_thread_of(stack_kib, || {
            let error = plugin.call("process", b"").denied()?;
            ensure_eq!(error.code(), "reentry-denied", "{stack_kib} KiB");
            ensure_eq!(error.report.usage.host_calls, u64::from(DEEPEST) + 1);
            Ok(())
        })?;
    }
    Ok(())
}

fn everything<B: BackendUnderTest>() -> Outcome {
    on_a_thread_of(64, || {
        let plugin = plain_plugin::<B>(Policy::strict(), &wasm(DEEP))?;
        let (values, _) = plugin.call_values("down", &[Value::I32(100)], (), None)?;
        ensure_eq!(values, [Value::I32(100)]);
        let rejected = Fixture::<B>::on(Policy::strict())?.load(b"\0asm\x01\0\0\0").denied()?;
        ensure_eq!(rejected.code(), "export-missing");
        Ok(())
    })
}

/// A function of nested blocks with a branch out of all of them: a recursive compiler needs a deep stack.
fn nested(blocks: usize) -> Vec<u8> {
    let (open, close) = ("block ".repeat(blocks), "end ".repeat(blocks));
    wasm(&format!(
        r#"(module (func (export "run") (param i32) (result i32)
            {open} local.get 0 br_if {} {close} i32.const 7))"#,
        blocks - 1
    ))
}

fn compiling<B: BackendUnderTest>() -> Outcome {
    let nested = nested(4_000);
    on_a_thread_of(256, || {
        let plugin = plain_plugin::<B>(Policy::strict(), &nested)?;
        let (values, _) = plugin.call_values("run", &[Value::I32(0)], (), None)?;
        ensure_eq!(values, [Value::I32(7)]);
        Ok(())
    })
}

fn large<B: BackendUnderTest>() -> Outcome {
    let roomy = policy(|rules| rules.limits.stack_bytes = 8 << 20);
    let plugin = plain_plugin::<B>(roomy, &wasm(DEEP))?;
    on_a_thread_of(64, || {
        let (values, _) = plugin.call_values("down", &[Value::I32(30_000)], (), None)?;
        ensure_eq!(values, [Value::I32(30_000)]);
        let error = plugin.call_values("endless", &[Value::I64(0)], (), None).denied()?;
        ensure_eq!(error.code(), "stack-overflow");
        Ok(())
    })
}

fn every_call<B: BackendUnderTest>() -> Outcome {
    let plugin = plain_plugin::<B>(policy(|_| ()), &wasm(DEEP))?;
    let mut session = plugin.session(())?;
    for _ in 0..1_000 {
        ensure_eq!(session.call_values("down", &[Value::I32(900)])?, [Value::I32(900)]);
    }
    Ok(())
}

/// No policy may allow a stack that its backend cannot provide.
fn presets<B: BackendUnderTest>() -> Outcome {
    for preset in Preset::ALL {
        let mut rules = Rules::preset(preset);
        rules.proposals.deny(Proposal::Simd);
        let plugin = plain_plugin::<B>(Policy::new(rules)?, &wasm(DEEP))?;
        on_a_thread_of(64, || {
            let (values, _) = plugin.call_values("down", &[Value::I32(50)], (), None)?;
            ensure_eq!(values, [Value::I32(50)], "{preset:?}");
            let error = plugin.call_values("endless", &[Value::I64(0)], (), None).denied()?;
            ensure_eq!(error.code(), "stack-overflow", "{preset:?}");
            Ok(())
        })?;
    }
    Ok(())
}
