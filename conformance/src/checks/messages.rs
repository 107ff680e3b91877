//! Every message is short and contains nothing that moves a cursor, whatever names the guest uses.

use std::{error::Error, panic::resume_unwind};

use hotcell_core::{Contract, Fault, HostError, LoadError, Policy, Preset, Proposal, Rules, Value, policy::Abi};
use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, MemorySection, MemoryType, Module, TypeSection, ValType,
};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, ensure},
    fixture::{Fixture, guest, policy},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![Check::mandatory(
        "messages.harmless",
        "Every message is short and shows nothing that moves a cursor, whatever a guest or a host function says.",
        harmless::<B>,
    )]
}

/// Maximum bytes of a message. A list of imports shows five of them, each with two names of up to 1 KiB and a type.
pub const LONGEST: usize = 16 << 10;

/// A name of about `len` bytes: colours, a new line, a bell, right-to-left text, a byte order mark, invisible
/// characters, and more than fits in a line.
pub fn evil(len: usize) -> String {
    let mut name = "\x1b[2J\x1b]0;title\x07\n\r\0\u{202e}live\u{2066}\u{feff}\u{200b}\u{2028}\u{9b}1m\u{600}\u{fe0f}\u{3164}\u{a0}\u{e000}é".to_owned();
    while name.len() < len {
        name.push_str("\x1b[31m\u{202e}");
    }
    let mut end = len.max(40).min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

/// A module in which every name is this one, with a type of `params` parameters.
fn named(name: &str, imports: usize, exports: usize, params: usize) -> Vec<u8> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function(vec![ValType::I32; params], []);
    module.section(&types);
    let mut section = ImportSection::new();
    for _ in 0..imports {
        section.import(name, name, EntityType::Function(0));
    }
    module.section(&section);
    let mut functions = FunctionSection::new();
    functions.function(0);
    module.section(&functions);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    module.section(&memories);
    let mut globals = GlobalSection::new();
    let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
    globals.global(ty, &ConstExpr::i32_const(1));
    module.section(&globals);
    let mut section = ExportSection::new();
    for _ in 0..exports {
        section.export(name, ExportKind::Func, imports as u32);
    }
    module.section(&section);
    let mut code = CodeSection::new();
    let mut function = Function::new([]);
    function.instructions().unreachable().end();
    code.function(&function);
    module.section(&code);
    module.finish()
}

/// Messages of an error and of all its sources, with a label for their origin.
struct Messages(Vec<(String, String)>);

impl Messages {
    fn add(&mut self, what: &str, error: &dyn Error) {
        self.0.push((what.to_owned(), error.to_string()));
    }
}

/// Collects the messages of all failures that can contain a guest's text, each with its origin.
///
/// # Errors
///
/// Something that should have failed did not.
pub fn collect<B: BackendUnderTest>() -> Result<Vec<(String, String)>, Failure> {
    let mut messages = Messages(Vec::new());
    let mut rules = Rules { limits: Policy::default().rules().limits.clone(), ..Rules::preset(Preset::Ceiling) };
    rules.proposals.deny(Proposal::Simd);
    let ceiling = Policy::new(rules)?;
    for name in [evil(0), evil(200), evil(900), evil(100_000)] {
        admission::<B>(&mut messages, &ceiling, &name)?;
        calls::<B>(&mut messages, &name)?;
    }
    traps::<B>(&mut messages)?;
    Ok(messages.0)
}

fn admission<B: BackendUnderTest>(messages: &mut Messages, ceiling: &Policy, name: &str) -> Outcome {
    for policy in [ceiling, &policy(|_| ()), &Policy::strict()] {
        let fixture = Fixture::<B>::on(policy.clone())?;
        let mut imports = fixture.imports::<()>();
        imports.func("env", "f", |_, ()| Ok(()))?;
        let mut mistyped = fixture.imports::<()>();
        mistyped.func(name, name, |_, (_,): (u32,)| Ok(()))?;
        for (wasm, imports, contract) in [
            (named(name, 1, 1, 0), &imports, Contract::None),
            (named(name, 8, 1, 60), &imports, Contract::None),
            (named(name, 1, 1, 2), &mistyped, Contract::None),
            (named(name, 0, 2, 0), &imports, Contract::None),
            (named(name, 0, 1, 60), &imports, Contract::bytes(name)),
            (named("process", 0, 1, 60), &imports, Contract::bytes(name)),
            (named("memory", 0, 1, 60), &imports, Contract::bytes(name)),
            (named("wasi_snapshot_preview1", 9, 1, 60), &imports, Contract::None),
        ] {
            match fixture.load_with(&wasm, imports, &contract) {
                Ok(plugin) => {
                    let error = plugin.call_values(name, &[Value::I64(0)], (), None).err();
                    error.iter().for_each(|error| messages.add("call", error));
                }
                Err(error) => messages.add("load", &error),
            }
        }
    }
    Ok(())
}

