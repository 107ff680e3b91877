//! Two engines as one: where a call runs, and what it keeps when it begins again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hotcell::{
    Clock, Contract, Imports, Instant, Plugin, Policy, Report, Sandbox, SandboxBuilder, Tiered, TieredOptions, Value,
    Wasmi, Wasmtime, backend::SandboxBackend,
};
use hotcell_conformance::BackendUnderTest;

/// Runs `n` rounds, and calls its host before or after, or not at all; or asks for random numbers.
const GUEST: &str = r#"(module
    (import "env" "tick" (func $tick))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $rounds (param $n i32)
        (loop $again (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "silent") (param i32) (call $rounds (local.get 0)))
    (func (export "first") (param i32) (call $tick) (call $rounds (local.get 0)))
    (func (export "last") (param i32) (call $rounds (local.get 0)) (call $tick))
    (func (export "repeats") (param i32)
        (drop (call $random (i32.const 0) (i32.const 1)))
        (call $rounds (i32.add (local.get 0) (i32.load8_u (i32.const 0)))))
    (func (export "forever") (loop $again (br $again))))"#;

fn policy() -> Policy {
    Policy::default().with(|rules| rules.abi = None).unwrap()
}

/// Begins each call on a fresh instance on wasmi, and again on wasmtime after the first slice.
fn superseding() -> SandboxBuilder<Tiered> {
    let options = TieredOptions { begins_on_first: true, ..TieredOptions::default() };
    Sandbox::builder(policy()).on::<Tiered>().options(options).slice(1_000)
}

/// What the host sees: its own state, and a counter outside.
#[derive(Default)]
struct Ticks {
    inside: u64,
    outside: Arc<AtomicU64>,
}

fn imports<B: BackendUnderTest>(sandbox: &Sandbox<B>) -> Imports<Ticks, B> {
    let mut imports = sandbox.imports::<Ticks>();
    imports
        .func("env", "tick", |cx, ()| {
            let ticks = cx.state();
            ticks.inside += 1;
            ticks.outside.fetch_add(ticks.inside, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    imports
}

fn load<B: BackendUnderTest>(sandbox: &Sandbox<B>) -> Plugin<B, Ticks> {
    let plugin = sandbox.load_with(&wat::parse_str(GUEST).unwrap(), &imports(sandbox), &Contract::None).unwrap();
    sandbox.backend().finish_compiling();
    plugin
}

/// The report of a call, and what the host counted outside.
fn call<B: BackendUnderTest>(plugin: &Plugin<B, Ticks>, export: &str, inside: u64) -> (Report, u64) {
    let outside = Arc::<AtomicU64>::default();
    let state = Ticks { inside, outside: outside.clone() };
    let (_, report) = plugin.call_values(export, &[Value::I32(10_000)], state, None).unwrap();
    (report, outside.load(Ordering::Relaxed))
}

fn tier(report: &Report) -> &'static str {
    report.tier.expect("tiered says which").backend
}

#[test]
fn a_call_begins_again_until_it_has_called_its_host() {
    let (plain, superseding) = (load(&Sandbox::<Wasmi>::on(policy()).unwrap()), load(&superseding().build().unwrap()));
    let ends = [
        ("silent", Wasmtime::ID),
        ("first", Wasmi::ID),
        ("last", Wasmtime::ID),
        // What it has called changed nothing but its instance: it gets the same numbers again.
        ("repeats", Wasmtime::ID),
    ];
    for (export, ends_on) in ends {
        let (expected, ticks) = call(&plain, export, 6);
        let (report, other) = call(&superseding, export, 6);
        assert_eq!(report.usage, expected.usage, "{export}");
        assert_eq!(other, ticks, "{export}: the state is that of the caller, and the host is called once");
        assert_eq!(tier(&report), ends_on, "{export}");
    }
}

#[test]
fn a_session_stays_where_it_began() {
    let sandbox = Sandbox::builder(policy()).on::<Tiered>().build().unwrap();
    // Before it is compiled, a session is on wasmi, and it stays there.
    let plugin = sandbox.load_with(&wat::parse_str(GUEST).unwrap(), &imports(&sandbox), &Contract::None).unwrap();
    let mut early = plugin.session(Ticks::default()).unwrap();
    let began = hotcell::backend::Instance::tier(early.as_native()).unwrap().backend;
    sandbox.backend().finish_compiling();
    early.call_values("last", &[Value::I32(10_000)]).unwrap();
    assert_eq!(hotcell::backend::Instance::tier(early.as_native()).unwrap().backend, began);
    let mut late = plugin.session(Ticks::default()).unwrap();
    assert_eq!(hotcell::backend::Instance::tier(late.as_native()).unwrap().backend, Wasmtime::ID);
    late.call_values("last", &[Value::I32(10_000)]).unwrap();
}

#[test]
fn a_second_engine_without_room_leaves_calls_on_the_first() {
    // Sandboxes of one policy share an engine, and its pool.
    let other = Sandbox::builder(policy()).max_instances(1).build().unwrap();
    let tiered = Sandbox::builder(policy()).on::<Tiered>().max_instances(1).build().unwrap();
    let plugins = [load(&tiered), load(&superseding().max_instances(1).build().unwrap())];
    let other = load(&other);
    let (expected, _) = call(&other, "silent", 6);
    for plugin in &plugins {
        assert_eq!(tier(&call(plugin, "silent", 6).0), Wasmtime::ID);
        let full = other.session(Ticks::default()).unwrap();
        let (report, _) = call(plugin, "silent", 6);
        assert_eq!((report.usage, tier(&report)), (expected.usage, Wasmi::ID));
        drop(full);
        assert_eq!(tier(&call(plugin, "silent", 6).0), Wasmtime::ID);
    }
}

/// Each reading is twenty minutes after the last.
#[derive(Default)]
struct Leaping(AtomicU64);

const LEAP: Duration = Duration::from_secs(20 * 60);

impl Clock for Leaping {
    fn now(&self) -> Instant {
        Instant(self.0.fetch_add(LEAP.as_nanos() as u64, Ordering::Relaxed))
    }
}

#[test]
fn what_is_left_of_the_deadline_is_all_that_is_left() {
    let hour = policy().with(|rules| (rules.limits.deadline, rules.limits.fuel) = (Some(3 * LEAP), None)).unwrap();
    let options = TieredOptions { begins_on_first: true, ..TieredOptions::default() };
    let builder = Sandbox::builder(hour).on::<Tiered>().options(options).slice(1_000);
    let plugin = load(&builder.clock(Arc::<Leaping>::default()).build().unwrap());
    let error = plugin.call_values("forever", &[], Ticks::default(), None).unwrap_err();
    assert_eq!((error.code(), tier(&error.report)), ("deadline-exceeded", Wasmtime::ID));
    // It begins at 0; wasmi's slice ends at 20, wasmtime's at 40 and at 60; the report reads 80.
    assert!(error.report.guest_time <= 4 * LEAP, "{:?}", error.report);
}

#[test]
fn another_engines_fuel_is_refused_at_construction() {
    let engine = policy().with(|rules| rules.metering = hotcell::policy::Metering::Engine).unwrap();
    let error = Sandbox::builder(engine).on::<Tiered>().build().err().unwrap();
    assert_eq!(error.code(), "unsupported", "{error}");
}
