//! What a host function sees and may do, and what its failures come to: the same text on every backend.

#[macro_use]
#[path = "lifecycle/each_backend.rs"]
mod each_backend;
#[path = "lifecycle/guest.rs"]
mod guest;

use std::{error::Error, fmt, time::Duration};

use hotcell::{
    CallError, Contract, HostError, Imports, Phase, Plugin, Policy, Rules, Sandbox, Value,
    backend::{Backend, BadPointer, HostFn},
    verdict::{Fault, Reason},
};

use guest::{guest, policy, wasm};

on_each_backend! {
    state_lives_as_long_as_its_instance
    memory_is_read_and_written_within_its_bounds
    a_guest_without_a_memory_has_none
    a_charge_is_fuel
    a_charge_of_all_that_is_left
    a_charge_of_more_than_is_left
    fuel_and_time_that_remain
    host_calls_are_limited
    an_error_keeps_its_source
    a_panic_is_a_verdict
    reentry_is_denied_unless_allowed
    reentry_is_bounded_by_its_depth
    reentry_shares_the_budget
    a_nested_fault_cannot_be_swallowed
    the_first_cause_of_several_stays
    every_arity_and_type
    names_are_offered_once
    imports_must_match
}

/// Bounds of the host functions that these tests define.
trait Hosts:
    Backend
    + HostFn<(), ()>
    + HostFn<(), u32>
    + HostFn<(u32,), ()>
    + HostFn<(u32,), u32>
    + HostFn<(u64,), ()>
    + HostFn<(u32, u32), u32>
    + HostFn<(u32, u32, u32), u32>
{
}

impl<B> Hosts for B where
    B: Backend
        + HostFn<(), ()>
        + HostFn<(), u32>
        + HostFn<(u32,), ()>
        + HostFn<(u32,), u32>
        + HostFn<(u64,), ()>
        + HostFn<(u32, u32), u32>
        + HostFn<(u32, u32, u32), u32>
{
}

/// A plugin of the byte contract under a policy, with host functions that `define` makes.
fn plugin<B: Backend, T: Send + 'static>(
    policy: Policy,
    wasm: &[u8],
    define: impl FnOnce(&mut Imports<T, B>),
) -> Plugin<B, T> {
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    let mut imports = sandbox.imports::<T>();
    define(&mut imports);
    sandbox.load_with(wasm, &imports, &Contract::bytes("process")).unwrap()
}

fn verdict(error: &CallError) -> (&'static str, Phase) {
    (error.code(), error.phase)
}

fn state_lives_as_long_as_its_instance<B: Hosts>() {
    let wasm = guest(
        r#"(import "env" "count" (func $count (result i32)))
        (func (export "process") (param i32 i32) (result i64) (i32.store8 (i32.const 0) (call $count)) (i64.const 1))"#,
    );
    let plugin = plugin::<B, Vec<u32>>(Policy::default(), &wasm, |imports| {
        imports
            .func("env", "count", |cx, ()| {
                let calls = cx.state().len() as u32;
                cx.state().push(calls);
                Ok(calls)
            })
            .unwrap();
    });
    assert_eq!(plugin.call("process", b"").unwrap().bytes, [0]);
    assert_eq!(plugin.call("process", b"").unwrap().bytes, [0]);
    assert_eq!(plugin.call_with("process", b"", vec![7; 5], None).unwrap().bytes, [5]);

    let mut session = plugin.session(vec![7]).unwrap();
    for count in 1..4 {
        assert_eq!(session.call("process", b"").unwrap().bytes, [count]);
    }
    session.state_mut().clear();
    assert_eq!(session.call("process", b"").unwrap().bytes, [0]);
    assert_eq!(session.state(), &[0]);
    assert_eq!(session.into_state(), [0]);
}

/// Passes what it reads at 1024 to the host: which function, a pointer and a length. The memory is one page.
const POINTERS: &str = r#"
    (import "env" "read" (func $read (param i32 i32) (result i32)))
    (import "env" "write" (func $write (param i32 i32) (result i32)))
    (func (export "process") (param i32 i32) (result i64)
        (i32.store (i32.const 0)
            (if (result i32) (i32.load8_u (i32.const 1024))
                (then (call $write (i32.load offset=1 (i32.const 1024)) (i32.load offset=5 (i32.const 1024))))
                (else (call $read (i32.load offset=1 (i32.const 1024)) (i32.load offset=5 (i32.const 1024))))))
        (i64.const 4))"#;

