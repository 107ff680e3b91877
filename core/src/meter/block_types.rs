//! Types of the blocks that the rewrite opens.

use alloc::vec::Vec;

use wasm_encoder::BlockType;

use super::context::encoded;
use crate::{admit::FuncType, value::ValType};

/// Function types for blocks with parameters or with several results, without duplicates. They follow all other types
/// of the module, because the bodies determine which are needed.
pub(super) struct BlockTypes {
    /// Index of the first.
    first: usize,
    types: Vec<FuncType>,
}

impl BlockTypes {
    /// `first` is the number of types before them.
    pub(super) fn new(first: usize) -> Self {
        Self { first, types: Vec::new() }
    }

    /// The block type with these parameters and results.
    pub(super) fn of(&mut self, params: &[ValType], results: &[ValType]) -> BlockType {
        match (params, results) {
            ([], []) => BlockType::Empty,
            ([], [one]) => BlockType::Result(encoded(*one)),
            _ => BlockType::FunctionType(self.index(params, results)),
        }
    }

    fn index(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let known = self.types.iter().position(|ty| ty.is(params, results));
        let position = known.unwrap_or_else(|| {
            self.types.push(FuncType { params: params.to_vec(), results: results.to_vec() });
            self.types.len() - 1
        });
        u32::try_from(self.first + position).unwrap_or(u32::MAX)
    }

    /// The types, in order.
    pub(super) fn types(&self) -> &[FuncType] {
        &self.types
    }
}
