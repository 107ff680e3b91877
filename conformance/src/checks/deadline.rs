//! A deadline is a point on a clock: it includes the time of host functions, and does not depend on ticks.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use hotcell_core::{Clock, Contract, HostError, HostOptions, Instant, Phase, Plugin, Policy, Value};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture, byte_plugin, guest, plain_plugin, policy, wasm},
    tally,
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "deadline.nanosecond",
            "A deadline of a nanosecond is over before the call began.",
            nanosecond::<B>,
        ),
        Check::mandatory("deadline.host", "Time in a host function counts.", host::<B>),
        Check::mandatory(
            "deadline.off_the_clock",
            "Time that a host function spends off the clock does not count, and is reported as host time.",
            off_the_clock::<B>,
        ),
        Check::mandatory(
            "deadline.first",
            "What a host function says after the deadline comes too late: the verdict is the deadline.",
            comes_first::<B>,
        ),
        Check::mandatory("deadline.goes_on", "After the time off the clock goes on.", goes_on::<B>),
        Check::mandatory(
            "deadline.rest",
            "A deadline still ends a guest after the process has rested for seconds.",
            rest::<B>,
        )
        .alone(),
        Check::mandatory(
            "deadline.jump",
            "A clock that jumps ends a guest that loops: time is looked up, not counted.",
            jump::<B>,
        ),
        Check::mandatory(
            "deadline.stands_still",
            "While the clock stands still no deadline fires, and fuel ends the guest.",
            stands_still::<B>,
        ),
        Check::mandatory(
            "deadline.jump_in_host",
            "A clock that jumps in a host function ends the call when that returns.",
            jump_in_host::<B>,
        ),
        Check::mandatory("deadline.report", "The report tells guest time and host time exactly.", report::<B>),
        Check::mandatory("deadline.backwards", "A clock that goes backwards does no harm.", backwards::<B>),
        Check::mandatory(
            "deadline.memory",
            "What an engine needs to make the memory that a guest declares or grows is not the guest's time.",
            memory::<B>,
        )
        .alone(),
        Check::mandatory(
            "deadline.overshoot",
            "Loops, recursion, chains of bulk operations and slow host functions end soon after the deadline.",
            overshoot::<B>,
        )
        .alone(),
    ]
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

/// A plugin whose host functions wait by calling `wait`.
fn waiting<B: BackendUnderTest>(
    policy: Policy,
    options: &HostOptions,
    wait: impl Fn() + Clone + Send + Sync + 'static,
) -> Result<Plugin<B>, Failure> {
    let fixture = Fixture::<B>::with_options(policy, options)?;
    let mut imports = fixture.imports();
    let on = wait.clone();
    imports
        .func("env", "wait", move |_, ()| {
            on();
            Ok(())
        })?
        .func("env", "wait_off", move |cx, ()| {
            cx.off_the_clock(&wait);
            Ok(())
        })?;
    Ok(fixture.load_with(&guest(WAITING), &imports, &Contract::bytes("process"))?)
}

/// Returns an empty reply.
const QUIET: &str = r#"(func (export "process") (param i32 i32) (result i64) (i64.const 0))"#;

fn deadline(deadline: Duration) -> Policy {
    policy(|rules| (rules.limits.fuel, rules.limits.deadline) = (BACKSTOP, Some(deadline)))
}

/// Long enough for a backend that does not check the clock at every opportunity to do so at the next one.
const NOTICED: Duration = Duration::from_millis(50);

/// A plugin with a deadline of an hour, whose host functions advance the clock by `by` and then sleep: the speed of the
/// machine does not matter.
fn turning<B: BackendUnderTest>(by: Duration, sleep: Duration) -> Result<Plugin<B>, Failure> {
    let clock = Arc::new(Turned::default());
    let turn = clock.clone();
    waiting(deadline(HOUR), &HostOptions::new(clock), move || {
        turn.turn(by);
        thread::sleep(sleep);
    })
}

