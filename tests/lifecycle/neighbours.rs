//! What one call does to the others: nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use hotcell::{
    Budget, CancelToken, Contract, HostError, HostOptions, Plugin, Sandbox, Value, admit,
    backend::{Backend, HostFn, Instance},
};

use crate::{
    guest::{guest, policy, wasm},
    load::plugin,
};

on_each_backend! {
    a_deadline_ends_its_own_call
    a_cancelled_call_is_the_only_one_that_ends
    sixty_four_looping_calls_all_end
    one_instance_too_many_is_busy
    calls_that_wait_in_the_host_hold_their_instance
    sessions_outlive_their_plugin_and_sandbox
    a_plugin_may_be_dropped_while_it_runs
    a_host_function_that_panics_disturbs_nobody
    many_threads_load_at_once
}

/// `compute` goes round so many times and gives a number that depends on all of them.
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

/// What `compute` gives.
fn computed(rounds: i64) -> i64 {
    (1..=rounds).rev().fold(1, |value: i64, round| value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round))
}

/// How many rounds of `compute` take about that long, here and now.
fn rounds_of<B: Backend>(plugin: &Plugin<B>, wanted: Duration) -> i64 {
    let mut rounds = 1 << 16;
    loop {
        let begin = Instant::now();
        plugin.call_values("compute", &[Value::I64(rounds)], (), None).unwrap();
        let took = begin.elapsed();
        if took >= Duration::from_millis(40) {
            return (rounds as f64 * wanted.as_secs_f64() / took.as_secs_f64()) as i64;
        }
        rounds *= 2;
    }
}

/// The neighbour computes for about two seconds. All the while, calls of the same module on the same engine end by
/// their own deadline, and so do calls of another sandbox of the same profile, which shares the engine.
fn a_deadline_ends_its_own_call<B: Backend>() {
    const SHORT: Duration = Duration::from_millis(200);
    let wasm = busy();
    let unhurried = policy(|rules| (rules.limits.fuel, rules.limits.deadline) = (None, Some(Duration::from_secs(300))));
    let hurried = plugin::<B>(unhurried.with(|rules| rules.limits.deadline = Some(SHORT)).unwrap(), &wasm);

    let options = HostOptions::default();
    let sandbox = Sandbox::<B>::with_options(unhurried, &options).unwrap();
    let rounds = {
        let plugin = sandbox.load_with::<()>(&wasm, &sandbox.imports(), &Contract::None).unwrap();
        rounds_of(&plugin, Duration::from_secs(2))
    };
    let backend = sandbox.backend();
    let imports = backend.imports::<()>();
    let admitted = admit(&wasm, sandbox.policy(), backend.offered(&imports), &Contract::None).unwrap();
    let linked = backend.link(&backend.compile(&admitted).unwrap(), &imports).unwrap();
    let budget = || Budget::new(sandbox.policy(), options.clock.now(), None);

    thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut instance = backend.instantiate(&linked, budget(), ()).unwrap();
            instance.call_values("compute", &[Value::I64(rounds)]).unwrap()
        });
        let mut ended = 0;
        while ended < 2 || !neighbour.is_finished() {
            let soon = Budget { deadline: Some(options.clock.now().after(SHORT)), ..budget() };
            let mut instance = backend.instantiate(&linked, soon, ()).unwrap();
            assert_eq!(instance.call_values("spin", &[]).unwrap_err().code(), "deadline-exceeded");
            let error = hurried.call_values("spin", &[], (), None).unwrap_err();
            assert_eq!(error.code(), "deadline-exceeded");
            ended += 1;
        }
        assert_eq!(neighbour.join().unwrap(), [Value::I64(computed(rounds))]);
    });
}

fn a_cancelled_call_is_the_only_one_that_ends<B: Backend>() {
    let plugin = plugin::<B>(policy(|rules| rules.limits.fuel = None), &busy());
    let rounds = rounds_of(&plugin, Duration::from_millis(400));
    let (cancelled, left_alone) = (CancelToken::new(), CancelToken::new());
    thread::scope(|scope| {
        let looping = scope.spawn(|| plugin.call_values("spin", &[], (), Some(cancelled.clone())));
        let neighbour =
            scope.spawn(|| plugin.call_values("compute", &[Value::I64(rounds)], (), Some(left_alone.clone())));
        thread::sleep(Duration::from_millis(50));
        cancelled.cancel();
        assert_eq!(looping.join().unwrap().unwrap_err().code(), "cancelled");
        assert_eq!(neighbour.join().unwrap().unwrap().0, [Value::I64(computed(rounds))]);
    });
}

fn sixty_four_looping_calls_all_end<B: Backend>() {
    let policy = policy(|rules| {
        (rules.limits.fuel, rules.limits.deadline) = (None, Some(Duration::from_millis(300)));
    });
    let plugin = plugin::<B>(policy, &busy());
    let begin = Instant::now();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..64).map(|_| scope.spawn(|| plugin.call_values("spin", &[], (), None))).collect();
        for call in calls {
            assert_eq!(call.join().unwrap().unwrap_err().code(), "deadline-exceeded");
        }
    });
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

fn few_instances<B: Backend>(max_instances: u32) -> Sandbox<B> {
    let options = HostOptions { max_instances, ..HostOptions::default() };
    Sandbox::with_options(policy(|_| ()), &options).unwrap()
}

/// Replies with nothing.
const QUIET: &str = r#"(func (export "process") (param i32 i32) (result i64) (i64.const 0))"#;