fn memory_is_read_and_written_within_its_bounds<B: Hosts>() {
    const END: u32 = 1 << 16;
    let plugin = plugin::<B, Vec<u8>>(Policy::default(), &guest(POINTERS), |imports| {
        imports
            .func("env", "read", |cx, (pointer, len): (u32, u32)| {
                let bytes = cx.read(pointer, len)?.to_vec();
                assert_eq!(bytes.len(), len as usize);
                let sum = bytes.iter().map(|byte| u32::from(*byte)).sum();
                *cx.state() = bytes;
                Ok(sum)
            })
            .unwrap()
            .func("env", "write", |cx, (pointer, len): (u32, u32)| {
                // Longer than the memory, so that no length that can be asked for is missing.
                let bytes = vec![7; (len as usize).min(2 * END as usize)];
                cx.write(pointer, &bytes)?;
                let (memory, state) = cx.memory_and_state();
                state.extend_from_slice(&memory[..4]);
                Ok(memory[pointer as usize..].iter().take(len as usize).map(|byte| u32::from(*byte)).sum())
            })
            .unwrap();
    });
    let call = |function: u8, pointer: u32, len: u32| {
        let mut input = vec![function];
        input.extend_from_slice(&pointer.to_le_bytes());
        input.extend_from_slice(&len.to_le_bytes());
        plugin.call("process", &input).map(|reply| u32::from_le_bytes(reply.bytes.try_into().unwrap()))
    };
    for (pointer, len) in
        [(0, 0), (0, 1), (0, END), (END - 1, 1), (END - 10, 10), (END, 0), (100, 0), (END / 2, END / 2)]
    {
        call(0, pointer, len).unwrap_or_else(|error| panic!("{pointer} {len}: {error}"));
        assert_eq!(call(1, pointer, len).unwrap(), 7 * len, "{pointer} {len}");
    }
    for (pointer, len) in [
        (END, 1),
        (END + 1, 0),
        (END - 1, 2),
        (0, END + 1),
        (1, END),
        (u32::MAX, 0),
        (u32::MAX, 1),
        (u32::MAX, u32::MAX),
        (0, u32::MAX),
        (1, u32::MAX),
        (16, u32::MAX - 15),
        (1 << 31, 1 << 31),
    ] {
        for function in [0, 1] {
            let error = call(function, pointer, len).unwrap_err();
            assert_eq!(verdict(&error), ("host-function", Phase::Call), "{pointer} {len}");
            let bad = error.source().unwrap().downcast_ref::<BadPointer>().unwrap();
            assert_eq!((bad.pointer, bad.memory), (pointer, u64::from(END)));
        }
    }
}

fn a_guest_without_a_memory_has_none<B: Hosts>() {
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    let mut imports = sandbox.imports::<()>();
    imports
        .func("env", "read", |cx, (pointer, len): (u32, u32)| {
            assert!(cx.memory_and_state().0.is_empty());
            Ok(cx.read(pointer, len)?.len() as u32)
        })
        .unwrap();
    let wasm = wasm(
        r#"(module
            (import "env" "read" (func $read (param i32 i32) (result i32)))
            (memory $hidden 1)
            (func (export "read") (param i32 i32) (result i32) (call $read (local.get 0) (local.get 1))))"#,
    );
    let plugin = sandbox.load_with(&wasm, &imports, &Contract::None).unwrap();
    let read = |pointer, len| plugin.call_values("read", &[Value::I32(pointer), Value::I32(len)], (), None);
    assert_eq!(read(0, 0).unwrap().0, [Value::I32(0)]);
    assert_eq!(read(0, 1).unwrap_err().code(), "host-function");
    assert_eq!(read(1, 0).unwrap_err().code(), "host-function");
}

/// Calls `charge` with the number that it reads at 1024, then goes on for ever or not, as the byte behind it says.
const CHARGED: &str = r#"
    (import "env" "charge" (func $charge (param i64)))
    (func (export "process") (param i32 i32) (result i64)
        (call $charge (i64.load (i32.const 1024)))
        (if (i32.load8_u (i32.const 1032)) (then (loop $again (br $again))))
        (i64.const 0))"#;

