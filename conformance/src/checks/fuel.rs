//! The fuel budget at its boundaries: zero, one, exactly enough, the maximum, none.

use hotcell_core::{Field, Phase, Policy, policy::Metering};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Present, ensure, ensure_eq},
    fixture::{byte_plugin, guest, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory("limits.fuel.nothing", "With fuel 0 or 1 nothing of the guest runs.", nothing::<B>),
        Check::mandatory(
            "limits.fuel.exact",
            "Exactly the fuel that a call uses is enough, and one unit less is not.",
            exact::<B>,
        ),
        Check::mandatory(
            "limits.fuel.largest",
            "No amount of fuel overflows, and what is left is not carried into the next call.",
            largest::<B>,
        ),
        Check::optional(
            Field::EngineMetering,
            "limits.fuel.uncounted",
            "Where nobody asks for a count, nothing is counted.",
            uncounted::<B>,
        ),
    ]
}

/// The sum of the input's bytes, by a loop; a reply of eight bytes.
const SUM: &str = r#"
    (func (export "process") (param $at i32) (param $len i32) (result i64)
        (local $end i32) (local $sum i64)
        (local.set $end (i32.add (local.get $at) (local.get $len)))
        (block $done
            (loop $next
                (br_if $done (i32.eq (local.get $at) (local.get $end)))
                (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $next)))
        (i64.store (i32.const 0) (local.get $sum))
        (i64.const 8))"#;

fn with_fuel(fuel: Option<u64>) -> Policy {
    policy(|rules| rules.limits.fuel = fuel)
}

fn nothing<B: BackendUnderTest>() -> Outcome {
    for fuel in [0, 1] {
        let plugin = byte_plugin::<B>(with_fuel(Some(fuel)), &guest(SUM))?;
        let error = plugin.call("process", b"abc").denied()?;
        ensure_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Abi), "{fuel}");
        ensure!(error.report.usage.fuel_used.present()? <= fuel);
        let error = plugin.session(()).denied()?;
        ensure_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Abi), "{fuel}");
    }
    // Without a handshake, the call runs first.
    let calls_itself = wasm(r#"(module (func $run (export "run") (call $run)))"#);
    for fuel in [0, 1] {
        let error =
            plain_plugin::<B>(with_fuel(Some(fuel)), &calls_itself)?.call_values("run", &[], (), None).denied()?;
        ensure_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call), "{fuel}");
    }
    Ok(())
}

fn exact<B: BackendUnderTest>() -> Outcome {
    let wasm = guest(SUM);
    let plugin = |fuel| byte_plugin::<B>(with_fuel(Some(fuel)), &wasm);
    let input = [1; 1_000];
    let plenty = plugin(1_000_000)?.call("process", &input)?;
    ensure_eq!(plenty.bytes, 1_000u64.to_le_bytes());
    let used = plenty.report.usage.fuel_used.present()?;

    let exact = plugin(used)?.call("process", &input)?;
    ensure_eq!(exact.bytes, plenty.bytes);
    ensure_eq!(exact.report.usage.fuel_used, Some(used));

    let error = plugin(used - 1)?.call("process", &input).denied()?;
    ensure_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call));
    let error = plugin(used / 2)?.call("process", &input).denied()?;
    ensure_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call));
    ensure!(error.report.usage.fuel_used.present()? <= used / 2);
    Ok(())
}

fn largest<B: BackendUnderTest>() -> Outcome {
    const EDGE: u64 = i64::MAX as u64;
    let wasm = guest(SUM);
    let used = |fuel| -> Result<_, Failure> {
        let plugin = byte_plugin::<B>(with_fuel(fuel), &wasm)?;
        // Twice in one session: fuel left from the first call must not be added to the second.
        let mut session = plugin.session(())?;
        let first = session.call("process", &[1; 1_000])?;
        let second = session.call("process", &[1; 1_000])?;
        ensure_eq!(first.bytes, 1_000u64.to_le_bytes());
        ensure_eq!(first.report.usage, second.report.usage);
        let fresh = plugin.call("process", &[1; 1_000])?;
        Ok((first.report.usage.fuel_used.present()?, fresh.report.usage.fuel_used.present()?))
    };
    let expected = used(Some(1_000_000))?;
    for fuel in [EDGE - 1, EDGE, EDGE + 1, u64::MAX - 1, u64::MAX] {
        ensure_eq!(used(Some(fuel))?, expected, "{fuel}");
    }
    // The ABI check has its own limit, so fuel is counted nevertheless.
    ensure_eq!(used(None)?, expected);
    Ok(())
}

fn uncounted<B: BackendUnderTest>() -> Outcome {
    let policy = policy(|rules| {
        (rules.limits.fuel, rules.abi) = (None, None);
        rules.metering = Metering::Engine;
    });
    let reply = byte_plugin::<B>(policy, &guest(SUM))?.call("process", b"a")?;
    ensure_eq!(reply.report.usage.fuel_used, None);
    ensure_eq!(reply.bytes, 97u64.to_le_bytes());
    Ok(())
}
