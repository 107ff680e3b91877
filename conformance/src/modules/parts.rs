//! A module in parts that can be assembled in any order.

use std::iter::repeat_n;

use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataCountSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, InstructionSink,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

/// The sections of a module.
#[derive(Default)]
pub struct Parts {
    /// Types.
    pub types: TypeSection,
    /// Imports.
    pub imports: ImportSection,
    /// The types of the functions.
    pub functions: FunctionSection,
    /// Tables.
    pub tables: TableSection,
    /// Memories.
    pub memories: MemorySection,
    /// Globals.
    pub globals: GlobalSection,
    /// Exports.
    pub exports: ExportSection,
    /// Element segments.
    pub elements: ElementSection,
    /// Whether a data count section precedes the code.
    pub counts_data: bool,
    /// The bodies of the functions.
    pub code: CodeSection,
    /// Data segments.
    pub data: DataSection,
    /// Length of the content of each custom section.
    pub custom: Vec<usize>,
}

impl Parts {
    /// One function with these numbers of parameters and other locals, all i32, and without a result.
    pub fn with_function(params: u64, locals: u64, write: impl FnOnce(&mut InstructionSink<'_>)) -> Self {
        let mut parts = Self::default();
        let signature = parts.signature(params);
        parts.function(signature, locals, write);
        parts
    }

    /// Adds a type of `params` i32 parameters and returns its index.
    pub fn signature(&mut self, params: u64) -> u32 {
        self.types.ty().function(repeat_n(ValType::I32, params as usize), []);
        self.types.len() - 1
    }

    /// Adds a function with `locals` i32 locals besides its parameters. Appends the final `end`.
    pub fn function(&mut self, signature: u32, locals: u64, write: impl FnOnce(&mut InstructionSink<'_>)) {
        let group = (locals > 0).then_some((locals as u32, ValType::I32));
        let mut function = Function::new(group);
        let mut code = function.instructions();
        write(&mut code);
        code.end();
        self.functions.function(signature);
        self.code.function(&function);
    }

    /// Imports a function of type 0.
    pub fn import(&mut self, module: &str, field: &str) {
        self.imports.import(module, field, EntityType::Function(0));
    }

    /// Exports function 0.
    pub fn export(&mut self, name: &str) {
        self.exports.export(name, ExportKind::Func, 0);
    }

    /// Adds a table of functions.
    pub fn table(&mut self, minimum: u64) {
        let element_type = RefType::FUNCREF;
        self.tables.table(TableType { element_type, table64: false, minimum, maximum: None, shared: false });
    }

    /// Adds a memory of `minimum` pages.
    pub fn memory(&mut self, minimum: u64) {
        let memory = MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None };
        self.memories.memory(memory);
    }

    /// Adds a mutable i32.
    pub fn global(&mut self, value: &ConstExpr) {
        self.globals.global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, value);
    }

    /// Adds a passive element segment of these functions.
    pub fn passive_elements(&mut self, functions: Vec<u32>) {
        self.elements.passive(Elements::Functions(functions.into()));
    }

    /// The binary, without empty sections.
    pub fn finish(&self) -> Vec<u8> {
        let mut module = Module::new();
        macro_rules! sections {
            ($($section:ident),*) => { $( if !self.$section.is_empty() { module.section(&self.$section); } )* };
        }
        sections!(types, imports, functions, tables, memories, globals, exports, elements);
        if self.counts_data {
            module.section(&DataCountSection { count: self.data.len() });
        }
        sections!(code, data);
        for length in &self.custom {
            module.section(&CustomSection { name: "".into(), data: vec![0; *length].into() });
        }
        module.finish()
    }
}
