//! A token ends the calls that carry it, from another thread, whatever they do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use hotcell_core::{CancelToken, Contract, Phase, Plugin, Policy, Value};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture, guest, policy},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory("cancel.loop", "A guest that loops ends when its token is cancelled.", during_a_loop::<B>),
        Check::mandatory(
            "cancel.before",
            "A call whose token is already cancelled does not begin.",
            before_the_call::<B>,
        ),
        Check::mandatory(
            "cancel.before_short",
            "Whether the guest would have been quick does not decide whether a cancelled call begins.",
            before_a_call_that_would_have_been_short::<B>,
        ),
        Check::mandatory(
            "cancel.host",
            "A call that is cancelled while a host function runs ends when that returns.",
            during_a_host_function::<B>,
        ),
        Check::mandatory("cancel.after", "Cancelling after the end disturbs nobody.", after_the_call::<B>),
        Check::mandatory(
            "cancel.session",
            "A session takes another token for the calls that follow.",
            a_session_takes_another_token::<B>,
        ),
        Check::mandatory(
            "cancel.denied",
            "Where the policy lets nothing cancel, a token is refused.",
            a_policy_that_lets_nothing_cancel::<B>,
        ),
    ]
}

const GUEST: &str = r#"
    (import "env" "wait" (func $wait))
    (import "env" "began" (func $began))
    (func (export "process") (param i32 i32) (result i64) (i64.const 0))
    (func (export "spin") (param i32 i32) (result i64)
        (call $began) (loop $again (br $again)) (unreachable))
    (func (export "wait") (param i32 i32) (result i64) (call $wait) (i64.const 0))"#;

/// The guest's signal, and the token that the host function `wait` waits for.
#[derive(Clone)]
struct Signals {
    began: Arc<AtomicBool>,
    token: CancelToken,
}

impl Signals {
    fn of(token: &CancelToken) -> Self {
        Self { began: Arc::default(), token: token.clone() }
    }

    /// Waits until the guest has begun, however long the machine takes, and cancels the call.
    fn cancel<T>(&self, call: &thread::ScopedJoinHandle<'_, T>) {
        while !self.began.load(Ordering::SeqCst) && !call.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(20));
        self.token.cancel();
    }
}

fn plugin<B: BackendUnderTest>(policy: Policy) -> Result<Plugin<B, Signals>, Failure> {
    let fixture = Fixture::<B>::on(policy)?;
    let mut imports = fixture.imports::<Signals>();
    imports.func("env", "began", |cx, ()| {
        cx.state().began.store(true, Ordering::SeqCst);
        Ok(())
    })?;
    imports.func("env", "wait", |cx, ()| {
        cx.state().began.store(true, Ordering::SeqCst);
        while !cx.state().token.is_cancelled() {
            thread::sleep(Duration::from_millis(1));
        }
        // Long enough for every backend to notice that time has passed.
        thread::sleep(Duration::from_millis(50));
        Ok(())
    })?;
    Ok(fixture.load_with(&guest(GUEST), &imports, &Contract::bytes("process"))?)
}

fn hardly_limited() -> Policy {
    policy(|rules| rules.limits.fuel = BACKSTOP)
}

fn during_a_loop<B: BackendUnderTest>() -> Outcome {
    let plugin = plugin::<B>(hardly_limited())?;
    let token = CancelToken::new();
    let signals = Signals::of(&token);
    thread::scope(|scope| -> Outcome {
        let call = scope.spawn(|| plugin.call_with("spin", b"input", signals.clone(), Some(token.clone())));
        signals.cancel(&call);
        let error = call.joined()?.denied()?;
        ensure_eq!((error.code(), error.phase), ("cancelled", Phase::Call));
        Ok(())
    })?;

    let token = CancelToken::new();
    let signals = Signals::of(&token);
    let mut session = plugin.session_with(signals.clone(), Some(token))?;
    let spin = session.func::<(u32, u32), u64>("spin")?;
    thread::scope(|scope| -> Outcome {
        let call = scope.spawn(|| session.call_typed(&spin, (0, 0)));
        signals.cancel(&call);
        ensure_eq!(call.joined()?.denied()?.code(), "cancelled");
        Ok(())
    })?;
    Ok(())
}

