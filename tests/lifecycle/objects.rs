//! Objects that do not belong together are told apart, by type or by a typed error.

use std::sync::Arc;

use hotcell::{
    Clock, Contract, Fault, HostOptions, Policy, Sandbox, Value, admit,
    backend::{Backend, HostFn, Instance},
    time::SystemClock,
};

use crate::{
    guest::{guest, policy, wasm},
    load::byte_plugin,
};

on_each_backend! {
    a_module_that_another_policy_admitted
    imports_that_it_was_not_admitted_with
    imports_of_another_sandbox_under_the_same_policy
    imports_of_another_sandbox_under_another_policy
    a_module_on_another_engine
    a_function_of_another_session
    a_function_of_a_session_that_is_gone
}

const NOTHING: &str = r#"(module (func (export "run") (result i32) (i32.const 7)))"#;

fn a_module_that_another_policy_admitted<B: Backend>() {
    let wasm = wasm(NOTHING);
    let (here, elsewhere) = (Policy::default(), policy(|rules| rules.limits.fuel = Some(1)));
    let sandbox = Sandbox::<B>::on(here.clone()).unwrap();
    let backend = sandbox.backend();
    let imports = backend.imports::<()>();
    for (policy, expected) in [
        (&here, None),
        (&elsewhere, Some("policy-mismatch")),
        (&Policy::strict(), Some("policy-mismatch")),
        (&Policy::ceiling(), Some("policy-mismatch")),
    ] {
        let admitted = admit(&wasm, policy, backend.offered(&imports), &Contract::None).unwrap();
        assert_eq!(backend.compile(&admitted).err().map(|error| error.code()), expected);
    }
}

