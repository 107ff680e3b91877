//! Modules that have exactly so many of what a cap counts.
//!
//! Each generator stays within the other caps of the policy that it is given, where one shape allows it. The benchmark
//! `compile_cost` builds the same modules.

use std::iter::repeat_n;

use hotcell::{Policy, policy::Shape};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataCountSection, DataSection, ElementSection, Elements,
    EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    InstructionSink, MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

/// Builds a module with exactly so many; `None` where no module has exactly that many.
pub(crate) type Build = fn(u64, &Policy) -> Option<Vec<u8>>;

/// Every generator under the key of its cap. A cap may have several, one for each way to reach it.
pub(crate) const GENERATORS: &[(&str, Build)] = &[
    ("module.bytes", bytes),
    ("module.functions", functions),
    ("module.body_bytes", body_bytes),
    ("module.data_segments", data_segments),
    ("module.data_segments", counted_data_segments),
    ("module.element_entries", element_functions),
    ("module.element_entries", element_expressions),
    ("module.tables", tables),
    ("module.memories", memories),
    ("module.imports", imports),
    ("module.exports", exports),
    ("module.types", types),
    ("module.globals", globals),
    ("module.params", params),
    ("module.params_total", params_total),
    ("module.results", results),
    ("module.results", block_params),
    ("module.locals", locals),
    ("module.locals_total", locals_total),
    ("module.blocks", blocks),
    ("module.blocks", ifs),
    ("module.blocks", loops_as_blocks),
    ("module.blocks_total", blocks_total),
    ("module.loops_total", loops_total),
    ("module.loop_nesting", loop_nesting),
    ("module.nesting", nesting),
    ("module.locals_x_loop_nesting", locals_x_loop_nesting),
    ("module.locals_x_blocks", locals_x_blocks),
    ("module.br_table", br_table),
    ("module.br_table_total", br_table_total),
    ("module.operand_height", operand_height),
    ("module.constants", constants),
    ("module.element_segments", element_segments),
    ("module.const_expr_ops", global_expr_ops),
    ("module.const_expr_ops", element_offset_ops),
    ("module.const_expr_ops", data_offset_ops),
    ("module.name_bytes", export_name_bytes),
    ("module.name_bytes", import_module_bytes),
    ("module.name_bytes", import_field_bytes),
    ("module.custom_sections", custom_sections),
    ("module.custom_bytes", custom_bytes),
    ("limits.memory_bytes", memory_bytes),
    ("limits.memory_bytes", memory_and_table_bytes),
    ("limits.table_elements", table_elements),
];

const PAGE: u64 = 1 << 16;
const TABLE_ELEMENT: u64 = 8;

fn bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    padded(n, |padding| {
        let mut parts = Parts::default();
        parts.data.passive(repeat_n(0, padding));
        parts
    })
}

fn functions(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(0);
    (0..n).for_each(|_| parts.function(0, 0, |_| ()));
    parts.finish()
}

fn body_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    // One byte counts the groups of locals, one ends the body.
    let nops = n.checked_sub(2)?;
    Parts::with_function(0, 0, |code| (0..nops).for_each(|_| drop(code.nop()))).finish()
}

fn data_segments(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    (0..n).for_each(|_| drop(parts.data.passive([])));
    parts.finish()
}

/// With the section that announces the count before the code.
fn counted_data_segments(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    (0..n).for_each(|_| drop(parts.data.passive([])));
    parts.counts_data = true;
    parts.finish()
}

fn element_functions(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    parts.elements.passive(Elements::Functions(vec![0; n as usize].into()));
    parts.finish()
}

fn element_expressions(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    let entries = vec![ConstExpr::ref_func(0); n as usize];
    parts.elements.passive(Elements::Expressions(RefType::FUNCREF, entries.into()));
    parts.finish()
}

fn tables(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    (0..n).for_each(|_| parts.table(0));
    parts.finish()
}

fn memories(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    (0..n).for_each(|_| parts.memory(0));
    parts.finish()
}

fn imports(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(0);
    (0..n).for_each(|_| parts.import("env", "f"));
    parts.finish()
}

fn exports(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    (0..n).for_each(|index| parts.export(&index.to_string()));
    parts.finish()
}

