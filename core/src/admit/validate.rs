//! The streaming pass over a module's sections.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::BTreeSet,
    string::{String, ToString},
    sync::Arc,
};
use core::ops::Range;

use wasmparser::{
    BinaryReader, BinaryReaderError, Chunk, CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind,
    ExternalKind, FuncValidatorAllocations, MemoryType, Operator, Parser, Payload, SectionLimited, TableInit,
    TableType, TypeRef, ValidPayload, Validator, WasmFeatures,
};

use super::{
    body::{Bodies, Measure, mark},
    summary::{Export, ExternType, FuncType, Import, Memory, ModuleSummary, Table},
    validated::{BodyShape, Section, Validated},
};
use crate::{
    policy::{ModuleCaps, Policy, TABLE_ELEMENT_BYTES, largest_memory},
    value::ValType,
    verdict::{Reason, Rejection},
};

/// Opcode of an explicit recursion group.
const RECURSION_GROUP: u8 = 0x4e;
/// Id of the export section.
const EXPORTS: u8 = 7;
/// log2 of the default page size.
const PAGE_SIZE_LOG2: u32 = 16;

/// A module that is not valid, or above a cap.
pub(crate) struct Refused {
    pub(crate) rejection: Rejection,
    /// What the module is and needs, as far as it was read.
    pub(crate) seen: ModuleSummary,
    /// Whether its exports were read.
    pub(crate) exports_are_seen: bool,
}

/// Reads and validates `bytes` once, with `features`, and checks every count against the caps of `policy`.
pub(crate) fn validate(bytes: &[u8], policy: &Policy, features: WasmFeatures) -> Result<Validated, Box<Refused>> {
    let mut validation = Validation {
        bytes,
        policy,
        caps: &policy.rules().module,
        features,
        validator: Validator::new_with_features(features),
        allocations: FuncValidatorAllocations::default(),
        totals: Bodies::new(&policy.rules().module),
        exported_functions: BTreeSet::new(),
        element_entries: 0,
        custom_sections: 0,
        validated: Validated {
            features,
            summary: ModuleSummary { bytes: bytes.len() as u64, ..ModuleSummary::default() },
            ..Validated::default()
        },
    };
    let outcome = validation.module();
    let Validation { totals, mut validated, .. } = validation;
    if let Err(rejection) = outcome {
        let exports_are_seen = validated.section(EXPORTS).is_some();
        return Err(Box::new(Refused { rejection, seen: validated.summary, exports_are_seen }));
    }
    totals.finish(&mut validated);
    Ok(validated)
}

struct Validation<'p> {
    bytes: &'p [u8],
    policy: &'p Policy,
    caps: &'p ModuleCaps,
    features: WasmFeatures,
    validator: Validator,
    allocations: FuncValidatorAllocations,
    totals: Bodies<'p>,
    /// Indices of the functions that the host can call.
    exported_functions: BTreeSet<u32>,
    custom_sections: u64,
    element_entries: u64,
    validated: Validated,
}

