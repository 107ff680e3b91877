//! How many instances may exist at once, and how long each lives.

use std::{
    panic::resume_unwind,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use hotcell_core::{CancelToken, Contract, HostError, HostOptions, Value};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture, byte_plugin, guest, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "busy.one_too_many",
            "One instance more than the host allows is busy, until one is given back; a failed call gives its own \
             back.",
            one_too_many::<B>,
        ),
        Check::mandatory("busy.waiting", "A call that waits in the host holds its instance.", holds::<B>),
        Check::mandatory(
            "lifecycle.outlives",
            "A session outlives its plugin and its sandbox, and may move to another thread.",
            outlives::<B>,
        ),
        Check::mandatory("lifecycle.dropped", "A plugin may be dropped while its calls run.", dropped::<B>),
        Check::mandatory("lifecycle.threads", "Many threads may load at once.", many_threads::<B>),
        Check::mandatory(
            "isolation.panic",
            "A host function that panics disturbs no neighbour, and leaves the engine usable.",
            panic::<B>,
        ),
    ]
}

/// Every check uses a number of its own: a backend may share a pool among sandboxes with the same policy and number.
fn few_instances<B: BackendUnderTest>(max_instances: u32) -> Result<Fixture<B>, Failure> {
    let options = HostOptions { max_instances, ..HostOptions::default() };
    Ok(Fixture::with_options(policy(|_| ()), &options)?)
}

/// Returns an empty reply.
const QUIET: &str = r#"(func (export "process") (param i32 i32) (result i64) (i64.const 0))"#;

fn one_too_many<B: BackendUnderTest>() -> Outcome {
    let fixture = few_instances::<B>(3)?;
    let plugin = fixture.load(&guest(QUIET))?;
    // The limit is the fixture's, not the plugin's.
    let other = fixture.load(&guest(&format!("{QUIET} (global i32 (i32.const 1))")))?;
    let mut sessions = vec![plugin.session(())?, plugin.clone().session(())?, other.session(())?];
    for _ in 0..3 {
        for error in [
            plugin.session(()).denied()?,
            plugin.call("process", b"").denied()?,
            other.call_values("process", &[Value::I32(0); 2], (), None).denied()?,
        ] {
            ensure_eq!(error.code(), "busy");
            ensure!(error.to_string().contains('3'), "{error}");
        }
        // The existing ones still work.
        for session in &mut sessions {
            session.call("process", b"in")?;
        }
        sessions.pop();
        plugin.call("process", b"")?;
        sessions.push(other.session(())?);
    }
    // A failed call releases its slot too.
    sessions.pop();
    for _ in 0..10 {
        ensure_eq!(plugin.call("nothing", b"").denied()?.code(), "no-such-export");
    }
    plugin.call("process", b"")?;

    let nobody = few_instances::<B>(0)?;
    ensure_eq!(nobody.load(&guest(QUIET))?.call("process", b"").denied()?.code(), "busy");
    Ok(())
}

fn holds<B: BackendUnderTest>() -> Outcome {
    let (inside, leave) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    let fixture = few_instances::<B>(2)?;
    let mut imports = fixture.imports::<()>();
    let barriers = (inside.clone(), leave.clone());
    imports.func("env", "wait", move |_, ()| {
        barriers.0.wait();
        barriers.1.wait();
        Ok(())
    })?;
    let wasm = guest(
        r#"(import "env" "wait" (func $wait))
        (func (export "process") (param i32 i32) (result i64) (call $wait) (i64.const 0))
        (func (export "quick") (param i32 i32) (result i64) (i64.const 0))"#,
    );
    let plugin = fixture.load_with(&wasm, &imports, &Contract::bytes("process"))?;
    thread::scope(|scope| -> Outcome {
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| plugin.call("process", b""))).collect();
        inside.wait();
        let third = plugin.call("quick", b"").err().map(|error| error.code());
        leave.wait();
        ensure_eq!(third, Some("busy"));
        for call in calls {
            call.joined()??;
        }
        Ok(())
    })?;
    plugin.call("quick", b"")?;
    Ok(())
}

fn outlives<B: BackendUnderTest>() -> Outcome {
    let fixture = few_instances::<B>(5)?;
    let plugin = fixture.load(&guest(QUIET))?;
    let (mut first, mut second) = (plugin.session(())?, plugin.session(())?);
    let process = first.func::<(u32, u32), u64>("process")?;
    drop(fixture);
    first.call("process", b"a")?;
    drop(plugin);
    first.call("process", b"b")?;
    second.call("process", b"c")?;
    drop(second);
    ensure_eq!(first.call_typed(&process, (0, 0))?, 0);
    ensure_eq!(thread::spawn(move || first.call("process", b"d")).joined()??.bytes, b"");
    Ok(())
}

/// Never ends by itself.
const SPIN: &str = r#"(module (func (export "spin") (loop $again (br $again))))"#;

fn dropped<B: BackendUnderTest>() -> Outcome {
    let plugin = plain_plugin::<B>(policy(|rules| rules.limits.fuel = BACKSTOP), &wasm(SPIN))?;
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let (plugin, token) = (plugin.clone(), CancelToken::new());
            let handle = token.clone();
            (token, thread::spawn(move || plugin.call_values("spin", &[], (), Some(handle))))
        })
        .collect();
    drop(plugin);
    thread::sleep(Duration::from_millis(20));
    for (token, call) in calls {
        token.cancel();
        ensure_eq!(call.joined()?.denied()?.code(), "cancelled");
    }
    Ok(())
}

fn many_threads<B: BackendUnderTest>() -> Outcome {
    let wasm = guest(r#"(func (export "process") (param i32 i32) (result i64) (i64.const 0x00000400_00000005))"#);
    thread::scope(|scope| -> Outcome {
        let load = || Ok::<_, Failure>(byte_plugin::<B>(policy(|_| ()), &wasm)?.call("process", b"hello")?.bytes);
        let loads: Vec<_> = (0..16).map(|_| scope.spawn(load)).collect();
        for load in loads {
            ensure_eq!(load.joined()??, b"hello");
        }
        Ok(())
    })
}

fn panic<B: BackendUnderTest>() -> Outcome {
    let fixture = few_instances::<B>(6)?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "panic", |_, ()| -> Result<(), HostError> { resume_unwind(Box::new("a bug")) })?;
    let wasm = guest(
        r#"(import "env" "panic" (func $panic))
        (func (export "process") (param i32 i32) (result i64) (call $panic) (i64.const 0))
        (func (export "count") (param $n i32) (result i32)
            (loop $next (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $n))"#,
    );
    let panicking = fixture.load_with(&wasm, &imports, &Contract::bytes("process"))?;
    thread::scope(|scope| -> Outcome {
        let neighbour = scope.spawn(|| panicking.call_values("count", &[Value::I32(2_000_000)], (), None));
        for _ in 0..10 {
            ensure_eq!(panicking.call("process", b"").denied()?.code(), "host-function-panicked");
        }
        ensure_eq!(neighbour.joined()??.0, [Value::I32(0)]);
        Ok(())
    })?;
    let quiet = fixture.load(&guest(QUIET))?;
    for _ in 0..10 {
        quiet.call("process", b"")?;
    }
    Ok(())
}
