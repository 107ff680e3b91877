//! The effects of a failed call: its session refuses further calls, and nothing else is affected.

use std::{panic::resume_unwind, thread, time::Duration};

use hotcell_core::{CancelToken, Contract, HostError, HostOptions, Phase, Plugin, Policy, Session, Value};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture, guest, hosted_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "isolation.poison",
            "After a fault of any kind a session refuses every call, and other instances have not noticed.",
            poison::<B>,
        ),
        Check::mandatory(
            "isolation.poison_typed",
            "A typed or dynamic call that fails poisons its session too.",
            poison_typed::<B>,
        ),
        Check::mandatory("isolation.mistakes", "A mistake of the caller does not poison a session.", mistakes::<B>),
        Check::mandatory(
            "isolation.fresh",
            "Memories, tables, globals and segments of a fresh instance are as the module declares them, whatever \
             an earlier instance left behind.",
            fresh::<B>,
        ),
    ]
}

const FAULTY: &str = r#"
    (import "env" "fail" (func $fail))
    (import "env" "panic" (func $panic))
    (func $deeper (call $deeper))
    (func (export "process") (param i32 i32) (result i64) (i64.const 0))
    (func (export "spin") (param i32 i32) (result i64) (loop $again (br $again)) (unreachable))
    (func (export "trap") (param i32 i32) (result i64) (unreachable))
    (func (export "recurse") (param i32 i32) (result i64) (call $deeper) (i64.const 0))
    (func (export "fail") (param i32 i32) (result i64) (call $fail) (i64.const 0))
    (func (export "panic") (param i32 i32) (result i64) (call $panic) (i64.const 0))
    (func (export "wild_output") (param i32 i32) (result i64) (i64.const 0xffffffff_00000001))
    (func (export "huge_output") (param i32 i32) (result i64) (i64.const 0x00000000_ffffffff))
"#;

fn faulty<B: BackendUnderTest>(policy: Policy) -> Result<Plugin<B>, Failure> {
    hosted_plugin::<B, ()>(policy, &guest(FAULTY), |imports| {
        imports.func("env", "fail", |_, ()| Err::<(), _>(HostError::message("refused")))?;
        imports.func("env", "panic", |_, ()| -> Result<(), HostError> { resume_unwind(Box::new("a bug")) })?;
        Ok(())
    })
}

fn poison<B: BackendUnderTest>() -> Outcome {
    let by_fuel = policy(|rules| rules.limits.fuel = Some(1_000_000));
    let by_deadline = policy(|rules| {
        rules.limits.fuel = BACKSTOP;
        rules.limits.deadline = Some(Duration::from_millis(200));
    });
    for (policy, entry, code, phase) in [
        (&by_fuel, "spin", "out-of-fuel", Phase::Call),
        (&by_deadline, "spin", "deadline-exceeded", Phase::Call),
        (&by_fuel, "trap", "trap-unreachable", Phase::Call),
        (&by_fuel, "recurse", "stack-overflow", Phase::Call),
        (&by_fuel, "fail", "host-function", Phase::Call),
        (&by_fuel, "panic", "host-function-panicked", Phase::Call),
        (&by_fuel, "wild_output", "bad-output", Phase::Reply),
        (&by_fuel, "huge_output", "output-too-large", Phase::Reply),
    ] {
        let plugin = faulty::<B>(policy.clone())?;
        let mut session = plugin.session(())?;
        session.call("process", b"")?;
        let error = session.call(entry, b"").denied()?;
        ensure_eq!((error.code(), error.phase), (code, phase), "{entry}");
        refuses(&mut session)?;
        plugin.call("process", b"")?;
        plugin.session(())?.call("process", b"")?;
    }

    let plugin = faulty::<B>(policy(|rules| rules.limits.fuel = BACKSTOP))?;
    let token = CancelToken::new();
    let mut session = plugin.session_with((), Some(token.clone()))?;
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        token.cancel();
    });
    ensure_eq!(session.call("spin", b"").denied()?.code(), "cancelled");
    canceller.joined()?;
    refuses(&mut session)?;
    plugin.call("process", b"")?;
    Ok(())
}

/// Every kind of call is refused, however often it is tried.
fn refuses<B: BackendUnderTest>(session: &mut Session<B>) -> Outcome {
    ensure!(session.is_poisoned());
    for _ in 0..2 {
        let refused = session.call("process", b"input").denied()?;
        ensure_eq!((refused.code(), refused.phase), ("poisoned", Phase::Call));
        let refused = session.call_values("process", &[Value::I32(0), Value::I32(0)]).denied()?;
        ensure_eq!(refused.code(), "poisoned");
        let process = session.func::<(u32, u32), u64>("process")?;
        ensure_eq!(session.call_typed(&process, (0, 0)).denied()?.code(), "poisoned");
    }
    ensure!(session.is_poisoned());
    Ok(())
}

fn poison_typed<B: BackendUnderTest>() -> Outcome {
    let plugin = faulty::<B>(policy(|_| ()))?;
    let mut session = plugin.session(())?;
    let trap = session.func::<(u32, u32), u64>("trap")?;
    ensure_eq!(session.call_typed(&trap, (0, 0)).denied()?.code(), "trap-unreachable");
    refuses(&mut session)?;

    let mut session = plugin.session(())?;
    ensure_eq!(session.call_values("trap", &[Value::I32(0); 2]).denied()?.code(), "trap-unreachable");
    refuses(&mut session)?;
    Ok(())
}

