//! Objects that do not belong together are distinguished, by type or by a typed error.

use std::sync::Arc;

use hotcell_core::{Budget, Clock, Contract, Fault, HostOptions, Policy, Store, Value, admit, time::SystemClock};

use crate::{
    BackendUnderTest, Check, Outcome,
    failure::{ensure, ensure_eq},
    fixture::{Fixture, byte_plugin, guest, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "objects.policy",
            "A module that another policy admitted does not compile.",
            other_policy::<B>,
        ),
        Check::mandatory(
            "objects.imports",
            "A module does not link with imports that it was not admitted against.",
            other_imports::<B>,
        ),
        Check::mandatory(
            "objects.same_policy",
            "Imports made under the same policy are the same imports.",
            same_policy::<B>,
        ),
        Check::mandatory(
            "objects.imports_of_another_engine",
            "Imports of another engine work or are refused with a type.",
            imports_of_another_engine::<B>,
        ),
        Check::mandatory(
            "objects.engine",
            "A module that was linked for another engine makes no instance.",
            other_engine::<B>,
        ),
        Check::mandatory(
            "objects.session",
            "A function of another session is refused, and nothing of a guest runs.",
            other_session::<B>,
        ),
        Check::mandatory("objects.gone", "A function of a session that is gone is refused.", gone::<B>),
    ]
}

const NOTHING: &str = r#"(module (func (export "run") (result i32) (i32.const 7)))"#;

fn other_policy<B: BackendUnderTest>() -> Outcome {
    let wasm = wasm(NOTHING);
    let (here, elsewhere) = (policy(|_| ()), policy(|rules| rules.limits.fuel = Some(1)));
    let fixture = Fixture::<B>::on(here.clone())?;
    let (loader, imports) = (fixture.loader(), fixture.imports::<()>());
    for (policy, expected) in [
        (&here, None),
        (&elsewhere, Some("policy-mismatch")),
        (&Policy::strict(), Some("policy-mismatch")),
        (&Policy::ceiling(), Some("policy-mismatch")),
    ] {
        let admitted = admit(&wasm, policy, imports.offered(), &Contract::None)?;
        ensure_eq!(loader.compile(&admitted).err().map(|error| error.code()), expected);
    }
    Ok(())
}

fn other_imports<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let loader = fixture.loader();
    let mut offered = loader.imports::<()>();
    offered.func("env", "f", |_, ()| Ok(()))?;
    let wasm = wasm(r#"(module (import "env" "f" (func)))"#);
    let admitted = admit(&wasm, fixture.policy(), offered.offered(), &Contract::None)?;
    let module = loader.compile(&admitted)?;
    loader.link(&module, &offered)?;

    let none = loader.imports::<()>();
    let (mut renamed, mut retyped, mut more) = (loader.imports(), loader.imports(), loader.imports());
    renamed.func("env", "g", |_, ()| Ok(()))?;
    retyped.func("env", "f", |_, (_,): (u32,)| Ok(()))?;
    more.func("env", "f", |_, ()| Ok(()))?.func("env", "g", |_, ()| Ok(()))?;
    for other in [none, renamed, retyped, more] {
        ensure_eq!(loader.link(&module, &other).err().map(|error| error.code()), Some("policy-mismatch"));
    }
    Ok(())
}