fn imports_that_it_was_not_admitted_with<B: Backend + HostFn<(), ()> + HostFn<(u32,), ()>>() {
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    let backend = sandbox.backend();
    let mut offered = backend.imports::<()>();
    <B as HostFn<(), ()>>::define(&mut offered, "env", "f", |_, ()| Ok(())).unwrap();
    let wasm = wasm(r#"(module (import "env" "f" (func)))"#);
    let admitted = admit(&wasm, sandbox.policy(), backend.offered(&offered), &Contract::None).unwrap();
    let module = backend.compile(&admitted).unwrap();
    backend.link(&module, &offered).unwrap();

    let none = backend.imports::<()>();
    let mut renamed = backend.imports::<()>();
    <B as HostFn<(), ()>>::define(&mut renamed, "env", "g", |_, ()| Ok(())).unwrap();
    let mut retyped = backend.imports::<()>();
    <B as HostFn<(u32,), ()>>::define(&mut retyped, "env", "f", |_, (_,): (u32,)| Ok(())).unwrap();
    let mut more = backend.imports::<()>();
    <B as HostFn<(), ()>>::define(&mut more, "env", "f", |_, ()| Ok(())).unwrap();
    <B as HostFn<(), ()>>::define(&mut more, "env", "g", |_, ()| Ok(())).unwrap();
    for other in [none, renamed, retyped, more] {
        assert_eq!(backend.link(&module, &other).err().map(|error| error.code()), Some("policy-mismatch"));
    }
}

fn imports_of_another_sandbox_under_the_same_policy<B: Backend + HostFn<(), ()>>() {
    let (one, other) = (Sandbox::<B>::on(Policy::default()).unwrap(), Sandbox::<B>::on(Policy::default()).unwrap());
    let mut imports = other.imports::<()>();
    imports.func("env", "f", |_, ()| Ok(())).unwrap();
    let wasm = wasm(r#"(module (import "env" "f" (func $f)) (func (export "run") (call $f)))"#);
    let plugin = one.load_with(&wasm, &imports, &Contract::None).unwrap();
    plugin.call_values("run", &[], (), None).unwrap();
}

/// Another stack is another engine. A backend whose host functions belong to an engine refuses them, the other may take
/// them: `docs/differences.md`.
fn imports_of_another_sandbox_under_another_policy<B: Backend>() {
    let one = Sandbox::<B>::on(Policy::default()).unwrap();
    let other = Sandbox::<B>::on(policy(|rules| rules.limits.stack_bytes = 128 << 10)).unwrap();
    let loaded = one.load_with::<()>(&wasm(NOTHING), &other.imports(), &Contract::None);
    let refused = loaded.map(|plugin| assert!(plugin.call_values("run", &[], (), None).is_ok()));
    let expected = if B::JIT { Some("policy-mismatch") } else { None };
    assert_eq!(refused.err().map(|error| error.code()), expected);
}

fn a_module_on_another_engine<B: Backend>() {
    let one = Sandbox::<B>::on(Policy::default()).unwrap();
    let other = Sandbox::<B>::on(policy(|rules| rules.limits.stack_bytes = 128 << 10)).unwrap();
    let imports = one.backend().imports::<()>();
    let wasm = wasm(NOTHING);
    let admitted = admit(&wasm, one.policy(), one.backend().offered(&imports), &Contract::None).unwrap();
    let linked = one.backend().link(&one.backend().compile(&admitted).unwrap(), &imports).unwrap();
    let budget = || hotcell::Budget::new(one.policy(), SystemClock::new().now(), None);

    let unlimited = || hotcell::Budget { deadline: None, ..budget() };
    let mut instance = one.backend().instantiate(&linked, unlimited(), ()).unwrap();
    assert_eq!(instance.call_values("run", &[]).unwrap(), [Value::I32(7)]);
    let error = other.backend().instantiate(&linked, unlimited(), ()).err();
    assert_eq!(error.map(|error| error.fault.code()), Some("policy-mismatch"));
}

const FIRST_AND_SECOND: &str = r#"
    (func (export "process") (param i32 i32) (result i64) (i64.const 0))
    (func (export "first") (result i32) (i32.const 1))
    (func (export "second") (result i32) (i32.const 2))"#;

fn is_mismatch<R>(result: Result<R, Fault>) -> bool {
    result.err().is_some_and(|fault| fault.code() == "policy-mismatch")
}

fn a_function_of_another_session<B: Backend>() {
    let wasm = guest(FIRST_AND_SECOND);
    let plugin = byte_plugin::<B>(Policy::default(), &wasm);
    let same_policy = byte_plugin::<B>(Policy::default(), &wasm);
    // Another stack is another engine.
    let elsewhere = byte_plugin::<B>(policy(|rules| rules.limits.stack_bytes = 128 << 10), &wasm);
    for other in [&plugin, &same_policy, &elsewhere] {
        let (mut session, mut stranger) = (plugin.session(()).unwrap(), other.session(()).unwrap());
        let (first, second) = (session.func::<(), u32>("first").unwrap(), stranger.func::<(), u32>("second").unwrap());
        for _ in 0..2 {
            assert!(is_mismatch(session.call_typed(&second, ())));
            assert!(is_mismatch(stranger.call_typed(&first, ())));
            // Nothing of a guest ran, so nothing is poisoned.
            assert_eq!(session.call_typed(&first, ()).unwrap(), 1);
            assert_eq!(stranger.call_typed(&second, ()).unwrap(), 2);
        }
    }
}

fn a_function_of_a_session_that_is_gone<B: Backend>() {
    let options = HostOptions { max_instances: 1, ..HostOptions::new(Arc::new(SystemClock::new())) };
    let sandbox = Sandbox::<B>::with_options(Policy::default(), &options).unwrap();
    let plugin = sandbox.load(&guest(FIRST_AND_SECOND), "process").unwrap();
    let mut gone = plugin.session(()).unwrap();
    let first = gone.func::<(), u32>("first").unwrap();
    drop(gone);
    let mut session = plugin.session(()).unwrap();
    assert!(is_mismatch(session.call_typed(&first, ())));
    session.call("process", b"").unwrap();
}
