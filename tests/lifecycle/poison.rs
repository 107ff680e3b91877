//! What a call that failed leaves behind: its session refuses to go on, and nothing else has noticed.

use std::time::Duration;

use hotcell::{
    CancelToken, Contract, HostError, HostOptions, Phase, Plugin, Policy, Sandbox, Value,
    backend::{Backend, HostFn},
};

use crate::guest::{guest, policy, wasm};

on_each_backend! {
    a_fault_poisons_the_session_and_nothing_else
    a_typed_call_poisons_too
    a_mistake_of_the_caller_does_not_poison
    a_fresh_instance_has_nothing_of_two_hundred_dirty_ones
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

fn faulty<B: Backend + HostFn<(), ()>>(policy: Policy) -> Plugin<B> {
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    let mut imports = sandbox.imports();
    imports
        .func("env", "fail", |_, ()| Err::<(), _>(HostError::message("refused")))
        .unwrap()
        .func("env", "panic", |_, ()| -> Result<(), HostError> { panic!("a host function's own bug") })
        .unwrap();
    sandbox.load_with(&guest(FAULTY), &imports, &Contract::bytes("process")).unwrap()
}

fn a_fault_poisons_the_session_and_nothing_else<B: Backend + HostFn<(), ()>>() {
    let by_fuel = policy(|rules| rules.limits.fuel = Some(1_000_000));
    let by_deadline = policy(|rules| {
        rules.limits.fuel = None;
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
        let plugin = faulty::<B>(policy.clone());
        let mut session = plugin.session(()).unwrap();
        session.call("process", b"").unwrap();
        let error = session.call(entry, b"").unwrap_err();
        assert_eq!((error.code(), error.phase), (code, phase), "{entry}");
        assert_refuses(&mut session);
        plugin.call("process", b"").unwrap();
        plugin.session(()).unwrap().call("process", b"").unwrap();
    }

    let plugin = faulty::<B>(policy(|rules| rules.limits.fuel = None));
    let token = CancelToken::new();
    let mut session = plugin.session_with((), Some(token.clone())).unwrap();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        token.cancel();
    });
    assert_eq!(session.call("spin", b"").unwrap_err().code(), "cancelled");
    canceller.join().unwrap();
    assert_refuses(&mut session);
    plugin.call("process", b"").unwrap();
}

/// No kind of call gets through, however often it is tried.
fn assert_refuses<B: Backend>(session: &mut hotcell::Session<B>) {
    assert!(session.is_poisoned());
    for _ in 0..2 {
        let refused = session.call("process", b"input").unwrap_err();
        assert_eq!((refused.code(), refused.phase), ("poisoned", Phase::Call));
        let refused = session.call_values("process", &[Value::I32(0), Value::I32(0)]).unwrap_err();
        assert_eq!(refused.code(), "poisoned");
        let process = session.func::<(u32, u32), u64>("process").unwrap();
        assert_eq!(session.call_typed(&process, (0, 0)).unwrap_err().code(), "poisoned");
    }
    assert!(session.is_poisoned());
}

fn a_typed_call_poisons_too<B: Backend + HostFn<(), ()>>() {
    let plugin = faulty::<B>(Policy::default());
    let mut session = plugin.session(()).unwrap();
    let trap = session.func::<(u32, u32), u64>("trap").unwrap();
    assert_eq!(session.call_typed(&trap, (0, 0)).unwrap_err().code(), "trap-unreachable");
    assert_refuses(&mut session);

    let mut session = plugin.session(()).unwrap();
    assert_eq!(session.call_values("trap", &[Value::I32(0); 2]).unwrap_err().code(), "trap-unreachable");
    assert_refuses(&mut session);
}

fn a_mistake_of_the_caller_does_not_poison<B: Backend + HostFn<(), ()>>() {
    let plugin = faulty::<B>(policy(|rules| rules.limits.input_bytes = 4));
    let mut session = plugin.session(()).unwrap();
    assert_eq!(session.call("process", b"12345").unwrap_err().code(), "input-too-large");
    assert_eq!(session.call("nothing", b"").unwrap_err().code(), "no-such-export");
    assert_eq!(session.call("memory", b"").unwrap_err().code(), "no-such-export");
    assert_eq!(session.call("alloc", b"").unwrap_err().code(), "wrong-arguments");
    assert_eq!(session.call_values("nothing", &[]).unwrap_err().code(), "no-such-export");
    assert_eq!(session.call_values("process", &[Value::I32(0)]).unwrap_err().code(), "wrong-arguments");
    assert_eq!(session.call_values("process", &[Value::I64(0); 2]).unwrap_err().code(), "wrong-arguments");
    assert_eq!(session.func::<(), u32>("process").err().unwrap().code(), "wrong-arguments");
    assert_eq!(session.func::<(), u32>("nothing").err().unwrap().code(), "no-such-export");
    assert!(!session.is_poisoned());
    session.call("process", b"1234").unwrap();
}

/// `dirty` changes everything that an instance has; `first_stain` names the first thing that is not as declared.
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

fn a_fresh_instance_has_nothing_of_two_hundred_dirty_ones<B: Backend>() {
    const SLOTS: u32 = 4;
    // As few slots as instances at once, so that every fresh instance gets a used one.
    let options = HostOptions { max_instances: SLOTS, ..HostOptions::default() };
    let sandbox = Sandbox::<B>::with_options(Policy::default(), &options).unwrap();
    let plugin = sandbox.load_with::<()>(&wasm(STAINED), &sandbox.imports(), &Contract::None).unwrap();
    for round in 0..200 / SLOTS {
        let mut sessions: Vec<_> = (0..SLOTS).map(|_| plugin.session(()).unwrap()).collect();
        for (index, session) in sessions.iter_mut().enumerate() {
            match index % 2 {
                0 => assert_eq!(session.call_values("dirty", &[]).unwrap(), []),
                _ => assert_eq!(session.call_values("dirty_then_trap", &[]).unwrap_err().code(), "trap-unreachable"),
            }
            assert!(session.memory().iter().all(|byte| *byte == 0xaa));
        }
        drop(sessions);

        let mut sessions: Vec<_> = (0..SLOTS).map(|_| plugin.session(()).unwrap()).collect();
        for session in &mut sessions {
            let mut declared = vec![0; 2 << 16];
            declared[16..22].copy_from_slice(b"active");
            assert!(session.memory() == declared, "the memory has a stain in round {round}");
            assert_eq!(session.global("number"), Some(Value::I32(7)));
            assert_eq!(session.call_values("first_stain", &[]).unwrap(), [Value::I32(0)], "round {round}");
            assert_eq!(&session.memory()[100..107], b"passive");
        }
    }
}
