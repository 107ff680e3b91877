//! Admission seen from the backend: the engine never gets what the policy refuses, and compiles what it admits.

use std::time::{Duration, Instant};

use hotcell_core::{
    Contract, Field, LoadError, Policy, Preset, Proposal, Rejection, Rules, Value, admit, verdict::Reason,
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, Present, ensure, ensure_eq},
    fixture::{Fixture, policy, wasm},
    modules::{Build, GENERATORS, cap, first, offered},
    tally,
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    let mut checks = vec![
        Check::mandatory(
            "admission.bytes",
            "Bytes that are no module are refused as malformed, a component as not-a-core-module.",
            no_module::<B>,
        ),
        Check::mandatory(
            "admission.invalid",
            "A module that breaks the specification is invalid, and its rejection has an offset.",
            invalid::<B>,
        ),
        Check::mandatory("admission.text", "Text is not a module, whatever the engine would make of it.", text::<B>),
        Check::mandatory(
            "admission.contract",
            "A module that lacks an export of the contract, or has another under its name, is refused.",
            contract::<B>,
        ),
        Check::mandatory(
            "admission.custom",
            "Custom sections do not reach the engine, whatever they are called and hold.",
            custom::<B>,
        ),
        Check::mandatory(
            "admission.eager",
            "What is admitted compiles whole when it is loaded, also what nobody calls.",
            eager::<B>,
        ),
    ];
    checks.extend(Proposal::ALL.iter().map(|proposal| proposal_check::<B>(*proposal)));
    checks.extend(DENIED.iter().map(|(name, text)| {
        Check::mandatory(
            format!("admission.denied.{name}"),
            format!("No policy admits a module that needs {name}."),
            move || denied::<B>(name, text),
        )
    }));
    checks.extend(GENERATORS.iter().map(|(key, word, build)| {
        let id = format!("admission.cap.{key}").replace("module.", "").replace("limits.", "");
        let id = if word.is_empty() { id } else { format!("{id}.{}", word.replace([' ', '\''], "-")) };
        Check::mandatory(
            id,
            format!("A module at {key} is admitted and compiles; one past it is refused under that name."),
            move || at_cap::<B>(key, *build),
        )
    }));
    checks
}

fn reason<B: BackendUnderTest>(fixture: &Fixture<B>, wasm: &[u8]) -> Result<Option<Rejection>, Failure> {
    match fixture.load_with::<()>(wasm, &fixture.imports(), &Contract::None) {
        Ok(_) => Ok(None),
        Err(LoadError::Rejected(rejection)) => Ok(Some(rejection)),
        Err(error) => Err(error.into()),
    }
}

fn no_module<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    for bytes in [&b""[..], b"\0", b"\0asm", b"\0asm\x02\0\0", b"\0asm\x01\0\0\0\xff\xff\xff\xff\xff", b"\x7fELF"] {
        ensure_eq!(reason(&fixture, bytes)?.present()?.code(), "malformed", "{bytes:?}");
    }
    for bytes in [b"\0asm\x0d\0\x01\0", b"\0asm\x02\0\0\0"] {
        ensure_eq!(reason(&fixture, bytes)?.present()?.code(), "not-a-core-module", "{bytes:?}");
    }
    Ok(())
}

fn invalid<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    for text in [
        "(module (func (result i32)))",
        "(module (func (drop (i32.add (i32.const 1) (i64.const 1)))))",
        "(module (func (call 7)))",
        r#"(module (func (export "a")) (func (export "a")))"#,
    ] {
        let rejection = reason(&fixture, &wasm(text))?.present()?;
        ensure_eq!(rejection.code(), "invalid", "{text}");
        ensure!(rejection.offset.is_some(), "{text}");
    }
    Ok(())
}

fn text<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    ensure_eq!(reason(&fixture, b"(module)")?.present()?.code(), "malformed");
    Ok(())
}

