//! Modules with the shapes of real ones (docs/guests.md has the table): each is admitted under its preset and answers, with the
//! same fuel on every backend.

use hotcell::{Contract, Policy, SandboxOptions, Value, backends, sandbox};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// A module of functions `(i32) -> i32`, the last of which is exported as `run`.
fn module(bodies: &[Function], data: Option<&DataSection>) -> Vec<u8> {
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([ValType::I32], [ValType::I32]);
    for body in bodies {
        functions.function(0);
        code.function(body);
    }
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 64, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, bodies.len() as u32 - 1);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
    if let Some(data) = data {
        module.section(data);
    }
    module.finish()
}

/// Gives the byte at its argument, of so many segments of 8 bytes.
fn data_segments(count: u32) -> Vec<u8> {
    let mut data = DataSection::new();
    for index in 0..count {
        data.active(0, &ConstExpr::i32_const(index as i32 * 16), [index as u8; 8]);
    }
    let mut body = Function::new([]);
    let byte = wasm_encoder::MemArg { offset: 0, align: 0, memory_index: 0 };
    body.instructions().local_get(0).i32_load8_u(byte).end();
    module(&[body], Some(&data))
}

/// So many targets in tables of so many each; gives 10 for an even argument and 20 for an odd one.
fn branch_tables(targets: u32, each: u32) -> Vec<u8> {
    let mut body = Function::new([]);
    let mut code = body.instructions();
    code.block(BlockType::Empty).block(BlockType::Empty).local_get(0);
    code.br_table((0..each).map(|target| target % 2), 0);
    code.end().i32_const(10).return_().end().i32_const(20).end();
    module(&vec![body; targets.div_ceil(each) as usize], None)
}

/// One body of at least so many bytes.
fn body(bytes: usize) -> Vec<u8> {
    let mut body = Function::new([]);
    let mut number = 0;
    while body.byte_len() < bytes {
        number += 1;
        body.instructions().local_get(0).i32_const(number % 1_000).i32_xor().local_set(0);
        if number % 50 == 0 {
            body.instructions().local_get(0).if_(BlockType::Empty).i32_const(1).local_set(0).end();
        }
    }
    body.instructions().i32_const(7).end();
    module(&[body], None)
}

/// One function with so many locals. Gives twice its argument and the number of the last.
fn locals(count: u32) -> Vec<u8> {
    let mut body = Function::new([(count - 1, ValType::I32)]);
    let mut code = body.instructions();
    for local in 1..count {
        code.local_get(0).i32_const(local as i32).i32_add().local_set(local);
    }
    code.local_get(count - 1).local_get(0).i32_add().end();
    module(&[body], None)
}

/// One function with so many branches out of nested blocks. Gives its argument.
fn branches(count: i32) -> Vec<u8> {
    const DEPTH: u32 = 60;
    let mut body = Function::new([]);
    let mut code = body.instructions();
    for _ in 0..DEPTH {
        code.block(BlockType::Empty);
    }
    for number in 0..count {
        code.local_get(0).i32_const(number).i32_eq().br_if(number as u32 % DEPTH);
    }
    for _ in 0..DEPTH {
        code.end();
    }
    code.local_get(0).end();
    module(&[body], None)
}

#[test]
fn shapes_of_real_modules_are_admitted_and_run() {
    let default = Policy::default();
    let strict = Policy::strict();
    // A frame is charged for what its operators make, and so long a body has hundreds of thousands of them.
    let deep = default.with(|rules| rules.limits.stack_bytes = 4 << 20).unwrap();
    let cases = [
        ("a Go program", &default, data_segments(54_441), 54_440 * 16, 54_440 & 255),
        ("a Go plugin", &default, branch_tables(100_004, 250), 7, 20),
        ("esbuild", &default, branch_tables(470_000, 500), 8, 10),
        ("rustpython", &deep, body(1_263_867), 3, 7),
        ("QuickJS, debug build", &default, locals(4_011), 5, 4_020),
        ("resvg", &strict, branches(4_803), 4_802, 4_802),
    ];
    for (name, policy, wasm, argument, result) in cases {
        let mut outcomes = Vec::new();
        for backend in backends() {
            let sandbox = sandbox(backend.id, policy.clone(), &SandboxOptions::default()).unwrap();
            let plugin = sandbox.load(&wasm, &Contract::None).unwrap_or_else(|error| panic!("{name}: {error}"));
            sandbox.finish_compiling();
            let (results, report) = plugin.call_values("run", &[Value::I32(argument)], None).unwrap();
            assert_eq!(results, [Value::I32(result)], "{name} on {}", backend.id);
            outcomes.push(report.usage.fuel_used);
        }
        assert!(outcomes.iter().all(|fuel| fuel.is_some() && *fuel == outcomes[0]), "{name}: {outcomes:?}");
    }
}

#[test]
fn strict_admits_no_shape_of_default() {
    for wasm in [data_segments(1_001), branch_tables(65_750, 250), body(257 << 10), locals(2_001), branches(5_001)] {
        let sandbox = sandbox("wasmi", Policy::strict(), &SandboxOptions::default()).unwrap();
        let error = sandbox.load(&wasm, &Contract::None).map(drop).unwrap_err();
        assert_eq!(error.code(), "limit-exceeded", "{error}");
    }
}
