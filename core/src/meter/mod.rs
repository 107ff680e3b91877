//! Metering, independent of the engine: rewrites an admitted module once so that it counts fuel and stack itself.
//!
//! Engines count fuel and stack differently and cannot be configured to agree. The rewrite appends two mutable globals,
//! [`FUEL`] and [`STACK`], and makes every function maintain them; the numbers, and the instruction at which they run
//! out, are then the same on every engine by construction. When a counter is below zero, the guest calls the host
//! through an import that the rewrite adds: the host grants the next slice of fuel or ends the guest.
//! `docs/metering.md` describes the algorithm and its cost.
//!
//! In both metering modes the same rewrite drops custom sections, exports the start function so that the host can call
//! it, canonicalises NaNs if the policy requires it, shortens conditional branches of large functions, makes growths
//! ask the host, and clamps 64-bit lengths to what a memory may have. The result is checked against every engine limit
//! that the rewrite can exceed.

mod asking;
mod block_types;
mod body;
mod branches;
mod bulk;
mod context;
mod cost;
mod emit;
mod growth;
mod limits;
mod linkage;
mod nan;
mod runs;
mod sections;
mod temporaries;
mod tracing;
mod walk;

pub use cost::{BYTES_PER_UNIT, FRAME_CELLS};
pub(crate) use tracing::types as tracing_types;

pub use crate::{
    policy::{CELL_BYTES, COST_VERSION},
    reserved::{ENTER, FUEL, GROW, HOST, LEAVE, MISSING, PLACE, REFILL, STACK, STACK_POINTER, START},
};

use alloc::{borrow::Cow, vec::Vec};

use wasm_encoder::{
    BranchHint, BranchHints, CodeSection, ConstExpr, Encode, EntityType, ExportKind, FunctionSection, GlobalType,
    InstructionSink, Module, RawSection, Section as _, SectionId, ValType,
};
use wasmparser::{BinaryReader, FunctionBody, ImportSectionReader};

use self::{
    block_types::BlockTypes,
    body::{OwnBody, Written, rewrite_body},
    context::{Context, has_wide_bulk},
    limits::Rewritten,
    linkage::{Linkage, entrance, with_parameter},
    sections::{Items, append},
    tracing::Tracing,
};
use crate::{
    admit::{FuncType, Section, Validated},
    fences::LARGE_BODY,
    policy::{Floats, Metering, Rules},
    value,
    verdict::Rejection,
};

/// Exports of a traced module in addition: where it is, and its stack pointer.
const MOST_TRACING_EXPORTS: usize = tracing::ITEMS + 1;

/// Returns the binary for the engine. One that `is_traced` also tells what it does; without `metering = exact`, it cannot.
///
/// # Errors
///
/// [`Rejection`] when the rewritten module exceeds a limit of the engines.
pub(crate) fn for_engine<'a>(
    bytes: &'a [u8],
    validated: &Validated,
    rules: &Rules,
    is_traced: bool,
) -> Result<Cow<'a, [u8]>, Rejection> {
    let counts = rules.metering == Metering::Exact;
    let canonicalises = rules.floats == Floats::Canonical;
    let has_large_bodies = validated.bodies.iter().any(|body| body.words > LARGE_BODY);
    let has_custom_sections = validated.summary.custom_bytes > 0;
    let asks_host = !validated.growths.is_empty() || !validated.missing.is_empty();
    let changes_bodies = counts || canonicalises || has_large_bodies || has_wide_bulk(validated) || asks_host;
    if !changes_bodies && !has_custom_sections && validated.start.is_none() {
        limits::check_as_it_is(validated)?;
        return Ok(Cow::Borrowed(bytes));
    }
    let context = Context::new(validated, counts, canonicalises, is_traced && counts);
    let mut block_types = BlockTypes::new(context.types_before_blocks());
    Rewrite { bytes, validated, context }.module(&mut block_types).map(Cow::Owned)
}

struct Rewrite<'a> {
    bytes: &'a [u8],
    validated: &'a Validated,
    context: Context<'a>,
}

