//! What a backend states about a field must be what is observed.

use std::time::Duration;

use hotcell_core::{
    CallError, CancelToken, Contract, Enforcement, Field, HostOptions, Loader, Policy, PolicyError, Proposal, Rules,
    Value, backend::check_enforceable, policy::Metering,
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, Present, ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture, plain_plugin, policy, wasm},
    tally,
};

/// The fields with a check here; those of proposals have the checks `admission.proposal.*`.
const FIELDS: [(Field, &str); 12] = [
    (Field::Fuel, "fuel"),
    (Field::Deadline, "deadline"),
    (Field::Cancel, "cancel"),
    (Field::MemoryBytes, "memory"),
    (Field::TableElements, "tables"),
    (Field::ExactMetering, "exact"),
    (Field::StackBytes, "stack"),
    (Field::EngineMetering, "engine"),
    (Field::EngineStackBytes, "engine_stack"),
    (Field::HostCalls, "host_calls"),
    (Field::Reentry, "reentry"),
    (Field::Start, "start"),
];

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    let mut checks = vec![
        Check::mandatory(
            "readback.construction",
            "A policy can be built upon exactly when the backend states every field that it sets as enforced or emulated.",
            construction::<B>,
        ),
        Check::mandatory(
            "readback.mandatory",
            "The default policy can be enforced, but for its vectors: no backend may do without the rest.",
            mandatory::<B>,
        ),
    ];
    checks.extend(FIELDS.map(|(field, name)| {
        Check::mandatory(
            format!("readback.{name}"),
            format!("What the backend states about {} is what is observed.", field.key()),
            move || is_as_stated::<B>(field),
        )
    }));
    checks
}

/// Unsupported is refused; emulated enforces the limit; enforced does so in the policy's own unit.
fn is_as_stated<B: BackendUnderTest>(field: Field) -> Outcome {
    match B::enforcement(field) {
        Enforcement::Unsupported { .. } => is_refused::<B>(field),
        Enforcement::Emulated { how } => {
            tally::note(format!("emulated: {how}"));
            observe::<B>(field)
        }
        Enforcement::Enforced => {
            observe::<B>(field)?;
            match field {
                Field::ExactMetering => has_exact_fuel::<B>(),
                Field::StackBytes => has_exact_stack::<B>(),
                _ => Ok(()),
            }
        }
    }
}

const GUEST: &str = r#"
    (import "env" "host" (func $host))
    (memory (export "memory") 1)
    (table 1 funcref)
    (global (export "depth") (mut i32) (i32.const 0))
    (func (export "spin") (loop $again (br $again)))
    (func $deeper (export "deeper")
        (global.set 0 (i32.add (global.get 0) (i32.const 1)))
        (call $deeper))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "grow_table") (result i32) (table.grow (ref.null func) (i32.const 1)))
    (func (export "hosts") (param i32)
        (loop $next
            (call $host)
            (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "nothing"))"#;

/// Calls the guest under the policy, with a host function that calls `nothing` if `calls_back` is set.
fn call<B: BackendUnderTest>(
    policy: Policy,
    calls_back: bool,
    export: &str,
    params: &[Value],
    cancel: Option<CancelToken>,
) -> Result<Result<Vec<Value>, CallError>, Failure> {
    let fixture = Fixture::<B>::on(policy)?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "host", move |cx, ()| {
        if calls_back {
            cx.call("nothing", &[])?;
        }
        Ok(())
    })?;
    let plugin = fixture.load_with(&wasm(&format!("(module {GUEST})")), &imports, &Contract::None)?;
    Ok(plugin.call_values(export, params, (), cancel).map(|(values, _)| values))
}

/// The field is enforced: a call within it works, one beyond it ends with its own code.
fn observe<B: BackendUnderTest>(field: Field) -> Outcome {
    let ends = |change: fn(&mut Rules), export: &str, code: &str| -> Outcome {
        let error = call::<B>(policy(change), false, export, &[], None)?.denied()?;
        ensure_eq!(error.code(), code, "{export}");
        Ok(())
    };
    let gives = |change: fn(&mut Rules), export: &str, expected: i32| -> Outcome {
        ensure_eq!(call::<B>(policy(change), false, export, &[], None)??, [Value::I32(expected)], "{export}");
        Ok(())
    };
    let times = |times: i32| [Value::I32(times)];
    match field {
        Field::Fuel | Field::ExactMetering => ends(|rules| rules.limits.fuel = Some(100_000), "spin", "out-of-fuel"),
        Field::EngineMetering => {
            ends(|rules| (rules.metering, rules.limits.fuel) = (Metering::Engine, Some(100_000)), "spin", "out-of-fuel")
        }
        Field::Deadline => ends(
            |rules| (rules.limits.fuel, rules.limits.deadline) = (BACKSTOP, Some(Duration::from_millis(50))),
            "spin",
            "deadline-exceeded",
        ),
        Field::Cancel => {
            let token = CancelToken::new();
            let late = token.clone();
            let canceller = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                late.cancel();
            });
            let unlimited = policy(|rules| rules.limits.fuel = BACKSTOP);
            let error = call::<B>(unlimited, false, "spin", &[], Some(token))?.denied()?;
            canceller.joined()?;
            ensure_eq!(error.code(), "cancelled");
            Ok(())
        }
        Field::MemoryBytes => {
            gives(|rules| rules.limits.memory_bytes = (2 << 16) + 8, "grow", 1)?;
            gives(|rules| rules.limits.memory_bytes = (2 << 16) + 7, "grow", -1)
        }
        Field::TableElements => {
            gives(|rules| rules.limits.table_elements = 2, "grow_table", 1)?;
            gives(|rules| rules.limits.table_elements = 1, "grow_table", -1)
        }
        Field::StackBytes => ends(|_| (), "deeper", "stack-overflow"),
        Field::EngineStackBytes => ends(|rules| rules.metering = Metering::Engine, "deeper", "stack-overflow"),
        Field::HostCalls => {
            let three = || policy(|rules| rules.limits.host_calls = Some(3));
            call::<B>(three(), false, "hosts", &times(3), None)??;
            let error = call::<B>(three(), false, "hosts", &times(4), None)?.denied()?;
            ensure_eq!(error.code(), "host-call-limit");
            Ok(())
        }
        Field::Reentry => {
            call::<B>(policy(|rules| rules.limits.reentry = 1), true, "hosts", &times(2), None)??;
            let error = call::<B>(policy(|_| ()), true, "hosts", &times(1), None)?.denied()?;
            ensure_eq!(error.code(), "reentry-denied");
            Ok(())
        }
        Field::Start => {
            let text = r#"(module (global $g (mut i32) (i32.const 1)) (func $start (global.set $g (i32.const 7)))
                (start $start) (func (export "run") (result i32) (global.get $g)))"#;
            let plugin = plain_plugin::<B>(policy(|rules| rules.module.start = true), &wasm(text))?;
            ensure_eq!(plugin.call_values("run", &[], (), None)?.0, [Value::I32(7)]);
            Ok(())
        }
        Field::Proposal(_) => Ok(()),
    }
}