fn before_the_call<B: BackendUnderTest>() -> Outcome {
    let plugin = plugin::<B>(hardly_limited())?;
    let token = CancelToken::new();
    token.cancel();
    let error = plugin.call_with("spin", b"", Signals::of(&token), Some(token.clone())).denied()?;
    ensure_eq!(error.code(), "cancelled");
    let error = plugin.call_values("spin", &[Value::I32(0); 2], Signals::of(&token), Some(token)).denied()?;
    ensure_eq!(error.code(), "cancelled");
    Ok(())
}

/// The result must not depend on how quick the guest is.
fn before_a_call_that_would_have_been_short<B: BackendUnderTest>() -> Outcome {
    let plugin = plugin::<B>(hardly_limited())?;
    let token = CancelToken::new();
    let mut session = plugin.session_with(Signals::of(&token), Some(token.clone()))?;
    session.call("process", b"")?;
    token.cancel();
    ensure_eq!(session.call("process", b"").err().map(|error| error.code()), Some("cancelled"));

    let call = plugin.call_with("process", b"", Signals::of(&token), Some(token.clone()));
    ensure_eq!(call.err().map(|error| error.code()), Some("cancelled"));
    let opened = plugin.session_with(Signals::of(&token), Some(token));
    ensure_eq!(opened.err().map(|error| error.code()), Some("cancelled"));
    Ok(())
}

fn during_a_host_function<B: BackendUnderTest>() -> Outcome {
    let plugin = plugin::<B>(hardly_limited())?;
    let token = CancelToken::new();
    let signals = Signals::of(&token);
    thread::scope(|scope| -> Outcome {
        let call = scope.spawn(|| plugin.call_with("wait", b"", signals.clone(), Some(token.clone())));
        signals.cancel(&call);
        let error = call.joined()?.denied()?;
        ensure_eq!((error.code(), error.phase), ("cancelled", Phase::Call));
        ensure_eq!(error.report.usage.host_calls, 1);
        Ok(())
    })?;
    Ok(())
}

fn after_the_call<B: BackendUnderTest>() -> Outcome {
    let plugin = plugin::<B>(hardly_limited())?;
    let token = CancelToken::new();
    plugin.call_with("process", b"", Signals::of(&token), Some(token.clone()))?;
    token.cancel();
    plugin.call_with("process", b"", Signals::of(&token), None)?;
    Ok(())
}

fn a_session_takes_another_token<B: BackendUnderTest>() -> Outcome {
    let plugin = plugin::<B>(hardly_limited())?;
    let (first, second) = (CancelToken::new(), CancelToken::new());
    let mut session = plugin.session_with(Signals::of(&first), Some(first.clone()))?;
    session.call("process", b"")?;
    session.cancel_with(second.clone())?;
    first.cancel();
    session.call("process", b"")?;
    thread::scope(|scope| -> Outcome {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            second.cancel();
        });
        ensure_eq!(session.call("spin", b"").denied()?.code(), "cancelled");
        Ok(())
    })?;

    let mut session = plugin.session(Signals::of(&second))?;
    session.cancel_with(second)?;
    ensure_eq!(session.call("spin", b"").denied()?.code(), "cancelled");
    Ok(())
}

fn a_policy_that_lets_nothing_cancel<B: BackendUnderTest>() -> Outcome {
    let plugin = plugin::<B>(policy(|rules| rules.interrupt.cancel = false))?;
    let token = || Some(CancelToken::new());
    let signals = || Signals::of(&CancelToken::new());
    ensure_eq!(plugin.call_with("process", b"", signals(), token()).denied()?.code(), "unsupported");
    ensure_eq!(plugin.session_with(signals(), token()).denied()?.code(), "unsupported");
    let error = plugin.call_values("process", &[Value::I32(0); 2], signals(), token()).denied()?;
    ensure_eq!(error.code(), "unsupported");

    let mut session = plugin.session(signals())?;
    ensure_eq!(session.cancel_with(CancelToken::new()).denied()?.code(), "unsupported");
    session.call("process", b"")?;
    ensure!(!session.is_poisoned());
    plugin.call_with("process", b"", signals(), None)?;
    Ok(())
}
