//! The modules between a guest and this one. Values pass through the [frame](crate::frame) in this module's memory.

use std::collections::{BTreeMap, BTreeSet};

use hotcell_core::{ValType, admit::FuncType};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalType, ImportSection, MemArg,
    MemoryType, Module, TypeSection,
};
use wasmparser::{BinaryReaderError, ExternalKind, Parser, Payload, TypeRef};

use crate::frame;

/// What a module imports and exports, after the rewrite.
#[derive(Default)]
pub(crate) struct Shape {
    /// Module, name and type of each imported function, in order.
    pub(crate) imports: Vec<(String, String, FuncType)>,
    /// What can be done with exports, in the order of the functions of [`entries`].
    operations: Vec<(String, Operation)>,
    /// Where in that order, by name.
    calls: BTreeMap<String, u32>,
    reads: BTreeMap<String, u32>,
    writes: BTreeMap<String, u32>,
    types: BTreeMap<String, FuncType>,
    globals: BTreeMap<String, ValType>,
    /// The names of all exports.
    pub(crate) exports: BTreeSet<String>,
}

enum Operation {
    Call(FuncType),
    Read(GlobalType, ValType),
    Write(GlobalType, ValType),
}

impl Shape {
    pub(crate) fn of(module: &[u8]) -> Result<Self, BinaryReaderError> {
        let (mut types, mut functions, mut globals) = (Vec::new(), Vec::new(), Vec::new());
        let mut shape = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        types.push(FuncType::from(&ty?));
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section {
                        let import = import?;
                        // No admitted module imports anything else.
                        let TypeRef::Func(ty) = import.ty else { continue };
                        let ty: FuncType = types[ty as usize].clone();
                        shape.imports.push((import.module.to_owned(), import.name.to_owned(), ty.clone()));
                        functions.push(ty);
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        functions.push(types[ty? as usize].clone());
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        globals.push(global?.ty);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        shape.exports.insert(export.name.to_owned());
                        match export.kind {
                            ExternalKind::Func => shape.add_function(export.name, &functions[export.index as usize]),
                            ExternalKind::Global => shape.add_global(export.name, globals[export.index as usize]),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }

    fn add_function(&mut self, name: &str, ty: &FuncType) {
        self.types.insert(name.to_owned(), ty.clone());
        let number = self.add(name, Operation::Call(ty.clone()));
        self.calls.insert(name.to_owned(), number);
    }

    fn add_global(&mut self, name: &str, global: wasmparser::GlobalType) {
        let ty = ValType::from(global.content_type);
        let encoded = GlobalType { val_type: encoded(ty), mutable: global.mutable, shared: false };
        self.globals.insert(name.to_owned(), ty);
        let number = self.add(name, Operation::Read(encoded, ty));
        self.reads.insert(name.to_owned(), number);
        if global.mutable {
            let number = self.add(name, Operation::Write(encoded, ty));
            self.writes.insert(name.to_owned(), number);
        }
    }

    fn add(&mut self, name: &str, operation: Operation) -> u32 {
        self.operations.push((name.to_owned(), operation));
        u32::try_from(self.operations.len() - 1).expect("a module has fewer exports")
    }

    /// The number of the call of a function, and its results.
    pub(crate) fn call(&self, name: &str) -> Option<(u32, &FuncType)> {
        Some((*self.calls.get(name)?, self.types.get(name)?))
    }

    /// The number of the reading of a global, and its type.
    pub(crate) fn read(&self, name: &str) -> Option<(u32, ValType)> {
        Some((*self.reads.get(name)?, *self.globals.get(name)?))
    }

    /// The number of the writing of a global.
    pub(crate) fn write(&self, name: &str) -> Option<u32> {
        self.writes.get(name).copied()
    }
}

/// A module whose function `n` does operation `n` on an instance that it imports as `g`.
pub(crate) fn entries(shape: &Shape) -> Vec<u8> {
    let mut parts = Parts::new();
    let mut exports = Vec::new();
    for (name, operation) in &shape.operations {
        exports.push(match operation {
            Operation::Call(ty) => parts.import_function("g", name, ty),
            Operation::Read(ty, _) | Operation::Write(ty, _) => parts.import_global("g", name, *ty),
        });
    }
    for ((_, operation), index) in shape.operations.iter().zip(exports) {
        let nothing = FuncType::default();
        match operation {
            Operation::Call(ty) => parts.function(&nothing, &ty.results, |body| {
                ty.params.iter().zip(0..).for_each(|(ty, at)| load(body, *ty, at));
                body.instructions().call(index);
                store_results(body, &ty.results, 0);
            }),
            Operation::Read(_, ty) => parts.function(&nothing, &[*ty], |body| {
                body.instructions().global_get(index);
                store_results(body, &[*ty], 0);
            }),
            Operation::Write(_, ty) => parts.function(&nothing, &[], |body| {
                load(body, *ty, 0);
                body.instructions().global_set(index);
            }),
        }
    }
    parts.finish()
}

/// A module whose function `n` is the guest's import `n`: it asks `host`, and traps when the call must end.
pub(crate) fn hosts(shape: &Shape) -> Vec<u8> {
    let mut parts = Parts::new();
    let i32 = || vec![ValType::I32];
    let host = parts.import_function("h", "host", &FuncType { params: i32(), results: i32() });
    for ((_, _, ty), number) in shape.imports.iter().zip(0..) {
        parts.function(ty, &[], |body| {
            for (param, at) in ty.params.iter().zip(0..) {
                store(body, *param, at, at);
            }
            body.instructions().i32_const(number).call(host);
            body.instructions().if_(wasm_encoder::BlockType::Empty).unreachable().end();
            ty.results.iter().zip(0..).for_each(|(ty, at)| load(body, *ty, at));
        });
    }
    parts.finish()
}

/// A module that imports this module's memory, and exports its functions by number.
struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    imported_functions: u32,
    imported_globals: u32,
}

impl Parts {
    fn new() -> Self {
        let mut imports = ImportSection::new();
        let memory = MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };
        imports.import("h", "memory", memory);
        Self {
            types: TypeSection::new(),
            imports,
            functions: FunctionSection::new(),
            exports: ExportSection::new(),
            code: CodeSection::new(),
            imported_functions: 0,
            imported_globals: 0,
        }
    }