fn mistakes<B: BackendUnderTest>() -> Outcome {
    let plugin = faulty::<B>(policy(|rules| rules.limits.input_bytes = 4))?;
    let mut session = plugin.session(())?;
    ensure_eq!(session.call("process", b"12345").denied()?.code(), "input-too-large");
    ensure_eq!(session.call("nothing", b"").denied()?.code(), "no-such-export");
    ensure_eq!(session.call("memory", b"").denied()?.code(), "no-such-export");
    ensure_eq!(session.call("alloc", b"").denied()?.code(), "wrong-arguments");
    ensure_eq!(session.call_values("nothing", &[]).denied()?.code(), "no-such-export");
    ensure_eq!(session.call_values("process", &[Value::I32(0)]).denied()?.code(), "wrong-arguments");
    ensure_eq!(session.call_values("process", &[Value::I64(0); 2]).denied()?.code(), "wrong-arguments");
    ensure_eq!(session.func::<(), u32>("process").denied()?.code(), "wrong-arguments");
    ensure_eq!(session.func::<(), u32>("nothing").denied()?.code(), "no-such-export");
    ensure!(!session.is_poisoned());
    session.call("process", b"1234")?;
    Ok(())
}

/// `dirty` changes all the state of an instance; `first_stain` returns the first item that is not as declared.
const STAINED: &str = r#"(module
    (memory (export "memory") 2 4)
    (table $small 8 16 funcref)
    (table $other 2 funcref)
    (global $number (export "number") (mut i32) (i32.const 7))
    (global $wide (mut i64) (i64.const -1))
    (global $function (mut funcref) (ref.null func))
    (func $f)
    (data (i32.const 16) "active")
    (data $passive "passive")
    (elem (table $small) (i32.const 1) func $f $f)
    (elem $kept func $f)

    (func $dirty (export "dirty")
        (drop (memory.grow (i32.const 1)))
        (drop (table.grow $small (ref.func $f) (i32.const 4)))
        (memory.fill (i32.const 0) (i32.const 0xaa) (i32.mul (memory.size) (i32.const 65536)))
        (table.fill $small (i32.const 0) (ref.func $f) (table.size $small))
        (table.fill $other (i32.const 0) (ref.func $f) (i32.const 2))
        (global.set $number (i32.const 8))
        (global.set $wide (i64.const 8))
        (global.set $function (ref.func $f))
        (data.drop $passive)
        (elem.drop $kept))
    (func (export "dirty_then_trap") (call $dirty) (unreachable))

    (func (export "first_stain") (result i32)
        (local $i i32)
        (if (i32.ne (memory.size) (i32.const 2)) (then (return (i32.const 1))))
        (if (i32.ne (table.size $small) (i32.const 8)) (then (return (i32.const 2))))
        (if (i32.ne (global.get $number) (i32.const 7)) (then (return (i32.const 3))))
        (if (i64.ne (global.get $wide) (i64.const -1)) (then (return (i32.const 4))))
        (if (i32.eqz (ref.is_null (global.get $function))) (then (return (i32.const 5))))
        (loop $next
            (if (i32.eq (ref.is_null (table.get $small (local.get $i)))
                        (i32.or (i32.eq (local.get $i) (i32.const 1)) (i32.eq (local.get $i) (i32.const 2))))
                (then (return (i32.const 6))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const 8))))
        (if (i32.eqz (ref.is_null (table.get $other (i32.const 0)))) (then (return (i32.const 7))))
        (if (i32.eqz (ref.is_null (table.get $other (i32.const 1)))) (then (return (i32.const 8))))
        (drop (table.grow $small (ref.null func) (i32.const 4)))
        (if (i32.eqz (ref.is_null (table.get $small (i32.const 11)))) (then (return (i32.const 9))))
        ;; A dropped segment would trap here.
        (memory.init $passive (i32.const 100) (i32.const 0) (i32.const 7))
        (table.init $small $kept (i32.const 0) (i32.const 0) (i32.const 1))
        (i32.const 0)))"#;

fn fresh<B: BackendUnderTest>() -> Outcome {
    const SLOTS: u32 = 4;
    // As many slots as instances at once, so that every new instance gets a used one.
    let options = HostOptions { max_instances: SLOTS, ..HostOptions::default() };
    let fixture = Fixture::<B>::with_options(policy(|_| ()), &options)?;
    let plugin = fixture.load_with::<()>(&wasm(STAINED), &fixture.imports(), &Contract::None)?;
    for round in 0..200 / SLOTS {
        let mut sessions: Vec<Session<B>> = (0..SLOTS).map(|_| plugin.session(())).collect::<Result<_, _>>()?;
        for (index, session) in sessions.iter_mut().enumerate() {
            match index % 2 {
                0 => session.call_values("dirty", &[]).map(drop)?,
                _ => {
                    let fault = session.call_values("dirty_then_trap", &[]).denied()?;
                    ensure_eq!(fault.code(), "trap-unreachable");
                }
            }
            ensure!(session.memory().iter().all(|byte| *byte == 0xaa));
        }
        drop(sessions);

        let mut sessions: Vec<Session<B>> = (0..SLOTS).map(|_| plugin.session(())).collect::<Result<_, _>>()?;
        for session in &mut sessions {
            let mut declared = vec![0; 2 << 16];
            declared[16..22].copy_from_slice(b"active");
            ensure!(session.memory() == declared, "the memory has a stain in round {round}");
            ensure_eq!(session.global("number"), Some(Value::I32(7)));
            ensure_eq!(session.call_values("first_stain", &[])?, [Value::I32(0)], "round {round}");
            ensure_eq!(&session.memory()[100..107], b"passive");
        }
    }
    Ok(())
}
