//! What a host function sees and may do, and what its failures come to.

use std::{error::Error, fmt, panic::resume_unwind, thread, time::Duration};

use hotcell_core::{
    CallError, Contract, Enforcement, Fault, Field, HostError, LoadError, Phase, Plugin, Proposal, Rules, ValType,
    Value, admit::FuncType, backend::BadPointer, policy::Metering, value::MOST_VALUES, verdict::Reason,
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Joined, Present, ensure, ensure_eq},
    fixture::{Fixture, guest, hosted_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "host.state",
            "The state that a host function sees lives as long as its instance, and comes back at the end.",
            state::<B>,
        ),
        Check::mandatory(
            "host.memory",
            "A host function reads and writes the memory within its bounds; any other pointer is refused with a \
             type.",
            memory::<B>,
        ),
        Check::mandatory("host.no_memory", "A guest that exports no memory has none for the host.", no_memory::<B>),
        Check::mandatory("host.charge", "What a host function charges is fuel of the guest.", charge::<B>),
        Check::mandatory(
            "host.charge_all",
            "A host function may charge to the last unit; the guest then cannot go on.",
            charge_all::<B>,
        ),
        Check::mandatory(
            "host.charge_more",
            "A charge of more than is left takes what is left and ends the call, whatever the host function returns.",
            charge_more::<B>,
        ),
        Check::mandatory("host.remaining", "A host function sees the fuel and the time that remain.", remaining::<B>),
        Check::optional(
            Field::EngineMetering,
            "host.uncounted",
            "Where nothing is counted, nothing is charged and nothing remains to be seen.",
            uncounted::<B>,
        ),
        Check::mandatory(
            "host.calls",
            "As many host calls as the policy allows are made, by each operation; the one too many does not run.",
            calls::<B>,
        ),
        Check::mandatory(
            "host.error",
            "The error of a host function ends the call and stays as its source, in its own type.",
            error_source::<B>,
        ),
        Check::mandatory(
            "host.panic",
            "The panic of a host function is a verdict, and leaves engine, sandbox and imports usable on every \
             thread.",
            panic::<B>,
        ),
        Check::mandatory(
            "host.values",
            "A host function whose type is known only at run time gets arguments of every type bit for bit, and the guest \
             its results; a result of another type ends the call.",
            values::<B>,
        ),
        Check::mandatory("host.names", "A name is offered once; the first function stays.", names::<B>),
        Check::mandatory(
            "host.imports",
            "An import is linked by exact name and type, and only functions are offered.",
            imports::<B>,
        ),
    ]
}

fn verdict(error: &CallError) -> (&'static str, Phase) {
    (error.code(), error.phase)
}

