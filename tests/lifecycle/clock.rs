//! A deadline is a point on a clock: it counts what the host does, and ticks have nothing to do with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use hotcell::{
    Clock, Contract, HostError, HostOptions, Imports, Instant, Phase, Plugin, Policy, Sandbox, Value,
    backend::{Backend, HostFn},
};

use crate::{
    child,
    guest::{guest, policy, wasm},
    load::plugin,
};

on_each_backend! {
    time_in_a_host_function_counts
    time_off_the_clock_does_not_count
    an_error_after_the_deadline_is_the_deadline
    the_clock_goes_on_after_the_time_off
    a_guest_that_loops_after_a_long_rest_still_ends
    a_clock_that_jumps_ends_a_guest_that_loops
    a_clock_that_stands_still_leaves_the_end_to_fuel
    a_clock_that_jumps_in_a_host_function
    the_report_counts_off_the_clock_exactly
    a_clock_that_goes_backwards_does_no_harm
}

/// Calls the host's `wait`, or `wait_off` off the clock, and returns at once.
const WAITING: &str = r#"
    (import "env" "wait" (func $wait))
    (import "env" "wait_off" (func $wait_off))
    (func (export "process") (param i32 i32) (result i64) (call $wait) (i64.const 0))
    (func (export "patient") (param i32 i32) (result i64) (call $wait_off) (i64.const 0))
    (func (export "patient_then_spin") (param i32 i32) (result i64)
        (call $wait_off) (loop $again (br $again)) (unreachable))
    (func (export "both") (param i32 i32) (result i64) (call $wait_off) (call $wait) (i64.const 0))
    (func (export "spin") (loop $again (br $again)))"#;

