//! How a function gets the stack counter from its caller.
//!
//! The host, and a call through a table, leave it in its global. A call by name hands it over as one more parameter,
//! which costs an engine next to nothing. A function that is called in both ways is split: its body moves to the end of
//! the module and takes the parameter, and under its own index stays an entrance that reads the global.

use alloc::{collections::BTreeMap, vec::Vec};

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::{body::Written, emit::Counters};
use crate::{
    admit::{BodyShape, FuncType, Validated},
    fences::{MOST_ITEMS, MOST_PARAMS},
    value,
};

/// How one function is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linkage {
    /// The counter is in its global.
    Global,
    /// It is a parameter.
    Parameter,
    /// It is a parameter of the function with this index, where the body is.
    Split(u32),
}

/// Whom to call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callee {
    pub(super) index: u32,
    pub(super) takes_stack: bool,
}

/// More types than bulk operators and blocks may need, of those that the rewrite makes.
const MOST_BLOCK_TYPES: usize = 20_000;

/// The linkage of every function of a module.
pub(super) struct Linkages {
    /// Of the functions that the module defines.
    functions: Vec<Linkage>,
    /// Functions that the guest imports.
    imported: usize,
    /// Functions that are imported beside them.
    added: u32,
    /// Positions of the types with one more parameter, by the type without.
    types: BTreeMap<u32, u32>,
    /// Functions whose bodies moved, in the order in which they stand.
    split: Vec<usize>,
}

impl Linkages {
    /// Nothing takes a parameter.
    pub(super) fn none(validated: &Validated, added: u32) -> Self {
        Self {
            functions: alloc::vec![Linkage::Global; validated.bodies.len()],
            imported: validated.imported_functions,
            added,
            types: BTreeMap::new(),
            split: Vec::new(),
        }
    }

    /// `added` counts the imports of the rewrite's own, and `types_before` the types in front of those that this adds. Where no type or function more fits, a function
    /// stays as it is.
    pub(super) fn of(validated: &Validated, added: u32, types_before: usize) -> Self {
        let mut linkages = Self::none(validated, added);
        let first = linkages.imported + linkages.added as usize;
        let most = usize::try_from(MOST_ITEMS).unwrap_or(usize::MAX);
        let is_set = |flags: &[bool], function: usize| flags.get(function).copied().unwrap_or(false);
        for (index, body) in validated.bodies.iter().enumerate() {
            let function = linkages.imported + index;
            let params = validated.types.get(body.ty as usize).and_then(Option::as_ref).map_or(0, |ty| ty.params.len());
            let has_room = types_before + linkages.types.len() + MOST_BLOCK_TYPES < most && params < MOST_PARAMS;
            if !is_set(&validated.called, function) || !has_room {
                continue;
            }
            let body_index = first + validated.bodies.len() + linkages.split.len();
            linkages.functions[index] = if !is_set(&validated.referenced, function) {
                Linkage::Parameter
            } else if body_index + validated.bulk.len() + validated.growths.len() < most {
                linkages.split.push(index);
                Linkage::Split(u32::try_from(body_index).unwrap_or(u32::MAX))
            } else {
                continue;
            };
            let position = u32::try_from(types_before + linkages.types.len()).unwrap_or(u32::MAX);
            linkages.types.entry(body.ty).or_insert(position);
        }
        linkages
    }

    /// How many functions there are, imported ones and moved bodies included.
    pub(super) fn functions(&self) -> usize {
        self.imported + self.added as usize + self.functions.len() + self.split.len()
    }

    /// Of the defined function at `index`.
    pub(super) fn of_defined(&self, index: usize) -> Linkage {
        self.functions[index]
    }

    /// Whom a call of `function` by name must call; `None` where the guest imports it.
    pub(super) fn callee(&self, function: u32) -> Option<Callee> {
        let index = (function as usize).checked_sub(self.imported)?;
        Some(match self.functions[index] {
            Linkage::Global => Callee { index: self.index(function), takes_stack: false },
            Linkage::Parameter => Callee { index: self.index(function), takes_stack: true },
            Linkage::Split(body) => Callee { index: body, takes_stack: true },
        })
    }

    /// The index that `function` has now.
    pub(super) fn index(&self, function: u32) -> u32 {
        if (function as usize) < self.imported { function } else { function + self.added }
    }

    /// Whether functions have other indices than before.
    pub(super) fn renumbers(&self) -> bool {
        self.added > 0
    }

    /// Defined functions whose bodies moved to the end, in that order.
    pub(super) fn split(&self) -> &[usize] {
        &self.split
    }

    /// The types to append, in order: each of these with one more parameter.
    pub(super) fn types(&self) -> Vec<u32> {
        let mut types: Vec<(u32, u32)> = self.types.iter().map(|(ty, position)| (*position, *ty)).collect();
        types.sort_unstable();
        types.into_iter().map(|(_, ty)| ty).collect()
    }

    /// The type of a function whose type without the parameter is `ty`.
    pub(super) fn type_with_parameter(&self, ty: u32) -> u32 {
        self.types.get(&ty).copied().unwrap_or(ty)
    }
}

/// The body of an entrance: calls `body` with the counter from its global.
///
/// An exported one gives the counter back to the host for its next call, and checks the last run's fuel, which inside the
/// guest the caller's next check does. Where there are tail calls every body does that by itself, and an entrance must not
/// stay below one that is replaced by the next.
pub(super) fn entrance(
    ty: &FuncType,
    shape: BodyShape,
    body: u32,
    counters: Counters,
    has_tail_calls: bool,
) -> Written {
    let params = u32::try_from(ty.params.len()).unwrap_or(u32::MAX);
    let (mut out, mut added, mut unlikely) = (Vec::new(), Vec::new(), Vec::new());
    let mut sink = InstructionSink::new(&mut out);
    for param in 0..params {
        sink.local_get(param);
    }
    sink.global_get(counters.stack);
    if has_tail_calls {
        sink.return_call(body);
    } else if shape.is_exported {
        let stack = params;
        added.push(ValType::I64);
        sink.local_tee(stack).call(body).global_get(counters.fuel).i64_const(0).i64_lt_s();
        unlikely.push(out.len());
        let mut sink = InstructionSink::new(&mut out);
        // The host gives the slice to both globals.
        sink.if_(BlockType::Empty).global_get(counters.fuel).global_set(counters.stack);
        sink.i64_const(0).call(counters.refill).end();
        sink.local_get(stack).global_set(counters.stack);
    } else {
        sink.call(body);
    }
    InstructionSink::new(&mut out).end();
    Written::new(&[], &added, &out, unlikely)
}

/// A function type with one more parameter, the counter.
pub(super) fn with_parameter(ty: &FuncType) -> FuncType {
    let params = ty.params.iter().copied().chain([value::ValType::I64]).collect();
    FuncType { params, results: ty.results.clone() }
}
