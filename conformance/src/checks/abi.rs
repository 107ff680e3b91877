//! The version handshake: every instance must answer before any other call, and every behaviour of the guest gets a
//! verdict.

use hotcell_core::{
    CallError, Phase, Plugin, Rules,
    policy::Abi,
    verdict::{AbiFault, Fault},
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Present, ensure, ensure_eq},
    fixture::{byte_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "abi.loops",
            "A version function that never ends is no answer, whatever fuel there is beyond its own limit.",
            loops::<B>,
        ),
        Check::mandatory(
            "abi.without_means",
            "A guest without the fuel to answer is out of fuel, in phase abi.",
            without_means::<B>,
        ),
        Check::mandatory("abi.counts", "What the handshake uses counts.", counts::<B>),
        Check::mandatory(
            "abi.missing",
            "A version function that is missing, of another type or kind, or traps, is no answer.",
            missing::<B>,
        ),
        Check::mandatory(
            "abi.range",
            "The ends of the range of versions are inside; one past either is a mismatch that names both sides.",
            range::<B>,
        ),
        Check::mandatory(
            "abi.once",
            "Every instance is asked once, so an answer that changes does no harm.",
            once::<B>,
        ),
    ]
}

/// A guest with the version function `abi`.
fn answering<B: BackendUnderTest>(abi: &str, change: impl FnOnce(&mut Rules)) -> Result<Plugin<B>, Failure> {
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (global $asked (mut i32) (i32.const 0))
            (func $deeper (call $deeper))
            {abi}
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64)
                (i32.store8 (i32.const 0) (global.get $asked))
                (i64.const 1)))"#
    );
    byte_plugin(policy(change), &wasm(&text))
}

fn answer(body: &str) -> String {
    format!(r#"(func (export "__hotcell_abi_version") (result i32) {body})"#)
}

const ABI_LOOP: &str = "(loop $again (br $again)) (unreachable)";

/// Code and phase of a byte call and of a session, which must be equal.
fn verdict<B: BackendUnderTest>(plugin: &Plugin<B>) -> Result<(&'static str, Phase), Failure> {
    let of = |error: CallError| (error.code(), error.phase);
    let call = of(plugin.call("process", b"").denied()?);
    ensure_eq!(of(plugin.session(()).denied()?), call);
    Ok(call)
}

fn loops<B: BackendUnderTest>() -> Outcome {
    for fuel in [None, Some(u64::MAX), Some(1_000_000_000), Some(100_001), Some(100_000)] {
        let plugin = answering::<B>(&answer(ABI_LOOP), |rules| rules.limits.fuel = fuel)?;
        ensure_eq!(verdict(&plugin)?, ("abi-missing", Phase::Abi), "{fuel:?}");
    }
    Ok(())
}

fn without_means<B: BackendUnderTest>() -> Outcome {
    for fuel in [0, 1, 50_000, 99_999] {
        let plugin = answering::<B>(&answer(ABI_LOOP), |rules| rules.limits.fuel = Some(fuel))?;
        ensure_eq!(verdict(&plugin)?, ("out-of-fuel", Phase::Abi), "{fuel}");
    }
    Ok(())
}

fn counts<B: BackendUnderTest>() -> Outcome {
    let report = answering::<B>(&answer(ABI_LOOP), |_| ())?.call("process", b"").denied()?.report;
    let used = report.usage.fuel_used.present()?;
    ensure!((99_000..=100_000).contains(&used), "{used}");

    let slow = "(local $i i32)
        (loop $next
            (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5_000))))
        (i32.const 1)";
    let used = |abi: &str| -> Result<_, Failure> {
        let reply = answering::<B>(&answer(abi), |_| ())?.call("process", b"")?;
        reply.report.usage.fuel_used.present()
    };
    ensure!(used(slow)? > used("(i32.const 1)")? + 5_000);
    Ok(())
}

fn missing<B: BackendUnderTest>() -> Outcome {
    for abi in [
        "",
        &answer("(unreachable)"),
        &answer("(i32.div_u (i32.const 1) (i32.const 0))"),
        &answer("(i32.load (i32.const -1))"),
        &answer("(call $deeper) (i32.const 1)"),
        r#"(func (export "__hotcell_abi_version") (result i64) (i64.const 1))"#,
        r#"(func (export "__hotcell_abi_version") (param i32) (result i32) (i32.const 1))"#,
        r#"(func (export "__hotcell_abi_version"))"#,
        r#"(global (export "__hotcell_abi_version") i32 (i32.const 1))"#,
        r#"(table (export "__hotcell_abi_version") 1 funcref)"#,
    ] {
        let plugin = answering::<B>(abi, |_| ())?;
        ensure_eq!(verdict(&plugin)?, ("abi-missing", Phase::Abi), "{abi}");
    }
    Ok(())
}

fn range<B: BackendUnderTest>() -> Outcome {
    let call = |version: u32, (min, max): (u32, u32)| -> Result<_, Failure> {
        let abi = answer(&format!("(i32.const {version})"));
        let export = "__hotcell_abi_version".to_owned();
        let plugin = answering::<B>(&abi, |rules| rules.abi = Some(Abi { export, min, max }))?;
        let Err(error) = plugin.call("process", b"") else { return Ok(None) };
        ensure_eq!((error.code(), error.phase), ("abi-mismatch", Phase::Abi));
        match error.fault {
            Fault::Abi(AbiFault { found, accepted, .. }) => Ok(Some((found, accepted))),
            fault => Err(fault.into()),
        }
    };
    for (version, range) in [(2, (2, 4)), (3, (2, 4)), (4, (2, 4)), (0, (0, 0)), (u32::MAX, (u32::MAX, u32::MAX))] {
        ensure_eq!(call(version, range)?, None, "{version}");
    }
    for (version, (min, max)) in [(1, (2, 4)), (5, (2, 4)), (0, (1, 1)), (u32::MAX, (0, u32::MAX - 1))] {
        ensure_eq!(call(version, (min, max))?, Some((Some(version), min..=max)), "{version}");
    }
    Ok(())
}

fn once<B: BackendUnderTest>() -> Outcome {
    // The first call returns 1, a second would return 2.
    let counting = answer("(global.set $asked (i32.add (global.get $asked) (i32.const 1))) (global.get $asked)");
    let plugin = answering::<B>(&counting, |_| ())?;
    for _ in 0..3 {
        ensure_eq!(plugin.call("process", b"")?.bytes, [1]);
        let mut session = plugin.session(())?;
        ensure_eq!(session.call("process", b"")?.bytes, [1]);
        ensure_eq!(session.call("process", b"")?.bytes, [1]);
    }
    Ok(())
}