/// What the host does with the number.
#[derive(Clone, Copy, PartialEq)]
enum Charge {
    Amount,
    /// All that is left, less the number.
    AllBut,
    /// The number more than is left, as if it had worked.
    TooMuchSwallowed,
    /// The number more than is left, told to the guest's caller.
    TooMuch,
}

fn charged<B: Hosts>(how: Charge, change: impl FnOnce(&mut Rules)) -> Plugin<B, ()> {
    plugin::<B, ()>(policy(change), &guest(CHARGED), |imports| {
        imports
            .func("env", "charge", move |cx, (number,): (u64,)| {
                let left = cx.remaining_fuel();
                match how {
                    Charge::Amount => {
                        cx.charge(number)?;
                        assert_eq!(cx.remaining_fuel(), left.map(|left| left - number));
                    }
                    Charge::AllBut => {
                        cx.charge(left.unwrap() - number)?;
                        assert_eq!(cx.remaining_fuel(), Some(number));
                    }
                    Charge::TooMuch | Charge::TooMuchSwallowed => {
                        let outcome = cx.charge(left.unwrap().saturating_add(number));
                        assert!(outcome.is_err());
                        assert_eq!(cx.remaining_fuel(), Some(0), "what was left is taken");
                        if how == Charge::TooMuch {
                            outcome?;
                        }
                    }
                }
                Ok(())
            })
            .unwrap();
    })
}

fn charge_call<B: Hosts>(plugin: &Plugin<B, ()>, number: u64, then_loop: bool) -> Result<u64, CallError> {
    let mut input = number.to_le_bytes().to_vec();
    input.push(then_loop.into());
    plugin.call("process", &input).map(|reply| reply.report.usage.fuel_used.unwrap_or(u64::MAX))
}

fn a_charge_is_fuel<B: Hosts>() {
    let plugin = charged::<B>(Charge::Amount, |_| ());
    let free = charge_call(&plugin, 0, false).unwrap();
    for number in [1, 1_000, 100_000_000] {
        assert_eq!(charge_call(&plugin, number, false).unwrap(), free + number);
    }
    // Nothing is counted, so nothing is charged.
    let uncounted = charged::<B>(Charge::Amount, |rules| {
        (rules.limits.fuel, rules.abi) = (None, None);
        rules.metering = hotcell::policy::Metering::Engine;
    });
    assert_eq!(charge_call(&uncounted, u64::MAX, false).unwrap(), u64::MAX);
}

fn a_charge_of_all_that_is_left<B: Hosts>() {
    const FUEL: u64 = 1_000_000;
    let plugin = charged::<B>(Charge::AllBut, |rules| rules.limits.fuel = Some(FUEL));
    let used = charge_call(&plugin, 1_000, false).unwrap();
    assert!((FUEL - 1_000..FUEL).contains(&used), "{used}");
    // To the last unit: the host has what it wants, and the guest cannot go on.
    let error = charge_call(&plugin, 0, true).unwrap_err();
    assert_eq!(verdict(&error), ("out-of-fuel", Phase::Call));
    assert_eq!(error.report.usage.fuel_used, Some(FUEL));
}

fn a_charge_of_more_than_is_left<B: Hosts>() {
    const FUEL: u64 = 1_000_000;
    for how in [Charge::TooMuch, Charge::TooMuchSwallowed] {
        let plugin = charged::<B>(how, |rules| rules.limits.fuel = Some(FUEL));
        for number in [1, FUEL, u64::MAX] {
            let error = charge_call(&plugin, number, false).unwrap_err();
            assert_eq!(verdict(&error), ("out-of-fuel", Phase::Call), "{number}");
            assert_eq!(error.report.usage.fuel_used, Some(FUEL));
            assert!(error.source().is_none());
        }
    }
}