fn same_policy<B: BackendUnderTest>() -> Outcome {
    let (one, other) = (Fixture::<B>::on(policy(|_| ()))?, Fixture::<B>::on(policy(|_| ()))?);
    let mut imports = other.imports::<()>();
    imports.func("env", "f", |_, ()| Ok(()))?;
    let wasm = wasm(r#"(module (import "env" "f" (func $f)) (func (export "run") (call $f)))"#);
    let plugin = one.load_with(&wasm, &imports, &Contract::None)?;
    plugin.call_values("run", &[], (), None)?;
    Ok(())
}

/// Another stack size needs another engine. A backend whose host functions belong to an engine refuses them, another
/// accepts them.
fn imports_of_another_engine<B: BackendUnderTest>() -> Outcome {
    let one = Fixture::<B>::on(policy(|_| ()))?;
    let other = Fixture::<B>::on(policy(|rules| rules.limits.stack_bytes = 128 << 10))?;
    match one.load_with::<()>(&wasm(NOTHING), &other.imports(), &Contract::None) {
        Ok(plugin) => ensure_eq!(plugin.call_values("run", &[], (), None)?.0, [Value::I32(7)]),
        Err(error) => ensure_eq!(error.code(), "policy-mismatch"),
    }
    Ok(())
}

fn other_engine<B: BackendUnderTest>() -> Outcome {
    let one = Fixture::<B>::on(policy(|_| ()))?;
    let other = Fixture::<B>::on(policy(|rules| rules.limits.stack_bytes = 128 << 10))?;
    let imports = one.imports::<()>();
    let wasm = wasm(NOTHING);
    let admitted = admit(&wasm, one.policy(), imports.offered(), &Contract::None)?;
    let linked = one.loader().link(&one.loader().compile(&admitted)?, &imports)?;
    let budget = || Budget::new(one.policy(), linked.exports(), SystemClock::new().now(), None);

    let unlimited = || Budget { deadline: None, ..budget() };
    let mut instance = one.loader().instantiate(&linked, unlimited(), ()).map_err(|error| error.fault)?;
    ensure_eq!(instance.call_values("run", &[])?, [Value::I32(7)]);
    let error = other.loader().instantiate(&linked, unlimited(), ()).err();
    ensure_eq!(error.map(|error| error.fault.code()), Some("policy-mismatch"));
    Ok(())
}

const FIRST_AND_SECOND: &str = r#"
    (func (export "process") (param i32 i32) (result i64) (i64.const 0))
    (func (export "first") (result i32) (i32.const 1))
    (func (export "second") (result i32) (i32.const 2))"#;

fn is_mismatch<R>(result: Result<R, Fault>) -> bool {
    result.err().is_some_and(|fault| fault.code() == "policy-mismatch")
}

fn other_session<B: BackendUnderTest>() -> Outcome {
    let wasm = guest(FIRST_AND_SECOND);
    let plugin = byte_plugin::<B>(policy(|_| ()), &wasm)?;
    let same_policy = byte_plugin::<B>(policy(|_| ()), &wasm)?;
    // Another stack size needs another engine.
    let elsewhere = byte_plugin::<B>(policy(|rules| rules.limits.stack_bytes = 128 << 10), &wasm)?;
    for other in [&plugin, &same_policy, &elsewhere] {
        let (mut session, mut stranger) = (plugin.session(())?, other.session(())?);
        let (first, second) = (session.func::<(), u32>("first")?, stranger.func::<(), u32>("second")?);
        for _ in 0..2 {
            ensure!(is_mismatch(session.call_typed(&second, ())));
            ensure!(is_mismatch(stranger.call_typed(&first, ())));
            // No guest code ran, so nothing is poisoned.
            ensure_eq!(session.call_typed(&first, ())?, 1);
            ensure_eq!(stranger.call_typed(&second, ())?, 2);
        }
    }
    Ok(())
}

fn gone<B: BackendUnderTest>() -> Outcome {
    let options = HostOptions { max_instances: 1, ..HostOptions::new(Arc::new(SystemClock::new())) };
    let fixture = Fixture::<B>::with_options(policy(|_| ()), &options)?;
    let plugin = fixture.load(&guest(FIRST_AND_SECOND))?;
    let mut gone = plugin.session(())?;
    let first = gone.func::<(), u32>("first")?;
    drop(gone);
    let mut session = plugin.session(())?;
    ensure!(is_mismatch(session.call_typed(&first, ())));
    session.call("process", b"")?;
    Ok(())
}
