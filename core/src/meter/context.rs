//! The facts of a module that the rewrite needs.

use alloc::vec::Vec;

use wasm_encoder::{SectionId, ValType};

use super::{
    asking,
    bulk::Pieces,
    emit::Counters,
    growth::Grower,
    linkage::Linkages,
    tracing::{self, Tracing},
    walk::Width,
};
use crate::{
    admit::{Bulk, FuncType, Growth, Validated},
    value,
};

/// Id of the code section.
const CODE: u8 = SectionId::Code as u8;

/// The facts of a module that the rewrite needs.
pub(super) struct Context<'a> {
    pub(super) counts: bool,
    pub(super) canonicalises: bool,
    /// Whether 64-bit lengths are clamped to what a memory or table may have. If the engine counts, it charges by
    /// length: a longer operator must trap, not run out of fuel, which has no limit then.
    pub(super) clamps: bool,
    pub(super) counters: Counters,
    /// Present in diagnostic mode, and only where the guest counts.
    pub(super) tracing: Option<Tracing>,
    pub(super) linkages: Linkages,
    validated: &'a Validated,
    /// The functions that run bulk operators in pieces, then those that grow, in the order of their indices after all
    /// other functions. Each has a type of its own.
    pub(super) pieces: Vec<Pieces>,
    pub(super) growers: Vec<Grower>,
    /// Index of the host's growth function, if any.
    pub(super) grow: u32,
    /// Index of the host's function for imports that nobody offers, if any.
    pub(super) missing: u32,
    /// Indices of the types of the refill function, the growth function and that for missing imports, after the guest's own types.
    pub(super) refill_type: u32,
    pub(super) grow_type: u32,
    pub(super) missing_type: u32,
    /// Index of the type of the first of `pieces`.
    first_own_type: u32,
}

impl<'a> Context<'a> {
    pub(super) fn new(validated: &'a Validated, counts: bool, canonicalises: bool, is_traced: bool) -> Self {
        let index = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let fuel = index(validated.globals.len());
        let imports = usize::from(counts)
            + usize::from(!validated.growths.is_empty())
            + usize::from(!validated.missing.is_empty());
        let before_enter = imports;
        let imports = imports + if is_traced { tracing::ITEMS } else { 0 };
        let types = validated.types.len() + imports;
        let mut linkages = match counts {
            true => Linkages::of(validated, index(imports), types),
            false => Linkages::none(validated, index(imports)),
        };
        let (mut pieces, mut growers) = (Vec::new(), Vec::new());
        let first = linkages.functions();
        if counts {
            pieces.extend(validated.bulk.iter().zip(first..).map(|(bulk, index)| Pieces::new(*bulk, validated, index)));
        }
        let first = first + pieces.len();
        growers.extend(
            validated.growths.iter().zip(first..).map(|(growth, index)| Grower::new(*growth, validated, index)),
        );
        let ask = index(first + growers.len());
        linkages.place_stubs(pieces.len() + growers.len() + if counts { asking::FUNCTIONS } else { 0 });
        let imported = linkages.kept();
        let (before_grow, before_missing) =
            (usize::from(counts), usize::from(counts) + usize::from(!growers.is_empty()));
        let code = validated.section(CODE).map_or(0, |section| section.content.start);
        let tracing = is_traced.then(|| {
            let enter_type = validated.types.len() + before_enter;
            Tracing::new(fuel + 2, index(imported + before_enter), index(enter_type), code)
        });
        Self {
            counts,
            canonicalises,
            clamps: !counts && has_wide_bulk(validated),
            counters: Counters { fuel, stack: fuel + 1, refill: index(imported), ask, ask_at_entry: ask + 1 },
            tracing,
            grow: index(imported + before_grow),
            missing: index(imported + before_missing),
            refill_type: index(validated.types.len()),
            grow_type: index(validated.types.len() + before_grow),
            missing_type: index(validated.types.len() + before_missing),
            first_own_type: index(types + linkages.types().len()),
            linkages,
            validated,
            pieces,
            growers,
        }
    }

