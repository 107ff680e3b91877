//! Bytes in, bytes out: every number from the guest is checked against its memory and the policy.

use hotcell_core::{CallError, Phase, Value, verdict::Fault};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, ensure, ensure_eq},
    fixture::{byte_plugin, guest, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "bytes.echo",
            "A reply is the bytes that the guest names, of any length that the policy allows, from any place in \
             its memory.",
            echo::<B>,
        ),
        Check::mandatory(
            "bytes.empty",
            "An empty input needs no room: alloc is not called, and the entry gets (0, 0).",
            empty::<B>,
        ),
        Check::mandatory(
            "bytes.alloc",
            "Where alloc gives null or a place that is not wholly inside the memory, nothing is written and the \
             call is bad-alloc.",
            lying_alloc::<B>,
        ),
        Check::mandatory(
            "bytes.alloc_grows",
            "The memory that counts is the one after alloc, and after the entry.",
            growing::<B>,
        ),
        Check::mandatory(
            "bytes.reply",
            "A reply that is not wholly inside the memory is bad-output, however its pointer and length overflow.",
            lying_reply::<B>,
        ),
        Check::mandatory(
            "bytes.output_limit",
            "A reply up to the limit is taken; a longer one is output-too-large, wherever it is said to be.",
            output_limit::<B>,
        ),
        Check::mandatory(
            "bytes.no_output",
            "With an output limit of zero only an empty reply is taken.",
            no_output::<B>,
        ),
        Check::mandatory(
            "bytes.input_limit",
            "An input up to the limit is taken; of a longer one the guest sees nothing, and the session is not \
             poisoned.",
            input_limit::<B>,
        ),
        Check::mandatory(
            "bytes.error",
            "Where a guest has left a text before it ends itself, the fault is guest-error with that text, cut to 4 KiB; a \
             text outside of its memory leaves trap-unreachable.",
            error::<B>,
        ),
    ]
}

/// Replies with its input.
const ECHO: &str = r#"(func (export "process") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))"#;

fn error<B: BackendUnderTest>() -> Outcome {
    let fails = |place: &str, words: &str, ends: &str| {
        let plugin = byte_plugin::<B>(
            policy(|_| ()),
            &guest(&format!(
                r#"(global (export "__hotcell_error") i32 (i32.const {place})) (data (i32.const 64) "{words}no such file")
                (func (export "process") (param i32 i32) (result i64) {ends})"#
            )),
        )?;
        let error = plugin.call("process", b"").denied()?;
        let mut session = plugin.session(())?;
        let values = session.call_values("process", &[Value::I32(0), Value::I32(0)]).denied()?;
        ensure_eq!(values.code(), error.code());
        Ok::<_, Failure>((error.code(), error.fault.to_string()))
    };
    let text = r"\48\00\00\00\0c\00\00\00";
    ensure_eq!(
        fails("64", text, "unreachable")?,
        ("guest-error", "the guest reports: no such file".to_owned()),
        "a text"
    );
    let long = fails("64", r"\48\00\00\00\00\20\00\00", "unreachable")?;
    ensure_eq!(long.0, "guest-error", "8 KiB of text");
    for (place, words) in [
        ("65532", text),
        ("-1", text),
        ("64", r"\48\00\00\00\00\00\00\00"),
        ("64", r"\ff\ff\ff\ff\0c\00\00\00"),
        ("64", r"\fa\ff\00\00\0c\00\00\00"),
    ] {
        ensure_eq!(fails(place, words, "unreachable")?.0, "trap-unreachable", "{place} {words}");
    }
    let (code, _) = fails("64", text, "(drop (i32.div_u (i32.const 1) (i32.const 0))) i64.const 0")?;
    ensure_eq!(code, "trap-integer-division-by-zero", "another trap is what it is");
    Ok(())
}

fn no_output<B: BackendUnderTest>() -> Outcome {
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.output_bytes = 0), &guest(ECHO))?;
    ensure_eq!(plugin.call("process", b"")?.bytes, b"");
    let error = plugin.call("process", b"a").denied()?;
    ensure_eq!((error.code(), error.phase), ("output-too-large", Phase::Reply));
    Ok(())
}

fn output_limit<B: BackendUnderTest>() -> Outcome {
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.output_bytes = 4), &guest(ECHO))?;
    ensure_eq!(plugin.call("process", b"1234")?.bytes, b"1234");
    let error = plugin.call("process", b"12345").denied()?;
    ensure_eq!((error.code(), error.phase), ("output-too-large", Phase::Reply));
    Ok(())
}

fn input_limit<B: BackendUnderTest>() -> Outcome {
    let refused = |error: CallError| (error.code(), error.phase, error.report.usage.host_calls);
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.input_bytes = 4), &guest(ECHO))?;
    let mut session = plugin.session(())?;
    for _ in 0..2 {
        let error = session.call("process", b"12345").denied()?;
        ensure_eq!(error.report.usage.fuel_used, Some(0), "nothing of the guest ran");
        ensure_eq!(refused(error), ("input-too-large", Phase::Alloc, 0));
        ensure!(!session.is_poisoned());
        ensure_eq!(session.call("process", b"1234")?.bytes, b"1234");
    }
    ensure_eq!(refused(plugin.call("process", &[0; 1 << 20]).denied()?), ("input-too-large", Phase::Alloc, 0));

    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.input_bytes = 0), &guest(ECHO))?;
    ensure_eq!(plugin.call("process", b"")?.bytes, b"");
    ensure_eq!(plugin.call("process", b"1").denied()?.code(), "input-too-large");
    Ok(())
}

