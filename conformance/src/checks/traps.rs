//! Every trap of WebAssembly, wherever guest code may run.

use hotcell_core::{Field, Phase, Rules, TrapKind};

use crate::{
    BackendUnderTest, Check, Outcome,
    failure::{Denied, ensure, ensure_eq},
    fixture::{byte_plugin, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory("traps.entry", "Each trap of an entry has its own code, in phase `call`.", entry::<B>),
        Check::mandatory("traps.alloc", "Each trap of `alloc` has its own code, in phase `alloc`.", alloc::<B>),
        Check::mandatory("traps.call", "Each trap of a dynamic or a typed call has its own code.", call::<B>),
        Check::mandatory("traps.abi", "A guest that traps when asked for its version does not answer.", abi::<B>),
        Check::optional(
            Field::Start,
            "traps.start",
            "Each trap of a start function has its own code, in phase `instantiate`.",
            start::<B>,
        ),
        Check::mandatory(
            "traps.segments",
            "A segment that does not fit is the matching trap, in phase `instantiate`.",
            segments::<B>,
        ),
    ]
}

/// Code, and an expression that raises it in a guest of [`module`].
const TRAPS: &[(&str, &str)] = &[
    ("trap-unreachable", "(unreachable)"),
    ("trap-memory-out-of-bounds", "(i32.store (i32.const -1) (i32.const 0))"),
    ("trap-memory-out-of-bounds", "(drop (i64.load (i32.const 65529)))"),
    ("trap-memory-out-of-bounds", "(memory.fill (i32.const 65535) (i32.const 1) (i32.const 2))"),
    ("trap-memory-out-of-bounds", "(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))"),
    ("trap-memory-out-of-bounds", "(data.drop $data) (memory.init $data (i32.const 0) (i32.const 0) (i32.const 1))"),
    ("trap-table-out-of-bounds", "(call_indirect $table (type $nothing) (i32.const 4))"),
    ("trap-table-out-of-bounds", "(drop (table.get $table (i32.const -1)))"),
    ("trap-table-out-of-bounds", "(table.set $table (i32.const 4) (ref.null func))"),
    ("trap-table-out-of-bounds", "(table.fill $table (i32.const 3) (ref.null func) (i32.const 2))"),
    ("trap-table-out-of-bounds", "(table.copy $table $table (i32.const 0) (i32.const 0) (i32.const 5))"),
    ("trap-table-out-of-bounds", "(table.init $table $elem (i32.const 0) (i32.const 0) (i32.const 2))"),
    ("trap-indirect-call-to-null", "(call_indirect $table (type $nothing) (i32.const 0))"),
    ("trap-bad-signature", "(call_indirect $table (type $nothing) (i32.const 1))"),
    ("trap-integer-overflow", "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"),
    ("trap-integer-overflow", "(drop (i64.trunc_f64_u (f64.const 1e30)))"),
    ("trap-integer-division-by-zero", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
    ("trap-integer-division-by-zero", "(drop (i64.rem_s (i64.const 1) (i64.const 0)))"),
    ("trap-bad-conversion-to-integer", "(drop (i32.trunc_f32_s (f32.const nan)))"),
    ("stack-overflow", "(call $deeper)"),
];

/// The function of a guest that calls `$trap`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Abi,
    Alloc,
    Entry,
    Export,
}

/// A guest of the byte contract that traps only there.
fn module(trap: &str, place: Place) -> Vec<u8> {
    let at = |here: Place| if here == place { "(call $trap)" } else { "" };
    let (abi, alloc, entry) = (at(Place::Abi), at(Place::Alloc), at(Place::Entry));
    let start = if place == Place::Start { "(start $trap)" } else { "" };
    wasm(&format!(
        r#"(module
            (type $nothing (func))
            (memory (export "memory") 1)
            (table $table 4 funcref)
            (elem (table $table) (i32.const 1) func $other)
            (elem $elem func $other)
            (data $data "x")
            (func $other (param i64))
            (func $deeper (call $deeper))
            (func $trap (export "trap") {trap})
            {start}
            (func (export "__hotcell_abi_version") (result i32) {abi} (i32.const 1))
            (func (export "alloc") (param i32) (result i32) {alloc} (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64) {entry} (i64.const 0)))"#
    ))
}

/// Each trap there is reported by a byte call with that phase.
fn each<B: BackendUnderTest>(place: Place, phase: Phase, change: fn(&mut Rules)) -> Outcome {
    for (code, trap) in TRAPS {
        let error = byte_plugin::<B>(policy(change), &module(trap, place))?.call("process", b"input").denied()?;
        ensure_eq!((error.code(), error.phase), (*code, phase), "{trap}");
    }
    Ok(())
}

fn entry<B: BackendUnderTest>() -> Outcome {
    each::<B>(Place::Entry, Phase::Call, |_| ())
}

fn alloc<B: BackendUnderTest>() -> Outcome {
    each::<B>(Place::Alloc, Phase::Alloc, |_| ())
}

fn start<B: BackendUnderTest>() -> Outcome {
    each::<B>(Place::Start, Phase::Instantiate, |rules| rules.module.start = true)
}

fn call<B: BackendUnderTest>() -> Outcome {
    for kind in TrapKind::ALL {
        ensure!(TRAPS.iter().any(|(code, _)| *code == kind.code()), "nothing here raises {kind}");
    }
    for (code, trap) in TRAPS {
        let plugin = plain_plugin::<B>(policy(|_| ()), &module(trap, Place::Export))?;
        let error = plugin.call_values("trap", &[], (), None).denied()?;
        ensure_eq!((error.code(), error.phase), (*code, Phase::Call), "{trap}");
        let mut session = plugin.session(())?;
        let typed = session.func::<(), ()>("trap")?;
        ensure_eq!(session.call_typed(&typed, ()).denied()?.code(), *code, "{trap}");
    }
    Ok(())
}

fn abi<B: BackendUnderTest>() -> Outcome {
    for (_, trap) in TRAPS {
        let error = byte_plugin::<B>(policy(|_| ()), &module(trap, Place::Abi))?.call("process", b"").denied()?;
        ensure_eq!((error.code(), error.phase), ("abi-missing", Phase::Abi), "{trap}");
    }
    Ok(())
}

fn segments<B: BackendUnderTest>() -> Outcome {
    for (text, kind) in [
        (r#"(memory 1) (data (i32.const 65535) "ab")"#, TrapKind::MemoryOutOfBounds),
        (r#"(memory 1) (data (i32.const -1) "")"#, TrapKind::MemoryOutOfBounds),
        ("(table 2 funcref) (func $f) (elem (i32.const 1) func $f $f)", TrapKind::TableOutOfBounds),
        ("(table 2 funcref) (elem (i32.const -1) func)", TrapKind::TableOutOfBounds),
    ] {
        let plugin = plain_plugin::<B>(policy(|_| ()), &wasm(&format!("(module {text})")))?;
        let error = plugin.session(()).denied()?;
        ensure_eq!((error.code(), error.phase), (kind.code(), Phase::Instantiate), "{text}");
        ensure_eq!(error.report.usage.fuel_used, Some(0), "{text}");
    }
    Ok(())
}
