//! Admitted modules compile: at each limit of an engine that the rewrite can exceed, and one past it, a module is
//! rejected with the limit's name or compiled, on every backend.

use std::fmt::Write as _;

use hotcell::{
    Contract, LoadError, Policy, Proposal, Sandbox, Wasmi, Wasmtime, backend::Backend, backend::SandboxBackend,
    policy::Metering,
};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Module,
    TypeSection, ValType,
};

/// Loads a module on a backend.
fn load<B: Backend>(policy: &Policy, wasm: &[u8]) -> Result<(), String> {
    let sandbox = Sandbox::<B>::on(policy.clone()).map_err(|error| error.to_string())?;
    match sandbox.load_with(wasm, &sandbox.imports::<()>(), &Contract::None) {
        Ok(_) => Ok(()),
        Err(LoadError::Rejected(rejection)) => Err(format!("{} {rejection}", rejection.code())),
        Err(other) => panic!("{}: {other}", <B as SandboxBackend>::ID),
    }
}

/// Whether a module is admitted under `ceiling`; both backends must agree, with both meterings.
fn is_admitted(what: &str, wasm: &[u8]) -> bool {
    is_admitted_with(what, wasm, &[Metering::Exact, Metering::Engine])
}

fn is_admitted_with(what: &str, wasm: &[u8], meterings: &[Metering]) -> bool {
    let mut admitted = Vec::new();
    for metering in meterings {
        let policy = Policy::ceiling().with(|rules| {
            rules.metering = *metering;
            rules.module.start = true;
            rules.proposals.allow(Proposal::MultiMemory);
        });
        let policy = policy.expect("the policy is right");
        let outcomes = [load::<Wasmtime>(&policy, wasm), load::<Wasmi>(&policy, wasm)];
        assert_eq!(outcomes[0], outcomes[1], "{what}");
        if let Err(rejection) = &outcomes[0] {
            assert!(rejection.starts_with("limit-exceeded"), "{what}: {rejection}");
        }
        admitted.push(outcomes[0].is_ok());
    }
    admitted[0]
}

fn text(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields})")).expect("it assembles")
}

/// A module whose exported functions of `params` parameters fill its type size; the last one has `last`.
fn exports(params: usize, count: usize, last: usize) -> Vec<u8> {
    let (mut types, mut functions, mut all, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    for (index, params) in [params, last].into_iter().enumerate() {
        types.ty().function(vec![ValType::I64; params], []);
        functions.function(index as u32);
        let mut body = Function::new([]);
        body.instructions().end();
        code.function(&body);
    }
    for index in 0..count {
        all.export(&format!("e{index}"), ExportKind::Func, 0);
    }
    all.export("f", ExportKind::Func, 1);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&all).section(&code);
    module.finish()
}

/// Between `few` and `many`, the last admitted module is at the limit, and the next is not admitted.
fn edge(what: &str, few: usize, many: usize, module: impl Fn(usize) -> Vec<u8>) {
    assert!(is_admitted(what, &module(few)), "{what}: {few} are not admitted");
    assert!(!is_admitted(what, &module(many)), "{what}: {many} are admitted");
    let (mut fits, mut fails) = (few, many);
    while fails - fits > 1 {
        let middle = usize::midpoint(fits, fails);
        match is_admitted(what, &module(middle)) {
            true => fits = middle,
            false => fails = middle,
        }
    }
}

#[test]
fn the_size_of_all_types() {
    // The validator's own limit, beyond which a module is invalid, is a few types away from that of the rewritten
    // module.
    edge("type size", 450, 495, |last| exports(949, 1_051, last));
}

#[test]
fn locals_and_operands() {
    let module = |locals: usize, height: usize| {
        let (mut get, mut put) = (String::new(), String::new());
        for _ in 0..height {
            get += "local.get 0 ";
            put += "drop ";
        }
        text(&format!("(func (param i32) (local {}) {get} {put}) (start $s) (func $s)", "i64 ".repeat(locals)))
    };
    edge("locals", 28_000, 30_000, |locals| module(locals, 1));
    edge("operands beside 2,000 locals", 29_900, 30_800, |height| module(2_000, height));
    edge("operands beside 28,000 locals", 4_000, 5_000, |height| module(28_000, height));
}