fn state<B: BackendUnderTest>() -> Outcome {
    let wasm = guest(
        r#"(import "env" "count" (func $count (result i32)))
        (func (export "process") (param i32 i32) (result i64) (i32.store8 (i32.const 0) (call $count)) (i64.const 1))"#,
    );
    let plugin = hosted_plugin::<B, Vec<u32>>(policy(|_| ()), &wasm, |imports| {
        imports.func("env", "count", |cx, ()| {
            let calls = cx.state().len() as u32;
            cx.state().push(calls);
            Ok(calls)
        })?;
        Ok(())
    })?;
    ensure_eq!(plugin.call("process", b"")?.bytes, [0]);
    ensure_eq!(plugin.call("process", b"")?.bytes, [0]);
    ensure_eq!(plugin.call_with("process", b"", vec![7; 5], None)?.bytes, [5]);

    let mut session = plugin.session(vec![7])?;
    for count in 1..4 {
        ensure_eq!(session.call("process", b"")?.bytes, [count]);
    }
    session.state_mut().clear();
    ensure_eq!(session.call("process", b"")?.bytes, [0]);
    ensure_eq!(session.state(), &[0]);
    ensure_eq!(session.into_state(), [0]);
    Ok(())
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

fn memory<B: BackendUnderTest>() -> Outcome {
    const END: u32 = 1 << 16;
    let plugin = hosted_plugin::<B, Vec<u8>>(policy(|_| ()), &guest(POINTERS), |imports| {
        imports
            .func("env", "read", |cx, (pointer, len): (u32, u32)| {
                let bytes = cx.read(pointer, len)?.to_vec();
                ensure_eq!(bytes.len(), len as usize);
                let sum = bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
                *cx.state() = bytes;
                Ok(sum)
            })?
            .func("env", "write", |cx, (pointer, len): (u32, u32)| {
                // Longer than the memory, so that no length that can be asked for is missing.
                let bytes = vec![7; (len as usize).min(2 * END as usize)];
                cx.write(pointer, &bytes)?;
                let (memory, state) = cx.memory_and_state();
                state.extend_from_slice(&memory[..4]);
                Ok(memory[pointer as usize..].iter().take(len as usize).map(|byte| u32::from(*byte)).sum::<u32>())
            })?;
        Ok(())
    })?;
    let call = |function: u8, pointer: u32, len: u32| {
        let mut input = vec![function];
        input.extend_from_slice(&pointer.to_le_bytes());
        input.extend_from_slice(&len.to_le_bytes());
        plugin.call("process", &input).map(|reply| reply.bytes)
    };
    for (pointer, len) in
        [(0, 0), (0, 1), (0, END), (END - 1, 1), (END - 10, 10), (END, 0), (100, 0), (END / 2, END / 2)]
    {
        call(0, pointer, len)?;
        ensure_eq!(call(1, pointer, len)?, (7 * len).to_le_bytes(), "{pointer} {len}");
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
            let error = call(function, pointer, len).denied()?;
            ensure_eq!(verdict(&error), ("host-function", Phase::Call), "{pointer} {len}");
            let bad = error.source().present()?.downcast_ref::<BadPointer>().present()?;
            ensure_eq!((bad.pointer, bad.memory), (pointer, Some(u64::from(END))));
        }
    }
    Ok(())
}

fn no_memory<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "read", |cx, (pointer, len): (u32, u32)| {
        ensure!(cx.memory_and_state().0.is_empty());
        Ok(cx.read(pointer, len)?.len() as u32)
    })?;
    let wasm = wasm(
        r#"(module
            (import "env" "read" (func $read (param i32 i32) (result i32)))
            (memory $hidden 1)
            (func (export "read") (param i32 i32) (result i32) (call $read (local.get 0) (local.get 1))))"#,
    );
    let plugin = fixture.load_with(&wasm, &imports, &Contract::None)?;
    let read = |pointer, len| plugin.call_values("read", &[Value::I32(pointer), Value::I32(len)], (), None);
    ensure_eq!(read(0, 0).denied()?.code(), "host-function");
    ensure_eq!(read(0, 1).denied()?.code(), "host-function");
    ensure_eq!(read(1, 0).denied()?.code(), "host-function");
    Ok(())
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

