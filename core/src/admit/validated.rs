//! The results of validation that the rewrite needs.

use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;

use wasmparser::WasmFeatures;

use super::{
    body::{Bulk, Growth},
    summary::{FuncType, ModuleSummary},
};
use crate::value::ValType;

/// A valid module within the caps: what the rewrite needs of it, so that it reads only the code section again.
#[derive(Default)]
pub(crate) struct Validated {
    /// The features that it was validated with.
    pub(crate) features: WasmFeatures,
    pub(crate) summary: ModuleSummary,
    /// All sections except custom ones.
    pub(crate) sections: Vec<Section>,
    /// `None` for a type that is not a function type.
    pub(crate) types: Vec<Option<Arc<FuncType>>>,
    pub(crate) imported_functions: usize,
    /// Indices of imported functions that nobody offers, and that trap when they are called.
    pub(crate) missing: Vec<u32>,
    /// Type index of every function, imported ones first.
    pub(crate) functions: Vec<u32>,
    /// The globals, imported ones first.
    pub(crate) globals: Vec<Global>,
    pub(crate) bodies: Vec<BodyShape>,
    pub(crate) has_tail_calls: bool,
    /// For every function, imported ones first, whether an operator calls it directly. May be shorter; missing entries
    /// are `false`.
    pub(crate) called: Vec<bool>,
    /// Likewise, whether it may be called otherwise: by the host, or through a reference.
    pub(crate) referenced: Vec<bool>,
    /// The bulk operators of the bodies, without duplicates.
    pub(crate) bulk: Vec<Bulk>,
    /// The growths of the bodies, without duplicates.
    pub(crate) growths: Vec<Growth>,
    /// Whether a table may contain an imported function.
    pub(crate) tables_reach_host: bool,
    /// Byte offsets of function indices outside of bodies and of the start section, in order.
    pub(crate) references: Vec<u32>,
    /// Index of the start function.
    pub(crate) start: Option<u32>,
}

impl BodyShape {
    /// Upper bound of locals and operands.
    pub(crate) fn slots(&self) -> u64 {
        u64::from(self.locals) + u64::from(self.height)
    }
}

/// The type of a global.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Global {
    pub(crate) ty: ValType,
    pub(crate) is_mutable: bool,
}

impl From<wasmparser::GlobalType> for Global {
    fn from(ty: wasmparser::GlobalType) -> Self {
        Self { ty: ty.content_type.into(), is_mutable: ty.mutable }
    }
}

impl Validated {
    /// The results of the type `ty`.
    pub(super) fn results(&self, ty: u32) -> &[ValType] {
        self.types.get(ty as usize).and_then(Option::as_ref).map_or(&[], |ty| &ty.results)
    }

    /// The parameters of the type `ty`.
    pub(super) fn params_of(&self, ty: u32) -> &[ValType] {
        self.types.get(ty as usize).and_then(Option::as_ref).map_or(&[], |ty| &ty.params)
    }

    /// The section with this id.
    pub(crate) fn section(&self, id: u8) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }

    /// The number of parameters of the type `ty`.
    pub(super) fn params(&self, ty: u32) -> u64 {
        self.types.get(ty as usize).and_then(Option::as_ref).map_or(0, |ty| ty.params.len() as u64)
    }
}

/// A section's id and the range of its content, without id and size.
pub(crate) struct Section {
    pub(crate) id: u8,
    pub(crate) content: Range<usize>,
}

/// Facts of a function body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyShape {
    /// Index of the function's type.
    pub(crate) ty: u32,
    /// Locals, parameters included.
    pub(crate) locals: u32,
    /// Maximum height of its operand stack.
    pub(crate) height: u32,
    /// Approximate words of an interpreter's code for it; never too few.
    pub(crate) words: u64,
    /// What an engine may keep besides locals and operands, in [`KEPT_PER_CELL`](super::KEPT_PER_CELL)ths of a stack
    /// cell.
    pub(crate) kept: u32,
    /// Operators that may make a constant, which an interpreter copies at each call.
    pub(crate) constants: u32,
    /// Whether the host can call it.
    pub(crate) is_exported: bool,
}
