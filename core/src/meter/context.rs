//! What the rewrite must know of the module.

use alloc::vec::Vec;

use wasm_encoder::{BlockType, ValType};

use super::{emit::Counters, linkage::Linkages, walk::Width};
use crate::{
    admit::{FuncType, Passed},
    value,
};

/// What the rewrite must know of the module.
pub(super) struct Context<'a> {
    pub(super) counts: bool,
    pub(super) canonicalises: bool,
    pub(super) counters: Counters,
    pub(super) linkages: Linkages,
    passed: &'a Passed,
    /// Result types that need a block type of their own, in the order in which they are appended to the types.
    pub(super) wide_results: Vec<Vec<ValType>>,
    /// Index of the type of the function that gives fuel.
    pub(super) refill_type: u32,
}

impl<'a> Context<'a> {
    pub(super) fn new(passed: &'a Passed, counts: bool, canonicalises: bool) -> Self {
        let fuel = u32::try_from(passed.globals.len()).unwrap_or(u32::MAX);
        let mut wide_results: Vec<Vec<ValType>> = Vec::new();
        for ty in passed.types.iter().flatten().filter(|ty| counts && ty.results.len() > 1) {
            let results: Vec<ValType> = ty.results.iter().copied().map(encoded).collect();
            if !wide_results.contains(&results) {
                wide_results.push(results);
            }
        }
        let refill_type = passed.types.len() + wide_results.len();
        let linkages = match counts {
            true => Linkages::of(passed, refill_type + 1),
            false => Linkages::none(passed),
        };
        let refill = u32::try_from(passed.imported_functions).unwrap_or(u32::MAX);
        Self {
            counts,
            canonicalises,
            counters: Counters { fuel, stack: fuel + 1, refill },
            linkages,
            passed,
            wide_results,
            refill_type: u32::try_from(refill_type).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn function_type(&self, index: u32) -> &FuncType {
        match self.passed.types.get(index as usize) {
            Some(Some(ty)) => ty,
            _ => unreachable!("admission has seen that this is a function type"),
        }
    }

    /// The type of a block with a function's results.
    pub(super) fn result_block(&self, ty: &FuncType) -> BlockType {
        match ty.results.as_slice() {
            [] => BlockType::Empty,
            [one] => BlockType::Result(encoded(*one)),
            several => {
                let several: Vec<ValType> = several.iter().copied().map(encoded).collect();
                let position = self.wide_results.iter().position(|results| *results == several).unwrap_or(0);
                let index = self.passed.types.len() + position;
                BlockType::FunctionType(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    }

    pub(super) fn is_imported(&self, function: u32) -> bool {
        (function as usize) < self.passed.imported_functions
    }

    /// Whether a table may hold an imported function, which does not check fuel by itself.
    pub(super) fn tables_reach_host(&self) -> bool {
        self.passed.tables_reach_host
    }

    pub(super) fn has_tail_calls(&self) -> bool {
        self.passed.has_tail_calls
    }

    pub(super) fn memory(&self, index: u32) -> Width {
        Width::of(self.passed.summary.memories.get(index as usize).is_some_and(|memory| memory.memory64))
    }

    pub(super) fn page_size_log2(&self, index: u32) -> u32 {
        self.passed.summary.memories.get(index as usize).map_or(0, |memory| memory.page_size_log2)
    }

    pub(super) fn table(&self, index: u32) -> Width {
        Width::of(self.passed.summary.tables.get(index as usize).is_some_and(|table| table.table64))
    }
}

/// A type of an admitted module, for the encoder.
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