fn fuel_and_time_that_remain<B: Hosts>() {
    type Seen = Vec<(Option<u64>, Option<Duration>)>;
    let wasm = guest(
        r#"(import "env" "look" (func $look))
        (func (export "process") (param i32 i32) (result i64) (local $i i32)
            (call $look)
            (loop $next
                (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
            (call $look)
            (i64.const 0))"#,
    );
    let look = |change: fn(&mut Rules)| {
        let plugin = plugin::<B, Seen>(policy(change), &wasm, |imports| {
            imports
                .func("env", "look", |cx, ()| {
                    let seen = (cx.remaining_fuel(), cx.remaining_time());
                    cx.state().push(seen);
                    Ok(())
                })
                .unwrap();
        });
        let mut session = plugin.session(Seen::new()).unwrap();
        session.call("process", b"").unwrap();
        session.into_state()
    };
    let limited = look(|rules| {
        (rules.limits.fuel, rules.limits.deadline) = (Some(50_000), Some(Duration::from_secs(20)));
    });
    let (fuel, time): (Vec<_>, Vec<_>) = limited.into_iter().map(|(fuel, time)| (fuel.unwrap(), time.unwrap())).unzip();
    assert!(fuel[0] < 50_000 && fuel[1] + 1_000 < fuel[0], "{fuel:?}");
    assert!(time[0] < Duration::from_secs(20) && time[1] <= time[0], "{time:?}");

    for (_, time) in look(|rules| rules.limits.deadline = None) {
        assert_eq!(time, None);
    }
    for (fuel, time) in look(|rules| {
        (rules.limits.fuel, rules.abi) = (None, None);
        rules.metering = hotcell::policy::Metering::Engine;
    }) {
        assert_eq!(fuel, None);
        assert!(time.is_some());
    }
}

fn host_calls_are_limited<B: Hosts>() {
    let wasm = guest(
        r#"(import "env" "count" (func $count))
        (func (export "process") (param i32) (param $times i32) (result i64)
            (block $done
                (loop $next
                    (br_if $done (i32.eqz (local.get $times)))
                    (call $count)
                    (local.set $times (i32.sub (local.get $times) (i32.const 1)))
                    (br $next)))
            (i64.const 0))"#,
    );
    let make = |limit: Option<u64>| {
        plugin::<B, u64>(policy(|rules| rules.limits.host_calls = limit), &wasm, |imports| {
            imports
                .func("env", "count", |cx, ()| {
                    *cx.state() += 1;
                    Ok(())
                })
                .unwrap();
        })
    };
    let plugin = make(Some(10));
    let mut session = plugin.session(0).unwrap();
    for _ in 0..3 {
        // Each call has a budget of its own.
        assert_eq!(session.call("process", &[0; 10]).unwrap().report.usage.host_calls, 10);
    }
    assert_eq!(*session.state(), 30);
    let error = session.call("process", &[0; 11]).unwrap_err();
    assert_eq!(verdict(&error), ("host-call-limit", Phase::Call));
    assert!(matches!(error.fault, Fault::HostCallLimit { allowed: 10 }));
    assert_eq!(*session.state(), 40, "the one too many did not run");

    let none = make(Some(0));
    assert_eq!(none.call("process", b"").unwrap().report.usage.host_calls, 0);
    assert_eq!(none.call("process", b"1").unwrap_err().code(), "host-call-limit");
    assert_eq!(make(None).call("process", &[0; 20_000]).unwrap().report.usage.host_calls, 20_000);
}

/// An embedder's own error.
#[derive(Debug, PartialEq)]
struct Refused {
    number: u32,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {}", self.number)
    }
}

impl Error for Refused {}

const FAILING: &str = r#"
    (import "env" "fail" (func $fail (param i32)))
    (func (export "process") (param i32 i32) (result i64) (call $fail (local.get 1)) (i64.const 0))"#;

fn an_error_keeps_its_source<B: Hosts>() {
    let plugin = plugin::<B, ()>(Policy::default(), &guest(FAILING), |imports| {
        imports
            .func("env", "fail", |_, (number,): (u32,)| match number {
                0 => Err::<(), _>(HostError::message("only words")),
                1 => Err(std::io::Error::other(Refused { number }).into()),
                _ => Err(Refused { number }.into()),
            })
            .unwrap();
    });
    let error = plugin.call("process", b"12345").unwrap_err();
    assert_eq!(verdict(&error), ("host-function", Phase::Call));
    assert_eq!(error.source().unwrap().downcast_ref(), Some(&Refused { number: 5 }));
    match error.fault {
        Fault::HostFunction { source } => assert_eq!(*source.downcast::<Refused>().unwrap(), Refused { number: 5 }),
        fault => panic!("{fault}"),
    }
    let error = plugin.call("process", b"1").unwrap_err();
    let inner = error.source().unwrap().downcast_ref::<std::io::Error>().unwrap().get_ref().unwrap();
    assert_eq!(inner.downcast_ref(), Some(&Refused { number: 1 }));
    let error = plugin.call("process", b"").unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "only words");

    let mut session = plugin.session(()).unwrap();
    let process = session.func::<(u32, u32), u64>("process").unwrap();
    let fault = session.call_typed(&process, (0, 9)).unwrap_err();
    assert_eq!(fault.source().unwrap().downcast_ref(), Some(&Refused { number: 9 }));
}

