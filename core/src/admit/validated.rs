//! What validation leaves behind for the rewrite.

use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;

use wasmparser::WasmFeatures;

use super::{
    body::{Bulk, Growth},
    summary::{FuncType, ModuleSummary},
};
use crate::value::ValType;

/// A valid module that is within the caps: what the rewrite must know of it, so that it reads no section again but the
/// code.
#[derive(Default)]
pub(crate) struct Validated {
    /// What it was validated with.
    pub(crate) features: WasmFeatures,
    pub(crate) summary: ModuleSummary,
    /// The sections but the custom ones.
    pub(crate) sections: Vec<Section>,
    /// `None` for a type that is no function type.
    pub(crate) types: Vec<Option<Arc<FuncType>>>,
    pub(crate) imported_functions: usize,
    /// Index of the type of every function, imported ones first.
    pub(crate) functions: Vec<u32>,
    /// The globals, imported ones first.
    pub(crate) globals: Vec<Global>,
    pub(crate) bodies: Vec<BodyShape>,
    pub(crate) has_tail_calls: bool,
    /// For every function, imported ones first, whether an operator names it to call it. Shorter where the last are not.
    pub(crate) called: Vec<bool>,
    /// Likewise, whether it may be called in another way: by the host, or through a reference.
    pub(crate) referenced: Vec<bool>,
    /// The bulk operators that bodies have, each once.
    pub(crate) bulk: Vec<Bulk>,
    /// The growths that they have, each once.
    pub(crate) growths: Vec<Growth>,
    /// Whether a table may hold an imported function.
    pub(crate) tables_reach_host: bool,
    /// Where in the binary the index of a function stands, outside of bodies and of the start section. In order.
    pub(crate) references: Vec<u32>,
    /// Index of the start function.
    pub(crate) start: Option<u32>,
}

impl BodyShape {
    /// Locals and operands, at most.
    pub(crate) fn slots(&self) -> u64 {
        u64::from(self.locals) + u64::from(self.height)
    }
}

/// What is known of a global.
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

    /// The section with this id.
    pub(crate) fn section(&self, id: u8) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }

    /// How many parameters the type `ty` has.
    pub(super) fn params(&self, ty: u32) -> u64 {
        self.types.get(ty as usize).and_then(Option::as_ref).map_or(0, |ty| ty.params.len() as u64)
    }
}

/// A section's id, and where its content is, without id and size.
pub(crate) struct Section {
    pub(crate) id: u8,
    pub(crate) content: Range<usize>,
}

/// What is known of a function body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyShape {
    /// Index of the function's type.
    pub(crate) ty: u32,
    /// Locals, parameters included.
    pub(crate) locals: u32,
    /// Most operands that are ever on its stack.
    pub(crate) height: u32,
    /// About how many words of an interpreter's code it becomes; never too few.
    pub(crate) words: u64,
    /// What an engine may keep beyond locals and operands, in [`KEPT_PER_CELL`](super::KEPT_PER_CELL)ths of a stack cell.
    pub(crate) kept: u32,
    /// Operators that may make a constant, which an interpreter copies at each call.
    pub(crate) constants: u32,
    /// Whether the host can call it.
    pub(crate) is_exported: bool,
}
