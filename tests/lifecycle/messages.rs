//! Every message is short and shows nothing that moves a cursor, whatever the guest is called, and it is the same
//! message whether or not somebody asked for backtraces.

use std::{error::Error, fmt::Write as _, panic::resume_unwind};

use hotcell::{
    Contract, Fault, HostError, LoadError, Policy, Proposal, Rules, Sandbox, Value,
    backend::{Backend, HostFn},
    parse_policy,
    policy::Abi,
};
use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, MemorySection, MemoryType, Module, TypeSection, ValType,
};

use crate::{
    child,
    guest::{guest, policy},
};

on_each_backend! {
    messages_are_short_and_harmless
    backtraces_change_no_message
}

/// Longest message. A list of imports shows five of them, each with two names of up to 1 KiB and a type.
const LONGEST: usize = 16 << 10;

/// Colours, a new line, a bell, text from right to left, a byte order mark, and more than any line holds.
fn evil(len: usize) -> String {
    let mut name = "\x1b[2J\x1b]0;title\x07\n\r\0\u{202e}live\u{2066}\u{feff}\u{200b}\u{2028}\u{9b}1mé".to_owned();
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

/// A module in which everything that can have a name has this one, with a type of so many parameters.
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

/// Texts of an error and of all its sources, with a word that says where they are from.
struct Messages(Vec<(String, String)>);

impl Messages {
    fn add(&mut self, what: &str, error: &dyn Error) {
        self.0.push((what.to_owned(), error.to_string()));
    }
}

fn refused(rules: impl FnOnce(&mut Rules)) -> Policy {
    policy(rules)
}

/// All that can be made to fail with somebody else's words in it.
fn messages<B: Backend + HostFn<(), ()> + HostFn<(u32,), ()>>() -> Vec<(String, String)> {
    let mut messages = Messages(Vec::new());
    let ceiling = Policy::new(Rules {
        limits: Policy::default().rules().limits.clone(),
        ..Rules::preset(hotcell::Preset::Ceiling)
    });
    let ceiling = ceiling.unwrap();
    for name in [evil(0), evil(200), evil(900), evil(100_000)] {
        admission::<B>(&mut messages, &ceiling, &name);
        calls::<B>(&mut messages, &name);
        policies(&mut messages, &name);
    }
    traps::<B>(&mut messages);
    messages.0
}

fn admission<B: Backend + HostFn<(), ()> + HostFn<(u32,), ()>>(messages: &mut Messages, ceiling: &Policy, name: &str) {
    for policy in [ceiling, &Policy::default(), &Policy::strict()] {
        let sandbox = Sandbox::<B>::on(policy.clone()).unwrap();
        let mut imports = sandbox.imports::<()>();
        imports.func("env", "f", |_, ()| Ok(())).unwrap();
        let mut mistyped = sandbox.imports::<()>();
        mistyped.func(name, name, |_, (_,): (u32,)| Ok(())).unwrap();
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
            match sandbox.load_with(&wasm, imports, &contract) {
                Ok(plugin) => {
                    let error = plugin.call_values(name, &[Value::I64(0)], (), None).err();
                    error.iter().for_each(|error| messages.add("call", error));
                }
                Err(error) => messages.add("load", &error),
            }
        }
    }
}

