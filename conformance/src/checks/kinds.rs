//! Commands and reactors: what is run before anything else, and a program's streams and exit code.

use hotcell_core::{
    CallError, Contract, HostError, LoadError, Output, Phase, Plugin, Rules, ValType, Value,
    admit::{COMMAND, FuncType, ModuleKind},
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, ensure, ensure_eq},
    fixture::{Fixture, byte_plugin, guest, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "command.streams",
            "A command reads its input and writes its reply by host functions; what else it writes is in the report.",
            streams::<B>,
        ),
        Check::mandatory(
            "command.exit",
            "A command that exits with 0 has replied; with any other code, or in another call, that is the verdict.",
            exit::<B>,
        ),
        Check::mandatory(
            "command.limits",
            "A reply or an input larger than the policy allows is refused, and errors beyond 64 KiB are counted only.",
            limits::<B>,
        ),
        Check::mandatory("command.once", "A command runs once in its instance, well or not.", once::<B>),
        Check::mandatory(
            "reactor.once",
            "A reactor is initialized once per instance, before the version question, under the budget of the operation.",
            initialized::<B>,
        ),
        Check::mandatory(
            "reactor.fails",
            "A reactor that cannot be initialized fails instantiation, with its own verdict.",
            not_initialized::<B>,
        ),
        Check::mandatory("reactor.type", "What must run first has its type, and is the module's own.", types::<B>),
    ]
}

/// A program with these bodies, over host functions that read, write and exit.
fn command<B: BackendUnderTest>(start: &str, change: impl FnOnce(&mut Rules)) -> Result<Plugin<B>, Failure> {
    let wasm = wasm(&format!(
        r#"(module
            (import "io" "read" (func $read (param i32 i32) (result i32)))
            (import "io" "write" (func $write (param i32 i32 i32)))
            (import "io" "exit" (func $exit (param i32)))
            (memory (export "memory") 4)
            (func (export "_start") {start})
            (func (export "again") {start}))"#
    ));
    let fixture = Fixture::<B>::on(policy(change))?;
    let mut imports = fixture.imports::<()>();
    let ty = |params: usize, results: usize| FuncType {
        params: vec![ValType::I32; params],
        results: vec![ValType::I32; results],
    };
    let number = |value: &Value| match value {
        Value::I32(number) => number.cast_unsigned(),
        _ => unreachable!("the type says so"),
    };
    imports.repeatable_func_values("io", "read", ty(2, 1), move |cx, params, results| {
        let (memory, _, streams) = cx.parts::<()>();
        let (at, len) = (number(&params[0]) as usize, number(&params[1]) as usize);
        results[0] = Value::I32(streams.read(&mut memory[at..at + len]) as i32);
        Ok(())
    })?;
    imports.repeatable_func_values("io", "write", ty(3, 0), move |cx, params, _| {
        let (memory, writes, streams) = cx.parts::<u32>();
        *writes += 1;
        let (at, len) = (number(&params[1]) as usize, number(&params[2]) as usize);
        match number(&params[0]) {
            1 => streams.write_out(&memory[at..at + len]),
            _ => streams.write_err(&memory[at..at + len]),
        }
        Ok(())
    })?;
    imports.repeatable_func_values("io", "exit", ty(1, 0), move |cx, params, _| {
        // What was kept for this instance, and no other.
        let writes = *cx.extension::<u32>();
        if writes > 2 {
            Err(HostError::message("an extension is shared"))
        } else {
            Err(HostError::exit(number(&params[0])))
        }
    })?;
    Ok(fixture.load_with(&wasm, &imports, &Contract::Command)?)
}

/// Copies its input in pieces of three bytes, and says so.
const CAT: &str = "
    (local $len i32)
    (loop $next
        (local.set $len (call $read (i32.const 16) (i32.const 3)))
        (if (local.get $len)
            (then (call $write (i32.const 1) (i32.const 16) (local.get $len)) (br $next))))
    (i32.store8 (i32.const 0) (i32.const 33))
    (call $write (i32.const 2) (i32.const 0) (i32.const 1))";

fn verdict(error: &CallError) -> (&'static str, Phase) {
    (error.code(), error.phase)
}

