//! Guests as common tools make them: memories of other names, and imports that nobody offers.

use hotcell_core::{
    Contract, Enforcement, Fault, Field, HostError, LoadError, Phase, Policy, Proposal, Rules, Session, Value,
    backend::BadPointer,
    policy::{Metering, Unknown},
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Present, ensure, ensure_eq},
    fixture::{Fixture, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "bytes.memory_name",
            "The only exported memory is the memory, whatever it is called; of several, the one called memory.",
            memory_name::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::MultiMemory),
            "bytes.memory_named",
            "Of several memories, bytes go through the one that the contract names.",
            memory_named::<B>,
        ),
        Check::mandatory(
            "bytes.no_memory",
            "Without a memory, a byte call and a host function get an error that says so.",
            no_memory::<B>,
        ),
        Check::mandatory(
            "limits.memory.embedder",
            "The embedder writes and grows a session's memory between calls, under the same budget as the guest.",
            embedder::<B>,
        ),
        Check::mandatory(
            "host.unknown",
            "An import that nobody offers ends the call when it is called, and moves no other function.",
            unknown::<B>,
        ),
        Check::mandatory(
            "host.unknown_denied",
            "Unless the policy or the host says otherwise, it is refused; one of another type always is.",
            unknown_denied::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::TailCall),
            "host.unknown_tail",
            "So it is in place of a frame.",
            unknown_tail::<B>,
        ),
    ]
}

/// The meterings that the backend has.
fn meterings<B: BackendUnderTest>() -> impl Iterator<Item = Metering> {
    let has = |field| !matches!(B::enforcement(field), Enforcement::Unsupported { .. });
    let both = [(Metering::Exact, Field::ExactMetering), (Metering::Engine, Field::EngineMetering)];
    both.into_iter().filter(move |(_, field)| has(*field)).map(|(metering, _)| metering)
}

fn without_abi(change: impl FnOnce(&mut Rules)) -> Policy {
    policy(|rules| {
        rules.abi = None;
        change(rules);
    })
}

/// Its entry writes `!` in front of its reply, in the memory with this name.
fn shouting(memories: &str, memory: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module {memories}
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64)
                (i32.store8 {memory} (local.get 0) (i32.const 33))
                (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#
    ))
}

fn memory_name<B: BackendUnderTest>() -> Outcome {
    for metering in meterings::<B>() {
        let fixture = Fixture::<B>::on(without_abi(|rules| rules.metering = metering))?;
        for exports in ["(export \"mem\")", "(export \"f\") (export \"\")", "(export \"memory\")"] {
            let plugin = fixture.load(&shouting(&format!("(memory $m {exports} 1)"), "$m"))?;
            ensure_eq!(plugin.call("process", b"abc")?.bytes, b"!bc", "{exports}");
            let mut session = plugin.session(())?;
            session.call("process", b"abc")?;
            ensure_eq!(&session.memory()[1024..1027], b"!bc", "{exports}");
        }
        let hidden = fixture.load(&shouting("(memory $m 1)", "$m")).err().present()?;
        ensure_eq!(hidden.code(), "export-missing");
    }
    Ok(())
}

fn memory_named<B: BackendUnderTest>() -> Outcome {
    let policy = without_abi(|rules| {
        rules.proposals.allow(Proposal::MultiMemory);
        rules.module.memories = 2;
    });
    let fixture = Fixture::<B>::on(policy)?;
    let module = shouting(r#"(memory $a (export "a") 1) (memory $b (export "b") 1)"#, "$b");
    let bytes = Contract::bytes("process");
    let load = |contract: &Contract| fixture.load_with::<()>(&module, &fixture.imports(), contract);
    for (name, reply) in [("a", b"abc"), ("b", b"!bc")] {
        ensure_eq!(load(&bytes.clone().on_memory(name))?.call("process", b"abc")?.bytes, reply, "{name}");
    }
    for contract in [bytes.clone(), bytes.on_memory("c")] {
        ensure_eq!(load(&contract).err().present()?.code(), "export-missing", "{contract:?}");
    }
    ensure_eq!(load(&Contract::None.on_memory("process")).err().present()?.code(), "export-mismatch");
    let named = shouting(r#"(memory $a (export "a") 1) (memory $b (export "memory") 1)"#, "$b");
    ensure_eq!(fixture.load(&named)?.call("process", b"abc")?.bytes, b"!bc");
    Ok(())
}

fn no_memory<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(without_abi(|_| ()))?;
    let module = wasm(
        r#"(module (import "host" "look" (func $look (param i32)))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "process") (param i32 i32) (result i64) (i64.const 0))
            (func (export "look") (param i32) (call $look (local.get 0))))"#,
    );
    let mut imports = fixture.imports::<()>();
    imports.func("host", "look", |cx, (len,): (u32,)| {
        ensure!(cx.memory_and_state().0.is_empty());
        Ok(cx.read(0, len).map(drop)?)
    })?;
    let plugin = fixture.load_with(&module, &imports, &Contract::None)?;
    let mut session = plugin.session(())?;
    let error = session.call("process", b"abc").denied()?;
    ensure_eq!((error.code(), error.phase), ("no-memory", Phase::Alloc));
    ensure!(!session.is_poisoned() && session.memory().is_empty());
    let missing = BadPointer { pointer: 0, len: 0, memory: None };
    ensure_eq!(session.write(0, b"").denied()?, missing);
    ensure_eq!(session.grow_memory(0), None);
    match session.call_values("look", &[Value::I32(0)]).denied()? {
        Fault::HostFunction { source, .. } => ensure_eq!(source.downcast_ref::<BadPointer>(), Some(&missing)),
        fault => return Err(fault.into()),
    }
    Ok(())
}