fn types(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    (0..n).for_each(|_| drop(parts.signature(0)));
    parts.finish()
}

fn globals(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    (0..n).for_each(|_| parts.global(&ConstExpr::i32_const(0)));
    parts.finish()
}

fn params(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(n);
    parts.finish()
}

fn params_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    for params in shares(n, policy.shape().params) {
        let signature = parts.signature_once(params);
        parts.function(signature, 0, |_| ());
    }
    parts.finish()
}

fn results(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.types.ty().function([], repeat_n(ValType::I32, n as usize));
    parts.finish()
}

fn block_params(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let (none, taking) = (parts.signature(0), parts.signature(n));
    parts.function(none, 0, |code| {
        (0..n).for_each(|_| drop(code.i32_const(0)));
        code.block(BlockType::FunctionType(taking));
        (0..n).for_each(|_| drop(code.drop()));
        code.end();
    });
    parts.finish()
}

/// One of them a parameter.
fn locals(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(1);
    parts.function(signature, n.checked_sub(1)?, |_| ());
    parts.finish()
}

fn locals_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(0);
    shares(n, policy.shape().locals).for_each(|locals| parts.function(signature, locals, |_| ()));
    parts.finish()
}

fn blocks(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Parts::with_function(0, 0, |code| row(n, code, |code| drop(code.block(BlockType::Empty)))).finish()
}

fn ifs(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Parts::with_function(1, 0, |code| row(n, code, |code| drop(code.local_get(0).if_(BlockType::Empty)))).finish()
}

/// A loop counts as two blocks.
fn loops_as_blocks(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let loops = halved(n)?;
    Parts::with_function(0, 0, |code| row(loops, code, |code| drop(code.loop_(BlockType::Empty)))).finish()
}

fn blocks_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(0);
    for blocks in shares(n, policy.shape().blocks) {
        parts.function(signature, 0, |code| row(blocks, code, |code| drop(code.block(BlockType::Empty))));
    }
    parts.finish()
}

fn loops_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(0);
    for loops in shares(n, policy.shape().blocks / 2) {
        parts.function(signature, 0, |code| row(loops, code, |code| drop(code.loop_(BlockType::Empty))));
    }
    parts.finish()
}

fn loop_nesting(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Parts::with_function(0, 0, |code| nest(n, code, |code| drop(code.loop_(BlockType::Empty)))).finish()
}

fn nesting(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Parts::with_function(0, 0, |code| nest(n, code, |code| drop(code.block(BlockType::Empty)))).finish()
}

fn locals_x_loop_nesting(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let Shape { locals, loop_nesting, .. } = *policy.shape();
    let (locals, loops) = factors(n, locals, loop_nesting)?;
    Parts::with_function(0, locals, |code| nest(loops, code, |code| drop(code.loop_(BlockType::Empty)))).finish()
}

fn locals_x_blocks(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let Shape { locals, blocks, .. } = *policy.shape();
    let (locals, blocks) = factors(n, locals, blocks)?;
    Parts::with_function(0, locals, |code| row(blocks, code, |code| drop(code.block(BlockType::Empty)))).finish()
}

fn br_table(n: u64, _: &Policy) -> Option<Vec<u8>> {
    Parts::with_function(1, 0, |code| drop(code.local_get(0).br_table(vec![0; n as usize], 0))).finish()
}

fn br_table_total(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    let signature = parts.signature(1);
    for targets in shares(n, policy.shape().br_table) {
        parts.function(signature, 0, |code| drop(code.local_get(0).br_table(vec![0; targets as usize], 0)));
    }
    parts.finish()
}

fn operand_height(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let build = |code: &mut InstructionSink<'_>| {
        (0..n).for_each(|_| drop(code.local_get(0)));
        (0..n).for_each(|_| drop(code.drop()));
    };
    Parts::with_function(1, 0, build).finish()
}

/// Of all four types, every one twice: only different ones count.
fn constants(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let build = |code: &mut InstructionSink<'_>| {
        for constant in (0..n).chain(0..n) {
            match constant % 4 {
                0 => code.i32_const(constant as i32),
                1 => code.i64_const(constant as i64),
                2 => code.f32_const(f32::from_bits(constant as u32).into()),
                _ => code.f64_const(f64::from_bits(constant).into()),
            };
            code.drop();
        }
    };
    Parts::with_function(0, 0, build).finish()
}

