//! Modules with an exact number of what a cap counts.
//!
//! Each generator stays within the other caps of the given policy, if its shape allows. The benchmark `compile_cost`
//! builds the same modules.

mod parts;

pub use parts::Parts;

use std::iter::repeat_n;

use hotcell_core::{
    Offered, Policy, Signature,
    admit::FuncType,
    policy::{Limits, ModuleCaps},
};
use wasm_encoder::{BlockType, ConstExpr, Elements, InstructionSink, RefType, ValType};

/// Builds a module with exactly that number; `None` if no module has it.
pub type Build = fn(u64, &Policy) -> Option<Vec<u8>>;

/// Every generator, by the key of its cap. A cap may have several, one for each way to reach it, with a word to
/// distinguish them.
pub const GENERATORS: &[(&str, &str, Build)] = &[
    ("module.bytes", "", bytes),
    ("module.functions", "", functions),
    ("module.body_bytes", "", body_bytes),
    ("module.data_segments", "", data_segments),
    ("module.data_segments", "announced", counted_data_segments),
    ("module.element_entries", "functions", element_functions),
    ("module.element_entries", "expressions", element_expressions),
    ("module.tables", "", tables),
    ("module.memories", "", memories),
    ("module.imports", "", imports),
    ("module.exports", "", exports),
    ("module.types", "", types),
    ("module.globals", "", globals),
    ("module.params", "", params),
    ("module.params_total", "", params_total),
    ("module.results", "", results),
    ("module.results", "of a block", block_params),
    ("module.locals", "", locals),
    ("module.locals_total", "", locals_total),
    ("module.blocks", "", blocks),
    ("module.blocks", "ifs", ifs),
    ("module.blocks", "loops", loops_as_blocks),
    ("module.blocks_total", "", blocks_total),
    ("module.loops_total", "", loops_total),
    ("module.branches", "", branches),
    ("module.branches", "targets", switches),
    ("module.loop_nesting", "", loop_nesting),
    ("module.nesting", "", nesting),
    ("module.locals_x_loop_nesting", "", locals_x_loop_nesting),
    ("module.locals_x_blocks", "", locals_x_blocks),
    ("module.locals_x_branches", "", locals_x_branches),
    ("module.br_table", "", br_table),
    ("module.br_table_total", "", br_table_total),
    ("module.operand_height", "", operand_height),
    ("module.constants", "", constants),
    ("module.element_segments", "", element_segments),
    ("module.const_expr_ops", "of a global", global_expr_ops),
    ("module.const_expr_ops", "of an element segment", element_offset_ops),
    ("module.const_expr_ops", "of a data segment", data_offset_ops),
    ("module.name_bytes", "of an export", export_name_bytes),
    ("module.name_bytes", "of an import's module", import_module_bytes),
    ("module.name_bytes", "of an import", import_field_bytes),
    ("module.custom_sections", "", custom_sections),
    ("module.custom_bytes", "", custom_bytes),
    ("limits.memory_bytes", "", memory_bytes),
    ("limits.memory_bytes", "with a table", memory_and_table_bytes),
    ("limits.table_elements", "", table_elements),
];

const PAGE: u64 = 1 << 16;
const TABLE_ELEMENT: u64 = 8;

/// Every cap that admission checks.
pub fn caps(policy: &Policy) -> Vec<(&'static str, u64)> {
    let Limits { memory_bytes, table_elements, .. } = policy.rules().limits;
    let limits = [("limits.memory_bytes", memory_bytes), ("limits.table_elements", table_elements)];
    policy.rules().module.each().chain(limits).collect()
}

/// The cap with this key.
pub fn cap(policy: &Policy, key: &str) -> u64 {
    caps(policy).into_iter().find_map(|(name, cap)| (name == key).then_some(cap)).expect(key)
}