fn calls<B: Backend + HostFn<(), ()>>(messages: &mut Messages, name: &str) {
    let sandbox = Sandbox::<B>::on(policy(|rules| rules.limits.reentry = 1)).unwrap();
    let mut imports = sandbox.imports::<String>();
    imports
        .func("env", "fail", |cx, ()| Err::<(), _>(HostError::message(cx.state().clone())))
        .unwrap()
        // Past the hook, which would write the words to the terminal as they are.
        .func("env", "panic", |cx, ()| -> Result<(), HostError> { resume_unwind(Box::new(cx.state().clone())) })
        .unwrap()
        .func("env", "again", |cx, ()| {
            let name = cx.state().clone();
            cx.call(&name, &[])?;
            Ok(())
        })
        .unwrap();
    messages.add(
        "duplicate",
        &imports.func(name, name, |_, ()| Ok(())).and_then(|i| i.func(name, name, |_, ()| Ok(()))).err().unwrap(),
    );
    let wasm = guest(
        r#"(import "env" "fail" (func $fail)) (import "env" "panic" (func $panic)) (import "env" "again" (func $again))
        (func (export "process") (param i32 i32) (result i64) (call $fail) (i64.const 0))
        (func (export "panic") (param i32 i32) (result i64) (call $panic) (i64.const 0))
        (func (export "again") (param i32 i32) (result i64) (call $again) (i64.const 0))"#,
    );
    let plugin = sandbox.load_with(&wasm, &imports, &Contract::bytes("process")).unwrap();
    for entry in ["process", "panic", "again", name] {
        let error = plugin.call_with(entry, b"", name.to_owned(), None).unwrap_err();
        messages.add(entry, &error);
        messages.add(entry, &error.fault);
    }
    let mut session = plugin.session(String::new()).unwrap();
    messages.add("values", &session.call_values(name, &[]).unwrap_err());
    messages.add("func", &session.func::<(), u32>(name).err().unwrap());

    let export = name.to_owned();
    let policy = policy(|rules| rules.abi = Some(Abi { export, min: 3, max: 4 }));
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    let plugin = sandbox
        .load(&guest(r#"(func (export "process") (param i32 i32) (result i64) (unreachable))"#), "process")
        .unwrap();
    messages.add("abi", &plugin.call("process", b"").unwrap_err());
}

fn policies(messages: &mut Messages, name: &str) {
    for text in
        [name.to_owned(), format!("preset = {name:?}"), format!("[{name:?}]\na = 1"), format!("proposals = [{name:?}]")]
    {
        messages.add("policy", &parse_policy(&text).unwrap_err());
    }
    let options = hotcell::HostOptions::default();
    messages.add("backend", &hotcell::sandbox(name, Policy::default(), &options).err().unwrap());
    let unlimited = Policy::default().with(|rules| (rules.limits.fuel, rules.limits.deadline) = (None, None));
    messages.add("policy", &unlimited.unwrap_err());
    let memory64 = refused(|rules| rules.proposals.allow(Proposal::Memory64));
    hotcell::sandbox("wasmi", memory64, &options).err().iter().for_each(|error| messages.add("proposal", error));
}

fn traps<B: Backend>(messages: &mut Messages) {
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
        let plugin = Sandbox::<B>::on(policy.clone()).unwrap().load(&wasm, "process").unwrap();
        let error = plugin.call("process", b"input").unwrap_err();
        messages.add(body, &error);
        assert!(!matches!(error.fault, Fault::Backend(_)));
    }
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0\xff\xff\xff\xff\xff", b"(module)"] {
        match sandbox.load(bytes, "process") {
            Err(error @ LoadError::Rejected(_)) => messages.add("bytes", &error),
            _ => panic!("{bytes:?}"),
        }
    }
}

/// Whether it shows itself and moves nothing. A policy file's error quotes it in lines.
fn is_harmless(char: char) -> bool {
    char == '\n'
        || !(char.is_control()
            || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
}

fn messages_are_short_and_harmless<B: Backend + HostFn<(), ()> + HostFn<(u32,), ()>>() {
    let mut wrong = String::new();
    for (what, message) in messages::<B>() {
        let what = what.escape_debug().to_string().chars().take(30).collect::<String>();
        if message.len() > LONGEST {
            writeln!(wrong, "{what}: {} bytes: {:.60}", message.len(), message.escape_debug().to_string()).unwrap();
        }
        if let Some(char) = message.chars().find(|char| !is_harmless(*char) || *char == '\n') {
            writeln!(wrong, "{what}: has {char:?}: {:.200}", message.escape_debug().to_string()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "on {}:\n{wrong}", B::ID);
}

fn backtraces_change_no_message<B: Backend + HostFn<(), ()> + HostFn<(u32,), ()>>() {
    if child::is_child() {
        for (_, message) in messages::<B>() {
            println!("message {}", message.escape_debug());
        }
        return;
    }
    let run = |backtraces: &str| {
        let mut command = child::again(&format!("messages::{}::backtraces_change_no_message", B::ID));
        for variable in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "WASMTIME_BACKTRACE_DETAILS"] {
            command.env(variable, backtraces);
        }
        let out = child::passes(command);
        out.lines().filter(|line| line.starts_with("message ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (without, with) = (run("0"), run("1"));
    assert!(without.len() > 100, "{}", without.len());
    assert_eq!(without, with);
}