fn charged<B: BackendUnderTest>(how: Charge, change: impl FnOnce(&mut Rules)) -> Result<Plugin<B>, Failure> {
    hosted_plugin::<B, ()>(policy(change), &guest(CHARGED), |imports| {
        imports.func("env", "charge", move |cx, (number,): (u64,)| {
            let left = cx.remaining_fuel();
            match how {
                Charge::Amount => {
                    cx.charge(number)?;
                    ensure_eq!(cx.remaining_fuel(), left.map(|left| left - number));
                }
                Charge::AllBut => {
                    cx.charge(left.present()? - number)?;
                    ensure_eq!(cx.remaining_fuel(), Some(number));
                }
                Charge::TooMuch | Charge::TooMuchSwallowed => {
                    let outcome = cx.charge(left.present()?.saturating_add(number));
                    ensure!(outcome.is_err());
                    ensure_eq!(cx.remaining_fuel(), Some(0), "what was left is taken");
                    if how == Charge::TooMuch {
                        outcome?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    })
}

fn charge_call<B: BackendUnderTest>(plugin: &Plugin<B, ()>, number: u64, then_loop: bool) -> Result<u64, CallError> {
    let mut input = number.to_le_bytes().to_vec();
    input.push(then_loop.into());
    plugin.call("process", &input).map(|reply| reply.report.usage.fuel_used.unwrap_or(u64::MAX))
}

fn charge<B: BackendUnderTest>() -> Outcome {
    let plugin = charged::<B>(Charge::Amount, |_| ())?;
    let free = charge_call(&plugin, 0, false)?;
    for number in [1, 1_000, 100_000_000] {
        ensure_eq!(charge_call(&plugin, number, false)?, free + number);
    }
    Ok(())
}

fn uncounted<B: BackendUnderTest>() -> Outcome {
    let uncounted = charged::<B>(Charge::Amount, |rules| {
        (rules.limits.fuel, rules.abi) = (None, None);
        rules.metering = Metering::Engine;
    })?;
    ensure_eq!(charge_call(&uncounted, u64::MAX, false)?, u64::MAX);
    Ok(())
}

fn charge_all<B: BackendUnderTest>() -> Outcome {
    const FUEL: u64 = 1_000_000;
    let plugin = charged::<B>(Charge::AllBut, |rules| rules.limits.fuel = Some(FUEL))?;
    let used = charge_call(&plugin, 1_000, false)?;
    ensure!((FUEL - 1_000..FUEL).contains(&used), "{used}");
    // To the last unit: the host has what it wants, and the guest cannot go on.
    let error = charge_call(&plugin, 0, true).denied()?;
    ensure_eq!(verdict(&error), ("out-of-fuel", Phase::Call));
    ensure_eq!(error.report.usage.fuel_used, Some(FUEL));
    Ok(())
}

fn charge_more<B: BackendUnderTest>() -> Outcome {
    const FUEL: u64 = 1_000_000;
    for how in [Charge::TooMuch, Charge::TooMuchSwallowed] {
        let plugin = charged::<B>(how, |rules| rules.limits.fuel = Some(FUEL))?;
        for number in [1, FUEL, u64::MAX] {
            let error = charge_call(&plugin, number, false).denied()?;
            ensure_eq!(verdict(&error), ("out-of-fuel", Phase::Call), "{number}");
            ensure_eq!(error.report.usage.fuel_used, Some(FUEL));
            ensure!(error.source().is_none());
        }
    }
    Ok(())
}

fn remaining<B: BackendUnderTest>() -> Outcome {
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
    let look = |change: fn(&mut Rules)| -> Result<_, Failure> {
        let plugin = hosted_plugin::<B, Seen>(policy(change), &wasm, |imports| {
            imports.func("env", "look", |cx, ()| {
                let seen = (cx.remaining_fuel(), cx.remaining_time());
                cx.state().push(seen);
                Ok(())
            })?;
            Ok(())
        })?;
        let mut session = plugin.session(Seen::new())?;
        session.call("process", b"")?;
        Ok(session.into_state())
    };
    let limited = look(|rules| {
        (rules.limits.fuel, rules.limits.deadline) = (Some(50_000), Some(Duration::from_secs(20)));
    })?;
    let [(Some(fuel), Some(time)), (Some(less_fuel), Some(less_time))] = limited[..] else {
        return Err(Failure::new(format!("found {limited:?}, expected fuel and time, twice")));
    };
    ensure!(fuel < 50_000 && less_fuel + 1_000 < fuel, "{limited:?}");
    ensure!(time < Duration::from_secs(20) && less_time <= time, "{limited:?}");

    for (_, time) in look(|rules| rules.limits.deadline = None)? {
        ensure_eq!(time, None);
    }
    Ok(())
}

fn calls<B: BackendUnderTest>() -> Outcome {
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
        hosted_plugin::<B, u64>(policy(|rules| rules.limits.host_calls = limit), &wasm, |imports| {
            imports.func("env", "count", |cx, ()| {
                *cx.state() += 1;
                Ok(())
            })?;
            Ok(())
        })
    };
    let plugin = make(Some(10))?;
    let mut session = plugin.session(0)?;
    for _ in 0..3 {
        // Each call has a budget of its own.
        ensure_eq!(session.call("process", &[0; 10])?.report.usage.host_calls, 10);
    }
    ensure_eq!(*session.state(), 30);
    let error = session.call("process", &[0; 11]).denied()?;
    ensure_eq!(verdict(&error), ("host-call-limit", Phase::Call));
    ensure!(matches!(error.fault, Fault::HostCallLimit { allowed: 10 }));
    ensure_eq!(*session.state(), 40, "the one too many did not run");

    let none = make(Some(0))?;
    ensure_eq!(none.call("process", b"")?.report.usage.host_calls, 0);
    ensure_eq!(none.call("process", b"1").denied()?.code(), "host-call-limit");
    ensure_eq!(make(None)?.call("process", &[0; 20_000])?.report.usage.host_calls, 20_000);
    Ok(())
}

/// An embedder's own error.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub(super) number: u32,
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

fn error_source<B: BackendUnderTest>() -> Outcome {
    let plugin = hosted_plugin::<B, ()>(policy(|_| ()), &guest(FAILING), |imports| {
        imports.func("env", "fail", |_, (number,): (u32,)| match number {
            0 => Err::<(), _>(HostError::message("only words")),
            1 => Err(std::io::Error::other(Refused { number }).into()),
            _ => Err(Refused { number }.into()),
        })?;
        Ok(())
    })?;
    let error = plugin.call("process", b"12345").denied()?;
    ensure_eq!(verdict(&error), ("host-function", Phase::Call));
    ensure_eq!(error.source().present()?.downcast_ref(), Some(&Refused { number: 5 }));
    match error.fault {
        Fault::HostFunction { source, .. } => ensure_eq!(source.downcast_ref(), Some(&Refused { number: 5 })),
        fault => return Err(fault.into()),
    }
    let error = plugin.call("process", b"1").denied()?;
    let inner =
        error.source().present()?.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref).present()?;
    ensure_eq!(inner.downcast_ref(), Some(&Refused { number: 1 }));
    let error = plugin.call("process", b"").denied()?;
    ensure_eq!(error.source().present()?.to_string(), "only words");

    let mut session = plugin.session(())?;
    let process = session.func::<(u32, u32), u64>("process")?;
    let fault = session.call_typed(&process, (0, 9)).denied()?;
    ensure_eq!(fault.source().present()?.downcast_ref(), Some(&Refused { number: 9 }));
    Ok(())
}

fn panic<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "fail", |_, (number,): (u32,)| -> Result<(), HostError> {
        match number {
            0 => resume_unwind(Box::new("plain")),
            1 => resume_unwind(Box::new(format!("formatted {number}"))),
            _ => resume_unwind(Box::new(number)),
        }
    })?;
    let plugin = fixture.load_with(&guest(FAILING), &imports, &Contract::bytes("process"))?;
    for (input, said) in [(&b""[..], "plain"), (b"1", "formatted 1"), (b"12", "no message")] {
        let mut session = plugin.session(())?;
        let error = session.call("process", input).denied()?;
        ensure_eq!(verdict(&error), ("host-function-panicked", Phase::Call));
        ensure!(error.to_string().contains(said), "{error}");
        ensure_eq!(session.call("process", input).denied()?.code(), "poisoned");
    }
    // The same fixture, the same imports, on this thread and on another.
    let works = || -> Outcome {
        let calm = guest(r#"(func (export "process") (param i32 i32) (result i64) (i64.const 0))"#);
        fixture.load(&calm)?.call("process", b"")?;
        let error = plugin.call("process", b"").denied()?;
        ensure_eq!(error.code(), "host-function-panicked");
        Ok(())
    };
    works()?;
    thread::scope(|scope| scope.spawn(works).joined())??;
    works()
}

/// The types that the backend takes.
fn types<B: BackendUnderTest>() -> Vec<ValType> {
    let takes = |proposal| !matches!(B::enforcement(Field::Proposal(proposal)), Enforcement::Unsupported { .. });
    let mut types = vec![ValType::I32, ValType::I64, ValType::F32, ValType::F64];
    types.extend(takes(Proposal::Simd).then_some(ValType::V128));
    types.extend(takes(Proposal::ReferenceTypes).then_some(ValType::FuncRef));
    types
}

/// A value that no other number gives, with bits in both halves. Floats are signalling NaNs.
fn value(ty: ValType, number: u8) -> Value {
    match ty {
        ValType::I32 => Value::I32(i32::MIN | i32::from(number)),
        ValType::I64 => Value::I64(i64::MIN | i64::from(number)),
        ValType::F32 => Value::F32(0x7fa0_0000 | u32::from(number)),
        ValType::F64 => Value::F64(0xfff4_0000_0000_0000 | u64::from(number)),
        ValType::V128 => Value::V128(0xf0 << 120 | 0x7ff4 << 48 | u128::from(number)),
        ValType::FuncRef | ValType::OtherRef => Value::NullFuncRef,
    }
}

/// What a guest gets that calls a host function with `given`, which must get them. Its results are to be of the types
/// `results`, and are `returned`.
fn passed<B: BackendUnderTest>(
    fixture: &Fixture<B>,
    given: &[Value],
    results: &[ValType],
    returned: &[Value],
) -> Result<Result<Vec<Value>, CallError>, Failure> {
    let params: Vec<_> = given.iter().map(|value| value.ty()).collect();
    let names = |types: &[ValType]| types.iter().map(|ty| ty.name()).collect::<Vec<_>>().join(" ");
    let ty = format!("(param {}) (result {})", names(&params), names(results));
    let arguments: String = (0..given.len()).map(|index| format!("(local.get {index})")).collect();
    let text =
        format!(r#"(module (import "env" "f" (func $f {ty})) (func (export "run") {ty} (call $f {arguments})))"#);
    let (expected, returned) = (given.to_vec(), returned.to_vec());
    let zeros: Vec<_> = results.iter().map(|ty| Value::zero(*ty)).collect();
    let mut imports = fixture.imports::<()>();
    imports.func_values("env", "f", FuncType { params, results: results.to_vec() }, move |_, params, results| {
        ensure_eq!(params, expected);
        ensure_eq!(results, zeros);
        results.copy_from_slice(&returned);
        Ok(())
    })?;
    let plugin = fixture.load_with(&wasm(&text), &imports, &Contract::None)?;
    Ok(plugin.call_values("run", given, (), None).map(|(values, _)| values))
}

fn values<B: BackendUnderTest>() -> Outcome {
    let types = types::<B>();
    let fixture = Fixture::<B>::on(policy(|rules| {
        for (ty, proposal) in [(ValType::V128, Proposal::Simd), (ValType::FuncRef, Proposal::ReferenceTypes)] {
            if types.contains(&ty) {
                rules.proposals.allow(proposal);
            }
        }
    }))?;
    let given: Vec<_> = (1..).zip(types.iter().cycle()).take(MOST_VALUES).map(|(n, ty)| value(*ty, n)).collect();
    // As many results as a function may have.
    for results in types.windows(3).chain(types.chunks(1)) {
        let returned: Vec<_> = (100..).zip(results).map(|(number, ty)| value(*ty, number)).collect();
        for given in [&given[..], &given[..types.len()], &[]] {
            ensure_eq!(passed(&fixture, given, results, &returned)??, returned, "{given:?}");
        }
    }
    ensure_eq!(passed(&fixture, &given, &[], &[])??, []);
    for (ty, other) in types.iter().zip(types.iter().cycle().skip(1)) {
        let error = passed(&fixture, &[], &[*ty], &[value(*other, 1)])?.denied()?;
        ensure_eq!(verdict(&error), ("host-function", Phase::Call), "{other} for {ty}");
    }
    if types.contains(&ValType::FuncRef) {
        references(&fixture)?;
    }
    Ok(())
}

/// A function is told from null, and none comes back.
fn references<B: BackendUnderTest>(fixture: &Fixture<B>) -> Outcome {
    let wasm = wasm(
        r#"(module
            (import "env" "f" (func $f (param funcref i32 funcref) (result funcref)))
            (func $run (export "run") (result i32)
                (ref.is_null (call $f (ref.func $run) (i32.const 7) (ref.null func)))))"#,
    );
    let ty =
        FuncType { params: vec![ValType::FuncRef, ValType::I32, ValType::FuncRef], results: vec![ValType::FuncRef] };
    for returned in [Value::NullFuncRef, Value::FuncRef] {
        let mut imports = fixture.imports::<()>();
        imports.func_values("env", "f", ty.clone(), move |_, params, results| {
            ensure_eq!(params, [Value::FuncRef, Value::I32(7), Value::NullFuncRef]);
            results.copy_from_slice(&[returned]);
            Ok(())
        })?;
        let plugin = fixture.load_with(&wasm, &imports, &Contract::None)?;
        ensure_eq!(plugin.call_values("run", &[], (), None)?.0, [Value::I32(1)], "{returned}");
    }
    Ok(())
}

fn names<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "f", |_, ()| Ok(()))?.func("env", "g", |_, ()| Ok(()))?.func("other", "f", |_, ()| Ok(1))?;
    let error = imports.func("env", "f", |_, ()| Ok(())).denied()?;
    ensure_eq!((error.module.as_str(), error.name.as_str()), ("env", "f"));
    // Under another type too; and the first one stays.
    ensure!(imports.func("env", "f", |_, (_,): (u32,)| Ok(())).is_err());
    let wasm = wasm(
        r#"(module (import "env" "f" (func $f)) (import "other" "f" (func $other (result i32)))
            (func (export "run") (result i32) (call $f) (call $other)))"#,
    );
    let plugin = fixture.load_with(&wasm, &imports, &Contract::None)?;
    ensure_eq!(plugin.call_values("run", &[], (), None)?.0, [Value::I32(1)]);
    Ok(())
}