impl Validation<'_> {
    fn module(&mut self) -> Result<(), Rejection> {
        let mut parser = Parser::new(0);
        // Some encodings are valid only with a proposal.
        parser.set_features(self.features);
        let mut at = 0;
        loop {
            let (payload, consumed) = match parser.parse(&self.bytes[at..], true).map_err(malformed)? {
                Chunk::Parsed { payload, consumed } => (payload, consumed),
                Chunk::NeedMoreData(_) => unreachable!("all the data is here"),
            };
            if let Payload::End(_) = payload {
                return self.validator.payload(&payload).map(drop).map_err(invalid);
            }
            self.payload(&payload, at..at + consumed)?;
            at += consumed;
        }
    }

    /// Checks the counts of one section against the caps, passes it to the validator, then records what it declares.
    fn payload(&mut self, payload: &Payload<'_>, range: Range<usize>) -> Result<(), Rejection> {
        let at = range.start as u64;
        let caps = self.caps;
        match payload {
            Payload::CustomSection(_) => return self.custom_section(range),
            Payload::TypeSection(section) => {
                cap("module.types", section.count(), caps.types, at)?;
                self.types(section.clone(), at)?;
            }
            Payload::ImportSection(section) => {
                cap("module.imports", section.count(), caps.imports, at)?;
                read_through(section.clone())?;
            }
            Payload::FunctionSection(section) => {
                cap("module.functions", section.count(), caps.functions, at)?;
                read_through(section.clone())?;
            }
            Payload::TableSection(section) => {
                cap("module.tables", section.count(), caps.tables, at)?;
                for table in section.clone() {
                    if let TableInit::Expr(expr) = table.map_err(malformed)?.init {
                        self.const_expr(&expr)?;
                    }
                }
            }
            Payload::MemorySection(section) => {
                // Without multi-memory the validator's own limit is one, and its answer names the proposal.
                if section.count() < 2 || self.features.contains(WasmFeatures::MULTI_MEMORY) {
                    cap("module.memories", section.count(), caps.memories, at)?;
                }
                read_through(section.clone())?;
            }
            // No policy allows tags, but the validator reserves memory by their count before it rejects them.
            Payload::TagSection(section) => read_through(section.clone())?,
            Payload::GlobalSection(section) => {
                cap("module.globals", section.count(), caps.globals, at)?;
                for global in section.clone() {
                    self.const_expr(&global.map_err(malformed)?.init_expr)?;
                }
            }
            Payload::ExportSection(section) => {
                cap("module.exports", section.count(), caps.exports, at)?;
                read_through(section.clone())?;
            }
            Payload::ElementSection(section) => {
                cap("module.element_segments", section.count(), caps.element_segments, at)?;
                self.elements(section.clone())?;
            }
            Payload::DataCountSection { count, .. } => {
                cap("module.data_segments", *count, caps.data_segments, at)?;
            }
            Payload::DataSection(section) => {
                cap("module.data_segments", section.count(), caps.data_segments, at)?;
                self.data(section.clone())?;
            }
            Payload::CodeSectionStart { count, .. } => {
                cap("module.functions", *count, caps.functions, at)?;
            }
            Payload::CodeSectionEntry(body) => {
                cap("module.body_bytes", body.range().len() as u64, caps.body_bytes, at)?;
            }
            Payload::UnknownSection { id, .. } => {
                return Err(rejection(at, Reason::Malformed { message: alloc::format!("unknown section {id}") }));
            }
            _ => {}
        }
        match self.validator.payload(payload).map_err(invalid)? {
            ValidPayload::Func(function, body) => {
                let mut validator = function.into_validator(core::mem::take(&mut self.allocations));
                let index = self.validated.imported_functions + self.validated.bodies.len();
                let ty = self.validated.functions.get(index).copied().unwrap_or_default();
                self.validated.summary.code_bytes += body.range().len() as u64;
                let measure = self.totals.check(&body, &mut validator, ty, &self.validated)?;
                let Measure { locals, height, words, kept, constants } = measure;
                let is_exported = self.exported_functions.contains(&(index as u32));
                // The caps keep it far below the maximum of the type.
                let locals = u32::try_from(locals).unwrap_or(u32::MAX);
                let shape = BodyShape { ty, locals, height, words, kept, constants, is_exported };
                self.validated.bodies.push(shape);
                self.allocations = validator.into_allocations();
                Ok(())
            }
            _ => self.note(payload, at),
        }
    }

    /// Records what a valid section declares.
    fn note(&mut self, payload: &Payload<'_>, at: u64) -> Result<(), Rejection> {
        if let Some((id, content)) = payload.as_section() {
            self.validated.sections.push(Section { id, content });
        }
        match payload {
            Payload::ImportSection(section) => self.imports(section.clone()),
            Payload::FunctionSection(section) => {
                self.validated.summary.functions = section.count().into();
                let mut params = 0;
                for index in section.clone() {
                    let index = index.map_err(malformed)?;
                    params += self.func_type(index).params.len() as u64;
                    self.validated.functions.push(index);
                }
                cap("module.params_total", params, self.caps.params_total, at)
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let table = table.map_err(malformed)?;
                    self.table(&table.ty);
                    if let TableInit::Expr(expr) = table.init {
                        self.references(&expr)?;
                    }
                }
                self.resources(at)
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.memory(&memory.map_err(malformed)?);
                }
                self.resources(at)
            }
            Payload::GlobalSection(section) => {
                self.validated.summary.globals = section.count().into();
                for global in section.clone() {
                    let global = global.map_err(malformed)?;
                    self.validated.globals.push(global.ty.into());
                    self.references(&global.init_expr)?;
                }
                Ok(())
            }
            Payload::ExportSection(section) => self.exports(section.clone()),
            Payload::ElementSection(section) => self.element_references(section.clone()),
            Payload::StartSection { func, .. } => {
                self.validated.summary.start = Some(at);
                self.validated.start = Some(*func);
                // The host calls it by its reserved export name.
                self.exported_functions.insert(*func);
                mark(&mut self.validated.referenced, *func);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn custom_section(&mut self, range: Range<usize>) -> Result<(), Rejection> {
        let at = range.start as u64;
        self.validated.summary.custom_bytes += range.len() as u64;
        self.custom_sections += 1;
        cap("module.custom_sections", self.custom_sections, self.caps.custom_sections, at)?;
        cap("module.custom_bytes", self.validated.summary.custom_bytes, self.caps.custom_bytes, at)
    }

    fn types(&mut self, section: wasmparser::TypeSectionReader<'_>, at: u64) -> Result<(), Rejection> {
        let mut groups = section.into_iter();
        loop {
            let offset = groups.original_position();
            self.recursion_group(offset)?;
            let Some(group) = groups.next() else {
                return Ok(());
            };
            let group = group.map_err(malformed)?;
            for ty in group.into_types() {
                let CompositeInnerType::Func(ty) = &ty.composite_type.inner else {
                    self.validated.types.push(None);
                    continue;
                };
                cap("module.params", ty.params().len() as u64, self.caps.params, offset as u64)?;
                cap("module.results", ty.results().len() as u64, self.caps.results, offset as u64)?;
                self.validated.types.push(Some(Arc::new(ty.into())));
            }
            cap("module.types", self.validated.types.len() as u64, self.caps.types, at)?;
        }
    }

    /// Checks the declared size of a recursion group against the cap, because the reader reserves memory by it. No
    /// policy allows the proposal, but the validator rejects the group only after reading it.
    fn recursion_group(&self, at: usize) -> Result<(), Rejection> {
        match self.bytes.get(at..).and_then(<[u8]>::split_first) {
            Some((&RECURSION_GROUP, rest)) => {
                let count = BinaryReader::new(rest, at + 1).read_var_u32().map_err(malformed)?;
                if count as usize > rest.len() {
                    let message = "a recursion group has more types than there are bytes".to_owned();
                    return Err(rejection(at as u64, Reason::Malformed { message }));
                }
                cap("module.types", self.validated.types.len() as u64 + u64::from(count), self.caps.types, at as u64)
            }
            _ => Ok(()),
        }
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'_>) -> Result<(), Rejection> {
        for import in section.into_iter_with_offsets() {
            let (offset, import) = import.map_err(malformed)?;
            let offset = offset as u64;
            let ty = match import.ty {
                TypeRef::Func(index) => {
                    self.validated.functions.push(index);
                    self.validated.imported_functions += 1;
                    ExternType::Function(self.func_type(index))
                }
                TypeRef::Table(ty) => {
                    self.table(&ty);
                    ExternType::Table
                }
                TypeRef::Memory(ty) => {
                    self.memory(&ty);
                    ExternType::Memory { memory64: ty.memory64 }
                }
                TypeRef::Global(ty) => {
                    self.validated.globals.push(ty.into());
                    ExternType::Global(ty.content_type.into())
                }
                TypeRef::Tag(_) => ExternType::Tag,
            };
            let (module, name) = (self.name(import.module, offset)?, self.name(import.name, offset)?);
            self.validated.summary.imports.push(Import { module, name, ty, offset });
        }
        Ok(())
    }

    fn exports(&mut self, section: wasmparser::ExportSectionReader<'_>) -> Result<(), Rejection> {
        for export in section.into_iter_with_offsets() {
            let (offset, export) = export.map_err(malformed)?;
            let name = self.name(export.name, offset as u64)?;
            let index = export.index as usize;
            let mut imported = false;
            let ty = match export.kind {
                ExternalKind::Func => {
                    self.exported_functions.insert(export.index);
                    self.refer(export.index, self.index_of_export(offset)?);
                    imported = index < self.validated.imported_functions;
                    ExternType::Function(
                        self.validated.functions.get(index).map(|ty| self.func_type(*ty)).unwrap_or_default(),
                    )
                }
                ExternalKind::Table => ExternType::Table,
                ExternalKind::Memory => ExternType::Memory {
                    memory64: self.validated.summary.memories.get(index).is_some_and(|memory| memory.memory64),
                },
                ExternalKind::Global => {
                    ExternType::Global(self.validated.globals.get(index).map_or(ValType::OtherRef, |global| global.ty))
                }
                ExternalKind::Tag => ExternType::Tag,
            };
            self.validated.summary.exports.push(Export {
                name,
                ty,
                index: export.index,
                imported,
                offset: offset as u64,
            });
        }
        Ok(())
    }

    fn elements(&mut self, section: wasmparser::ElementSectionReader<'_>) -> Result<(), Rejection> {
        for element in section {
            let element = element.map_err(malformed)?;
            let at = element.range.start as u64;
            let count = match &element.items {
                ElementItems::Functions(items) => items.count(),
                ElementItems::Expressions(_, items) => items.count(),
            };
            self.element_entries += u64::from(count);
            cap("module.element_entries", self.element_entries, self.caps.element_entries, at)?;
            if let ElementKind::Active { offset_expr, .. } = &element.kind {
                self.const_expr(offset_expr)?;
            }
            match element.items {
                ElementItems::Functions(items) => {
                    for item in items {
                        item.map_err(malformed)?;
                    }
                }
                ElementItems::Expressions(_, items) => {
                    for item in items {
                        self.const_expr(&item.map_err(malformed)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Records functions that element segments refer to. A `ref.func` in a body may name only functions that are
    /// referred to outside of bodies.
    fn element_references(&mut self, section: wasmparser::ElementSectionReader<'_>) -> Result<(), Rejection> {
        for element in section {
            match element.map_err(malformed)?.items {
                ElementItems::Functions(items) => {
                    for item in items.into_iter_with_offsets() {
                        let (at, function) = item.map_err(malformed)?;
                        self.refer(function, at);
                    }
                }
                ElementItems::Expressions(_, items) => {
                    for item in items {
                        self.references(&item.map_err(malformed)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Records functions that a constant expression refers to.
    fn references(&mut self, expr: &ConstExpr<'_>) -> Result<(), Rejection> {
        for operator in expr.get_operators_reader().into_iter_with_offsets() {
            if let (Operator::RefFunc { function_index }, at) = operator.map_err(malformed)? {
                // After the one-byte opcode.
                self.refer(function_index, at + 1);
            }
        }
        Ok(())
    }

    /// Offset of the index in the export at byte `offset`: after its name and its kind.
    fn index_of_export(&self, offset: usize) -> Result<usize, Rejection> {
        let mut reader = BinaryReader::new(self.bytes.get(offset..).unwrap_or_default(), offset);
        reader.skip_string().map_err(malformed)?;
        reader.read_u8().map_err(malformed)?;
        Ok(reader.original_position())
    }

    /// Records that `function`, whose index is at byte `at`, may be called other than directly by a body.
    fn refer(&mut self, function: u32, at: usize) {
        mark(&mut self.validated.referenced, function);
        self.validated.tables_reach_host |= (function as usize) < self.validated.imported_functions;
        // A binary is far smaller than 4 GiB.
        self.validated.references.push(u32::try_from(at).unwrap_or(u32::MAX));
    }

    fn data(&mut self, section: wasmparser::DataSectionReader<'_>) -> Result<(), Rejection> {
        for data in section {
            let data = data.map_err(malformed)?;
            self.validated.summary.data_bytes += data.data.len() as u64;
            if let DataKind::Active { offset_expr, .. } = &data.kind {
                self.const_expr(offset_expr)?;
            }
        }
        Ok(())
    }

    fn const_expr(&self, expr: &ConstExpr<'_>) -> Result<(), Rejection> {
        let mut operators = expr.get_operators_reader();
        let mut count = 0u64;
        while !operators.eof() {
            let at = operators.original_position() as u64;
            operators.read().map_err(malformed)?;
            count += 1;
            // The closing `end` does not count.
            cap("module.const_expr_ops", count - 1, self.caps.const_expr_ops, at)?;
        }
        Ok(())
    }

    fn memory(&mut self, ty: &MemoryType) {
        let page_size_log2 = ty.page_size_log2.unwrap_or(PAGE_SIZE_LOG2);
        let bytes = |pages: u64| pages.saturating_mul(1 << page_size_log2);
        self.validated.summary.memories.push(Memory {
            initial_bytes: bytes(ty.initial),
            maximum_bytes: ty.maximum.map(bytes),
            page_size_log2,
            memory64: ty.memory64,
        });
    }

    fn table(&mut self, ty: &TableType) {
        self.validated.summary.tables.push(Table { initial: ty.initial, maximum: ty.maximum, table64: ty.table64 });
    }

    /// Checks the initial sizes of memories and tables against the limits of the store.
    fn resources(&self, at: u64) -> Result<(), Rejection> {
        let limits = &self.policy.rules().limits;
        let elements = self.validated.summary.tables.iter().fold(0u64, |sum, table| sum.saturating_add(table.initial));
        cap("limits.table_elements", elements, limits.table_elements, at)?;
        let memories =
            self.validated.summary.memories.iter().fold(0u64, |sum, memory| sum.saturating_add(memory.initial_bytes));
        for memory in &self.validated.summary.memories {
            let most = largest_memory(memory.page_size_log2, memory.memory64);
            cap("limits.memory_bytes", memory.initial_bytes, most, at)?;
        }
        let bytes = memories.saturating_add(elements.saturating_mul(TABLE_ELEMENT_BYTES));
        cap("limits.memory_bytes", bytes, limits.memory_bytes, at)
    }

    fn func_type(&self, index: u32) -> Arc<FuncType> {
        self.validated.types.get(index as usize).cloned().flatten().unwrap_or_default()
    }

    fn name(&self, name: &str, at: u64) -> Result<String, Rejection> {
        cap("module.name_bytes", name.len() as u64, self.caps.name_bytes, at)?;
        Ok(name.to_owned())
    }
}

/// The number of parameters or of results, whichever is larger, of a block with the module's type `index`.
pub(super) fn block_arity(types: &[Option<Arc<FuncType>>], index: u32) -> u64 {
    let ty = types.get(index as usize).and_then(Option::as_ref);
    ty.map_or(0, |ty| ty.params.len().max(ty.results.len()) as u64)
}

/// Reads a section's items, to tell an error of the parser from one of the validator.
fn read_through<'a, I: wasmparser::FromReader<'a>>(section: SectionLimited<'a, I>) -> Result<(), Rejection> {
    section.into_iter().try_for_each(|item| item.map(drop).map_err(malformed))
}

pub(super) fn cap(limit: &'static str, found: impl Into<u64>, allowed: u64, at: u64) -> Result<(), Rejection> {
    let found = found.into();
    match found <= allowed {
        true => Ok(()),
        false => Err(rejection(at, Reason::LimitExceeded { limit, found, allowed })),
    }
}

pub(super) fn malformed(error: BinaryReaderError) -> Rejection {
    rejection(error.offset() as u64, Reason::Malformed { message: error.message().to_string() })
}

pub(super) fn invalid(error: BinaryReaderError) -> Rejection {
    rejection(error.offset() as u64, Reason::Invalid { message: error.message().to_string() })
}

fn rejection(at: u64, reason: Reason) -> Rejection {
    Rejection::new(Some(at), reason)
}