fn embedder<B: BackendUnderTest>() -> Outcome {
    const PAGE: u64 = 1 << 16;
    for metering in meterings::<B>() {
        let open = |limits: &str| -> Result<Session<B>, Failure> {
            let module = wasm(&format!(
                r#"(module (memory (export "m") {limits})
                    (func (export "size") (result i32) (memory.size))
                    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
                    (func (export "trap") (unreachable))
                    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
            ));
            let policy = without_abi(|rules| (rules.metering, rules.limits.memory_bytes) = (metering, 3 * PAGE));
            Ok(plain_plugin::<B>(policy, &module)?.session(())?)
        };
        let mut session = open("1")?;
        let beyond = BadPointer { pointer: 70_000, len: 3, memory: Some(PAGE) };
        ensure_eq!(session.write(70_000, b"abc").denied()?, beyond);
        ensure_eq!(session.grow_memory(1), Some(1));
        session.write(70_000, b"abc")?;
        session.memory_and_state().0[70_001] = b'x';
        session.memory_mut()[70_002] = b'y';
        for (at, byte) in [(70_000, b'a'), (70_001, b'x'), (70_002, b'y'), (70_003, 0)] {
            ensure_eq!(session.call_values("load", &[Value::I32(at)])?, [Value::I32(byte.into())]);
        }
        ensure_eq!(session.call_values("size", &[])?, [Value::I32(2)]);
        ensure_eq!(session.usage().peak_memory_bytes, 2 * PAGE);
        for too_much in [2, u64::MAX] {
            ensure_eq!(session.grow_memory(too_much), None, "{too_much}");
        }
        ensure_eq!(session.usage().refused_growths, 1, "what no memory can be is not the policy's refusal");
        ensure_eq!(session.call_values("grow", &[])?, [Value::I32(2)]);
        ensure_eq!(session.call_values("grow", &[])?, [Value::I32(-1)]);
        ensure_eq!(session.memory().len() as u64, 3 * PAGE);
        session.call_values("trap", &[]).denied()?;
        ensure_eq!(session.grow_memory(0), None, "poisoned");

        let policy = without_abi(|rules| rules.metering = metering);
        let mut without_functions =
            plain_plugin::<B>(policy, &wasm(r#"(module (memory (export "m") 1))"#))?.session(())?;
        ensure_eq!(without_functions.grow_memory(1), Some(1));

        let mut limited = open("1 2")?;
        ensure_eq!((limited.grow_memory(2), limited.usage().refused_growths), (None, 0));
        ensure_eq!((limited.grow_memory(1), limited.memory().len() as u64), (Some(1), 2 * PAGE));
    }
    Ok(())
}

const UNKNOWN: &str = r#"(module
    (import "host" "one" (func $one (result i32)))
    (import "nobody" "b" (func $b (param i32) (result i32)))
    (import "host" "three" (func $three (result i32)))
    (import "nobody" "\1b[31m" (func $d))
    (table 4 funcref) (elem (i32.const 0) $one $b $three $seven)
    (memory 1)
    (func $seven (result i32) (i32.const 7))
    (func (export "sum") (result i32) (i32.add (i32.add (call $one) (call $three)) (call $seven)))
    (func (export "indirect") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
    (func (export "direct") (result i32) (call $b (i32.const 5)))
    (func (export "through") (result i32) (call_indirect (param i32) (result i32) (i32.const 5) (i32.const 1)))
    (func (export "perhaps") (param i32) (if (local.get 0) (then (call $d))))
    (func (export "dead") (param i32) (br 0) (call $d) (drop (call $b (i32.const 1))) (drop (call $three)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (export "again" (func $b))
    (export "three" (func $three)))"#;

fn unknown<B: BackendUnderTest>() -> Outcome {
    for metering in meterings::<B>() {
        let policy = policy(|rules| (rules.metering, rules.imports.unknown) = (metering, Unknown::Trap));
        let fixture = Fixture::<B>::on(policy)?;
        let mut imports = fixture.imports::<()>();
        imports.func("host", "one", |_, ()| Ok(1i32))?.func("host", "three", |_, ()| Ok(3i32))?;
        let plugin = fixture.load_with(&wasm(UNKNOWN), &imports, &Contract::None)?;
        let call = |export: &str, params: &[i32]| {
            let params: Vec<Value> = params.iter().copied().map(Value::I32).collect();
            plugin.call_values(export, &params, (), None).map(|(results, _)| results)
        };
        for (export, params, result) in [
            ("sum", &[][..], 11),
            ("indirect", &[0], 1),
            ("indirect", &[2], 3),
            ("indirect", &[3], 7),
            ("three", &[], 3),
            ("grow", &[], 1),
        ] {
            ensure_eq!(call(export, params)?, [Value::I32(result)], "{export} {params:?} {metering:?}");
        }
        for (export, params) in [("perhaps", &[0]), ("dead", &[0])] {
            ensure!(call(export, params)?.is_empty(), "{export} {metering:?}");
        }
        for (export, params, name) in
            [("direct", &[][..], "b"), ("through", &[], "b"), ("again", &[4], "b"), ("perhaps", &[1], "\u{1b}[31m")]
        {
            let error = call(export, params).denied()?;
            ensure_eq!((error.code(), error.phase), ("import-missing", Phase::Call), "{export}");
            ensure!(!error.to_string().contains('\u{1b}'), "{error}");
            match &error.fault {
                Fault::ImportMissing { module, name: found } => ensure_eq!((&**module, &**found), ("nobody", name)),
                fault => return Err(Failure::new(format!("{export}: {fault}"))),
            }
        }
        let start = wasm(r#"(module (import "a" "b" (func $f)) (start $f))"#);
        let plugin = fixture.load_with(&start, &fixture.imports::<()>(), &Contract::None)?;
        let error = plugin.session(()).map(drop).denied()?;
        ensure_eq!((error.code(), error.phase), ("import-missing", Phase::Instantiate));
    }
    Ok(())
}

fn unknown_denied<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let module = wasm(r#"(module (import "a" "b" (func $f (param i32))) (func (export "f") (call $f (i32.const 1))))"#);
    let mut imports = fixture.imports::<()>();
    let code = |error: Option<LoadError>| error.map(|error| error.code());
    ensure_eq!(code(fixture.load_with(&module, &imports, &Contract::None).err()), Some("import-denied"));
    imports.trap_unknown();
    let plugin = fixture.load_with(&module, &imports, &Contract::None)?;
    ensure_eq!(plugin.call_values("f", &[], (), None).denied()?.code(), "import-missing");
    imports.func("a", "b", |_, (_,): (u64,)| -> Result<(), HostError> { Ok(()) })?;
    ensure_eq!(code(fixture.load_with(&module, &imports, &Contract::None).err()), Some("import-mismatch"));
    let memory = wasm(r#"(module (import "env" "memory" (memory 1)))"#);
    ensure_eq!(code(fixture.load_with(&memory, &imports, &Contract::None).err()), Some("import-denied"));
    Ok(())
}

fn unknown_tail<B: BackendUnderTest>() -> Outcome {
    for metering in meterings::<B>() {
        let policy = policy(|rules| {
            (rules.metering, rules.imports.unknown) = (metering, Unknown::Trap);
            rules.proposals.allow(Proposal::TailCall);
        });
        let fixture = Fixture::<B>::on(policy)?;
        let module = wasm(
            r#"(module (import "nobody" "a" (func $a)) (import "host" "two" (func $two (result i32)))
                (func (export "missing") (return_call $a))
                (func (export "two") (result i32) (return_call $two)))"#,
        );
        let mut imports = fixture.imports::<()>();
        imports.func("host", "two", |_, ()| Ok(2i32))?;
        let plugin = fixture.load_with(&module, &imports, &Contract::None)?;
        ensure_eq!(plugin.call_values("two", &[], (), None)?.0, [Value::I32(2)]);
        ensure_eq!(plugin.call_values("missing", &[], (), None).denied()?.code(), "import-missing");
    }
    Ok(())
}