fn contract<B: BackendUnderTest>() -> Outcome {
    const MEMORY: &str = r#"(memory (export "memory") 1)"#;
    const ALLOC: &str = r#"(func (export "alloc") (param i32) (result i32) (i32.const 8))"#;
    const ENTRY: &str = r#"(func (export "process") (param i32 i32) (result i64) (i64.const 0))"#;
    let fixture = Fixture::<B>::on(policy(|rules| rules.abi = None))?;
    let code = |parts: [&str; 3]| -> Result<_, Failure> {
        Ok(fixture.load(&wasm(&format!("(module {})", parts.join(" ")))).err().map(|error| error.code()))
    };
    ensure_eq!(code([MEMORY, ALLOC, ENTRY])?, None);
    for parts in [["", ALLOC, ENTRY], [MEMORY, "", ENTRY], [MEMORY, ALLOC, ""]] {
        ensure_eq!(code(parts)?, Some("export-missing"), "{parts:?}");
    }
    for parts in [
        [r#"(func (export "memory"))"#, ALLOC, ENTRY],
        [MEMORY, r#"(func (export "alloc") (param i64) (result i32) (i32.const 8))"#, ENTRY],
        [MEMORY, r#"(global (export "alloc") i32 (i32.const 8))"#, ENTRY],
        [MEMORY, ALLOC, r#"(func (export "process") (param i32 i32))"#],
    ] {
        ensure_eq!(code(parts)?, Some("export-mismatch"), "{parts:?}");
    }
    Ok(())
}

fn custom<B: BackendUnderTest>() -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    for name in ["", "name", "webidl-bindings", "wasm-interface-types", "producers", ".debug_info", "component-type"] {
        let text = format!(
            r#"(module (@custom "{name}" "\ff\ff\ff\ff\ff\ff") (func (export "run") (result i32) (i32.const 7)))"#
        );
        let plugin = fixture.load_with::<()>(&wasm(&text), &fixture.imports(), &Contract::None)?;
        ensure_eq!(plugin.call_values("run", &[], (), None)?.0, [Value::I32(7)], "{name:?}");
    }
    Ok(())
}

/// A function whose translation takes milliseconds and whose calls take none, to detect an engine that translates it at
/// the first call. The bound is far from both, and the best of several modules counts.
fn eager<B: BackendUnderTest>() -> Outcome {
    // Its frame is charged for every value of the arm that is not taken.
    let fixture = Fixture::<B>::on(policy(|rules| rules.limits.stack_bytes = 1 << 20))?;
    let long: String = (0..60_000).map(|n| format!("(i32.const {}) i32.add local.get 0 i32.mul ", n % 1_000)).collect();
    let text = format!(
        r#"(module (func (export "run") (param i32) (result i32)
            (if (result i32) (local.get 0) (then local.get 0 {long}) (else (i32.const 42)))))"#
    );
    let wasm = wasm(&text);
    let (mut first, mut later) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let mut session = fixture.load_with::<()>(&wasm, &fixture.imports(), &Contract::None)?.session(())?;
        let mut call = || -> Result<_, Failure> {
            let begin = Instant::now();
            ensure_eq!(session.call_values("run", &[Value::I32(0)])?, [Value::I32(42)]);
            Ok(begin.elapsed())
        };
        first = first.min(call()?);
        for _ in 0..10 {
            later = later.min(call()?);
        }
    }
    tally::note(format!("first call {first:?}, later calls {later:?}"));
    ensure!(first < later * 100 + Duration::from_millis(1), "first call {first:?}, later calls {later:?}");
    Ok(())
}

/// A module that needs one proposal, and the result of its `run`.
struct Sample {
    proposal: Proposal,
    text: &'static str,
    result: Value,
}

