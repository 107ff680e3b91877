//! Modules that cost a compiler more than their size suggests: each as large as a policy admits.
//!
//! No attack depends on a cap. Each is a function of any size; its maximum size, and the maximum number of such
//! functions in a module, are found by trying admission. So raising a cap shows its cost here.

use hotcell::{Contract, Policy, admit};
use wasm_encoder::{BlockType, ConstExpr, Elements, InstructionSink, MemArg};

use hotcell_conformance::modules::{Parts, offered};

/// One way to be expensive.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Locals of the function besides its parameter.
    locals: u64,
    /// Writes the function's body.
    body: fn(&mut InstructionSink<'_>, Size),
    /// Maximum bytes of the function, if many small ones cost more than a large one.
    most_bytes: usize,
}

/// The size of an attack.
#[derive(Clone, Copy)]
struct Size {
    /// Number of repetitions.
    n: u64,
    /// Locals besides the parameter.
    locals: u32,
}

/// Any size.
const ANY: usize = usize::MAX;
const EMPTY: BlockType = BlockType::Empty;

/// The parameter of the attacking function.
const PARAM: u32 = 0;
/// An imported function and one of the module.
const IMPORT: u32 = 0;
const CALLEE: u32 = 1;

pub(crate) const ATTACKS: &[Attack] = &[
    Attack { name: "calls", locals: 0, body: calls, most_bytes: ANY },
    Attack { name: "calls of an import", locals: 0, body: host_calls, most_bytes: ANY },
    Attack { name: "indirect calls", locals: 0, body: indirect_calls, most_bytes: ANY },
    Attack { name: "table.get", locals: 0, body: table_get, most_bytes: ANY },
    Attack { name: "table.copy", locals: 0, body: table_copy, most_bytes: ANY },
    Attack { name: "table.init", locals: 0, body: table_init, most_bytes: ANY },
    Attack { name: "memory.fill", locals: 0, body: memory_fill, most_bytes: ANY },
    Attack { name: "memory.grow", locals: 0, body: memory_grow, most_bytes: ANY },
    Attack { name: "loads and stores", locals: 0, body: loads_and_stores, most_bytes: ANY },
    Attack { name: "rotations", locals: 0, body: rotations, most_bytes: ANY },
    Attack { name: "float roundings", locals: 0, body: roundings, most_bytes: ANY },
    Attack { name: "products of a value with a part of itself", locals: 1, body: products, most_bytes: ANY },
    Attack { name: "the same, in bodies of 16 KiB", locals: 1, body: products, most_bytes: 16 << 10 },
    Attack { name: "the same, in bodies of 4 KiB", locals: 1, body: products, most_bytes: 4 << 10 },
    Attack { name: "conditional branches", locals: 0, body: branches, most_bytes: ANY },
    Attack { name: "ifs in a row that set a local", locals: 1, body: ifs, most_bytes: ANY },
    Attack { name: "ifs in a row below a high stack", locals: 0, body: ifs_below_a_stack, most_bytes: ANY },
    Attack { name: "ifs with results", locals: 0, body: ifs_with_results, most_bytes: ANY },
    Attack { name: "loops in a row", locals: 0, body: loops, most_bytes: ANY },
    Attack { name: "loops in a row, 49 locals live", locals: 49, body: loops, most_bytes: ANY },
    Attack { name: "nested loops that change 30 locals", locals: 30, body: nested_loops, most_bytes: ANY },
    Attack { name: "nested loops that change 780 locals", locals: 780, body: nested_loops, most_bytes: ANY },
    Attack { name: "branches that merge 1 local", locals: 1, body: merging_branches, most_bytes: ANY },
    Attack { name: "branches that merge 100 locals", locals: 100, body: merging_branches, most_bytes: ANY },
    Attack { name: "branches that merge 1,900 locals", locals: 1_900, body: merging_branches, most_bytes: ANY },
    Attack { name: "br_tables that merge 10 locals", locals: 10, body: merging_tables, most_bytes: ANY },
    Attack { name: "br_tables that merge 1,900 locals", locals: 1_900, body: merging_tables, most_bytes: ANY },
    Attack { name: "nested blocks that merge 20 locals", locals: 20, body: merging_blocks, most_bytes: ANY },
    Attack { name: "nested blocks that merge 200 locals", locals: 200, body: merging_blocks, most_bytes: ANY },
    Attack { name: "nested blocks that merge 1,900 locals", locals: 1_900, body: merging_blocks, most_bytes: ANY },
    Attack { name: "functions with a loop", locals: 0, body: loops, most_bytes: 16 },
    Attack { name: "functions with a bit of everything", locals: 4, body: everything, most_bytes: 64 },
];

