//! A module, parsed for the interpreter.

use std::collections::BTreeMap;

use wasmparser::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncType, FunctionBody, MemoryType, Operator, Parser,
    Payload, TypeRef, ValType,
};

use super::{
    cost,
    runs::{Runs, height},
};

/// The module uses something that the reference does not support.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reference interpreter does not know {0}")]
pub struct Unsupported(String);

impl From<wasmparser::BinaryReaderError> for Unsupported {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self(error.to_string())
    }
}

pub(super) fn unsupported<T>(what: impl std::fmt::Debug) -> Result<T, Unsupported> {
    Err(Unsupported(format!("{what:?}")))
}

/// A module of the integer subset. It must be valid.
#[derive(Default)]
pub struct Program<'a> {
    pub(super) types: Vec<FuncType>,
    /// Names of imported functions.
    pub(super) imports: Vec<&'a str>,
    /// Whether an import is exported, or in a segment: a table may contain it then.
    pub(super) tables_reach_host: bool,
    /// Type of every function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) bodies: Vec<Body<'a>>,
    /// Type and initial bits.
    pub(super) globals: Vec<(ValType, u64)>,
    /// Whether each is mutable.
    pub(super) is_mutable: Vec<bool>,
    pub(super) memory: Option<MemoryType>,
    pub(super) table: Vec<Option<u32>>,
    /// Whether the table has 64-bit indices.
    pub(super) is_table64: bool,
    pub(super) data: Vec<(u64, &'a [u8])>,
    pub(super) exports: BTreeMap<&'a str, u32>,
    /// Exported globals, in order of the exports.
    pub(super) exported_globals: Vec<u32>,
}

pub(super) struct Body<'a> {
    pub(super) operators: Vec<Operator<'a>>,
    /// For each operator that opens a block, the positions of its `else` and `end`.
    pub(super) blocks: BTreeMap<usize, Extent>,
    pub(super) runs: Runs,
    /// Locals, parameters included.
    pub(super) locals: usize,
    pub(super) cells: i64,
    /// Operators that may make a constant.
    pub(super) constants: u64,
    pub(super) is_exported: bool,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) otherwise: Option<usize>,
    pub(super) end: usize,
}

impl<'a> Program<'a> {
    /// Reads a valid module.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] names what the reference does not support.
    pub fn read(wasm: &'a [u8]) -> Result<Self, Unsupported> {
        let mut program = Self::default();
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::CodeSectionEntry(body) => bodies.push(body),
                payload => program.section(payload)?,
            }
        }
        for (index, body) in bodies.into_iter().enumerate() {
            let body = program.body(index, &body)?;
            program.bodies.push(body);
        }
        Ok(program)
    }

    /// Records that a segment or an export refers to `function`.
    fn refer(&mut self, function: u32) {
        self.tables_reach_host |= (function as usize) < self.imports.len();
    }

    fn section(&mut self, payload: Payload<'a>) -> Result<(), Unsupported> {
        match payload {
            Payload::TypeSection(types) => {
                for ty in types.into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports {
                    let import = import?;
                    let TypeRef::Func(ty) = import.ty else { return unsupported(import) };
                    self.imports.push(import.name);
                    self.functions.push(ty);
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    let ty = table?.ty;
                    if !self.table.is_empty() {
                        return unsupported("a second table");
                    }
                    self.table = vec![None; ty.initial as usize];
                    self.is_table64 = ty.table64;
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.memory = Some(memory?);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let global = global?;
                    self.globals.push((global.ty.content_type, constant(&global.init_expr)?));
                    self.is_mutable.push(global.ty.mutable);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    match export.kind {
                        ExternalKind::Func => {
                            self.refer(export.index);
                            self.exports.insert(export.name, export.index);
                        }
                        ExternalKind::Global => self.exported_globals.push(export.index),
                        _ => {}
                    }
                }
            }
            Payload::ElementSection(segments) => {
                for segment in segments {
                    let segment = segment?;
                    match (segment.kind, segment.items) {
                        (ElementKind::Declared, ElementItems::Functions(functions)) => {
                            for function in functions {
                                self.refer(function?);
                            }
                        }
                        (ElementKind::Active { offset_expr, .. }, ElementItems::Functions(functions)) => {
                            let offset = constant(&offset_expr)? as usize;
                            for (index, function) in functions.into_iter().enumerate() {
                                let function = function?;
                                self.refer(function);
                                match self.table.get_mut(offset + index) {
                                    Some(element) => *element = Some(function),
                                    None => return unsupported("a segment that does not fit the table"),
                                }
                            }
                        }
                        _ => return unsupported("a passive segment"),
                    }
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    let segment = segment?;
                    let DataKind::Active { offset_expr, .. } = segment.kind else { return unsupported(segment) };
                    self.data.push((constant(&offset_expr)?, segment.data));
                }
            }
            Payload::Version { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            other => return unsupported(other),
        }
        Ok(())
    }

    fn body(&self, index: usize, body: &FunctionBody<'a>) -> Result<Body<'a>, Unsupported> {
        let function = self.imports.len() + index;
        let mut locals = self.function_type(function as u32).params().len();
        for group in body.get_locals_reader()? {
            locals += group?.0 as usize;
        }
        let operators = body.get_operators_reader()?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let height = height(self, function as u32, &operators)?;
        let (kept, constants) = cost::kept(self, &operators);
        Ok(Body {
            blocks: blocks(&operators),
            runs: Runs::of(&operators, locals),
            locals,
            cells: cost::frame(locals as u64, height, kept),
            constants,
            is_exported: self.exports.values().any(|export| *export == function as u32),
            operators,
        })
    }

    pub(super) fn function_type(&self, function: u32) -> &FuncType {
        &self.types[self.functions[function as usize] as usize]
    }
}

fn blocks(operators: &[Operator<'_>]) -> BTreeMap<usize, Extent> {
    let mut blocks: BTreeMap<usize, Extent> = BTreeMap::new();
    let mut open = Vec::new();
    for (at, operator) in operators.iter().enumerate() {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => open.push(at),
            Operator::Else => {
                if let Some(begin) = open.last() {
                    blocks.entry(*begin).or_default().otherwise = Some(at);
                }
            }
            Operator::End => {
                if let Some(begin) = open.pop() {
                    blocks.entry(begin).or_default().end = at;
                }
            }
            _ => {}
        }
    }
    blocks
}

fn constant(expr: &ConstExpr<'_>) -> Result<u64, Unsupported> {
    match expr.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value.cast_unsigned().into()),
        Operator::I64Const { value } => Ok(value.cast_unsigned()),
        other => unsupported(other),
    }
}