fn a_panic_is_a_verdict<B: Hosts>() {
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    let mut imports = sandbox.imports::<()>();
    imports
        .func("env", "fail", |_, (number,): (u32,)| -> Result<(), HostError> {
            match number {
                0 => panic!("plain"),
                1 => panic!("formatted {number}"),
                2 => std::panic::panic_any(number),
                // The borrow of the guest's memory must not outlive it.
                _ => panic!("{}", [0, 1][number as usize]),
            }
        })
        .unwrap();
    let plugin = sandbox.load_with(&guest(FAILING), &imports, &Contract::bytes("process")).unwrap();
    for (input, said) in [(&b""[..], "plain"), (b"1", "formatted 1"), (b"12", "no message"), (b"123", "out of bounds")]
    {
        let mut session = plugin.session(()).unwrap();
        let error = session.call("process", input).unwrap_err();
        assert_eq!(verdict(&error), ("host-function-panicked", Phase::Call));
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(session.call("process", input).unwrap_err().code(), "poisoned");
    }
    // The same sandbox, the same imports, on this thread and on another.
    let works = || {
        let calm = guest(r#"(func (export "process") (param i32 i32) (result i64) (i64.const 0))"#);
        sandbox.load(&calm, "process").unwrap().call("process", b"").unwrap();
        let error = plugin.call("process", b"").unwrap_err();
        assert_eq!(error.code(), "host-function-panicked");
    };
    works();
    std::thread::scope(|scope| scope.spawn(works).join().unwrap());
    works();
}

/// `down` asks the host for one less, until there is nothing more to ask for.
const DOWN: &str = r#"
    (import "env" "again" (func $again (param i32) (result i32)))
    (func (export "process") (param i32) (param i32) (result i64)
        (i64.extend_i32_u (call $down (local.get 1))))
    (func $down (export "down") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (call $again (i32.sub (local.get 0) (i32.const 1))))
            (else (i32.const 0))))"#;

/// The state counts how deep it went. With `swallow` the host says that all is well.
fn going_down<B: Hosts>(reentry: u32, swallow: bool) -> Plugin<B, u32> {
    plugin::<B, u32>(policy(|rules| rules.limits.reentry = reentry), &guest(DOWN), |imports| {
        imports
            .func("env", "again", move |cx, (number,): (u32,)| {
                let outcome = cx.call("down", &[Value::I32(number.cast_signed())]);
                *cx.state() += 1;
                match outcome {
                    Ok(values) => match values[..] {
                        [Value::I32(depth)] => Ok(depth.cast_unsigned() + 1),
                        _ => panic!("{values:?}"),
                    },
                    Err(_) if swallow => Ok(0),
                    Err(error) => Err(error),
                }
            })
            .unwrap();
    })
}

fn reentry_is_denied_unless_allowed<B: Hosts>() {
    for swallow in [false, true] {
        let plugin = going_down::<B>(0, swallow);
        assert_eq!(plugin.call("process", b"").unwrap().bytes, b"");
        let error = plugin.call("process", b"1").unwrap_err();
        assert_eq!(verdict(&error), ("reentry-denied", Phase::Call));
        assert!(matches!(error.fault, Fault::ReentryDenied { depth: 1, allowed: 0 }), "{error}");
        assert!(error.source().is_none());
    }
}

fn reentry_is_bounded_by_its_depth<B: Hosts>() {
    for allowed in [1, 2, 5, 64] {
        for swallow in [false, true] {
            let plugin = going_down::<B>(allowed, swallow);
            let mut session = plugin.session(0).unwrap();
            // Twice: what was entered was also left.
            for _ in 0..2 {
                let values = session.call_values("down", &[Value::I32(allowed.cast_signed())]).unwrap();
                assert_eq!(values, [Value::I32(allowed.cast_signed())]);
            }
            let fault = session.call_values("down", &[Value::I32(allowed.cast_signed() + 1)]).unwrap_err();
            assert_eq!(fault.code(), "reentry-denied");
            match fault {
                Fault::ReentryDenied { depth, allowed: limit } => assert_eq!((depth, limit), (allowed + 1, allowed)),
                fault => panic!("{fault}"),
            }
            assert!(session.is_poisoned());
        }
    }
}