#[test]
fn constants() {
    let operands = |count: usize| {
        let mut body = String::new();
        for index in 0..count {
            let _ = write!(body, "i64.const {} call $sink ", 0x7000_0000_0000_u64 + index as u64);
        }
        text(&format!("(func $sink (param i64)) (func {body})"))
    };
    edge("constant operands", 30_900, 31_200, operands);
    // An engine that folds constants has one more for each of these.
    let computed = |count: usize| {
        let step = "i64.const 6364136223846793005 i64.mul local.tee 0 ";
        text(&format!("(func (local i64) i64.const 3 {} drop)", step.repeat(count)))
    };
    edge("computed constants", 30_900, 31_200, computed);
    let from_nothing = |count: usize| {
        let step = "i64.const 6364136223846793005 i64.mul i64.const 1442695040888963407 i64.add local.tee 0 ";
        text(&format!("(func (local i64) local.get 0 local.get 0 i64.sub {} drop)", step.repeat(count)))
    };
    edge("constants computed from nothing", 15_000, 16_000, from_nothing);
    let chain = |count: usize| "i64.const 6364136223846793005 i64.mul local.tee 0 ".repeat(count);
    let in_a_block = |count: usize| {
        let text_of = chain(count);
        text(&format!("(func (local i64) i64.const 3 block (param i64) {text_of} drop end)"))
    };
    edge("constants computed in a block", 30_900, 31_200, in_a_block);
    let selected = |count: usize| {
        let text_of = chain(count);
        text(&format!("(func (local i64) i64.const 3 local.get 0 i32.const 5 select {text_of} drop)"))
    };
    edge("constants computed from what is selected", 30_900, 31_200, selected);
    let lanes = |count: usize| {
        let mut body = String::new();
        for index in 0..count {
            let lane = |shift: usize| index >> shift & 31;
            let _ = write!(
                body,
                "local.get 0 local.get 0 i8x16.shuffle {} {} {} {} 0 0 0 0 0 0 0 0 0 0 0 0 local.set 0 ",
                lane(0),
                lane(5),
                lane(10),
                lane(15)
            );
        }
        text(&format!("(func (param v128) {body})"))
    };
    edge("lanes of shuffles", 30_900, 31_200, lanes);
    // A value that an engine cannot know is not a constant.
    let counting = "global.get 0 i32.const 4 i32.add global.set 0 ".repeat(40_000);
    let counting = text(&format!("(global (mut i32) (i32.const 0)) (func {counting})"));
    assert!(is_admitted("a global that changes", &counting));
}

/// Far branches need no constants.
#[test]
fn far_branches_beside_many_constants() {
    let mut body = String::new();
    for index in 0..30_900 {
        let _ = write!(body, "i64.const {} call $sink ", 0x7000_0000_0000_u64 + index);
    }
    let (ifs, ends) = ("local.get 0 if ".repeat(1_000), "end ".repeat(1_000));
    let wasm = text(&format!("(func $sink (param i64)) (func (param i32) {ifs} {body} {ends})"));
    assert!(is_admitted("far branches", &wasm));
}

#[test]
fn parameters() {
    let module = |params: usize| {
        let types = "i32 ".repeat(params);
        let gets: String = (0..params).map(|at| format!("local.get {at} ")).collect();
        text(&format!("(table 1 funcref) (elem (i32.const 0) $f) (func $f (param {types}) {gets} call $f)"))
    };
    assert!(is_admitted("parameters", &module(1_000)));
}

#[test]
fn items() {
    let globals = |count: u32| {
        let mut globals = GlobalSection::new();
        for _ in 0..count {
            let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
            globals.global(ty, &ConstExpr::i64_const(1));
        }
        let mut module = Module::new();
        module.section(&globals);
        module.finish()
    };
    assert!(is_admitted("globals", &globals(100_000)));
    assert!(!is_admitted("globals", &globals(100_001)));
    let many_exports = |count: usize| exports(0, count - 1, 0);
    assert!(is_admitted("exports", &many_exports(100_000)));
    assert!(!is_admitted("exports", &many_exports(100_001)));
    assert!(is_admitted("memories", &text(&"(memory 0) ".repeat(100))));
    assert!(!is_admitted("memories", &text(&"(memory 0) ".repeat(101))));
    assert!(is_admitted("tables", &text(&"(table 1 funcref) ".repeat(100))));
    assert!(!is_admitted("tables", &text(&"(table 1 funcref) ".repeat(101))));
}

#[test]
fn targets_of_a_branch_table() {
    let module = |count: usize| {
        text(&format!("(func (param i32) block local.get 0 br_table {} 0 end)", "0 1 ".repeat(count / 2)))
    };
    assert!(is_admitted("targets", &module(65_518)));
    assert!(!is_admitted("targets", &module(65_520)));
}

/// Counts every type for functions that are called directly, bulk operators and blocks.
#[test]
fn types() {
    let module = |count: u32| {
        let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
        for _ in 0..count {
            types.ty().function([], []);
        }
        for index in 0..2_000 {
            functions.function(index);
            let mut body = Function::new([]);
            body.instructions().call((index + 1) % 2_000).end();
            code.function(&body);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        module.finish()
    };
    assert!(is_admitted_with("types", &module(999_000), &[Metering::Exact]));
    assert!(!is_admitted_with("types", &module(999_001), &[Metering::Exact]));
}