/// The reported fuel is exactly what a call needs.
fn has_exact_fuel<B: BackendUnderTest>() -> Outcome {
    let text = wasm(
        r#"(module (func (export "run") (param i32) (result i32)
            (loop $next (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)))"#,
    );
    let run = |fuel| -> Result<_, Failure> {
        let plugin = plain_plugin::<B>(policy(|rules| rules.limits.fuel = Some(fuel)), &text)?;
        Ok(plugin.call_values("run", &[Value::I32(1_000)], (), None))
    };
    let used = run(1_000_000)??.1.usage.fuel_used.present()?;
    run(used)??;
    ensure_eq!(run(used - 1)?.denied()?.code(), "out-of-fuel");
    Ok(())
}

/// Twice the stack allows twice the depth.
fn has_exact_stack<B: BackendUnderTest>() -> Outcome {
    let depth = |stack_bytes: u64| -> Result<_, Failure> {
        let text = r#"(module (global (export "depth") (mut i32) (i32.const 0))
            (func $deeper (export "deeper")
                (global.set 0 (i32.add (global.get 0) (i32.const 1))) (call $deeper)))"#;
        let plugin = plain_plugin::<B>(policy(|rules| rules.limits.stack_bytes = stack_bytes), &wasm(text))?;
        let mut session = plugin.session(())?;
        ensure_eq!(session.call_values("deeper", &[]).denied()?.code(), "stack-overflow");
        match session.global("depth") {
            Some(Value::I32(depth)) => Ok(depth),
            other => Err(Failure::new(format!("the depth is {other:?}"))),
        }
    };
    let (single, double) = (depth(64 << 10)?, depth(128 << 10)?);
    ensure!(single > 100 && (double - 2 * single).abs() <= 1, "{single} frames, and {double} with twice the stack");
    Ok(())
}

/// A policy that sets the field.
pub(crate) fn setting(field: Field) -> Policy {
    policy(|rules| match field {
        Field::EngineMetering | Field::EngineStackBytes => rules.metering = Metering::Engine,
        Field::HostCalls => rules.limits.host_calls = Some(1_000),
        Field::Reentry => rules.limits.reentry = 1,
        Field::Start => rules.module.start = true,
        Field::Proposal(proposal) => {
            rules.proposals.allow(proposal);
            if proposal == Proposal::RelaxedSimd {
                rules.proposals.allow(Proposal::Simd);
            }
        }
        // The default policy sets them.
        Field::Fuel
        | Field::Deadline
        | Field::Cancel
        | Field::MemoryBytes
        | Field::TableElements
        | Field::ExactMetering
        | Field::StackBytes => {}
    })
}

/// A backend that states the field as unsupported must refuse a policy that sets it, and name a field that it stated as
/// such.
pub(crate) fn is_refused<B: BackendUnderTest>(field: Field) -> Outcome {
    match Loader::<B>::new(setting(field), &HostOptions::default(), &B::Options::default()).denied()? {
        PolicyError::NotEnforceable { backend, field: named, reason } => {
            let stated = Field::all()
                .any(|field| field.key() == named && matches!(B::enforcement(field), Enforcement::Unsupported { .. }));
            ensure!(backend == B::ID && stated && !reason.is_empty(), "{backend} refuses {named}: {reason}");
            Ok(())
        }
        error => Err(Failure::from(error)),
    }
}

fn construction<B: BackendUnderTest>() -> Outcome {
    for field in Field::all() {
        let policy = setting(field);
        ensure!(field.is_set(&policy), "the suite's own policy does not set {}", field.key());
        let unsupported = Field::all()
            .any(|field| field.is_set(&policy) && matches!(B::enforcement(field), Enforcement::Unsupported { .. }));
        match unsupported {
            true => is_refused::<B>(field)?,
            false => drop(Loader::<B>::new(policy, &HostOptions::default(), &B::Options::default())?),
        }
    }
    Ok(())
}

fn mandatory<B: BackendUnderTest>() -> Outcome {
    check_enforceable::<B>(&policy(|_| ()))?;
    Ok(())
}