/// The first of `numbers` for which a module exists, with the module.
pub fn first(mut numbers: impl Iterator<Item = u64>, build: Build, policy: &Policy) -> Option<(u64, Vec<u8>)> {
    numbers.find_map(|n| Some((n, build(n, policy)?)))
}

/// The functions that the modules import, also under names of the maximum length.
pub fn offered(policy: &Policy) -> Offered {
    let longest = "n".repeat(policy.rules().module.name_bytes as usize);
    let mut offered = Offered::default();
    for (module, name) in [("env", "f"), (&longest, "f"), ("env", &longest)] {
        let signature = Signature { module: module.to_owned(), name: name.to_owned(), ty: FuncType::default() };
        offered.offer(signature).unwrap();
    }
    offered
}

fn bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    padded(n, |padding| {
        let mut parts = Parts::default();
        parts.data.passive(repeat_n(0, padding));
        parts
    })
}

fn functions(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(0);
    for _ in 0..n {
        parts.function(signature, 0, |_| ());
    }
    Some(parts.finish())
}

fn body_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    // One byte is the count of local groups, one the final `end`.
    let nops = n.checked_sub(2)?;
    function(0, 0, |code| {
        for _ in 0..nops {
            code.nop();
        }
    })
}

fn data_segments(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Some(with_data_segments(n).finish())
}

fn counted_data_segments(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Some(Parts { counts_data: true, ..with_data_segments(n) }.finish())
}

fn with_data_segments(n: u64) -> Parts {
    let mut parts = Parts::default();
    for _ in 0..n {
        parts.data.passive([]);
    }
    parts
}

fn element_functions(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    parts.passive_elements(vec![0; n as usize]);
    Some(parts.finish())
}

fn element_expressions(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    let entries = vec![ConstExpr::ref_func(0); n as usize];
    parts.elements.passive(Elements::Expressions(RefType::FUNCREF, entries.into()));
    Some(parts.finish())
}

fn tables(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for _ in 0..n {
        parts.table(0);
    }
    Some(parts.finish())
}

fn memories(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for _ in 0..n {
        parts.memory(0);
    }
    Some(parts.finish())
}

fn imports(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(0);
    for _ in 0..n {
        parts.import("env", "f");
    }
    Some(parts.finish())
}

fn exports(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    for index in 0..n {
        parts.export(&index.to_string());
    }
    Some(parts.finish())
}

fn types(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for _ in 0..n {
        parts.signature(0);
    }
    Some(parts.finish())
}

fn globals(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for _ in 0..n {
        parts.global(&ConstExpr::i32_const(0));
    }
    Some(parts.finish())
}

fn params(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(n);
    Some(parts.finish())
}

fn params_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let most = policy.rules().module.params;
    let mut parts = Parts::default();
    let (all, rest) = (parts.signature(most), parts.signature(n % most));
    for params in shares(n, most) {
        parts.function(if params == most { all } else { rest }, 0, |_| ());
    }
    Some(parts.finish())
}

fn results(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.types.ty().function([], repeat_n(ValType::I32, n as usize));
    Some(parts.finish())
}

fn block_params(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let (none, taking) = (parts.signature(0), parts.signature(n));
    parts.function(none, 0, |code| {
        for _ in 0..n {
            code.i32_const(0);
        }
        code.block(BlockType::FunctionType(taking));
        for _ in 0..n {
            code.drop();
        }
        code.end();
    });
    Some(parts.finish())
}

fn locals(n: u64, _: &Policy) -> Option<Vec<u8>> {
    // A parameter is a local too.
    function(1, n.checked_sub(1)?, |_| ())
}

fn locals_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(0);
    for locals in shares(n, policy.rules().module.locals) {
        parts.function(signature, locals, |_| ());
    }
    Some(parts.finish())
}

fn blocks(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(0, 0, |code| row(n, code, block))
}

fn ifs(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(1, 0, |code| {
        row(n, code, |code| {
            code.local_get(0).if_(BlockType::Empty);
        })
    })
}