/// At least two for each: another operator, or another position.
const PROPOSALS: &[Sample] = &[
    Sample {
        proposal: Proposal::MutableGlobal,
        text: r#"(global (export "g") (mut i32) (i32.const 1))
            (func (export "run") (result i32) (global.set 0 (i32.const 5)) (global.get 0))"#,
        result: Value::I32(5),
    },
    Sample {
        proposal: Proposal::MutableGlobal,
        text: r#"(global $g (export "g") (mut i64) (i64.const 40))
            (func $add (param i64) (global.set $g (i64.add (global.get $g) (local.get 0))))
            (func (export "run") (result i64) (call $add (i64.const 1)) (call $add (i64.const 1)) (global.get $g))"#,
        result: Value::I64(42),
    },
    Sample {
        proposal: Proposal::SaturatingFloatToInt,
        text: r#"(func (export "run") (result i32) (i32.trunc_sat_f64_u (f64.const 1e300)))"#,
        result: Value::I32(-1),
    },
    Sample {
        proposal: Proposal::SaturatingFloatToInt,
        text: r#"(func (export "run") (result i64) (i64.trunc_sat_f32_s (f32.const -inf)))"#,
        result: Value::I64(i64::MIN),
    },
    Sample {
        proposal: Proposal::SignExtension,
        text: r#"(func (export "run") (result i64) (i64.extend16_s (i64.const 0x8000)))"#,
        result: Value::I64(-0x8000),
    },
    Sample {
        proposal: Proposal::SignExtension,
        text: r#"(func (export "run") (result i32) (i32.extend8_s (i32.const 0x1ff)))"#,
        result: Value::I32(-1),
    },
    Sample {
        proposal: Proposal::MultiValue,
        text: r#"(func $two (result i32 i32) (i32.const 40) (i32.const 2))
            (func (export "run") (result i32) (i32.add (call $two)))"#,
        result: Value::I32(42),
    },
    Sample {
        proposal: Proposal::MultiValue,
        text: r#"(func (export "run") (result i32)
            (i32.const 3) (i32.const 4) (block (param i32 i32) (result i32) (i32.mul)))"#,
        result: Value::I32(12),
    },
    Sample {
        proposal: Proposal::BulkMemory,
        text: r#"(memory 1) (func (export "run") (result i32)
            (memory.fill (i32.const 0) (i32.const 7) (i32.const 4)) (i32.load (i32.const 0)))"#,
        result: Value::I32(0x0707_0707),
    },
    Sample {
        proposal: Proposal::BulkMemory,
        text: r#"(memory 1) (data $d "\00\07\08") (func (export "run") (result i32)
            (memory.init $d (i32.const 5) (i32.const 1) (i32.const 2)) (data.drop $d) (i32.load16_u (i32.const 5)))"#,
        result: Value::I32(0x0807),
    },
    Sample {
        proposal: Proposal::ReferenceTypes,
        text: r#"(table 2 funcref) (func (export "run") (result i32) (ref.is_null (table.get (i32.const 1))))"#,
        result: Value::I32(1),
    },
    Sample {
        proposal: Proposal::ReferenceTypes,
        text: r#"(table $a 1 funcref) (table $b 2 funcref) (func $nine (result i32) (i32.const 9))
            (elem (table $b) (offset (i32.const 1)) func $nine)
            (func (export "run") (result i32) (call_indirect $b (result i32) (i32.const 1)))"#,
        result: Value::I32(9),
    },
    Sample {
        proposal: Proposal::ExtendedConst,
        text: r#"(global i32 (i32.mul (i32.const 6) (i32.const 7))) (func (export "run") (result i32) (global.get 0))"#,
        result: Value::I32(42),
    },
    Sample {
        proposal: Proposal::ExtendedConst,
        text: r#"(memory 1) (data (offset (i32.add (i32.const 5) (i32.const 6))) "\2a")
            (func (export "run") (result i32) (i32.load8_u (i32.const 11)))"#,
        result: Value::I32(42),
    },
    Sample {
        proposal: Proposal::Simd,
        text: r#"(func (export "run") (result i32) (i8x16.extract_lane_s 15 (i8x16.splat (i32.const 200))))"#,
        result: Value::I32(-56),
    },
    Sample {
        proposal: Proposal::Simd,
        text: r#"(memory 1) (func (export "run") (result i64)
            (v128.store (i32.const 16) (i64x2.add (v128.const i64x2 1 2) (v128.const i64x2 10 20)))
            (i64.load (i32.const 24)))"#,
        result: Value::I64(22),
    },
    Sample {
        proposal: Proposal::RelaxedSimd,
        text: r#"(func (export "run") (result i32) (i32x4.extract_lane 0 (i32x4.relaxed_trunc_f32x4_s
            (v128.const f32x4 7.9 0 0 0))))"#,
        result: Value::I32(7),
    },
    Sample {
        proposal: Proposal::RelaxedSimd,
        text: r#"(func (export "run") (result f32) (f32x4.extract_lane 3 (f32x4.relaxed_madd
            (v128.const f32x4 0 0 0 2) (v128.const f32x4 0 0 0 3) (v128.const f32x4 0 0 0 1))))"#,
        result: Value::F32(0x40e0_0000),
    },
    Sample {
        proposal: Proposal::TailCall,
        text: r#"(func $down (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then (return (i32.const 9))))
                (return_call $down (i32.sub (local.get 0) (i32.const 1))))
            (func (export "run") (result i32) (call $down (i32.const 1000000)))"#,
        result: Value::I32(9),
    },
    Sample {
        proposal: Proposal::TailCall,
        text: r#"(table funcref (elem $odd $even))
            (func $even (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
                (return_call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
            (func $odd (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
                (return_call_indirect (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
            (func (export "run") (result i32) (call $even (i32.const 300001)))"#,
        result: Value::I32(0),
    },
    Sample {
        proposal: Proposal::MultiMemory,
        text: r#"(memory 1) (memory $b 2) (func (export "run") (result i32)
            (i32.store $b (i32.const 70000) (i32.const 3)) (i32.load $b (i32.const 70000)))"#,
        result: Value::I32(3),
    },
    Sample {
        proposal: Proposal::MultiMemory,
        text: r#"(memory $a 1) (memory $b 1) (data (memory $b) (i32.const 9) "\05\06")
            (func (export "run") (result i32)
                (memory.copy $a $b (i32.const 3) (i32.const 9) (i32.const 2)) (i32.load16_u $a (i32.const 3)))"#,
        result: Value::I32(0x0605),
    },
    Sample {
        proposal: Proposal::Memory64,
        text: r#"(memory i64 1) (func (export "run") (result i64)
            (i64.store (i64.const 8) (i64.const 5)) (i64.load (i64.const 8)))"#,
        result: Value::I64(5),
    },
    Sample {
        proposal: Proposal::Memory64,
        text: r#"(table i64 3 funcref) (func $nine (result i32) (i32.const 9)) (elem (i64.const 2) func $nine)
            (func (export "run") (result i32) (call_indirect (result i32) (i64.const 2)))"#,
        result: Value::I32(9),
    },
    Sample {
        proposal: Proposal::WideArithmetic,
        text: r#"(func (export "run") (result i64)
            (i64.mul_wide_u (i64.const -1) (i64.const 2)) (i64.add))"#,
        result: Value::I64(-1),
    },
    Sample {
        proposal: Proposal::WideArithmetic,
        text: r#"(func (export "run") (result i64)
            (i64.sub128 (i64.const 0) (i64.const 5) (i64.const 1) (i64.const 0)) (i64.add))"#,
        result: Value::I64(3),
    },
    Sample {
        proposal: Proposal::CustomPageSizes,
        text: r#"(memory 7 (pagesize 1)) (func (export "run") (result i32) (memory.size))"#,
        result: Value::I32(7),
    },
    Sample {
        proposal: Proposal::CustomPageSizes,
        text: r#"(memory 3 9 (pagesize 1)) (func (export "run") (result i32)
            (i32.add (i32.mul (memory.grow (i32.const 6)) (i32.const 100)) (memory.grow (i32.const 1))))"#,
        result: Value::I32(299),
    },
];

fn proposal_check<B: BackendUnderTest>(proposal: Proposal) -> Check {
    let name = proposal.name();
    Check::optional(
        Field::Proposal(proposal),
        format!("admission.proposal.{name}"),
        format!("A module that needs {name} is refused where the policy denies it, and works where it is allowed."),
        move || {
            let samples = || PROPOSALS.iter().filter(|sample| sample.proposal == proposal);
            ensure!(samples().count() >= 2, "{name} has not two samples");
            samples().try_for_each(Sample::holds::<B>)
        },
    )
}

impl Sample {
    fn holds<B: BackendUnderTest>(&self) -> Outcome {
        let module = wasm(&format!("(module {})", self.text));
        let allowing = |allowed: bool| {
            policy(|rules| {
                rules.module.memories = 2;
                if self.proposal == Proposal::RelaxedSimd {
                    rules.proposals.allow(Proposal::Simd);
                }
                match allowed {
                    true => rules.proposals.allow(self.proposal),
                    false => rules.proposals.deny(self.proposal),
                }
            })
        };
        let rejection = reason(&Fixture::<B>::on(allowing(false))?, &module)?.present()?;
        match rejection.reason {
            Reason::ProposalDenied { proposal, .. } => ensure_eq!(proposal, self.proposal.name(), "{}", self.text),
            _ => return Err(rejection.into()),
        }
        ensure!(rejection.offset.is_some_and(|offset| offset > 8), "the offset is {:?}", rejection.offset);

        let fixture = Fixture::<B>::on(allowing(true))?;
        let plugin = fixture.load_with::<()>(&module, &fixture.imports(), &Contract::None)?;
        ensure_eq!(plugin.call_values("run", &[], (), None)?.0, [self.result], "{}", self.text);
        Ok(())
    }
}

/// Modules that need a proposal that no policy can allow.
const DENIED: &[(&str, &str)] = &[
    ("threads", "(memory 1 1 shared)"),
    ("exceptions", "(tag) (func (throw 0))"),
    ("function-references", "(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))"),
    ("gc", "(type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1))))"),
    ("externref", "(func (param externref))"),
    ("externref-global", "(global (mut externref) (ref.null extern))"),
    ("stack-switching", "(type $f (func)) (type $c (cont $f)) (func (param (ref null $c)))"),
];

fn denied<B: BackendUnderTest>(name: &str, text: &str) -> Outcome {
    let everything = Policy::ceiling().with(|rules| {
        rules.proposals = Proposal::ALL
            .iter()
            .copied()
            .filter(|proposal| {
                !matches!(B::enforcement(Field::Proposal(*proposal)), hotcell_core::Enforcement::Unsupported { .. })
            })
            .collect();
    })?;
    let module = wasm(&format!("(module {text})"));
    for policy in [policy(|_| ()), everything] {
        let rejection = reason(&Fixture::<B>::on(policy)?, &module)?.present()?;
        ensure_eq!(rejection.code(), "proposal-denied", "{name}: {rejection}");
        if let (Reason::ProposalDenied { proposal, .. }, true) = (&rejection.reason, name.starts_with("externref")) {
            ensure_eq!(*proposal, "externref");
        }
        ensure!(rejection.offset.is_some(), "{name}");
    }
    Ok(())
}

/// Maximum distance from a cap at which a generator may look for a number that some module has: not every number is a
/// product of locals and blocks within their caps, and constant expressions have an odd number of operators.
const REACH: u64 = 64;

/// The presets whose modules are small enough to build here, and whether to compile them too.
const PRESETS: [(Preset, bool); 3] = [(Preset::Embedded, true), (Preset::Strict, true), (Preset::Default, false)];

fn at_cap<B: BackendUnderTest>(key: &'static str, build: Build) -> Outcome {
    for (preset, compiles) in PRESETS {
        let policy = &preset_for(preset, key)?;
        let allowed = cap(policy, key);
        let offered = offered(policy);

        let (at, module) = first((allowed.saturating_sub(REACH)..=allowed).rev(), build, policy).present()?;
        if let Err(rejection) = admit(&module, policy, &offered, &Contract::None) {
            return Err(Failure::new(format!("{}: {at} of {allowed} is refused: {rejection}", preset.name())));
        }
        if compiles {
            compile::<B>(policy, &module)?;
        }

        let (found, module) = first(allowed + 1..=allowed + REACH, build, policy).present()?;
        let rejection = admit(&module, policy, &offered, &Contract::None).map(drop).denied()?;
        ensure_eq!(rejection.reason, Reason::LimitExceeded { limit: key, found, allowed }, "{}", preset.name());
    }
    Ok(())
}

/// The module imports what its policy's generator offers, under names of the maximum length.
fn compile<B: BackendUnderTest>(policy: &Policy, module: &[u8]) -> Outcome {
    let fixture = Fixture::<B>::on(policy.clone())?;
    let longest = "n".repeat(policy.rules().module.name_bytes as usize);
    let mut imports = fixture.imports::<()>();
    for (module, name) in [("env", "f"), (&*longest, "f"), ("env", &*longest)] {
        imports.func(module, name, |_, ()| Ok(()))?;
    }
    tally::assertion();
    fixture.load_with(module, &imports, &Contract::None)?;
    Ok(())
}

/// The policy of a preset, without the limits that apply before this cap.
fn preset_for(preset: Preset, cap: &str) -> Result<Policy, Failure> {
    let mut rules = Rules::preset(preset);
    rules.proposals.deny(Proposal::Simd);
    match cap {
        // More than one also needs the proposal; without it, a rejection names the proposal.
        "module.memories" => rules.proposals.allow(Proposal::MultiMemory),
        // The default preset has one number for both.
        "module.custom_bytes" => rules.module.bytes *= 2,
        _ => {}
    }
    Ok(Policy::new(rules)?)
}