fn streams<B: BackendUnderTest>() -> Outcome {
    let plugin = command::<B>(CAT, |_| ())?;
    ensure_eq!(plugin.summary().kind(), ModuleKind::Command);
    for input in [&b""[..], b"abc", b"0123456789"] {
        let reply = plugin.call(COMMAND, input)?;
        ensure_eq!(reply.bytes, input);
        ensure_eq!(reply.report.output, Output { stderr: b"!".to_vec(), ..Output::default() });
    }
    // A call that is no run has no reply, and its output comes with the report.
    let (_, report) = plugin.call_values("again", &[], (), None)?;
    ensure_eq!((report.output.stdout.len(), report.output.stderr), (0, b"!".to_vec()));
    let mut session = plugin.session(())?;
    session.call_values("again", &[])?;
    ensure_eq!(session.take_output().stderr, b"!");
    ensure_eq!(session.take_output(), Output::default());
    // What was written before a failure is not lost.
    let failing = command::<B>(&format!("{CAT} (unreachable)"), |_| ())?;
    let error = failing.call(COMMAND, b"xyz").denied()?;
    ensure_eq!(verdict(&error), ("trap-unreachable", Phase::Call));
    ensure_eq!((&*error.report.output.stdout, &*error.report.output.stderr), (&b"xyz"[..], &b"!"[..]));
    Ok(())
}

fn exit<B: BackendUnderTest>() -> Outcome {
    let exits = |code: &str| {
        let after = "(i32.store8 (i32.const 0) (i32.const 7)) (call $write (i32.const 1) (i32.const 0) (i32.const 1))";
        command::<B>(
            &format!("(call $write (i32.const 1) (i32.const 0) (i32.const 1)) (call $exit {code}) {after}"),
            |_| (),
        )
    };
    let well = exits("(i32.const 0)")?;
    for _ in 0..2 {
        ensure_eq!(well.call(COMMAND, b"")?.bytes, [0]);
    }
    ensure_eq!(well.call_values("again", &[], (), None).denied()?.code(), "guest-exit");
    let badly = exits("(i32.const -1)")?;
    let error = badly.call(COMMAND, b"").denied()?;
    ensure_eq!(verdict(&error), ("guest-exit", Phase::Call));
    ensure_eq!(error.to_string(), "call: the guest ended itself with exit code 4294967295");
    ensure_eq!(error.report.output.stdout, [0]);
    Ok(())
}

fn limits<B: BackendUnderTest>() -> Outcome {
    let write = |stream: u32, len: u32| format!("(call $write (i32.const {stream}) (i32.const 0) (i32.const {len}))");
    let small = |start: &str| command::<B>(start, |rules| rules.limits.output_bytes = 100);
    ensure_eq!(small(&write(1, 100))?.call(COMMAND, b"")?.bytes.len(), 100);
    let error = small(&[write(1, 100), write(1, 1)].concat())?.call(COMMAND, b"").denied()?;
    ensure_eq!(verdict(&error), ("output-too-large", Phase::Reply));
    ensure_eq!((error.report.output.stdout.len(), error.report.output.dropped_stdout), (100, 1));
    let output = small(&write(2, 300))?.call(COMMAND, b"")?.report.output;
    ensure_eq!((output.stderr.len(), output.dropped_stderr), (100, 200));
    let output = command::<B>(&write(2, 65_537), |_| ())?.call(COMMAND, b"")?.report.output;
    ensure_eq!((output.stderr.len(), output.dropped_stderr), (65_536, 1));

    let input = command::<B>(CAT, |rules| rules.limits.input_bytes = 3)?;
    ensure_eq!(input.call(COMMAND, b"abc")?.bytes, b"abc");
    ensure_eq!(input.call(COMMAND, b"abcd").denied()?.code(), "input-too-large");
    Ok(())
}

fn once<B: BackendUnderTest>() -> Outcome {
    let mut session = command::<B>(CAT, |_| ())?.session(())?;
    ensure_eq!(session.call("again", b"").denied()?.code(), "no-such-export");
    ensure_eq!(session.call(COMMAND, b"a")?.bytes, b"a");
    ensure_eq!(session.call(COMMAND, b"a").denied()?.code(), "poisoned");
    Ok(())
}