fn reentry_shares_the_budget<B: Hosts>() {
    let used = |depth: usize| {
        let plugin = going_down::<B>(64, false);
        let mut session = plugin.session(0).unwrap();
        session.call_values("down", &[Value::I32(depth as i32)]).unwrap();
        let usage = session.usage();
        assert_eq!(usage.host_calls, depth as u64);
        usage.fuel_used.unwrap()
    };
    let (one, eleven, twenty_one) = (used(1), used(11), used(21));
    assert!(eleven > one);
    assert_eq!(twenty_one - eleven, eleven - one, "every level costs the same");
}

/// The host calls `inner` and does not say that it failed.
const INNER: &str = r#"
    (import "env" "inner" (func $inner))
    (func $deeper (call $deeper))
    (func (export "process") (param i32 i32) (result i64) (call $inner) (i64.const 0))
    (func (export "loop") (loop $again (br $again)))
    (func (export "trap") (unreachable))
    (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func (export "recurse") (call $deeper))
    (func (export "takes") (param i32))
    (func (export "fine"))"#;

fn a_nested_fault_cannot_be_swallowed<B: Hosts>() {
    let inner = |change: fn(&mut Rules), export: &'static str, swallow: bool| {
        let policy = policy(|rules| {
            rules.limits.reentry = 2;
            change(rules);
        });
        let plugin = plugin::<B, ()>(policy, &guest(INNER), |imports| {
            imports
                .func("env", "inner", move |cx, ()| {
                    let outcome = cx.call(export, &[]);
                    if swallow { Ok(()) } else { outcome.map(drop) }
                })
                .unwrap();
        });
        plugin.call("process", b"").map(drop)
    };
    for swallow in [false, true] {
        for (change, export, code) in [
            ((|rules| rules.limits.fuel = Some(5_000_000)) as fn(&mut Rules), "loop", "out-of-fuel"),
            (
                |rules| (rules.limits.fuel, rules.limits.deadline) = (None, Some(Duration::from_millis(100))),
                "loop",
                "deadline-exceeded",
            ),
            (|_| (), "trap", "trap-unreachable"),
            (|_| (), "divide", "trap-integer-division-by-zero"),
            (|_| (), "recurse", "stack-overflow"),
            (|_| (), "nothing", "no-such-export"),
            (|_| (), "memory", "no-such-export"),
            (|_| (), "takes", "wrong-arguments"),
        ] {
            let error = inner(change, export, swallow).unwrap_err();
            assert_eq!(verdict(&error), (code, Phase::Call), "{export} {swallow}");
        }
        inner(|_| (), "fine", swallow).unwrap();
    }
}

/// A host function that fails inside a call that a host function made.
fn the_first_cause_of_several_stays<B: Hosts>() {
    let wasm = guest(
        r#"(import "env" "outer" (func $outer)) (import "env" "fail" (func $fail))
        (func (export "process") (param i32 i32) (result i64) (call $outer) (i64.const 0))
        (func (export "inner") (call $fail))"#,
    );
    for outer in ["says nothing", "passes it on", "has an error of its own", "panics"] {
        let plugin = plugin::<B, ()>(policy(|rules| rules.limits.reentry = 1), &wasm, |imports| {
            imports
                .func("env", "fail", |_, ()| Err::<(), _>(Refused { number: 1 }.into()))
                .unwrap()
                .func("env", "outer", move |cx, ()| {
                    let outcome = cx.call("inner", &[]);
                    match outer {
                        "says nothing" => Ok(()),
                        "passes it on" => outcome.map(drop),
                        "has an error of its own" => Err(Refused { number: 2 }.into()),
                        _ => panic!("later"),
                    }
                })
                .unwrap();
        });
        let error = plugin.call("process", b"").unwrap_err();
        assert_eq!(verdict(&error), ("host-function", Phase::Call), "{outer}");
        assert_eq!(error.source().unwrap().downcast_ref(), Some(&Refused { number: 1 }), "{outer}");
    }
}

/// A number as the text format and a dynamic call write it.
trait Number: Copy {
    const TYPE: &'static str;
    fn text(self) -> String;
    fn value(self) -> Value;
}