fn element_segments(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    (0..n).for_each(|_| drop(parts.elements.passive(Elements::Functions([].as_slice().into()))));
    parts.finish()
}

fn global_expr_ops(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.global(&sum(n)?);
    parts.finish()
}

fn element_offset_ops(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.table(0);
    parts.elements.active(None, &sum(n)?, Elements::Functions([].as_slice().into()));
    parts.finish()
}

fn data_offset_ops(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.memory(0);
    parts.data.active(0, &sum(n)?, []);
    parts.finish()
}

fn export_name_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::with_function(0, 0, |_| ());
    parts.export(&"n".repeat(n as usize));
    parts.finish()
}

fn import_module_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(0);
    parts.import(&"n".repeat(n as usize), "f");
    parts.finish()
}

fn import_field_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.signature(0);
    parts.import("env", &"n".repeat(n as usize));
    parts.finish()
}

fn custom_sections(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.custom = vec![0; n as usize];
    parts.finish()
}

/// In two sections.
fn custom_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let header = Parts::default().finish()?.len() as u64;
    padded(header + n, |padding| Parts { custom: vec![0, padding], ..Parts::default() })
}

fn memory_bytes(n: u64, _: &Policy) -> Option<Vec<u8>> {
    memory_with_table(n / PAGE, n % PAGE)
}

/// With as large a table as fits, so that the sum counts.
fn memory_and_table_bytes(n: u64, policy: &Policy) -> Option<Vec<u8>> {
    let table = policy.rules().limits.table_elements * TABLE_ELEMENT;
    let pages = n.saturating_sub(table).div_ceil(PAGE);
    memory_with_table(pages, n - pages * PAGE)
}

fn memory_with_table(pages: u64, table_bytes: u64) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.memory(pages);
    parts.table(divided(table_bytes, TABLE_ELEMENT)?);
    parts.finish()
}

/// In two tables.
fn table_elements(n: u64, _: &Policy) -> Option<Vec<u8>> {
    let mut parts = Parts::default();
    parts.table(n / 2);
    parts.table(n - n / 2);
    parts.finish()
}

/// The sections of a module, in any order of making.
#[derive(Default)]
struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    counts_data: bool,
    code: CodeSection,
    data: DataSection,
    /// Length of the content of each custom section.
    custom: Vec<usize>,
}

impl Parts {
    /// One function, of parameters and locals of type i32, and without a result.
    fn with_function(params: u64, locals: u64, write: impl FnOnce(&mut InstructionSink<'_>)) -> Self {
        let mut parts = Self::default();
        let signature = parts.signature(params);
        parts.function(signature, locals, write);
        parts
    }

    fn signature(&mut self, params: u64) -> u32 {
        self.types.ty().function(repeat_n(ValType::I32, params as usize), []);
        self.types.len() - 1
    }

    /// The signature of the function before, when `params` are as many as in [`shares`] before: all but the last are
    /// the same.
    fn signature_once(&mut self, params: u64) -> u32 {
        todo!()
    }

    fn function(&mut self, signature: u32, locals: u64, write: impl FnOnce(&mut InstructionSink<'_>)) {
        let groups = (locals > 0).then_some((locals as u32, ValType::I32));
        let mut function = Function::new(groups);
        let mut code = function.instructions();
        write(&mut code);
        code.end();
        self.functions.function(signature);
        self.code.function(&function);
    }

    fn import(&mut self, module: &str, field: &str) {
        self.imports.import(module, field, EntityType::Function(0));
    }

    fn export(&mut self, name: &str) {
        self.exports.export(name, ExportKind::Func, 0);
    }

    fn table(&mut self, minimum: u64) {
        let element_type = RefType::FUNCREF;
        self.tables.table(TableType { element_type, table64: false, minimum, maximum: None, shared: false });
    }

    fn memory(&mut self, minimum: u64) {
        self.memories.memory(MemoryType {
            minimum,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }

    fn global(&mut self, value: &ConstExpr) {
        self.globals.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, value);
    }

    /// The binary; always `Some`, for generators to end with.
    fn finish(self) -> Option<Vec<u8>> {
        todo!()
    }
}