/// Fills all the memory that the policy allows, and runs long enough after it for the clock to be checked. On a machine
/// with too few cores a guest may be late once; a wrong backend always is.
fn memory<B: BackendUnderTest>() -> Outcome {
    let policy = deadline(Duration::from_millis(100));
    let spin = "(loop $again (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))";
    for text in [
        format!(r#"(memory 4096) (func (export "run") (param i32) {spin})"#),
        format!(r#"(memory 1) (func (export "run") (param i32) (drop (memory.grow (i32.const 4095))) {spin})"#),
    ] {
        let plugin = plain_plugin::<B>(policy.clone(), &wasm(&format!("(module {text})")))?;
        let call = || plugin.call_values("run", &[Value::I32(200_000)], (), None);
        call().or_else(|_| call()).or_else(|_| call())?;
    }
    Ok(())
}

fn nanosecond<B: BackendUnderTest>() -> Outcome {
    let plugin =
        byte_plugin::<B>(policy(|rules| rules.limits.deadline = Some(Duration::from_nanos(1))), &guest(QUIET))?;
    ensure_eq!(plugin.call("process", b"abc").denied()?.code(), "deadline-exceeded");
    ensure_eq!(plugin.call("process", b"").denied()?.code(), "deadline-exceeded");
    let error = plugin.call_values("alloc", &[Value::I32(1)], (), None).denied()?;
    ensure_eq!(error.code(), "deadline-exceeded");
    ensure_eq!(plugin.session(()).denied()?.code(), "deadline-exceeded");
    Ok(())
}

fn host<B: BackendUnderTest>() -> Outcome {
    let plugin = turning::<B>(2 * HOUR, NOTICED)?;
    let error = plugin.call("process", b"").denied()?;
    ensure_eq!((error.code(), error.phase), ("deadline-exceeded", Phase::Call));
    ensure_eq!((error.report.guest_time, error.report.host_time), (2 * HOUR, Duration::ZERO));

    let mut session = plugin.session(())?;
    let process = session.func::<(u32, u32), u64>("process")?;
    ensure_eq!(session.call_typed(&process, (0, 0)).denied()?.code(), "deadline-exceeded");
    ensure!(session.is_poisoned());

    let mut session = plugin.session(())?;
    ensure_eq!(session.call_values("process", &[Value::I32(0); 2]).denied()?.code(), "deadline-exceeded");

    // The same by the system clock, with enough time to reach the host function.
    const LIMIT: Duration = Duration::from_secs(1);
    let plugin = waiting::<B>(deadline(LIMIT), &HostOptions::default(), || thread::sleep(LIMIT))?;
    let error = plugin.call("process", b"").denied()?;
    ensure_eq!(error.code(), "deadline-exceeded");
    ensure!(error.report.guest_time >= LIMIT, "{:?}", error.report);
    Ok(())
}

fn off_the_clock<B: BackendUnderTest>() -> Outcome {
    let plugin = turning::<B>(2 * HOUR, NOTICED)?;
    for _ in 0..2 {
        let report = plugin.call("patient", b"")?.report;
        ensure_eq!((report.guest_time, report.host_time), (Duration::ZERO, 2 * HOUR));
    }
    Ok(())
}

/// The host function was too late to refuse.
fn comes_first<B: BackendUnderTest>() -> Outcome {
    for panics in [false, true] {
        let clock = Arc::new(Turned::default());
        let fixture = Fixture::<B>::with_options(deadline(HOUR), &HostOptions::new(clock.clone()))?;
        let mut imports = fixture.imports::<()>();
        imports
            .func("env", "wait", move |_, ()| -> Result<(), HostError> {
                clock.turn(2 * HOUR);
                thread::sleep(NOTICED);
                if panics { resume_unwind(Box::new("too late")) } else { Err(HostError::message("too late")) }
            })?
            .func("env", "wait_off", |_, ()| Ok(()))?;
        let plugin = fixture.load_with(&guest(WAITING), &imports, &Contract::bytes("process"))?;
        let error = plugin.call("process", b"").denied()?;
        ensure_eq!((error.code(), error.phase), ("deadline-exceeded", Phase::Call));
    }
    Ok(())
}

fn goes_on<B: BackendUnderTest>() -> Outcome {
    let (clock, waited) = (Arc::new(Turned::default()), Arc::new(AtomicBool::new(false)));
    let (turn, wait) = (clock.clone(), waited.clone());
    let plugin = waiting::<B>(deadline(HOUR), &HostOptions::new(clock.clone()), move || {
        turn.turn(2 * HOUR);
        thread::sleep(NOTICED);
        wait.store(true, Ordering::SeqCst);
    })?;
    thread::scope(|scope| -> Outcome {
        let call = scope.spawn(|| plugin.call("patient_then_spin", b""));
        while !call.is_finished() {
            // By now the guest loops, or soon will.
            if waited.load(Ordering::SeqCst) {
                clock.turn(HOUR / 2);
            }
            thread::sleep(Duration::from_millis(10));
        }
        let error = call.joined()?.denied()?;
        ensure_eq!(error.code(), "deadline-exceeded");
        ensure!(error.report.host_time >= 2 * HOUR && error.report.guest_time >= HOUR, "{:?}", error.report);
        Ok(())
    })?;
    ensure_eq!(plugin.call("both", b"").denied()?.code(), "deadline-exceeded");
    Ok(())
}

/// Alone, so that nothing else keeps a backend's timers running.
fn rest<B: BackendUnderTest>() -> Outcome {
    let plugin = plain_plugin::<B>(
        deadline(Duration::from_millis(100)),
        &wasm(r#"(module (func (export "spin") (loop (br 0))))"#),
    )?;
    let spin = || plugin.call_values("spin", &[], (), None).denied().map(|error| error.code());
    ensure_eq!(spin()?, "deadline-exceeded");
    thread::sleep(Duration::from_secs(3));
    ensure_eq!(spin()?, "deadline-exceeded");
    ensure_eq!(spin()?, "deadline-exceeded");
    Ok(())
}

/// A clock that advances only when it is turned.
#[derive(Default)]
struct Turned(AtomicU64);

impl Turned {
    fn turn(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Clock for Turned {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// As when the machine resumes from suspend.
fn jump<B: BackendUnderTest>() -> Outcome {
    let clock = Arc::new(Turned::default());
    // Less fuel than elsewhere, so that a slow backend that never checks the clock ends too.
    let policy = deadline(HOUR).with(|rules| rules.limits.fuel = Some(1_000_000_000))?;
    let plugin = waiting::<B>(policy, &HostOptions::new(clock.clone()), || ())?;
    thread::scope(|scope| -> Outcome {
        let call = scope.spawn(|| plugin.call_values("spin", &[], (), None));
        thread::sleep(Duration::from_millis(50));
        ensure!(!call.is_finished(), "no time has passed");
        // Once is enough, unless the call began only now.
        while !call.is_finished() {
            clock.turn(HOUR);
            thread::sleep(Duration::from_millis(10));
        }
        ensure_eq!(call.joined()?.denied()?.code(), "deadline-exceeded");
        Ok(())
    })
}

fn stands_still<B: BackendUnderTest>() -> Outcome {
    let policy = policy(|rules| {
        (rules.limits.fuel, rules.limits.deadline) = (Some(20_000_000), Some(Duration::from_nanos(1)));
    });
    let plugin = waiting::<B>(policy, &HostOptions::new(Arc::new(Turned::default())), || ())?;
    let error = plugin.call_values("spin", &[], (), None).denied()?;
    ensure_eq!(error.code(), "out-of-fuel");
    ensure_eq!(error.report.guest_time, Duration::ZERO);
    Ok(())
}

fn jump_in_host<B: BackendUnderTest>() -> Outcome {
    let plugin = turning::<B>(2 * HOUR, Duration::ZERO)?;
    let error = plugin.call("process", b"").denied()?;
    ensure_eq!((error.code(), error.phase), ("deadline-exceeded", Phase::Call));
    ensure_eq!(error.report.guest_time, 2 * HOUR);
    Ok(())
}

fn report<B: BackendUnderTest>() -> Outcome {
    let plugin = turning::<B>(HOUR / 2, Duration::ZERO)?;
    let report = plugin.call("patient", b"")?.report;
    ensure_eq!((report.guest_time, report.host_time), (Duration::ZERO, HOUR / 2));
    let report = plugin.call("both", b"")?.report;
    ensure_eq!((report.guest_time, report.host_time), (HOUR / 2, HOUR / 2));

    // Half an hour of every call counts, so a session may continue indefinitely.
    let mut session = plugin.session(())?;
    for _ in 0..10 {
        let report = session.call("both", b"")?.report;
        ensure_eq!((report.guest_time, report.host_time), (HOUR / 2, HOUR / 2));
    }
    Ok(())
}

/// As an unreliable clock does.
fn backwards<B: BackendUnderTest>() -> Outcome {
    struct Backwards(AtomicU64);
    impl Clock for Backwards {
        fn now(&self) -> Instant {
            Instant(self.0.fetch_sub(1_000, Ordering::SeqCst))
        }
    }
    let policy = policy(|rules| rules.limits.fuel = Some(1_000_000));
    let plugin = waiting::<B>(policy, &HostOptions::new(Arc::new(Backwards(AtomicU64::new(u64::MAX / 2)))), || ())?;
    ensure_eq!(plugin.call("both", b"")?.report.host_time, Duration::ZERO);
    ensure_eq!(plugin.call_values("spin", &[], (), None).denied()?.code(), "out-of-fuel");
    Ok(())
}

/// The deadline in the overshoot check, and how late it may be: generous, for a busy machine.
const LIMIT: Duration = Duration::from_millis(100);
const LOOSE: Duration = Duration::from_secs(2);

fn overshoot<B: BackendUnderTest>() -> Outcome {
    let policy = policy(|rules| {
        (rules.limits.fuel, rules.limits.deadline) = (BACKSTOP, Some(LIMIT));
        rules.limits.memory_bytes = 1 << 24;
    });
    let text = r#"
        (import "env" "wait" (func $wait))
        (memory (export "memory") 128)
        (table 100000 funcref)
        (func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "loops") (loop $again (br $again)))
        (func (export "recurses") (loop $again (call $deep (i32.const 500)) (br $again)))
        (func (export "fills") (loop $again
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x800000)) (br $again)))
        (func (export "copies") (loop $again
            (memory.copy (i32.const 1) (i32.const 0) (i32.const 0x7fffff)) (br $again)))
        (func (export "fills_tables") (loop $again
            (table.fill (i32.const 0) (ref.null func) (i32.const 100000)) (br $again)))
        (func (export "waits") (loop $again (call $wait) (br $again)))"#;
    let fixture = Fixture::<B>::on(policy)?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "wait", |_, ()| {
        thread::sleep(Duration::from_millis(30));
        Ok(())
    })?;
    let plugin = fixture.load_with(&wasm(&format!("(module {text})")), &imports, &Contract::None)?;
    for export in ["loops", "recurses", "fills", "copies", "fills_tables", "waits"] {
        let error = plugin.call_values(export, &[], (), None).denied()?;
        ensure_eq!(error.code(), "deadline-exceeded", "{export}");
        let late = error.report.guest_time.saturating_sub(LIMIT);
        ensure!(late < LOOSE, "{export} ended {late:?} after its deadline");
        tally::note(format!("{export}: {late:.1?} after a deadline of {LIMIT:?}"));
    }
    Ok(())
}