impl Rewrite<'_> {
    /// Writes the sections in order: copied, or with appended items.
    fn module(&self, block_types: &mut BlockTypes) -> Result<Vec<u8>, Rejection> {
        // Before the types: the bodies determine which types are needed.
        let mut code = match self.validated.section(SectionId::Code as u8) {
            Some(section) => self.code(&self.renumbered(section), block_types)?,
            // The functions of the rewrite are there all the same.
            None => self.code(&NO_BODIES, block_types)?,
        };
        self.stubs(&mut code)?;
        limits::check(self.validated, &self.rewritten(block_types))?;
        let mut module = Module::HEADER.to_vec();
        for id in ORDER {
            let section = self.validated.section(id as u8);
            let content = section.map(|section| match id {
                SectionId::Import => self.kept_imports(section),
                _ => self.renumbered(section),
            });
            match (id, content.as_deref()) {
                (SectionId::Type, content) => append(&mut module, id, content, self.types(block_types)),
                (SectionId::Import, content) => append(&mut module, id, content, self.imports()),
                (SectionId::Function, content) => {
                    let functions = self.functions();
                    if content.is_some() || !functions.is_empty() {
                        functions.append_to(&mut module);
                    }
                }
                (SectionId::Global, content) => append(&mut module, id, content, self.globals()),
                (SectionId::Export, content) => append(&mut module, id, content, self.exports()),
                (SectionId::Code, content) if content.is_some() || !code.bodies.is_empty() => {
                    // The largest part of a module: each copy is dropped as soon as it is written, and room is made
                    // once, for the data behind it too.
                    let Code { bodies, hints } = core::mem::take(&mut code);
                    if self.context.counts {
                        hints.append_to(&mut module);
                    }
                    drop(hints);
                    let data = self.validated.section(SectionId::Data as u8).map_or(0, |data| data.content.len());
                    module.reserve_exact(bodies.byte_len() + data + SECTION_HEADERS);
                    bodies.append_to(&mut module);
                }
                (SectionId::Start, _) | (_, None) => {}
                (_, Some(data)) => {
                    RawSection { id: id as u8, data }.append_to(&mut module);
                }
            }
        }
        // The engine keeps it until it has compiled it, and growing may have doubled its capacity.
        module.shrink_to_fit();
        Ok(module)
    }

    /// Counts of the rewritten module.
    fn rewritten(&self, block_types: &BlockTypes) -> Rewritten {
        let (counters, start) = (usize::from(self.context.counts), usize::from(self.validated.start.is_some()));
        let (grows, misses) = (usize::from(self.context.grows()), usize::from(!self.context.missing().is_empty()));
        let traces = self.context.tracing.map_or(0, |_| tracing::ITEMS);
        let told: u64 = tracing::types().iter().map(|ty| limits::function_size(ty.params.len(), 0)).sum();
        let functions =
            self.validated.bodies.len() + self.context.linkages.split().len() + self.context.own_functions();
        // The counters; the refill function, with one parameter; the growth function, with three and a result; the
        // start function, with none.
        let type_size = counters as u64 * (2 + limits::function_size(1, 0))
            + grows as u64 * limits::function_size(3, 1)
            + misses as u64 * limits::function_size(1, 0)
            + if traces > 0 { told + MOST_TRACING_EXPORTS as u64 } else { 0 };
        Rewritten {
            types: self.context.types_before_blocks() + block_types.types().len(),
            // Those in whose place the module has functions count twice.
            imports: counters + grows + misses + traces,
            functions,
            globals: self.validated.globals.len() + 2 * counters + traces,
            exports: 2 * counters + start + if traces > 0 { MOST_TRACING_EXPORTS } else { 0 },
            type_size: type_size + start as u64 * limits::function_size(0, 0),
        }
    }

    /// The content of a section, with the new function indices. Bodies keep theirs.
    fn renumbered(&self, section: &Section) -> Cow<'_, [u8]> {
        let range = section.content.clone();
        let references = &self.validated.references;
        let here = |offset: usize| references.partition_point(|at| (*at as usize) < offset);
        let references = &references[here(range.start)..here(range.end)];
        if references.is_empty() || !self.context.linkages.renumbers() {
            return Cow::Borrowed(&self.bytes[range]);
        }
        let mut out = Vec::with_capacity(range.len() + references.len());
        let mut copied = range.start;
        for &at in references {
            let at = at as usize;
            let mut reader = BinaryReader::new(&self.bytes[at..range.end], at);
            let Ok(function) = reader.read_var_u32() else {
                unreachable!("admission has read this index");
            };
            out.extend_from_slice(&self.bytes[copied..at]);
            self.context.linkages.index(function).encode(&mut out);
            copied = reader.original_position();
        }
        out.extend_from_slice(&self.bytes[copied..range.end]);
        Cow::Owned(out)
    }

    /// The import section without the functions that nobody offers.
    fn kept_imports(&self, section: &Section) -> Cow<'_, [u8]> {
        let range = section.content.clone();
        let bytes = &self.bytes[range.clone()];
        if self.context.missing().is_empty() {
            return Cow::Borrowed(bytes);
        }
        let Ok(imports) = ImportSectionReader::new(BinaryReader::new(bytes, range.start)) else {
            unreachable!("admission has read this section");
        };
        let starts = imports.into_iter_with_offsets().map_while(Result::ok).map(|(offset, _)| offset);
        let starts: Vec<usize> = starts.chain([range.end]).collect();
        let mut kept = Items::default();
        for (index, item) in (0..).zip(starts.windows(2)) {
            if self.context.missing().binary_search(&index).is_err() {
                kept.add(|out| out.extend_from_slice(&self.bytes[item[0]..item[1]]));
            }
        }
        let mut content = Vec::with_capacity(kept.bytes.len() + 5);
        kept.count.encode(&mut content);
        content.extend_from_slice(&kept.bytes);
        Cow::Owned(content)
    }

    /// The functions in place of imports that nobody offers.
    fn stubs(&self, code: &mut Code) -> Result<(), Rejection> {
        let first = self.context.linkages.index(u32::try_from(self.validated.imported_functions).unwrap_or(u32::MAX));
        for &import in self.context.missing() {
            let mut out = Vec::new();
            InstructionSink::new(&mut out)
                .i32_const(import.cast_signed())
                .call(self.context.missing)
                .unreachable()
                .end();
            code.add(first, &Written::new(&[], &[], &out, Vec::new()))?;
        }
        Ok(())
    }

    /// The types of the refill and growth functions, of functions that take the stack counter, of the functions that
    /// the rewrite adds, and of blocks.
    fn types(&self, block_types: &BlockTypes) -> Items {
        let mut types = Items::default();
        if self.context.counts {
            types.add_type(&FuncType { params: [value::ValType::I64].to_vec(), results: Vec::new() });
        }
        if self.context.grows() {
            use value::ValType::{I32, I64};
            types.add_type(&FuncType { params: [I32, I64, I64].to_vec(), results: [I32].to_vec() });
        }
        if !self.context.missing().is_empty() {
            types.add_type(&FuncType { params: [value::ValType::I32].to_vec(), results: Vec::new() });
        }
        if self.context.tracing.is_some() {
            tracing::types().iter().for_each(|ty| types.add_type(ty));
        }
        for ty in self.context.linkages.types() {
            types.add_type(&with_parameter(self.context.function_type(ty)));
        }
        for pieces in &self.context.pieces {
            types.add_type(&pieces.ty());
        }
        for grower in &self.context.growers {
            types.add_type(&grower.ty());
        }
        if self.context.counts {
            asking::types().iter().for_each(|ty| types.add_type(ty));
        }
        for ty in block_types.types() {
            types.add_type(ty);
        }
        types
    }

    fn imports(&self) -> Items {
        let mut imports = Items::default();
        let mut import = |name: &str, ty: u32| {
            imports.add(|out| {
                HOST.encode(out);
                name.encode(out);
                EntityType::Function(ty).encode(out);
            });
        };
        if self.context.counts {
            import(REFILL, self.context.refill_type);
        }
        if self.context.grows() {
            import(GROW, self.context.grow_type);
        }
        if !self.context.missing().is_empty() {
            import(MISSING, self.context.missing_type);
        }
        for (name, ty) in self.context.tracing.into_iter().flat_map(Tracing::imports) {
            import(name, ty);
        }
        imports
    }

    fn functions(&self) -> FunctionSection {
        let linkages = &self.context.linkages;
        let mut functions = FunctionSection::new();
        for (index, body) in self.validated.bodies.iter().enumerate() {
            functions.function(match linkages.of_defined(index) {
                Linkage::Parameter => linkages.type_with_parameter(body.ty),
                Linkage::Global | Linkage::Split(_) => body.ty,
            });
        }
        for &index in linkages.split() {
            functions.function(linkages.type_with_parameter(self.validated.bodies[index].ty));
        }
        for position in 0..self.context.own_functions() {
            functions.function(self.context.own_type(position));
        }
        for &import in self.context.missing() {
            functions.function(self.validated.functions[import as usize]);
        }
        functions
    }

    fn globals(&self) -> Items {
        let mut globals = Items::default();
        if self.context.counts {
            for _ in [FUEL, STACK] {
                globals.add(|out| {
                    GlobalType { val_type: ValType::I64, mutable: true, shared: false }.encode(out);
                    ConstExpr::i64_const(0).encode(out);
                });
            }
        }
        for _ in self.context.tracing.into_iter().flat_map(Tracing::globals) {
            globals.add(|out| {
                GlobalType { val_type: ValType::I32, mutable: true, shared: false }.encode(out);
                ConstExpr::i32_const(0).encode(out);
            });
        }
        globals
    }

    fn exports(&self) -> Items {
        let mut exports = Items::default();
        let mut export = |name: &str, kind: ExportKind, index: u32| {
            exports.add(|out| {
                name.encode(out);
                kind.encode(out);
                index.encode(out);
            });
        };
        if self.context.counts {
            export(FUEL, ExportKind::Global, self.context.counters.fuel);
            export(STACK, ExportKind::Global, self.context.counters.stack);
        }
        if let Some(tracing) = self.context.tracing {
            let stack_pointer = tracing::stack_pointer(self.validated).map(|global| (STACK_POINTER, global));
            for (name, global) in tracing.globals().into_iter().chain(stack_pointer) {
                export(name, ExportKind::Global, global);
            }
        }
        if let Some(start) = self.validated.start {
            export(START, ExportKind::Func, self.context.linkages.index(start));
        }
        exports
    }

    fn code(&self, content: &[u8], block_types: &mut BlockTypes) -> Result<Code, Rejection> {
        let mut code = Code::default();
        let mut reader = BinaryReader::new(content, 0);
        let Ok(_count) = reader.read_var_u32() else {
            unreachable!("admission has read this section");
        };
        let bodies: Vec<BinaryReader<'_>> = (0..self.validated.bodies.len())
            .map(|_| match reader.read_reader() {
                Ok(body) => body,
                Err(_) => unreachable!("admission has read every body"),
            })
            .collect();
        let first = self.context.linkages.index(u32::try_from(self.validated.imported_functions).unwrap_or(u32::MAX));
        for (index, shape) in self.validated.bodies.iter().enumerate() {
            let written = match self.context.linkages.of_defined(index) {
                Linkage::Global => self.body(&bodies[index], index, false, block_types),
                Linkage::Parameter => self.body(&bodies[index], index, true, block_types),
                Linkage::Split(body) => {
                    let ty = self.context.function_type(shape.ty);
                    entrance(ty, *shape, body, self.context.counters, self.validated.has_tail_calls)
                }
            };
            code.add(first, &written)?;
        }
        for &index in self.context.linkages.split() {
            code.add(first, &self.body(&bodies[index], index, true, block_types))?;
        }
        for pieces in &self.context.pieces {
            code.add(first, &pieces.body(self.context.counters))?;
        }
        for grower in &self.context.growers {
            code.add(first, &grower.body(self.context.grow))?;
        }
        if self.context.counts {
            asking::bodies(self.context.counters).iter().try_for_each(|body| code.add(first, body))?;
        }
        Ok(code)
    }

    /// Rewrites one body, or copies it.
    fn body(&self, body: &BinaryReader<'_>, index: usize, takes_stack: bool, block_types: &mut BlockTypes) -> Written {
        let shape = self.validated.bodies[index];
        let Context { counts, canonicalises, clamps, .. } = self.context;
        if counts || canonicalises || clamps || self.context.linkages.renumbers() || shape.words > LARGE_BODY {
            let own = OwnBody {
                function: u32::try_from(self.validated.imported_functions + index).unwrap_or(u32::MAX),
                body: &FunctionBody::new(body.clone()),
                shape,
            };
            return rewrite_body(&own, takes_stack, &self.context, block_types);
        }
        let mut body = body.clone();
        let Ok(bytes) = body.read_bytes(body.bytes_remaining()) else {
            unreachable!("all its bytes are there");
        };
        Written { bytes: bytes.to_vec(), unlikely: Vec::new(), slots: shape.slots() }
    }
}