macro_rules! numbers {
    ($($rust:ty, $wasm:literal, $text:expr, $value:expr;)*) => {
        $(
            impl Number for $rust {
                const TYPE: &'static str = $wasm;
                fn text(self) -> String {
                    let text: fn($rust) -> String = $text;
                    text(self)
                }
                fn value(self) -> Value {
                    let value: fn($rust) -> Value = $value;
                    value(self)
                }
            }
        )*
    };
}
numbers! {
    i32, "i32", |n| format!("(i32.const {n})"), Value::I32;
    u32, "i32", |n| format!("(i32.const {n})"), |n| Value::I32(n.cast_signed());
    i64, "i64", |n| format!("(i64.const {n})"), Value::I64;
    u64, "i64", |n| format!("(i64.const {n})"), |n| Value::I64(n.cast_signed());
    f32, "f32", |n| format!("(f32.reinterpret_i32 (i32.const {}))", n.to_bits()), |n| Value::F32(n.to_bits());
    f64, "f64", |n| format!("(f64.reinterpret_i64 (i64.const {}))", n.to_bits()), |n| Value::F64(n.to_bits());
}

/// A host function of this type gets these arguments from the guest, and the guest gets these results from it.
macro_rules! signature {
    ($backend:ty: $sandbox:ident, ($($param:ty = $argument:expr),*) -> $returns:ty = $result:expr, [$($value:ty = $expected:expr),*]) => {{
        let mut imports = $sandbox.imports::<()>();
        imports
            .func("env", "f", |_, given: ($($param,)*)| {
                assert_eq!(given, ($($argument,)*));
                Ok::<$returns, _>($result)
            })
            .unwrap();
        let params: &[&str] = &[$(<$param as Number>::TYPE),*];
        let arguments: &[String] = &[$(<$param as Number>::text($argument)),*];
        let results: &[&str] = &[$(<$value as Number>::TYPE),*];
        let expected: &[Value] = &[$(<$value as Number>::value($expected)),*];
        let text = format!(
            r#"(module (import "env" "f" (func $f (param {}) (result {})))
                (func (export "run") (result {}) (call $f {})))"#,
            params.join(" "), results.join(" "), results.join(" "), arguments.join(" "),
        );
        let plugin = $sandbox.load_with(&wasm(&text), &imports, &Contract::None).unwrap();
        let (values, report) = plugin.call_values("run", &[], (), None).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(values, expected, "{text}");
        assert_eq!(report.usage.host_calls, 1);
    }};
}

fn every_arity_and_type<B>()
where
    B: Backend
        + HostFn<(), ()>
        + HostFn<(), u64>
        + HostFn<(i32,), i32>
        + HostFn<(u32,), u32>
        + HostFn<(i64,), i64>
        + HostFn<(u64,), (u64,)>
        + HostFn<(f32,), f32>
        + HostFn<(f64,), f64>
        + HostFn<(i32, f64), (i32, f64)>
        + HostFn<(u32, i64, f32), (f32, u32)>
        + HostFn<(u64, u64, u64, u64), (u64, i64)>
        + HostFn<(f64, f32, i32, u32, i64), (u32, f32, u64)>
        + HostFn<(i32, i64, i32, i64, i32, i64), (f64, f64, f64)>
        + HostFn<(f32, f32, f32, f32, f32, f32, f32), ()>
        + HostFn<(i32, u32, i64, u64, f32, f64, i32, u64), (i32, i64, f32)>,
{
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    signature!(B: sandbox, () -> () = (), []);
    signature!(B: sandbox, () -> u64 = u64::MAX, [u64 = u64::MAX]);
    signature!(B: sandbox, (i32 = i32::MIN) -> i32 = -1, [i32 = -1]);
    signature!(B: sandbox, (u32 = u32::MAX) -> u32 = 1 << 31, [u32 = 1 << 31]);
    signature!(B: sandbox, (i64 = i64::MIN) -> i64 = i64::MAX, [i64 = i64::MAX]);
    signature!(B: sandbox, (u64 = u64::MAX) -> (u64,) = (1 << 63,), [u64 = 1 << 63]);
    signature!(B: sandbox, (f32 = f32::MIN_POSITIVE) -> f32 = -0.0, [f32 = -0.0]);
    signature!(B: sandbox, (f64 = f64::NEG_INFINITY) -> f64 = f64::MAX, [f64 = f64::MAX]);
    signature!(B: sandbox, (i32 = 7, f64 = 0.5) -> (i32, f64) = (-7, -0.5), [i32 = -7, f64 = -0.5]);
    signature!(B: sandbox, (u32 = 1, i64 = -2, f32 = 3.5) -> (f32, u32) = (1.5, 2), [f32 = 1.5, u32 = 2]);
    signature!(B: sandbox, (u64 = 1, u64 = 2, u64 = 3, u64 = 4) -> (u64, i64) = (5, -6), [u64 = 5, i64 = -6]);
    signature!(B: sandbox, (f64 = 1.0, f32 = 2.0, i32 = -3, u32 = 4, i64 = -5)
        -> (u32, f32, u64) = (6, 7.0, 8), [u32 = 6, f32 = 7.0, u64 = 8]);
    signature!(B: sandbox, (i32 = -1, i64 = -2, i32 = -3, i64 = -4, i32 = -5, i64 = -6)
        -> (f64, f64, f64) = (7.5, 8.5, 9.5), [f64 = 7.5, f64 = 8.5, f64 = 9.5]);
    signature!(B: sandbox, (f32 = 1.0, f32 = 2.0, f32 = 3.0, f32 = 4.0, f32 = 5.0, f32 = 6.0, f32 = 7.0) -> () = (), []);
    signature!(B: sandbox, (i32 = -1, u32 = u32::MAX, i64 = -3, u64 = u64::MAX, f32 = 5.5, f64 = -6.5, i32 = 7, u64 = 8)
        -> (i32, i64, f32) = (-9, -10, 11.5), [i32 = -9, i64 = -10, f32 = 11.5]);
}