fn imports<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let mut imports = fixture.imports::<()>();
    imports.func("env", "f", |_, (_, _): (u32, u32)| Ok(0))?;
    let load = |import: &str| -> Result<_, Failure> {
        let text = format!("(module (import {import}))");
        match fixture.load_with(&wasm(&text), &imports, &Contract::None) {
            Ok(_) => Ok(None),
            Err(LoadError::Rejected(rejection)) => Ok(Some(rejection)),
            Err(error) => Err(error.into()),
        }
    };
    ensure_eq!(load(r#""env" "f" (func (param i32 i32) (result i32))"#)?, None);
    for ty in [
        "(param i32 i32)",
        "(param i32) (result i32)",
        "(param i32 i64) (result i32)",
        "",
        "(param i32 i32) (result i64)",
    ] {
        let rejection = load(&format!(r#""env" "f" (func {ty})"#))?.present()?;
        ensure_eq!(rejection.code(), "import-mismatch", "{ty}");
        match rejection.reason {
            Reason::ImportMismatch { offered, .. } => ensure_eq!(offered, "function (i32, i32) -> i32"),
            reason => return Err(Failure::new(reason.to_string())),
        }
    }
    for import in [
        r#""env" "g" (func)"#,
        r#""other" "f" (func (param i32 i32) (result i32))"#,
        r#""env" "f" (memory 1)"#,
        r#""env" "f" (global i32)"#,
        r#""env" "f" (table 1 funcref)"#,
    ] {
        ensure_eq!(load(import)?.present()?.code(), "import-denied", "{import}");
    }
    Ok(())
}