/// The bodies, and hints for their seldom-taken branches: a compiler then moves the code behind them out of the way.
#[derive(Default)]
struct Code {
    bodies: CodeSection,
    hints: BranchHints,
}

impl Code {
    /// Adds the next body of a module whose first body has the index `first`. A body that makes many calls may have
    /// become several times as large.
    fn add(&mut self, first: u32, written: &Written) -> Result<(), Rejection> {
        limits::check_body(written.bytes.len(), written.slots)?;
        let hint = |at: &usize| BranchHint {
            branch_func_offset: u32::try_from(*at).unwrap_or(u32::MAX),
            branch_hint_value: NOT_TAKEN,
        };
        if !written.unlikely.is_empty() {
            self.hints.function_hints(first + self.bodies.len(), written.unlikely.iter().map(hint));
        }
        self.bodies.raw(&written.bytes);
        limits::check_code(self.bodies.byte_len())
    }
}

/// The hint that a branch is seldom taken.
const NOT_TAKEN: u32 = 0;

/// The order of sections in a module, without custom sections.
const ORDER: [SectionId; 12] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];

/// The content of a code section without bodies.
const NO_BODIES: [u8; 1] = [0];

/// Bytes in front of the contents of two sections, at most: an id, a size and a count each.
const SECTION_HEADERS: usize = 2 * (1 + 5 + 5);
