//! An application whose engine is chosen by name: host functions, state, sessions and cancellation are the same on each.

use std::sync::Arc;

use hotcell::{
    AnyImports, CancelToken, Contract, HostError, HostOptions, Policy, SandboxOptions, Value, backends,
    policy::Unknown, sandbox, time::NoClock,
};

const GUEST: &str = r#"(module
    (import "env" "log" (func $log (param i32 i32)))
    (import "env" "next" (func $next (param i64) (result i64)))
    (import "nobody" "here" (func $here))
    (memory (export "mem") 1)
    (data (i32.const 16) "hello")
    (func (export "alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "process") (param i32 i32) (result i64)
        (call $log (i32.const 16) (i32.const 5))
        (call $log (local.get 0) (local.get 1))
        (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
    (func (export "count") (param i64) (result i64) (call $next (call $next (local.get 0))))
    (func (export "far") (call $log (i32.const 65535) (i32.const 2)))
    (func (export "missing") (call $here))
    (func (export "spin") (loop $again (br $again))))"#;

#[derive(Default)]
struct Log(Vec<String>);

fn imports() -> AnyImports<Log> {
    let mut imports = AnyImports::<Log>::new();
    imports
        .func("env", "log", |cx, (pointer, len): (u32, u32)| {
            let line = String::from_utf8_lossy(cx.read(pointer, len)?).into_owned();
            cx.state().0.push(line);
            Ok(())
        })
        .unwrap()
        .func("env", "next", |cx, (number,): (i64,)| {
            cx.charge(100)?;
            assert_eq!(cx.off_the_clock(|| 7), 7);
            number.checked_add(1).ok_or_else(|| HostError::message("there is no next"))
        })
        .unwrap();
    imports.trap_unknown();
    imports
}

#[test]
fn the_engine_is_one_line() {
    let wasm = wat::parse_str(GUEST).unwrap();
    let policy = Policy::default().with(|rules| rules.abi = None).unwrap();
    let mut used = Vec::new();
    for backend in backends() {
        let sandbox = sandbox(backend.id, policy.clone(), &SandboxOptions::default()).unwrap();
        let plugin = sandbox.load_with(&wasm, &imports(), &Contract::bytes("process")).unwrap();

        let reply = plugin.call("process", b"abc", None).unwrap();
        assert_eq!(reply.bytes, b"abc");
        let (results, report) = plugin.call_values("count", &[Value::I64(40)], None).unwrap();
        assert_eq!(results, [Value::I64(42)]);
        let mut usages = vec![reply.report.usage, report.usage];
        for (export, code) in [("far", "host-function"), ("missing", "import-missing")] {
            let error = plugin.call_values(export, &[], None).unwrap_err();
            assert_eq!(error.code(), code, "{}", backend.id);
            usages.push(error.report.usage);
        }
        used.push(usages);
        let error = plugin.call_values("count", &[Value::I64(i64::MAX)], None).unwrap_err();
        assert_eq!(error.code(), "host-function");

        let mut session = plugin.session_with(Log(vec!["before".to_owned()]), None).unwrap();
        session.call("process", b"x").unwrap();
        assert_eq!(session.state().0, ["before", "hello", "x"]);
        session.write(16, b"J").unwrap();
        assert_eq!(session.grow_memory(1), Some(1));
        session.call("process", b"y").unwrap();
        assert_eq!(session.state_mut().0.pop().as_deref(), Some("y"));
        assert_eq!(session.memory().len(), 2 << 16);
        let cancel = CancelToken::new();
        cancel.cancel();
        session.cancel_with(cancel.clone()).unwrap();
        assert_eq!(session.call_values("spin", &[]).unwrap_err().code(), "cancelled");
        assert_eq!(session.into_state().0, ["before", "hello", "x", "Jello"]);
        let cancelled = plugin.call_values("spin", &[], Some(cancel)).unwrap_err();
        assert_eq!(cancelled.code(), "cancelled");
    }
    assert!(used.len() >= 3 && used.iter().all(|usage| *usage == used[0]), "{used:?}");
}

#[test]
fn names_are_taken_once() {
    let mut imports = imports();
    let taken = imports.func("env", "log", |_, ()| Ok(())).map(drop).unwrap_err();
    assert_eq!(taken.to_string(), "the host function env::log is defined twice");
    assert!(imports.func("__hotcell", "missing", |_, (_,): (i32,)| Ok(())).is_err(), "it is reserved");
}

#[test]
fn what_no_host_offers_may_trap_by_policy_too() {
    let wasm = wat::parse_str(GUEST).unwrap();
    let policy = Policy::default().with(|rules| rules.imports.unknown = Unknown::Trap).unwrap();
    for backend in backends() {
        let sandbox = sandbox(backend.id, policy.clone(), &SandboxOptions::default()).unwrap();
        let plugin = sandbox.load(&wasm, &Contract::None).unwrap();
        let error = plugin.call_values("far", &[], None).unwrap_err();
        assert_eq!(error.to_string(), "call: the guest called `env::log`, which the host does not offer");
    }
}

#[test]
fn a_clock_that_stands_still_keeps_no_deadline() {
    let options = SandboxOptions { host: HostOptions::new(Arc::new(NoClock)), ..SandboxOptions::default() };
    let patient = Policy::strict().with(|rules| rules.limits.deadline = None).unwrap();
    for backend in backends() {
        let refused = backend.sandbox(Policy::strict(), &options).err().unwrap();
        assert!(refused.to_string().contains("limits.deadline"), "{refused}");
        assert_eq!(refused.code(), "unsupported");
        backend.sandbox(patient.clone(), &options).unwrap();
    }
}