fn names_are_offered_once<B: Hosts>() {
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    let mut imports = sandbox.imports::<()>();
    imports
        .func("env", "f", |_, ()| Ok(()))
        .unwrap()
        .func("env", "g", |_, ()| Ok(()))
        .unwrap()
        .func("other", "f", |_, ()| Ok(1))
        .unwrap();
    let error = imports.func("env", "f", |_, ()| Ok(())).err().unwrap();
    assert_eq!((error.module.as_str(), error.name.as_str()), ("env", "f"));
    // Under another type too; and the first one stays.
    assert!(imports.func("env", "f", |_, (_,): (u32,)| Ok(())).is_err());
    let wasm = wasm(
        r#"(module (import "env" "f" (func $f)) (import "other" "f" (func $other (result i32)))
            (func (export "run") (result i32) (call $f) (call $other)))"#,
    );
    let plugin = sandbox.load_with(&wasm, &imports, &Contract::None).unwrap();
    assert_eq!(plugin.call_values("run", &[], (), None).unwrap().0, [Value::I32(1)]);
}

fn imports_must_match<B: Hosts>() {
    let sandbox = Sandbox::<B>::on(Policy::default()).unwrap();
    let mut imports = sandbox.imports::<()>();
    imports.func("env", "f", |_, (_, _): (u32, u32)| Ok(0)).unwrap();
    let load = |import: &str| {
        let text = format!("(module (import {import}))");
        sandbox.load_with(&wasm(&text), &imports, &Contract::None).err().map(|error| match error {
            hotcell::LoadError::Rejected(rejection) => rejection,
            error => panic!("{error}"),
        })
    };
    assert_eq!(load(r#""env" "f" (func (param i32 i32) (result i32))"#), None);
    for ty in [
        "(param i32 i32)",
        "(param i32) (result i32)",
        "(param i32 i64) (result i32)",
        "",
        "(param i32 i32) (result i64)",
    ] {
        let rejection = load(&format!(r#""env" "f" (func {ty})"#)).unwrap();
        assert_eq!(rejection.code(), "import-mismatch", "{ty}");
        match rejection.reason {
            Reason::ImportMismatch { offered, .. } => assert_eq!(offered, "function (i32, i32) -> i32"),
            reason => panic!("{reason}"),
        }
    }
    for import in [
        r#""env" "g" (func)"#,
        r#""other" "f" (func (param i32 i32) (result i32))"#,
        r#""env" "f" (memory 1)"#,
        r#""env" "f" (global i32)"#,
        r#""env" "f" (table 1 funcref)"#,
    ] {
        assert_eq!(load(import).unwrap().code(), "import-denied", "{import}");
    }
}