    fn add_type(&mut self, ty: &FuncType) -> u32 {
        let own = |types: &[ValType]| types.iter().map(|ty| encoded(*ty)).collect::<Vec<_>>();
        self.types.ty().function(own(&ty.params), own(&ty.results));
        self.types.len() - 1
    }

    fn import_function(&mut self, module: &str, name: &str, ty: &FuncType) -> u32 {
        let ty = self.add_type(ty);
        self.imports.import(module, name, EntityType::Function(ty));
        self.imported_functions += 1;
        self.imported_functions - 1
    }

    fn import_global(&mut self, module: &str, name: &str, ty: GlobalType) -> u32 {
        self.imports.import(module, name, ty);
        self.imported_globals += 1;
        self.imported_globals - 1
    }

    /// Adds a function with locals after its parameters.
    fn function(&mut self, ty: &FuncType, locals: &[ValType], body: impl FnOnce(&mut Function)) {
        let ty = self.add_type(ty);
        let number = self.functions.len();
        self.functions.function(ty);
        self.exports.export(&number.to_string(), ExportKind::Func, self.imported_functions + number);
        let mut function = Function::new_with_locals_types(locals.iter().map(|ty| encoded(*ty)));
        body(&mut function);
        function.instructions().end();
        self.code.function(&function);
    }

    fn finish(self) -> Vec<u8> {
        let Self { types, imports, functions, exports, code, .. } = self;
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
        module.finish()
    }
}

/// Where a value is.
fn place(at: u32) -> MemArg {
    MemArg { offset: frame::address() + 16 * u64::from(at), align: 0, memory_index: 0 }
}

/// Pushes a value.
fn load(body: &mut Function, ty: ValType, at: u32) {
    let mut to = body.instructions();
    match ty {
        ValType::I32 => to.i32_const(0).i32_load(place(at)),
        ValType::I64 => to.i32_const(0).i64_load(place(at)),
        ValType::F32 => to.i32_const(0).f32_load(place(at)),
        ValType::F64 => to.i32_const(0).f64_load(place(at)),
        ValType::V128 => to.i32_const(0).v128_load(place(at)),
        // Only null is ever passed in.
        ValType::FuncRef | ValType::OtherRef => to.ref_null(wasm_encoder::HeapType::FUNC),
    };
}

/// Writes a local; of a reference whether it is null.
fn store(body: &mut Function, ty: ValType, local: u32, at: u32) {
    let mut to = body.instructions();
    to.i32_const(0).local_get(local);
    match ty {
        ValType::I32 => to.i32_store(place(at)),
        ValType::I64 => to.i64_store(place(at)),
        ValType::F32 => to.f32_store(place(at)),
        ValType::F64 => to.f64_store(place(at)),
        ValType::V128 => to.v128_store(place(at)),
        ValType::FuncRef | ValType::OtherRef => to.ref_is_null().i32_store(place(at)),
    };
}

/// Pops values, the last first, into locals from `first` on, and writes them.
fn store_results(body: &mut Function, types: &[ValType], first: u32) {
    let count = u32::try_from(types.len()).expect("a function has fewer results");
    for local in (first..first + count).rev() {
        body.instructions().local_set(local);
    }
    for (ty, at) in types.iter().zip(0..) {
        store(body, *ty, first + at, at);
    }
}

fn encoded(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I32 => wasm_encoder::ValType::I32,
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        ValType::FuncRef | ValType::OtherRef => wasm_encoder::ValType::FUNCREF,
    }
}
