//! Limits apply from the guest's first instruction: start functions and segments have the same budget as the call.

use std::{thread, time::Duration};

use hotcell_core::{
    Budget, CallError, CancelToken, Clock, Contract, Field, Phase, Plugin, Rules, Store, admit, time::SystemClock,
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, Present, ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture, byte_plugin, guest, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::optional(
            Field::Start,
            "arming.start_loop",
            "A start function that never ends is ended by fuel, by the deadline and by cancelling.",
            start_loop::<B>,
        ),
        Check::optional(
            Field::Start,
            "arming.start_budget",
            "What a start function uses is no longer there for the entry.",
            start_budget::<B>,
        ),
        Check::optional(
            Field::Start,
            "arming.start_fails",
            "A start function that fails fails instantiation, with its own verdict.",
            start_fails::<B>,
        ),
        Check::mandatory(
            "arming.budget",
            "The budget that instantiation is given is in force before memories and tables are made.",
            budget::<B>,
        ),
        Check::mandatory(
            "arming.start_denied",
            "A start function is refused unless the policy allows it.",
            start_denied::<B>,
        ),
    ]
}

/// A guest with the start function `start`.
fn starting<B: BackendUnderTest>(start: &str, change: impl FnOnce(&mut Rules)) -> Result<Plugin<B>, Failure> {
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

/// Code and phase of a byte call and of a session, which must be equal.
fn verdict<B: BackendUnderTest>(plugin: &Plugin<B>) -> Result<(&'static str, Phase), Failure> {
    let of = |error: CallError| (error.code(), error.phase);
    let call = of(plugin.call("process", b"").denied()?);
    ensure_eq!(of(plugin.session(()).denied()?), call);
    Ok(call)
}

const LOOP: &str = "(loop $again (br $again))";

fn start_loop<B: BackendUnderTest>() -> Outcome {
    let by_fuel = starting::<B>(LOOP, |rules| rules.limits.fuel = Some(1_000_000))?;
    ensure_eq!(verdict(&by_fuel)?, ("out-of-fuel", Phase::Instantiate));
    let report = by_fuel.call("process", b"").denied()?.report;
    ensure!((900_000..=1_000_000).contains(&report.usage.fuel_used.present()?), "{report:?}");

    let by_deadline = starting::<B>(LOOP, |rules| {
        (rules.limits.fuel, rules.limits.deadline) = (BACKSTOP, Some(Duration::from_millis(100)));
    })?;
    ensure_eq!(verdict(&by_deadline)?, ("deadline-exceeded", Phase::Instantiate));

    let by_cancel = starting::<B>(LOOP, |rules| rules.limits.fuel = BACKSTOP)?;
    let token = CancelToken::new();
    thread::scope(|scope| -> Outcome {
        let call = scope.spawn(|| by_cancel.call_with("process", b"", (), Some(token.clone())));
        thread::sleep(Duration::from_millis(50));
        token.cancel();
        let error = call.joined()?.denied()?;
        ensure_eq!((error.code(), error.phase), ("cancelled", Phase::Instantiate));
        Ok(())
    })
}

fn start_budget<B: BackendUnderTest>() -> Outcome {
    let count = |rounds: i32| {
        format!(
            "(local $i i32)
            (loop $next
                (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {rounds}))))
            (global.set $state (i32.const 42))"
        )
    };
    let used = |rounds| -> Result<_, Failure> {
        let plugin = starting::<B>(&count(rounds), |_| ())?;
        let opening = plugin.session(())?.usage().fuel_used.present()?;
        let reply = plugin.call("process", b"")?;
        ensure_eq!(reply.bytes, [42]);
        Ok((opening, reply.report.usage.fuel_used.present()?))
    };
    let (little, much) = (used(10)?, used(10_000)?);
    ensure!(much.1 > little.1 + 9_990, "{little:?} {much:?}");
    // The entry gets only what the start function has left.
    let plugin = starting::<B>(&count(10_000), |rules| rules.limits.fuel = Some(much.0))?;
    let error = plugin.call("process", b"").denied()?;
    ensure_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call));
    Ok(())
}

fn start_fails<B: BackendUnderTest>() -> Outcome {
    let verdict = |start: &str| verdict(&starting::<B>(start, |_| ())?);
    ensure_eq!(verdict("(unreachable)")?, ("trap-unreachable", Phase::Instantiate));
    ensure_eq!(verdict("(call $deeper)")?, ("stack-overflow", Phase::Instantiate));
    ensure_eq!(verdict("(i32.store (i32.const -1) (i32.const 0))")?, ("trap-memory-out-of-bounds", Phase::Instantiate));

    let small =
        starting::<B>("(global.set $state (memory.grow (i32.const 1)))", |rules| rules.limits.memory_bytes = 1 << 16)?;
    let reply = small.call("process", b"")?;
    ensure_eq!((reply.bytes, reply.report.usage.refused_growths), (vec![0xff], 1));
    Ok(())
}

fn start_denied<B: BackendUnderTest>() -> Outcome {
    let denied = Fixture::<B>::on(policy(|rules| rules.module.start = false))?;
    let wasm = wasm("(module (func $start) (start $start))");
    let error = denied.load_with::<()>(&wasm, &denied.imports(), &Contract::None).denied()?;
    ensure_eq!((error.code(), error.phase()), ("start-denied", Phase::Admit));
    Ok(())
}

fn budget<B: BackendUnderTest>() -> Outcome {
    const PAGE: u64 = 1 << 16;
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let (loader, imports) = (fixture.loader(), fixture.imports::<()>());
    let wasm = wasm(r#"(module (memory 1) (table 10 funcref) (func (export "run")))"#);
    let admitted = admit(&wasm, fixture.policy(), imports.offered(), &Contract::None)?;
    let linked = loader.link(&loader.compile(&admitted)?, &imports)?;
    // Less than in the policy under which the module was admitted.
    let instantiate = |memory_bytes, table_elements| {
        let mut budget = Budget::new(fixture.policy(), linked.exports(), SystemClock::new().now(), None);
        (budget.memory_bytes, budget.table_elements, budget.deadline) = (memory_bytes, table_elements, None);
        loader.instantiate(&linked, budget, ())
    };
    let mut instance = instantiate(PAGE + 80, 10).map_err(|error| error.fault)?;
    ensure_eq!(instance.data().accounts.usage(None).peak_memory_bytes, PAGE + 80);
    instance.call_values("run", &[])?;
    ensure!(instantiate(PAGE + 79, 10).is_err(), "one byte less");
    ensure!(instantiate(PAGE + 80, 9).is_err(), "one element less");
    Ok(())
}
