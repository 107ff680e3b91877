//! A token ends the calls that carry it, from another thread, whatever they are doing.

use std::{thread, time::Duration};

use hotcell::{
    CancelToken, Contract, Phase, Plugin, Policy, Sandbox, Value,
    backend::{Backend, HostFn},
};

use crate::guest::{guest, policy};

on_each_backend! {
    during_a_loop
    before_the_call
    before_a_call_that_would_have_been_short
    during_a_host_function
    after_the_call
    a_session_takes_another_token
    a_policy_that_lets_nothing_cancel
}

const GUEST: &str = r#"
    (import "env" "wait" (func $wait))
    (func (export "process") (param i32 i32) (result i64) (i64.const 0))
    (func (export "spin") (param i32 i32) (result i64) (loop $again (br $again)) (unreachable))
    (func (export "wait") (param i32 i32) (result i64) (call $wait) (i64.const 0))"#;

/// The state is the token that the host function `wait` waits for.
fn plugin<B: Backend + HostFn<(), ()>>(policy: Policy) -> Plugin<B, CancelToken> {
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    let mut imports = sandbox.imports::<CancelToken>();
    imports
        .func("env", "wait", |cx, ()| {
            while !cx.state().is_cancelled() {
                thread::sleep(Duration::from_millis(1));
            }
            // Long enough for every backend to see that time has passed.
            thread::sleep(Duration::from_millis(50));
            Ok(())
        })
        .unwrap();
    sandbox.load_with(&guest(GUEST), &imports, &Contract::bytes("process")).unwrap()
}

fn no_fuel_limit() -> Policy {
    policy(|rules| rules.limits.fuel = None)
}

fn during_a_loop<B: Backend + HostFn<(), ()>>() {
    let plugin = plugin::<B>(no_fuel_limit());
    let token = CancelToken::new();
    thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call_with("spin", b"input", token.clone(), Some(token.clone())));
        thread::sleep(Duration::from_millis(50));
        token.cancel();
        let error = call.join().unwrap().unwrap_err();
        assert_eq!((error.code(), error.phase), ("cancelled", Phase::Call));
    });

    let token = CancelToken::new();
    let mut session = plugin.session_with(token.clone(), Some(token.clone())).unwrap();
    let spin = session.func::<(u32, u32), u64>("spin").unwrap();
    thread::scope(|scope| {
        let call = scope.spawn(|| session.call_typed(&spin, (0, 0)));
        thread::sleep(Duration::from_millis(50));
        token.cancel();
        assert_eq!(call.join().unwrap().unwrap_err().code(), "cancelled");
    });
}

fn before_the_call<B: Backend + HostFn<(), ()>>() {
    let plugin = plugin::<B>(no_fuel_limit());
    let token = CancelToken::new();
    token.cancel();
    let error = plugin.call_with("spin", b"", token.clone(), Some(token.clone())).unwrap_err();
    assert_eq!(error.code(), "cancelled");
    let error = plugin.call_values("spin", &[Value::I32(0); 2], token.clone(), Some(token)).unwrap_err();
    assert_eq!(error.code(), "cancelled");
}

/// Whether the guest happens to be quick must not decide.
fn before_a_call_that_would_have_been_short<B: Backend + HostFn<(), ()>>() {
    let plugin = plugin::<B>(no_fuel_limit());
    let token = CancelToken::new();
    let mut session = plugin.session_with(token.clone(), Some(token.clone())).unwrap();
    session.call("process", b"").unwrap();
    token.cancel();
    assert_eq!(session.call("process", b"").err().map(|error| error.code()), Some("cancelled"));

    let call = plugin.call_with("process", b"", token.clone(), Some(token.clone()));
    assert_eq!(call.err().map(|error| error.code()), Some("cancelled"));
    let opened = plugin.session_with(token.clone(), Some(token));
    assert_eq!(opened.err().map(|error| error.code()), Some("cancelled"));
}

fn during_a_host_function<B: Backend + HostFn<(), ()>>() {
    let plugin = plugin::<B>(no_fuel_limit());
    let token = CancelToken::new();
    thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call_with("wait", b"", token.clone(), Some(token.clone())));
        thread::sleep(Duration::from_millis(20));
        token.cancel();
        let error = call.join().unwrap().unwrap_err();
        assert_eq!((error.code(), error.phase), ("cancelled", Phase::Call));
        assert_eq!(error.report.usage.host_calls, 1);
    });
}

fn after_the_call<B: Backend + HostFn<(), ()>>() {
    let plugin = plugin::<B>(no_fuel_limit());
    let token = CancelToken::new();
    plugin.call_with("process", b"", token.clone(), Some(token.clone())).unwrap();
    token.cancel();
    plugin.call_with("process", b"", token, None).unwrap();
}

fn a_session_takes_another_token<B: Backend + HostFn<(), ()>>() {
    let plugin = plugin::<B>(no_fuel_limit());
    let (first, second) = (CancelToken::new(), CancelToken::new());
    let mut session = plugin.session_with(first.clone(), Some(first.clone())).unwrap();
    session.call("process", b"").unwrap();
    session.cancel_with(second.clone()).unwrap();
    first.cancel();
    session.call("process", b"").unwrap();
    second.cancel();
    assert_eq!(session.call("spin", b"").unwrap_err().code(), "cancelled");

    let mut session = plugin.session(CancelToken::new()).unwrap();
    session.cancel_with(second).unwrap();
    assert_eq!(session.call("spin", b"").unwrap_err().code(), "cancelled");
}

fn a_policy_that_lets_nothing_cancel<B: Backend + HostFn<(), ()>>() {
    let plugin = plugin::<B>(policy(|rules| rules.interrupt.cancel = false));
    let token = || Some(CancelToken::new());
    assert_eq!(plugin.call_with("process", b"", CancelToken::new(), token()).unwrap_err().code(), "unsupported");
    assert_eq!(plugin.session_with(CancelToken::new(), token()).err().unwrap().code(), "unsupported");
    let error = plugin.call_values("process", &[Value::I32(0); 2], CancelToken::new(), token()).unwrap_err();
    assert_eq!(error.code(), "unsupported");

    let mut session = plugin.session(CancelToken::new()).unwrap();
    assert_eq!(session.cancel_with(CancelToken::new()).unwrap_err().code(), "unsupported");
    session.call("process", b"").unwrap();
    assert!(!session.is_poisoned());
    plugin.call_with("process", b"", CancelToken::new(), None).unwrap();
}
