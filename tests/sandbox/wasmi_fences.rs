//! The defects of wasmi 1.1 that a guest could reach, each with its fence. A test fails when its fence is removed.
//!
//! Fences that are tested elsewhere: results above three, imported tables, long constant expressions and text in the
//! checks `hostile.*` and `admission.cap.*` of the conformance suite; far branches and NaN bits in `metering.rs`; flat
//! memory in the check `lifecycle.flat`.

use hotcell::{Contract, Fault, Plugin, Policy, PolicyError, Proposal, Sandbox, Value, Wasmi, policy::Metering};

fn load(policy: Policy, text: &str) -> Plugin<Wasmi> {
    let sandbox = Sandbox::<Wasmi>::on(policy).unwrap();
    sandbox.load_with(&wat::parse_str(text).unwrap(), &sandbox.imports(), &Contract::None).unwrap()
}

fn engine_metered() -> Policy {
    Policy::default().with(|rules| rules.metering = Metering::Engine).unwrap()
}

/// Lazy compilation together with resumable calls runs code that the engine declares unreachable. It also charges the
/// first call for translation, by which this test detects it.
#[test]
fn compilation_is_eager() {
    let plugin = load(engine_metered(), r#"(module (func (export "f") (result i32) i32.const 1 i32.const 2 i32.add))"#);
    let mut session = plugin.session(()).unwrap();
    let mut fuel = || {
        session.call_values("f", &[]).unwrap();
        session.usage().fuel_used
    };
    let first = fuel();
    assert!(first.is_some());
    assert_eq!(first, fuel());
}

/// A 64-bit memory with a large maximum panics when it grows.
#[test]
fn memory64_is_refused_at_construction() {
    let policy = Policy::default().with(|rules| rules.proposals.allow(Proposal::Memory64)).unwrap();
    let Err(PolicyError::NotEnforceable { backend, field, .. }) = Sandbox::<Wasmi>::on(policy).map(drop) else {
        panic!("wasmi takes memory64");
    };
    assert_eq!((backend, field), ("wasmi", "memory64"));
}

/// Two traps have no trap code.
#[test]
fn table_errors_without_a_trap_code_are_traps() {
    let plugin = load(
        Policy::default(),
        r#"(module (table 1 funcref) (func (export "f") (table.copy (i32.const 0) (i32.const 0) (i32.const 9))))"#,
    );
    let error = plugin.call_values("f", &[], (), None).unwrap_err();
    assert_eq!(error.code(), "trap-table-out-of-bounds");

    let plugin =
        load(Policy::default(), r#"(module (table 1 funcref) (func $f) (elem (i32.const 1) $f) (func (export "f")))"#);
    let error = plugin.call_values("f", &[], (), None).unwrap_err();
    assert_eq!((error.code(), error.phase.name()), ("trap-table-out-of-bounds", "instantiate"));
}

/// Slices do not change the total: the result for a budget is the same whether the call pauses a thousand times or
/// never.
#[test]
fn fuel_does_not_depend_on_slices() {
    let text = r#"(module (memory 16) (table 8 funcref)
        (func (export "f") (param $n i32)
            (loop $again
                (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536))
                (memory.copy (i32.const 9) (i32.const 0) (i32.const 65536))
                (table.fill (i32.const 0) (ref.null func) (i32.const 8))
                (drop (memory.grow (i32.const 0)))
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (br_if $again (local.get $n)))))"#;
    let used = |interruptible: bool| {
        let policy = engine_metered()
            .with(|rules| {
                if !interruptible {
                    rules.limits.deadline = None;
                    rules.interrupt.cancel = false;
                }
            })
            .unwrap();
        let (_, report) = load(policy, text).call_values("f", &[Value::I32(2_000)], (), None).unwrap();
        report.usage.fuel_used
    };
    assert_eq!(used(true), used(false));
}

/// The same at exhaustion: the fuel left when an operator cannot be paid for is the same in both cases.
#[test]
fn exhaustion_does_not_depend_on_slices() {
    let text = r#"(module (memory 16)
        (func (export "f") (loop $again (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536)) (br $again))))"#;
    let used = |interruptible: bool| {
        let policy = engine_metered()
            .with(|rules| {
                rules.limits.fuel = Some(3_000_001);
                if !interruptible {
                    rules.limits.deadline = None;
                    rules.interrupt.cancel = false;
                }
            })
            .unwrap();
        let error = load(policy, text).call_values("f", &[], (), None).unwrap_err();
        assert!(matches!(error.fault, Fault::OutOfFuel), "{error}");
        error.report.usage.fuel_used
    };
    assert_eq!(used(true), used(false));
}