fn one_instance_too_many_is_busy<B: Backend>() {
    let sandbox = few_instances::<B>(3);
    let plugin = sandbox.load(&guest(QUIET), "process").unwrap();
    // The number is the sandbox's, not the plugin's.
    let other = sandbox.load(&guest(&format!("{QUIET} (global i32 (i32.const 1))")), "process").unwrap();
    let mut sessions =
        vec![plugin.session(()).unwrap(), plugin.clone().session(()).unwrap(), other.session(()).unwrap()];
    for _ in 0..3 {
        for error in [
            plugin.session(()).err().unwrap(),
            plugin.call("process", b"").unwrap_err(),
            other.call_values("process", &[Value::I32(0); 2], (), None).unwrap_err(),
        ] {
            assert_eq!(error.code(), "busy");
            assert!(error.to_string().contains('3'), "{error}");
        }
        // Those that are there go on.
        for session in &mut sessions {
            session.call("process", b"in").unwrap();
        }
        sessions.pop();
        plugin.call("process", b"").unwrap();
        sessions.push(other.session(()).unwrap());
    }
    // A call that fails gives its place back too.
    sessions.pop();
    for _ in 0..10 {
        assert_eq!(plugin.call("nothing", b"").unwrap_err().code(), "no-such-export");
    }
    plugin.call("process", b"").unwrap();

    let nobody = few_instances::<B>(0);
    assert_eq!(nobody.load(&guest(QUIET), "process").unwrap().call("process", b"").unwrap_err().code(), "busy");
}

fn calls_that_wait_in_the_host_hold_their_instance<B: Backend + HostFn<(), ()>>() {
    use std::sync::Barrier;
    static INSIDE: Barrier = Barrier::new(3);
    static LEAVE: Barrier = Barrier::new(3);
    // Both backends come here, one after the other.
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);

    let sandbox = few_instances::<B>(2);
    let mut imports = sandbox.imports::<()>();
    imports
        .func("env", "wait", |_, ()| {
            INSIDE.wait();
            LEAVE.wait();
            Ok(())
        })
        .unwrap();
    let wasm = guest(
        r#"(import "env" "wait" (func $wait))
        (func (export "process") (param i32 i32) (result i64) (call $wait) (i64.const 0))
        (func (export "quick") (param i32 i32) (result i64) (i64.const 0))"#,
    );
    let plugin = sandbox.load_with(&wasm, &imports, &Contract::bytes("process")).unwrap();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| plugin.call("process", b""))).collect();
        INSIDE.wait();
        let third = plugin.call("quick", b"").err().map(|error| error.code());
        LEAVE.wait();
        assert_eq!(third, Some("busy"));
        for call in calls {
            call.join().unwrap().unwrap();
        }
    });
    plugin.call("quick", b"").unwrap();
}

fn sessions_outlive_their_plugin_and_sandbox<B: Backend>() {
    let sandbox = few_instances::<B>(2);
    let plugin = sandbox.load(&guest(QUIET), "process").unwrap();
    let (mut first, mut second) = (plugin.session(()).unwrap(), plugin.session(()).unwrap());
    let process = first.func::<(u32, u32), u64>("process").unwrap();
    drop(sandbox);
    first.call("process", b"a").unwrap();
    drop(plugin);
    first.call("process", b"b").unwrap();
    second.call("process", b"c").unwrap();
    drop(second);
    assert_eq!(first.call_typed(&process, (0, 0)).unwrap(), 0);
    assert_eq!(thread::spawn(move || first.call("process", b"d").unwrap().bytes).join().unwrap(), b"");
}

fn a_plugin_may_be_dropped_while_it_runs<B: Backend>() {
    let plugin = plugin::<B>(policy(|rules| rules.limits.fuel = None), &busy());
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let (plugin, token) = (plugin.clone(), CancelToken::new());
            let handle = token.clone();
            (token, thread::spawn(move || plugin.call_values("spin", &[], (), Some(handle)).unwrap_err().code()))
        })
        .collect();
    drop(plugin);
    thread::sleep(Duration::from_millis(20));
    for (token, call) in calls {
        token.cancel();
        assert_eq!(call.join().unwrap(), "cancelled");
    }
}

fn a_host_function_that_panics_disturbs_nobody<B: Backend + HostFn<(), ()>>() {
    let sandbox = few_instances::<B>(4);
    let mut imports = sandbox.imports::<()>();
    imports.func("env", "panic", |_, ()| -> Result<(), HostError> { panic!("a host function's own bug") }).unwrap();
    let wasm = guest(&format!(
        r#"(import "env" "panic" (func $panic))
        (func (export "process") (param i32 i32) (result i64) (call $panic) (i64.const 0))
        {BUSY}"#
    ));
    let panicking = sandbox.load_with(&wasm, &imports, &Contract::bytes("process")).unwrap();
    thread::scope(|scope| {
        let neighbour = scope.spawn(|| panicking.call_values("compute", &[Value::I64(2_000_000)], (), None));
        for _ in 0..10 {
            assert_eq!(panicking.call("process", b"").unwrap_err().code(), "host-function-panicked");
        }
        assert_eq!(neighbour.join().unwrap().unwrap().0, [Value::I64(computed(2_000_000))]);
    });
    let quiet = sandbox.load(&guest(QUIET), "process").unwrap();
    for _ in 0..10 {
        quiet.call("process", b"").unwrap();
    }
}

fn many_threads_load_at_once<B: Backend>() {
    let wasm = include_bytes!("../../guests/wordcount.wasm");
    thread::scope(|scope| {
        let loads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let plugin = Sandbox::<B>::on(policy(|_| ())).unwrap().load(wasm, "process").unwrap();
                    plugin.call("process", b"a b a").unwrap().bytes
                })
            })
            .collect();
        for load in loads {
            assert_eq!(load.join().unwrap(), b"lines 1\nwords 3\nbytes 5\n   2 a\n   1 b\n");
        }
    });
}
