//! One call does not affect others.

use std::{
    thread,
    time::{Duration, Instant},
};

use hotcell_core::{Budget, CancelToken, Contract, HostOptions, Plugin, Store, Value, admit, backend::Deadline};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "deadline.neighbour",
            "A deadline ends its own call, and no other of the same module, engine or profile.",
            neighbour::<B>,
        )
        .alone(),
        Check::mandatory("deadline.many", "Sixty-four calls that loop at once all end by their deadline.", many::<B>)
            .alone(),
        Check::mandatory("cancel.neighbour", "A cancelled call is the only one that ends.", cancelled_neighbour::<B>),
        Check::mandatory(
            "isolation.hundreds",
            "Of hundreds of calls at once some end by their deadline, some are cancelled, and the others compute \
             what they should.",
            hundreds::<B>,
        )
        .alone(),
    ]
}

/// `compute` runs `rounds` iterations and returns a number that depends on all of them.
const BUSY: &str = r#"
    (func (export "compute") (param $rounds i64) (result i64)
        (local $value i64)
        (local.set $value (i64.const 1))
        (loop $next
            (local.set $value (i64.add (i64.mul (local.get $value) (i64.const 6364136223846793005)) (local.get $rounds)))
            (local.set $rounds (i64.sub (local.get $rounds) (i64.const 1)))
            (br_if $next (i64.ne (local.get $rounds) (i64.const 0))))
        (local.get $value))
    (func (export "spin") (loop $again (br $again)))"#;

fn busy() -> Vec<u8> {
    wasm(&format!("(module {BUSY})"))
}

/// The result of `compute`.
fn computed(rounds: i64) -> i64 {
    (1..=rounds).rev().fold(1, |value: i64, round| value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round))
}

/// The number of iterations of `compute` that take about `wanted` on this machine.
fn rounds_of<B: BackendUnderTest>(plugin: &Plugin<B>, wanted: Duration) -> Result<i64, Failure> {
    let mut rounds = 1 << 16;
    loop {
        let begin = Instant::now();
        plugin.call_values("compute", &[Value::I64(rounds)], (), None)?;
        let took = begin.elapsed();
        if took >= Duration::from_millis(40) {
            return Ok((rounds as f64 * wanted.as_secs_f64() / took.as_secs_f64()) as i64);
        }
        rounds *= 2;
    }
}

/// The neighbour computes for about two seconds. Meanwhile, calls of the same module on the same engine end by their
/// own deadline, and so do calls of another fixture of the same profile, which shares the engine.
fn neighbour<B: BackendUnderTest>() -> Outcome {
    const SHORT: Duration = Duration::from_millis(200);
    let wasm = busy();
    let unhurried = policy(|rules| (rules.limits.fuel, rules.limits.deadline) = (None, Some(Duration::from_secs(300))));
    let hurried = plain_plugin::<B>(unhurried.with(|rules| rules.limits.deadline = Some(SHORT))?, &wasm)?;

    let options = HostOptions::default();
    let fixture = Fixture::<B>::with_options(unhurried, &options)?;
    let rounds = {
        let plugin = fixture.load_with::<()>(&wasm, &fixture.imports(), &Contract::None)?;
        rounds_of(&plugin, Duration::from_secs(2))?
    };
    let (loader, imports) = (fixture.loader(), fixture.imports::<()>());
    let admitted = admit(&wasm, fixture.policy(), imports.offered(), &Contract::None)?;
    let linked = loader.link(&loader.compile(&admitted)?, &imports)?;
    let budget = || Budget::new(fixture.policy(), linked.exports(), options.clock.now(), None);

    thread::scope(|scope| -> Outcome {
        let neighbour = scope.spawn(|| {
            let mut instance = loader.instantiate(&linked, budget(), ()).map_err(|error| error.fault)?;
            instance.call_values("compute", &[Value::I64(rounds)])
        });
        let mut ended = 0;
        while ended < 2 || !neighbour.is_finished() {
            let soon = Budget { deadline: Some(Deadline::At(options.clock.now().after(SHORT))), ..budget() };
            let mut instance = loader.instantiate(&linked, soon, ()).map_err(|error| error.fault)?;
            ensure_eq!(instance.call_values("spin", &[]).denied()?.code(), "deadline-exceeded");
            let error = hurried.call_values("spin", &[], (), None).denied()?;
            ensure_eq!(error.code(), "deadline-exceeded");
            ended += 1;
        }
        ensure_eq!(neighbour.joined()??, [Value::I64(computed(rounds))]);
        Ok(())
    })
}

