//! The host's own threads may be small: a guest's stack is the policy's, not the thread's.

use std::{hint::black_box, thread};

use hotcell::{
    Contract, Plugin, Policy, Preset, Rules, Sandbox, Value,
    backend::{Backend, HostFn},
};

use crate::{
    child,
    guest::{guest, policy, wasm},
    load::plugin,
};

on_each_backend! {
    a_deep_guest_on_a_small_thread
    a_host_function_has_room_at_the_bottom_of_a_deep_guest
    host_and_guest_call_each_other_as_deep_as_any_policy_allows
    everything_happens_on_a_small_thread
    compiling_on_a_small_thread
    a_larger_stack_than_the_threads
    every_call_of_a_session_has_the_whole_stack
    the_stack_of_every_preset
}

/// `down` calls itself so many times; `endless` never stops.
const DEEP: &str = r#"(module
    (func $down (export "down") (param $more i32) (result i32)
        (if (result i32) (local.get $more)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get $more) (i32.const 1)))))
            (else (i32.const 0))))
    (func $endless (export "endless") (param i64) (result i64)
        (i64.add (local.get 0) (call $endless (i64.add (local.get 0) (i64.const 1))))))"#;

/// Runs `work` on a thread with a stack of that size.
fn on_a_thread_of<R: Send>(stack_kib: usize, work: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        thread::Builder::new().stack_size(stack_kib << 10).spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

fn a_deep_guest_on_a_small_thread<B: Backend>() {
    let plugin = plugin::<B>(Policy::default(), &wasm(DEEP));
    let check = || {
        for depth in [1, 900] {
            let (values, _) = plugin.call_values("down", &[Value::I32(depth)], (), None).unwrap();
            assert_eq!(values, [Value::I32(depth)]);
        }
        let error = plugin.call_values("endless", &[Value::I64(0)], (), None).unwrap_err();
        assert_eq!(error.code(), "stack-overflow");
        let mut session = plugin.session(()).unwrap();
        assert_eq!(session.call_values("down", &[Value::I32(900)]).unwrap(), [Value::I32(900)]);
        assert_eq!(session.call_values("endless", &[Value::I64(0)]).unwrap_err().code(), "stack-overflow");
    };
    on_a_thread_of(64, check);
    on_a_thread_of(1_024, check);
    check();
    thread::scope(|scope| {
        scope.spawn(check);
        scope.spawn(check);
    });
}

/// Uses so many KiB of the host's stack, for real.
#[inline(never)]
fn use_stack<const KIB: usize>() -> u8 {
    let mut bytes = [[0u8; 1 << 10]; KIB];
    for kib in black_box(&mut bytes) {
        kib[0] = 1;
    }
    black_box(&bytes).iter().fold(0, |sum, kib| sum ^ kib[0])
}

fn a_host_function_has_room_at_the_bottom_of_a_deep_guest<B: Backend + HostFn<(), ()> + HostFn<(u32,), ()>>() {
    if !child::is_child() {
        let test = "a_host_function_has_room_at_the_bottom_of_a_deep_guest";
        child::passes(child::again(&format!("threads::{}::{test}", B::ID)));
        return;
    }
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    let mut imports = sandbox.imports::<()>();
    imports
        .func("env", "host", |_, (large,): (u32,)| {
            black_box(if large == 0 { use_stack::<16>() } else { use_stack::<96>() });
            Ok(())
        })
        .unwrap();
    let wasm = guest(
        r#"(import "env" "host" (func $host (param i32)))
        (func $down (param i64 i32) (result i64)
            (call $host (local.get 1))
            (i64.add (local.get 0) (call $down (i64.add (local.get 0) (i64.const 1)) (local.get 1))))
        (func (export "process") (param i32 i32) (result i64) (call $down (i64.const 0) (local.get 1)))"#,
    );
    let plugin: Plugin<B> = sandbox.load_with(&wasm, &imports, &Contract::bytes("process")).unwrap();
    for (stack_kib, input) in [(64, &b""[..]), (2_048, b"large")] {
        on_a_thread_of(stack_kib, || {
            let error = plugin.call("process", input).unwrap_err();
            assert_eq!(error.code(), "stack-overflow");
            assert!(error.report.usage.host_calls > 900, "{:?}", error.report);
        });
    }
}

/// The guest's `process` asks the host, which calls `process` again.
fn host_and_guest_call_each_other_as_deep_as_any_policy_allows<B: Backend + HostFn<(), ()>>() {
    const DEEPEST: u32 = 64;
    if !child::is_child() {
        let test = "host_and_guest_call_each_other_as_deep_as_any_policy_allows";
        child::passes(child::again(&format!("threads::{}::{test}", B::ID)));
        return;
    }
    let sandbox = Sandbox::<B>::on(policy(|rules| rules.limits.reentry = DEEPEST)).unwrap();
    let mut imports = sandbox.imports::<()>();
    imports
        .func("env", "again", |cx, ()| {
            black_box(use_stack::<2>());
            cx.call("process", &[Value::I32(0), Value::I32(0)])?;
            Ok(())
        })
        .unwrap();
    let wasm = guest(
        r#"(import "env" "again" (func $again))
        (func $down (param $more i32)
            (if (local.get $more)
                (then (call $down (i32.sub (local.get $more) (i32.const 1))))
                (else (call $again))))
        (func (export "process") (param i32 i32) (result i64) (call $down (i32.const 20)) (i64.const 0))"#,
    );
    let plugin: Plugin<B> = sandbox.load_with(&wasm, &imports, &Contract::bytes("process")).unwrap();
    for stack_kib in [1_024, 512, 256] {
        let error = on_a_thread_of(stack_kib, || plugin.call("process", b"").unwrap_err());
        assert_eq!(error.code(), "reentry-denied", "{stack_kib} KiB");
        assert_eq!(error.report.usage.host_calls, u64::from(DEEPEST) + 1);
    }
}

fn everything_happens_on_a_small_thread<B: Backend>() {
    on_a_thread_of(64, || {
        let plugin = plugin::<B>(Policy::strict(), &wasm(DEEP));
        let (values, _) = plugin.call_values("down", &[Value::I32(100)], (), None).unwrap();
        assert_eq!(values, [Value::I32(100)]);
        let rejected = Sandbox::<B>::on(Policy::strict()).unwrap().load(b"\0asm\x01\0\0\0", "process").err().unwrap();
        assert_eq!(rejected.code(), "export-missing");
    });
}

/// A function of blocks nested in each other, with a branch out of all of them: a compiler that recurses goes deep.
fn nested(blocks: usize) -> Vec<u8> {
    let (open, close) = ("block ".repeat(blocks), "end ".repeat(blocks));
    wasm(&format!(
        r#"(module (func (export "run") (param i32) (result i32)
            {open} local.get 0 br_if {} {close} i32.const 7))"#,
        blocks - 1
    ))
}