/// A plugin whose host functions wait with `wait`.
fn waiting<B>(policy: Policy, options: &HostOptions, wait: impl Fn() + Clone + Send + Sync + 'static) -> Plugin<B>
where
    B: Backend + HostFn<(), ()>,
{
    let sandbox = Sandbox::<B>::with_options(policy, options).unwrap();
    let mut imports: Imports<(), B> = sandbox.imports();
    let on = wait.clone();
    imports
        .func("env", "wait", move |_, ()| {
            on();
            Ok(())
        })
        .unwrap()
        .func("env", "wait_off", move |cx, ()| {
            cx.off_the_clock(&wait);
            Ok(())
        })
        .unwrap();
    sandbox.load_with(&guest(WAITING), &imports, &Contract::bytes("process")).unwrap()
}

fn deadline(deadline: Duration) -> Policy {
    policy(|rules| (rules.limits.fuel, rules.limits.deadline) = (None, Some(deadline)))
}

fn sleeping<B: Backend + HostFn<(), ()>>(sleep: Duration, limit: Duration) -> Plugin<B> {
    waiting(deadline(limit), &HostOptions::default(), move || thread::sleep(sleep))
}

fn time_in_a_host_function_counts<B: Backend + HostFn<(), ()>>() {
    let plugin = sleeping::<B>(Duration::from_millis(200), Duration::from_millis(50));
    let error = plugin.call("process", b"").unwrap_err();
    assert_eq!((error.code(), error.phase), ("deadline-exceeded", Phase::Call));
    assert_eq!(error.report.host_time, Duration::ZERO);
    assert!(error.report.guest_time >= Duration::from_millis(200));

    let mut session = plugin.session(()).unwrap();
    let process = session.func::<(u32, u32), u64>("process").unwrap();
    assert_eq!(session.call_typed(&process, (0, 0)).unwrap_err().code(), "deadline-exceeded");
    assert!(session.is_poisoned());

    let mut session = plugin.session(()).unwrap();
    assert_eq!(session.call_values("process", &[Value::I32(0); 2]).unwrap_err().code(), "deadline-exceeded");
}

fn time_off_the_clock_does_not_count<B: Backend + HostFn<(), ()>>() {
    const SLEEP: Duration = Duration::from_millis(1_200);
    let plugin = sleeping::<B>(SLEEP, Duration::from_millis(1_000));
    let reply = plugin.call("patient", b"").unwrap();
    assert!(reply.report.host_time >= SLEEP, "{:?}", reply.report);
}

/// The host function came too late to refuse.
fn an_error_after_the_deadline_is_the_deadline<B: Backend + HostFn<(), ()>>() {
    let sandbox = Sandbox::<B>::on(deadline(Duration::from_millis(50))).unwrap();
    for panics in [false, true] {
        let mut imports = sandbox.imports::<()>();
        imports
            .func("env", "wait", move |_, ()| -> Result<(), HostError> {
                thread::sleep(Duration::from_millis(200));
                if panics { panic!("too late") } else { Err(HostError::message("too late")) }
            })
            .unwrap()
            .func("env", "wait_off", |_, ()| Ok(()))
            .unwrap();
        let plugin: Plugin<B> = sandbox.load_with(&guest(WAITING), &imports, &Contract::bytes("process")).unwrap();
        let error = plugin.call("process", b"").unwrap_err();
        assert_eq!((error.code(), error.phase), ("deadline-exceeded", Phase::Call));
    }
}

fn the_clock_goes_on_after_the_time_off<B: Backend + HostFn<(), ()>>() {
    let plugin = sleeping::<B>(Duration::from_millis(100), Duration::from_millis(50));
    let error = plugin.call("patient_then_spin", b"").unwrap_err();
    assert_eq!(error.code(), "deadline-exceeded");
    assert!(error.report.host_time >= Duration::from_millis(100));
    assert!(error.report.guest_time >= Duration::from_millis(50));
    assert_eq!(plugin.call("both", b"").unwrap_err().code(), "deadline-exceeded");
}

/// In a process of its own: nothing else keeps a backend's timers awake there.
fn a_guest_that_loops_after_a_long_rest_still_ends<B: Backend + HostFn<(), ()>>() {
    if !child::is_child() {
        let test = format!("clock::{}::a_guest_that_loops_after_a_long_rest_still_ends", B::ID);
        child::passes(child::again(&test));
        return;
    }
    let plugin =
        plugin::<B>(deadline(Duration::from_millis(100)), &wasm(r#"(module (func (export "spin") (loop (br 0))))"#));
    let spin = || plugin.call_values("spin", &[], (), None).unwrap_err().code();
    assert_eq!(spin(), "deadline-exceeded");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(spin(), "deadline-exceeded");
    assert_eq!(spin(), "deadline-exceeded");
}

/// A clock that goes only when somebody turns it.
#[derive(Default)]
struct Turned(AtomicU64);

impl Turned {
    fn turn(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Turned {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// As when the machine is suspended and wakes up.
fn a_clock_that_jumps_ends_a_guest_that_loops<B: Backend + HostFn<(), ()>>() {
    let clock = Arc::new(Turned::default());
    let plugin = waiting::<B>(deadline(HOUR), &HostOptions::new(clock.clone()), || ());
    thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call_values("spin", &[], (), None));
        thread::sleep(Duration::from_millis(100));
        assert!(!call.is_finished(), "no time has passed");
        clock.turn(HOUR);
        assert_eq!(call.join().unwrap().unwrap_err().code(), "deadline-exceeded");
    });
}

fn a_clock_that_stands_still_leaves_the_end_to_fuel<B: Backend + HostFn<(), ()>>() {
    let policy = policy(|rules| {
        (rules.limits.fuel, rules.limits.deadline) = (Some(20_000_000), Some(Duration::from_nanos(1)));
    });
    let plugin = waiting::<B>(policy, &HostOptions::new(Arc::new(Turned::default())), || ());
    let error = plugin.call_values("spin", &[], (), None).unwrap_err();
    assert_eq!(error.code(), "out-of-fuel");
    assert_eq!(error.report.guest_time, Duration::ZERO);
}

fn a_clock_that_jumps_in_a_host_function<B: Backend + HostFn<(), ()>>() {
    let clock = Arc::new(Turned::default());
    let turn = clock.clone();
    let plugin = waiting::<B>(deadline(HOUR), &HostOptions::new(clock), move || turn.turn(2 * HOUR));
    let error = plugin.call("process", b"").unwrap_err();
    assert_eq!((error.code(), error.phase), ("deadline-exceeded", Phase::Call));
    assert_eq!(error.report.guest_time, 2 * HOUR);
}

fn the_report_counts_off_the_clock_exactly<B: Backend + HostFn<(), ()>>() {
    let clock = Arc::new(Turned::default());
    let turn = clock.clone();
    let plugin = waiting::<B>(deadline(HOUR), &HostOptions::new(clock), move || turn.turn(HOUR / 2));
    let report = plugin.call("patient", b"").unwrap().report;
    assert_eq!((report.guest_time, report.host_time), (Duration::ZERO, HOUR / 2));
    let report = plugin.call("both", b"").unwrap().report;
    assert_eq!((report.guest_time, report.host_time), (HOUR / 2, HOUR / 2));

    // Half an hour of every call counts, so a session may go on for ever.
    let mut session = plugin.session(()).unwrap();
    for _ in 0..10 {
        let report = session.call("both", b"").unwrap().report;
        assert_eq!((report.guest_time, report.host_time), (HOUR / 2, HOUR / 2));
    }
}

/// As a clock that is no better than the wall's.
fn a_clock_that_goes_backwards_does_no_harm<B: Backend + HostFn<(), ()>>() {
    struct Backwards(AtomicU64);
    impl Clock for Backwards {
        fn now(&self) -> Instant {
            Instant(self.0.fetch_sub(1_000, Ordering::SeqCst))
        }
    }
    let policy = policy(|rules| rules.limits.fuel = Some(1_000_000));
    let plugin = waiting::<B>(policy, &HostOptions::new(Arc::new(Backwards(AtomicU64::new(u64::MAX / 2)))), || ());
    assert_eq!(plugin.call("both", b"").unwrap().report.host_time, Duration::ZERO);
    assert_eq!(plugin.call_values("spin", &[], (), None).unwrap_err().code(), "out-of-fuel");
}