/// Blocks that a loop counts as.
const BLOCKS_OF_A_LOOP: u64 = 4;

fn loops_as_blocks(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let loops = divided(n, BLOCKS_OF_A_LOOP)?;
    function(0, 0, |code| row(loops, code, loop_))
}

fn blocks_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(0);
    for blocks in shares(n, policy.rules().module.blocks) {
        parts.function(signature, 0, |code| row(blocks, code, block));
    }
    Some(parts.finish())
}

fn loops_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(0);
    for loops in shares(n, policy.rules().module.blocks / BLOCKS_OF_A_LOOP) {
        parts.function(signature, 0, |code| row(loops, code, loop_));
    }
    Some(parts.finish())
}

fn branches(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(1, 0, |code| {
        for _ in 0..n {
            code.local_get(0).br_if(0);
        }
    })
}

fn switches(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    function(1, 0, |code| {
        for targets in shares(n, policy.rules().module.br_table) {
            code.block(BlockType::Empty);
            switch(targets, code);
            code.end();
        }
    })
}

fn loop_nesting(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(0, 0, |code| nest(n, code, loop_))
}

fn nesting(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(0, 0, |code| nest(n, code, block))
}

fn locals_x_loop_nesting(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let ModuleCaps { locals, loop_nesting, .. } = policy.rules().module;
    let (locals, loops) = factors(n, locals, loop_nesting)?;
    function(0, locals, |code| nest(loops, code, loop_))
}

fn locals_x_blocks(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let ModuleCaps { locals, blocks, .. } = policy.rules().module;
    let (locals, blocks) = factors(n, locals, blocks)?;
    function(0, locals, |code| row(blocks, code, block))
}

/// Every branch carries every local to one join.
fn locals_x_branches(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let ModuleCaps { locals, branches, .. } = policy.rules().module;
    let (locals, branches) = factors(n, locals, branches)?;
    let changed = 1..locals as u32;
    function(1, locals - 1, |code| {
        code.block(BlockType::Empty);
        for _ in 0..branches / 2 {
            code.local_get(0).br_if(0);
        }
        for local in changed.clone() {
            code.local_get(0).local_set(local);
        }
        for _ in branches / 2..branches {
            code.local_get(0).br_if(0);
        }
        code.end();
        for local in changed {
            code.local_get(local).drop();
        }
    })
}

fn br_table(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(1, 0, |code| switch(n, code))
}

fn br_table_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(1);
    for targets in shares(n, policy.rules().module.br_table) {
        parts.function(signature, 0, |code| switch(targets, code));
    }
    Some(parts.finish())
}

fn operand_height(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(1, 0, |code| {
        for _ in 0..n {
            code.local_get(0);
        }
        for _ in 0..n {
            code.drop();
        }
    })
}

/// Of all four types, each twice: only different ones count.
fn constants(n: u64, _: &Policy) -> Option<Vec<u8>> {
    function(0, 0, |code| {
        for constant in (0..n).chain(0..n) {
            match constant % 4 {
                0 => code.i32_const(constant as i32),
                1 => code.i64_const(constant as i64),
                2 => code.f32_const(f32::from_bits(constant as u32).into()),
                _ => code.f64_const(f64::from_bits(constant).into()),
            };
            code.drop();
        }
    })
}

fn element_segments(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for _ in 0..n {
        parts.passive_elements(Vec::new());
    }
    Some(parts.finish())
}

fn global_expr_ops(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.global(&sum(n)?);
    Some(parts.finish())
}

fn element_offset_ops(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.table(0);
    parts.elements.active(None, &sum(n)?, Elements::Functions(vec![].into()));
    Some(parts.finish())
}

fn data_offset_ops(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.memory(0);
    parts.data.active(0, &sum(n)?, []);
    Some(parts.finish())
}

