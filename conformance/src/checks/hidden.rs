//! Reserved names: those that metering adds to a module.

use hotcell_core::{
    Contract, Enforcement, Field, HostError, Phase, Rules, Value,
    meter::{FUEL, STACK, START},
    policy::Abi,
};

use crate::{
    BackendUnderTest, Check, Outcome,
    failure::{Denied, ensure, ensure_eq},
    fixture::{Fixture, byte_plugin, guest, hosted_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "values.hidden_globals",
            "The counters that metering adds are no globals of the guest; what has a similar name is.",
            globals::<B>,
        ),
        Check::mandatory(
            "values.hidden_functions",
            "What metering adds is no function of the guest, whatever the call; what has a similar name is.",
            functions::<B>,
        ),
        Check::optional(
            Field::Reentry,
            "host.reentry_hidden",
            "A host function calls back what the guest exports, and nothing that metering adds, whoever chose the name.",
            reentry::<B>,
        ),
    ]
}

/// Exports that metering adds.
const HIDDEN: [&str; 3] = [FUEL, STACK, START];

/// Similar names, which a guest may use.
const SIMILAR: [&str; 7] =
    ["__hotcell", "__hotcell_", "__hotcell_fuel_", "__hotcell_stac", "__hotcell_START", "start", ""];

/// Makes an item for each similar name and its index.
fn similar(item: impl Fn(&str, usize) -> String) -> String {
    SIMILAR.iter().enumerate().map(|(place, name)| item(name, place)).collect()
}

fn globals<B: BackendUnderTest>() -> Outcome {
    let globals = similar(|name, place| format!(r#"(global (export "{name}") (mut i32) (i32.const {place}))"#));
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let plugin = fixture.load_with::<()>(&wasm(&format!("(module {globals})")), &fixture.imports(), &Contract::None)?;
    let mut session = plugin.session(())?;
    for name in HIDDEN {
        ensure_eq!(session.global(name), None, "{name}");
    }
    for (place, name) in SIMILAR.iter().enumerate() {
        ensure_eq!(session.global(name), Some(Value::I32(place as i32)), "{name}");
    }
    Ok(())
}

/// Whether the backend supports start functions. The others have one name less to hide.
fn takes_start<B: BackendUnderTest>() -> bool {
    !matches!(B::enforcement(Field::Start), Enforcement::Unsupported { .. })
}

/// A function under each similar name, and a start function that counts its runs.
fn counting<B: BackendUnderTest>() -> String {
    let functions = similar(|name, place| format!(r#"(func (export "{name}") (result i32) (i32.const {place}))"#));
    let start = if takes_start::<B>() { "(start $start)" } else { "" };
    format!(
        r#"(global $runs (export "runs") (mut i32) (i32.const 0))
        (func $start (global.set $runs (i32.add (global.get $runs) (i32.const 1))))
        {start} {functions}"#
    )
}

/// The number of times that the start function must have run.
fn once<B: BackendUnderTest>() -> Option<Value> {
    Some(Value::I32(takes_start::<B>().into()))
}

fn functions<B: BackendUnderTest>() -> Outcome {
    let wasm =
        guest(&format!(r#"{} (func (export "process") (param i32 i32) (result i64) (i64.const 0))"#, counting::<B>()));
    let starts = |rules: &mut Rules| rules.module.start = takes_start::<B>();
    let fixture = Fixture::<B>::on(policy(starts))?;
    let plugin = fixture.load(&wasm)?;
    let mut session = plugin.session(())?;
    for name in HIDDEN {
        let codes = [
            session.call(name, b"").denied()?.code(),
            session.call_values(name, &[]).denied()?.code(),
            session.func::<(), ()>(name).map(drop).denied()?.code(),
            session.func::<(), u32>(name).map(drop).denied()?.code(),
            plugin.call(name, b"").denied()?.code(),
            plugin.call_values(name, &[], (), None).denied()?.code(),
        ];
        ensure_eq!(codes, ["no-such-export"; 6], "{name}");
        let error = fixture.load_with::<()>(&wasm, &fixture.imports(), &Contract::bytes(name)).map(drop).denied()?;
        ensure_eq!(error.code(), "export-missing", "{name}");
        let asking = policy(|rules| {
            starts(rules);
            rules.abi = Some(Abi { export: name.to_owned(), min: 0, max: u32::MAX });
        });
        ensure_eq!(byte_plugin::<B>(asking, &wasm)?.call("process", b"").denied()?.code(), "abi-missing", "{name}");
    }
    ensure_eq!(session.global("runs"), once::<B>());
    for (place, name) in SIMILAR.iter().enumerate() {
        ensure_eq!(session.call_values(name, &[])?, [Value::I32(place as i32)], "{name}");
        let typed = session.func::<(), u32>(name)?;
        ensure_eq!(session.call_typed(&typed, ())?, place as u32, "{name}");
    }
    Ok(())
}

/// The guest's input is the name that the host calls. The reply has a byte with the outcome.
fn reentry<B: BackendUnderTest>() -> Outcome {
    let wasm = guest(&format!(
        r#"(import "env" "call" (func $call (param i32 i32) (result i32)))
        {}
        (func (export "process") (param i32 i32) (result i64)
            (i32.store8 (i32.const 0) (call $call (local.get 0) (local.get 1)))
            (i64.const 1))"#,
        counting::<B>()
    ));
    let policy = policy(|rules| {
        rules.module.start = takes_start::<B>();
        rules.limits.reentry = 1;
    });
    let plugin = hosted_plugin::<B, ()>(policy, &wasm, |imports| {
        imports.func("env", "call", |cx, (pointer, len): (u32, u32)| {
            let name = String::from_utf8(cx.read(pointer, len)?.to_vec())?;
            match cx.call(&name, &[])?[..] {
                [Value::I32(place)] => Ok(place.cast_unsigned()),
                _ => Err(HostError::message("no number")),
            }
        })?;
        Ok(())
    })?;
    for name in HIDDEN {
        let mut session = plugin.session(())?;
        let error = session.call("process", name.as_bytes()).denied()?;
        ensure_eq!((error.code(), error.phase), ("no-such-export", Phase::Call), "{name}");
        ensure_eq!(session.global("runs"), once::<B>(), "{name}");
        ensure!(session.is_poisoned());
    }
    let mut session = plugin.session(())?;
    for (place, name) in SIMILAR.iter().enumerate() {
        ensure_eq!(session.call("process", name.as_bytes())?.bytes, [place as u8], "{name}");
    }
    Ok(())
}