fn many<B: BackendUnderTest>() -> Outcome {
    let policy = policy(|rules| {
        (rules.limits.fuel, rules.limits.deadline) = (BACKSTOP, Some(Duration::from_millis(300)));
    });
    let plugin = plain_plugin::<B>(policy, &busy())?;
    let begin = Instant::now();
    thread::scope(|scope| -> Outcome {
        let calls: Vec<_> = (0..64).map(|_| scope.spawn(|| plugin.call_values("spin", &[], (), None))).collect();
        for call in calls {
            ensure_eq!(call.joined()?.denied()?.code(), "deadline-exceeded");
        }
        Ok(())
    })?;
    ensure!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    Ok(())
}

/// The neighbour computes for about a second. Meanwhile, calls of the same plugin are cancelled.
fn cancelled_neighbour<B: BackendUnderTest>() -> Outcome {
    let plugin = plain_plugin::<B>(policy(|rules| rules.limits.fuel = None), &busy())?;
    let rounds = rounds_of(&plugin, Duration::from_secs(1))?;
    let left_alone = CancelToken::new();
    thread::scope(|scope| -> Outcome {
        let neighbour =
            scope.spawn(|| plugin.call_values("compute", &[Value::I64(rounds)], (), Some(left_alone.clone())));
        let mut ended = 0;
        while ended < 2 || !neighbour.is_finished() {
            let cancelled = CancelToken::new();
            let looping = scope.spawn({
                let (plugin, cancelled) = (&plugin, cancelled.clone());
                move || plugin.call_values("spin", &[], (), Some(cancelled))
            });
            thread::sleep(Duration::from_millis(20));
            cancelled.cancel();
            ensure_eq!(looping.joined()?.denied()?.code(), "cancelled");
            ended += 1;
        }
        ensure_eq!(neighbour.joined()??.0, [Value::I64(computed(rounds))]);
        Ok(())
    })
}

fn hundreds<B: BackendUnderTest>() -> Outcome {
    const CALLS: usize = 240;
    const ROUNDS: i64 = 20_000;
    let patient = policy(|rules| rules.limits.fuel = BACKSTOP);
    let hurried = patient.with(|rules| rules.limits.deadline = Some(Duration::from_millis(300)))?;
    let (patient, hurried) = (plain_plugin::<B>(patient, &busy())?, plain_plugin::<B>(hurried, &busy())?);
    let token = CancelToken::new();
    thread::scope(|scope| -> Outcome {
        let calls: Vec<_> = (0..CALLS)
            .map(|index| {
                let (patient, hurried, token) = (&patient, &hurried, token.clone());
                scope.spawn(move || match index % 3 {
                    0 => hurried.call_values("spin", &[], (), None),
                    1 => patient.call_values("spin", &[], (), Some(token)),
                    _ => patient.call_values("compute", &[Value::I64(ROUNDS)], (), None),
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(200));
        token.cancel();
        for (index, call) in calls.into_iter().enumerate() {
            match (index % 3, call.joined()?) {
                (0, outcome) => ensure_eq!(outcome.denied()?.code(), "deadline-exceeded"),
                (1, outcome) => ensure_eq!(outcome.denied()?.code(), "cancelled"),
                (_, outcome) => ensure_eq!(outcome?.0, [Value::I64(computed(ROUNDS))]),
            }
        }
        Ok(())
    })
}