fn calls<B: BackendUnderTest>(messages: &mut Messages, name: &str) -> Outcome {
    let fixture = Fixture::<B>::on(policy(|_| ()))?;
    let mut imports = fixture.imports::<String>();
    imports
        .func("env", "fail", |cx, ()| Err::<(), _>(HostError::message(cx.state().clone())))?
        // Bypasses the panic hook, which would write the unescaped message to the terminal.
        .func("env", "panic", |cx, ()| -> Result<(), HostError> { resume_unwind(Box::new(cx.state().clone())) })?;
    messages.add(
        "duplicate",
        &imports.func(name, name, |_, ()| Ok(())).and_then(|i| i.func(name, name, |_, ()| Ok(()))).denied()?,
    );
    let wasm = guest(
        r#"(import "env" "fail" (func $fail)) (import "env" "panic" (func $panic))
        (func (export "process") (param i32 i32) (result i64) (call $fail) (i64.const 0))
        (func (export "panic") (param i32 i32) (result i64) (call $panic) (i64.const 0))"#,
    );
    let plugin = fixture.load_with(&wasm, &imports, &Contract::bytes("process"))?;
    for entry in ["process", "panic", name] {
        let error = plugin.call_with(entry, b"", name.to_owned(), None).denied()?;
        messages.add(entry, &error);
        messages.add(entry, &error.fault);
    }
    let mut session = plugin.session(String::new())?;
    messages.add("values", &session.call_values(name, &[]).denied()?);
    messages.add("func", &session.func::<(), u32>(name).denied()?);

    let export = name.to_owned();
    let policy = policy(|rules| rules.abi = Some(Abi { export, min: 3, max: 4 }));
    let fixture = Fixture::<B>::on(policy)?;
    let plugin = fixture.load(&guest(r#"(func (export "process") (param i32 i32) (result i64) (unreachable))"#))?;
    messages.add("abi", &plugin.call("process", b"").denied()?);
    Ok(())
}

fn traps<B: BackendUnderTest>(messages: &mut Messages) -> Outcome {
    let policy = policy(|rules| (rules.limits.fuel, rules.limits.memory_bytes) = (Some(1_000_000), 1 << 16));
    for body in [
        "(unreachable)",
        "(drop (i32.load (i32.const -1)))",
        "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
        "(loop $again (br $again))",
        "(call $deeper)",
    ] {
        let wasm = guest(&format!(
            r#"(func $deeper (call $deeper)) (func $inner {body})
            (func (export "process") (param i32 i32) (result i64) (call $inner) (i64.const 0))"#
        ));
        let plugin = Fixture::<B>::on(policy.clone())?.load(&wasm)?;
        let error = plugin.call("process", b"input").denied()?;
        messages.add(body, &error);
        ensure!(!matches!(error.fault, Fault::Backend(_)));
    }
    let fixture = Fixture::<B>::on(policy)?;
    for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0\xff\xff\xff\xff\xff", b"(module)"] {
        match fixture.load(bytes) {
            Err(error @ LoadError::Rejected(_)) => messages.add("bytes", &error),
            _ => return Err(Failure::new(format!("{bytes:?} is no module"))),
        }
    }
    Ok(())
}

/// What is wrong with a message, if anything: it is too long, or has a character that moves a cursor.
pub fn harm(message: &str) -> Option<String> {
    if message.len() > LONGEST {
        return Some(format!("{} bytes: {:.60}", message.len(), message.escape_debug().to_string()));
    }
    let moves = message.chars().find(|char| !is_harmless(*char))?;
    Some(format!("has {moves:?}: {:.200}", message.escape_debug().to_string()))
}

/// Whether it is visible and moves nothing: characters that `Debug` escapes are not, except quotation marks and
/// backslashes, nor are invisible ones.
fn is_harmless(char: char) -> bool {
    let is_shown = matches!(char, '"' | '\'' | '\\') || char.escape_debug().len() == 1;
    is_shown && !matches!(char, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}')
}

fn harmless<B: BackendUnderTest>() -> Outcome {
    for (what, message) in collect::<B>()? {
        let harm = harm(&message).unwrap_or_default();
        ensure!(harm.is_empty(), "{:.30}: {harm}", what.escape_debug().to_string());
    }
    Ok(())
}