fn export_name_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    parts.export(&"n".repeat(n as usize));
    Some(parts.finish())
}

fn import_module_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(0);
    parts.import(&"n".repeat(n as usize), "f");
    Some(parts.finish())
}

fn import_field_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(0);
    parts.import("env", &"n".repeat(n as usize));
    Some(parts.finish())
}

fn custom_sections(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Some(Parts { custom: vec![0; n as usize], ..Parts::default() }.finish())
}

/// In two sections.
fn custom_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let header = Parts::default().finish().len() as u64;
    padded(header + n, |padding| Parts { custom: vec![0, padding], ..Parts::default() })
}

fn memory_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    memory_and_table(n / PAGE, n % PAGE)
}

/// With the largest table, so that the sum counts.
fn memory_and_table_bytes(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let table = policy.rules().limits.table_elements * TABLE_ELEMENT;
    let pages = n.saturating_sub(table).div_ceil(PAGE);
    memory_and_table(pages, n.checked_sub(pages * PAGE)?)
}

fn memory_and_table(pages: u64, table_bytes: u64) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.memory(pages);
    parts.table(divided(table_bytes, TABLE_ELEMENT)?);
    Some(parts.finish())
}

/// In the maximum number of tables.
fn table_elements(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for elements in shares(n, n.div_ceil(policy.rules().module.tables)) {
        parts.table(elements);
    }
    Some(parts.finish())
}

fn function(params: u64, locals: u64, write: impl FnOnce(&mut InstructionSink<'_>)) -> Option<Vec<u8>> {
    Some(Parts::with_function(params, locals, write).finish())
}

fn block(code: &mut InstructionSink<'_>) {
    code.block(BlockType::Empty);
}

fn loop_(code: &mut InstructionSink<'_>) {
    code.loop_(BlockType::Empty);
}

/// `n` empty blocks in sequence.
fn row(n: u64, code: &mut InstructionSink<'_>, open: impl Fn(&mut InstructionSink<'_>)) {
    for _ in 0..n {
        open(code);
        code.end();
    }
}

/// `n` nested blocks.
fn nest(n: u64, code: &mut InstructionSink<'_>, open: impl Fn(&mut InstructionSink<'_>)) {
    for _ in 0..n {
        open(code);
    }
    for _ in 0..n {
        code.end();
    }
}

/// A `br_table` on parameter 0.
fn switch(targets: u64, code: &mut InstructionSink<'_>) {
    code.local_get(0).br_table(repeat_n(0, targets as usize), 0);
}

/// A sum with this number of operators. Each addition takes one more constant, so the number is odd.
fn sum(operators: u64) -> Option<ConstExpr> {
    let additions = divided(operators.checked_sub(1)?, 2)?;
    Some((0..additions).fold(ConstExpr::i32_const(0), |sum, _| sum.with_i32_const(0).with_i32_add()))
}

/// `n` in the minimum number of shares of at most `most`.
fn shares(n: u64, most: u64) -> impl Iterator<Item = u64> {
    (0..n.div_ceil(most)).map(move |index| most.min(n - index * most))
}

fn divided(n: u64, by: u64) -> Option<u64> {
    n.is_multiple_of(by).then(|| n / by)
}

/// Two factors of `n`, the second as large as possible, neither above its limit.
fn factors(n: u64, first: u64, second: u64) -> Option<(u64, u64)> {
    (1..=second).rev().find_map(|b| Some((divided(n, b).filter(|a| *a <= first)?, b)))
}

/// The module with `n` bytes, by the right padding.
fn padded(n: u64, build: impl Fn(usize) -> Parts) -> Option<Vec<u8>> {
    let n = n as usize;
    // The length fields before the padding grow with it.
    let most = n.checked_sub(build(0).finish().len())?;
    let bytes = (most.saturating_sub(16)..=most).map(|padding| build(padding).finish());
    bytes.into_iter().find(|bytes| bytes.len() == n)
}