fn compiling_on_a_small_thread<B: Backend>() {
    let nested = nested(4_000);
    on_a_thread_of(256, || {
        let plugin = plugin::<B>(Policy::strict(), &nested);
        let (values, _) = plugin.call_values("run", &[Value::I32(0)], (), None).unwrap();
        assert_eq!(values, [Value::I32(7)]);

        let markdown = include_bytes!("../../guests/markdown.wasm");
        let plugin = Sandbox::<B>::on(Policy::strict()).unwrap().load(markdown, "process").unwrap();
        assert_eq!(plugin.call("process", b"*hot*").unwrap().bytes, b"<p><em>hot</em></p>\n");
    });
}

fn a_larger_stack_than_the_threads<B: Backend>() {
    let roomy = policy(|rules| rules.limits.stack_bytes = 8 << 20);
    let plugin = plugin::<B>(roomy, &wasm(DEEP));
    on_a_thread_of(64, || {
        let (values, _) = plugin.call_values("down", &[Value::I32(30_000)], (), None).unwrap();
        assert_eq!(values, [Value::I32(30_000)]);
        let error = plugin.call_values("endless", &[Value::I64(0)], (), None).unwrap_err();
        assert_eq!(error.code(), "stack-overflow");
    });
}

fn every_call_of_a_session_has_the_whole_stack<B: Backend>() {
    let plugin = plugin::<B>(Policy::default(), &wasm(DEEP));
    let mut session = plugin.session(()).unwrap();
    for _ in 0..1_000 {
        assert_eq!(session.call_values("down", &[Value::I32(900)]).unwrap(), [Value::I32(900)]);
    }
}

/// No policy may ask for a stack that its backend then cannot have.
fn the_stack_of_every_preset<B: Backend>() {
    for preset in Preset::ALL {
        let plugin = plugin::<B>(Policy::new(Rules::preset(preset)).unwrap(), &wasm(DEEP));
        on_a_thread_of(64, || {
            let (values, _) = plugin.call_values("down", &[Value::I32(50)], (), None).unwrap();
            assert_eq!(values, [Value::I32(50)], "{preset:?}");
            let error = plugin.call_values("endless", &[Value::I64(0)], (), None).unwrap_err();
            assert_eq!(error.code(), "stack-overflow", "{preset:?}");
        });
    }
}