impl Attack {
    /// The most expensive module of at most `most_bytes` that `policy` admits: the function at its maximum size, then
    /// as many of it as fit.
    pub(crate) fn module(&self, policy: &Policy, most_bytes: usize) -> Vec<u8> {
        let fits = |module: &[u8]| module.len() <= most_bytes && is_admitted(module, policy);
        let n = largest(|n| {
            let module = self.with(n, 1);
            module.len() <= self.most_bytes.saturating_add(self.with(0, 1).len()) && fits(&module)
        });
        self.with(n, largest(|functions| fits(&self.with(n, functions))))
    }

    fn with(&self, n: u64, functions: u64) -> Vec<u8> {
        let mut parts = base();
        let signature = parts.signature(1);
        for _ in 0..functions {
            let size = Size { n, locals: self.locals as u32 };
            parts.function(signature, self.locals, |code| (self.body)(code, size));
        }
        parts.finish()
    }
}

fn is_admitted(module: &[u8], policy: &Policy) -> bool {
    admit(module, policy, &offered(policy), &Contract::None).is_ok()
}

/// The largest good number, if all smaller ones are good too.
fn largest(is_good: impl Fn(u64) -> bool) -> u64 {
    let mut bad = 1;
    while is_good(bad) {
        bad *= 2;
    }
    let mut good = bad / 2;
    while bad - good > 1 {
        let middle = u64::midpoint(good, bad);
        if is_good(middle) { good = middle } else { bad = middle }
    }
    good
}

/// Items that bodies use: a memory, tables, segments and functions to call.
fn base() -> Parts {
    let mut parts = Parts::default();
    let callee = parts.signature(0);
    parts.import("env", "f");
    parts.function(callee, 0, |_| ());
    parts.memory(1);
    parts.table(10);
    parts.elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(vec![CALLEE].into()));
    parts.passive_elements(vec![CALLEE]);
    parts
}

fn at(offset: u64) -> MemArg {
    MemArg { offset, align: 0, memory_index: 0 }
}

fn calls(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.call(CALLEE);
    }
}

fn host_calls(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.call(IMPORT);
    }
}

fn indirect_calls(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).call_indirect(0, 0);
    }
}

fn table_get(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).table_get(0).drop();
    }
}

fn table_copy(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).local_get(PARAM).local_get(PARAM).table_copy(0, 0);
    }
}

fn table_init(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).local_get(PARAM).local_get(PARAM).table_init(0, 1);
    }
}

fn memory_fill(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).local_get(PARAM).local_get(PARAM).memory_fill(0);
    }
}

fn memory_grow(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).memory_grow(0).local_set(PARAM);
    }
}

fn loads_and_stores(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).local_get(PARAM).i32_load(at(4)).i32_store(at(8));
    }
}

/// Many equal expressions to the optimiser.
fn rotations(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    code.local_get(PARAM);
    for _ in 0..n {
        code.local_get(PARAM).i32_rotl();
    }
    code.local_set(PARAM);
    keep(code, PARAM);
}

/// Each is followed by a canonicalisation of NaNs.
fn roundings(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    code.local_get(PARAM).f32_convert_i32_s();
    for _ in 0..n {
        code.f32_nearest();
    }
    code.i32_reinterpret_f32().local_set(PARAM);
    keep(code, PARAM);
}

/// One chain through a register, which is used once more at each step.
fn products(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    code.local_get(PARAM);
    for _ in 0..n {
        code.local_tee(1).i32_extend16_s().local_get(1).i32_mul();
    }
    code.local_set(PARAM);
    keep(code, PARAM);
}