const PAGE: u32 = 1 << 16;

fn echo<B: BackendUnderTest>() -> Outcome {
    let plugin = byte_plugin::<B>(policy(|_| ()), &guest(ECHO))?;
    let input: Vec<u8> = (0..PAGE - 1024).map(|n| (n % 251) as u8).collect();
    let mut session = plugin.session(())?;
    for len in [0, 1, 2, 255, 256, 4_096, input.len()] {
        ensure_eq!(plugin.call("process", &input[..len])?.bytes, input[..len]);
        ensure_eq!(session.call("process", &input[..len])?.bytes, input[..len]);
    }
    Ok(())
}

/// Fuel for guests that do little or never end: even a slow interpreter uses it up quickly.
const LITTLE: u64 = 1_000_000;

/// `alloc` and `process` with these bodies, and a memory of one page.
fn lying<B: BackendUnderTest>(alloc: &str, process: &str) -> Result<Result<Vec<u8>, CallError>, Failure> {
    let text = format!(
        r#"(module
            (memory (export "memory") 1 2)
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param $len i32) (result i32) {alloc})
            (func (export "process") (param $at i32) (param $len i32) (result i64) {process}))"#
    );
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.fuel = Some(LITTLE)), &wasm(&text))?;
    Ok(plugin.call("process", b"12345678").map(|reply| reply.bytes))
}

fn empty<B: BackendUnderTest>() -> Outcome {
    let both = "(i64.store (i32.const 0) (i64.extend_i32_u (i32.or (local.get $at) (local.get $len)))) (i64.const 8)";
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (unreachable))
            (func (export "process") (param $at i32) (param $len i32) (result i64) {both}))"#
    );
    ensure_eq!(byte_plugin::<B>(policy(|_| ()), &wasm(&text))?.call("process", b"")?.bytes, [0; 8]);
    Ok(())
}

fn lying_alloc<B: BackendUnderTest>() -> Outcome {
    const NOTHING: &str = "(i64.const 0)";
    for place in [0, PAGE - 7, PAGE, PAGE + 1, 1 << 31, u32::MAX - 7, u32::MAX] {
        let error = lying::<B>(&format!("(i32.const {place})"), NOTHING)?.denied()?;
        ensure_eq!((error.code(), error.phase), ("bad-alloc", Phase::Alloc), "{place:#x}");
        match error.fault {
            Fault::BadAlloc { pointer, len, memory } => {
                ensure_eq!((pointer, len, memory), (place, 8, u64::from(PAGE)));
            }
            _ => return Err(error.into()),
        }
    }
    for place in [1, 1024, PAGE - 8] {
        let echo =
            "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))";
        ensure_eq!(lying::<B>(&format!("(i32.const {place})"), echo)??, b"12345678", "{place:#x}");
    }
    let trapping = lying::<B>("(unreachable)", NOTHING)?.denied()?;
    ensure_eq!((trapping.code(), trapping.phase), ("trap-unreachable", Phase::Alloc));
    let looping = lying::<B>("(loop $again (br $again)) (unreachable)", NOTHING)?.denied()?;
    ensure_eq!((looping.code(), looping.phase), ("out-of-fuel", Phase::Alloc));
    Ok(())
}

fn growing<B: BackendUnderTest>() -> Outcome {
    const GROW: &str = "(drop (memory.grow (i32.const 1)))";
    let second_page = format!("{GROW} (i32.const {PAGE})");
    ensure_eq!(lying::<B>(&second_page, "(i64.const 0x00010000_00000008)")??, b"12345678");
    let reply = format!("{GROW} (i32.store8 (i32.const {PAGE}) (i32.const 7)) (i64.const 0x00010000_00000001)");
    ensure_eq!(lying::<B>("(i32.const 8)", &reply)??, [7]);
    Ok(())
}

fn lying_reply<B: BackendUnderTest>() -> Outcome {
    let reply = |pointer: u32, len: u32| {
        lying::<B>("(i32.const 8)", &format!("(i64.const {:#018x})", u64::from(pointer) << 32 | u64::from(len)))
    };
    for (at, bytes) in
        [(PAGE, 1), (PAGE + 1, 0), (PAGE - 1, 2), (1, PAGE), (0, PAGE + 1), (u32::MAX, 0), (u32::MAX, 1), (u32::MAX, 8)]
    {
        let error = reply(at, bytes)?.denied()?;
        ensure_eq!((error.code(), error.phase), ("bad-output", Phase::Reply), "{bytes} at {at:#x}");
        match error.fault {
            Fault::BadOutput { pointer, len, memory } => {
                ensure_eq!((pointer, len, memory), (at, bytes, u64::from(PAGE)));
            }
            _ => return Err(error.into()),
        }
    }
    for (at, bytes) in [(0, 0), (PAGE, 0), (PAGE - 1, 1), (0, PAGE)] {
        ensure_eq!(reply(at, bytes)??.len(), bytes as usize, "{bytes} at {at:#x}");
    }
    Ok(())
}