    /// Whether a memory or a table may grow.
    pub(super) fn grows(&self) -> bool {
        !self.growers.is_empty()
    }

    /// The imported functions that nobody offers.
    pub(super) fn missing(&self) -> &'a [u32] {
        &self.validated.missing
    }

    /// Number of functions that the rewrite adds at the end, without those in place of imports.
    pub(super) fn own_functions(&self) -> usize {
        self.pieces.len() + self.growers.len() + if self.counts { asking::FUNCTIONS } else { 0 }
    }

    /// Index of the type of one of those functions.
    pub(super) fn own_type(&self, position: usize) -> u32 {
        self.first_own_type + u32::try_from(position).unwrap_or(u32::MAX)
    }

    /// Number of types before those of blocks.
    pub(super) fn types_before_blocks(&self) -> usize {
        self.first_own_type as usize + self.own_functions()
    }

    /// The function that performs `growth`.
    pub(super) fn grower(&self, growth: Growth) -> &Grower {
        match self.validated.growths.binary_search(&growth) {
            Ok(position) => &self.growers[position],
            Err(_) => unreachable!("admission has noted every growth"),
        }
    }

    /// The function that runs `bulk` in pieces.
    pub(super) fn pieces(&self, bulk: Bulk) -> &Pieces {
        match self.validated.bulk.binary_search(&bulk) {
            Ok(position) => &self.pieces[position],
            Err(_) => unreachable!("admission has noted every bulk operator"),
        }
    }

    pub(super) fn function_type(&self, index: u32) -> &FuncType {
        match self.validated.types.get(index as usize) {
            Some(Some(ty)) => ty,
            _ => unreachable!("admission has seen that this is a function type"),
        }
    }

    pub(super) fn is_imported(&self, function: u32) -> bool {
        (function as usize) < self.validated.imported_functions
    }

    /// Whether a table may contain an imported function, which does not check fuel itself.
    pub(super) fn tables_reach_host(&self) -> bool {
        self.validated.tables_reach_host
    }

    pub(super) fn has_tail_calls(&self) -> bool {
        self.validated.has_tail_calls
    }

    pub(super) fn memory(&self, index: u32) -> Width {
        memory_width(self.validated, index)
    }

    pub(super) fn page_size_log2(&self, index: u32) -> u32 {
        page_size_log2(self.validated, index)
    }

    pub(super) fn table(&self, index: u32) -> Width {
        table_width(self.validated, index)
    }
}

/// Whether a bulk operator has a 64-bit length.
pub(super) fn has_wide_bulk(validated: &Validated) -> bool {
    validated.bulk.iter().any(|bulk| Pieces::new(*bulk, validated, 0).count() == Width::Bits64)
}

pub(super) fn memory_width(validated: &Validated, index: u32) -> Width {
    Width::of(validated.summary.memories.get(index as usize).is_some_and(|memory| memory.memory64))
}

pub(super) fn page_size_log2(validated: &Validated, index: u32) -> u32 {
    validated.summary.memories.get(index as usize).map_or(0, |memory| memory.page_size_log2)
}

pub(super) fn table_width(validated: &Validated, index: u32) -> Width {
    Width::of(validated.summary.tables.get(index as usize).is_some_and(|table| table.table64))
}

/// The encoder's type for a type of an admitted module.
pub(super) fn encoded(ty: value::ValType) -> ValType {
    match ty {
        value::ValType::I32 => ValType::I32,
        value::ValType::I64 => ValType::I64,
        value::ValType::F32 => ValType::F32,
        value::ValType::F64 => ValType::F64,
        value::ValType::V128 => ValType::V128,
        value::ValType::FuncRef => ValType::FUNCREF,
        value::ValType::OtherRef => unreachable!("no policy allows other references"),
    }
}