fn branches(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).br_if(0);
    }
}

fn ifs(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).if_(EMPTY).i32_const(1).local_set(1).end();
    }
    keep(code, 1);
}

fn ifs_below_a_stack(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    const HEIGHT: u64 = 4_000;
    for offset in 0..HEIGHT {
        code.local_get(PARAM).i32_load(at(offset));
    }
    for _ in 0..n {
        code.local_get(PARAM).if_(EMPTY).end();
    }
    for _ in 1..HEIGHT {
        code.i32_xor();
    }
    code.local_set(PARAM);
    keep(code, PARAM);
}

fn ifs_with_results(code: &mut InstructionSink<'_>, Size { n, .. }: Size) {
    for _ in 0..n {
        code.local_get(PARAM).if_(BlockType::Result(wasm_encoder::ValType::I32));
        code.i32_const(1).else_().i32_const(2).end().local_set(PARAM);
    }
    keep(code, PARAM);
}

fn loops(code: &mut InstructionSink<'_>, Size { n, locals }: Size) {
    set(code, locals);
    for _ in 0..n {
        code.loop_(EMPTY).local_get(PARAM).br_if(0).end();
    }
    keep_all(code, locals);
}

/// Nested loops: every header merges every local.
fn nested_loops(code: &mut InstructionSink<'_>, Size { n, locals }: Size) {
    for _ in 0..n {
        code.loop_(EMPTY);
    }
    for local in 1..=locals {
        code.local_get(local).local_get(PARAM).i32_add().local_set(local);
    }
    for _ in 0..n {
        code.local_get(PARAM).br_if(0).end();
    }
    keep_all(code, locals);
}

/// Each branch carries every local to the end of one block.
fn merging_branches(code: &mut InstructionSink<'_>, Size { n, locals }: Size) {
    code.block(EMPTY).local_get(PARAM).br_if(0);
    set(code, locals);
    for _ in 0..n {
        code.local_get(PARAM).br_if(0);
    }
    code.end();
    keep_all(code, locals);
}

/// The same with targets of `br_table`s, up to 1,000 each.
fn merging_tables(code: &mut InstructionSink<'_>, Size { n, locals }: Size) {
    const TARGETS: u64 = 1_000;
    code.block(EMPTY).local_get(PARAM).br_if(0);
    set(code, locals);
    for table in 0..n.div_ceil(TARGETS) {
        let targets = TARGETS.min(n - table * TARGETS);
        code.block(EMPTY).local_get(PARAM).br_table(vec![1; targets as usize], 0).end();
    }
    code.end();
    keep_all(code, locals);
}

/// The end of each block merges every local: its value at a branch over the block, and its value inside.
fn merging_blocks(code: &mut InstructionSink<'_>, Size { n, locals }: Size) {
    for _ in 0..n {
        code.block(EMPTY);
    }
    for block in 0..n {
        code.local_get(PARAM).br_if(block as u32);
    }
    set(code, locals);
    for _ in 0..n {
        code.end();
    }
    keep_all(code, locals);
}

fn everything(code: &mut InstructionSink<'_>, Size { n, locals }: Size) {
    for _ in 0..n {
        code.loop_(EMPTY).local_get(PARAM).call_indirect(0, 0);
        set(code, locals);
        code.local_get(PARAM).if_(EMPTY).call(IMPORT).local_get(PARAM).memory_grow(0).local_set(1).end();
        code.local_get(PARAM).br_if(0).end();
    }
    keep_all(code, locals);
}

/// Sets every local to an unknown value.
fn set(code: &mut InstructionSink<'_>, locals: u32) {
    for local in 1..=locals {
        code.local_get(PARAM).local_set(local);
    }
}

/// Uses every local.
fn keep_all(code: &mut InstructionSink<'_>, locals: u32) {
    for local in 1..=locals {
        keep(code, local);
    }
}

/// Uses a local, so that its computation is not dropped.
fn keep(code: &mut InstructionSink<'_>, local: u32) {
    code.i32_const(0).local_get(local).i32_store(at(0));
}