/// A guest that counts how often it was initialized, and speaks a version only then.
fn reactor<B: BackendUnderTest>(body: &str, change: impl FnOnce(&mut Rules)) -> Result<Plugin<B>, Failure> {
    let wasm = wasm(&format!(
        r#"(module
            (global $count (mut i32) (i32.const 0))
            (memory (export "memory") 1)
            (func $count (global.set $count (i32.add (global.get $count) (i32.const 1))))
            (func (export "_initialize") {body} (call $count))
            (func (export "__hotcell_abi_version") (result i32) (global.get $count))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64)
                (i32.store8 (i32.const 0) (global.get $count))
                (i64.const 1)))"#
    ));
    byte_plugin(policy(change), &wasm)
}

const ROUNDS: &str = "(local $i i32)
    (loop $next (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))";

fn initialized<B: BackendUnderTest>() -> Outcome {
    let plugin = reactor::<B>("", |_| ())?;
    ensure_eq!(plugin.summary().kind(), ModuleKind::Reactor);
    for _ in 0..2 {
        ensure_eq!(plugin.call("process", b"")?.bytes, [1]);
    }
    let mut session = plugin.session(())?;
    for _ in 0..2 {
        ensure_eq!(session.call("process", b"")?.bytes, [1]);
    }
    let fuel = |plugin: &Plugin<B>| -> Result<u64, Failure> {
        Ok(plugin.call("process", b"")?.report.usage.fuel_used.unwrap_or_default())
    };
    let (little, much) = (fuel(&plugin)?, fuel(&reactor::<B>(ROUNDS, |_| ())?)?);
    ensure!(much > little + 1_000, "{little} {much}");
    let error = reactor::<B>(ROUNDS, |rules| rules.limits.fuel = Some(much - 1))?.call("process", b"").denied()?;
    ensure_eq!(verdict(&error), ("out-of-fuel", Phase::Call));
    Ok(())
}

fn not_initialized<B: BackendUnderTest>() -> Outcome {
    for (body, code) in [("(loop $again (br $again))", "out-of-fuel"), ("(unreachable)", "trap-unreachable")] {
        let plugin = reactor::<B>(body, |rules| rules.limits.fuel = Some(10_000))?;
        ensure_eq!(verdict(&plugin.call("process", b"").denied()?), (code, Phase::Instantiate));
        ensure_eq!(verdict(&plugin.session(()).denied()?), (code, Phase::Instantiate));
    }
    Ok(())
}

fn types<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let load = |text: &str, contract: &Contract| -> Result<LoadError, Failure> {
        fixture.load_with::<()>(&wasm(text), &fixture.imports(), contract).denied()
    };
    let wrong = r#"(module (func (export "_initialize") (param i32)))"#;
    ensure_eq!(load(wrong, &Contract::None)?.code(), "export-mismatch");
    let wrong = r#"(module (memory (export "_initialize") 1))"#;
    ensure_eq!(load(wrong, &Contract::None)?.code(), "export-mismatch");
    let wrong = r#"(module (func (export "_start") (result i32) (i32.const 1)))"#;
    ensure_eq!(load(wrong, &Contract::Command)?.code(), "export-mismatch");
    ensure_eq!(load("(module)", &Contract::Command)?.code(), "export-missing");

    let mut imports = fixture.imports::<()>();
    imports.func("env", "f", |_, ()| Ok(()))?;
    for (name, contract) in [("_initialize", Contract::None), ("_start", Contract::Command)] {
        let passed_on = wasm(&format!(r#"(module (import "env" "f" (func $f)) (export "{name}" (func $f)))"#));
        ensure_eq!(fixture.load_with(&passed_on, &imports, &contract).denied()?.code(), "export-mismatch");
    }
    // Under the byte contract they are names like any other, to the module that has both.
    let both = guest(
        r#"(func (export "_start") (unreachable))
        (func (export "_initialize") (unreachable))
        (func (export "process") (param i32 i32) (result i64) (i64.const 0))"#,
    );
    ensure_eq!(fixture.load(&both)?.call("process", b"")?.bytes, b"");
    Ok(())
}
