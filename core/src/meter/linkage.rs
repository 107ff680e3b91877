//! How a function gets the stack counter from its caller.
//!
//! The host and indirect calls pass it in its global. A direct call passes it as an additional parameter, which costs
//! an engine next to nothing. A function that is called both ways is split: its body moves to the end of the module and
//! takes the parameter, and an entrance that reads the global keeps its index.

use alloc::{collections::BTreeMap, vec::Vec};

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::{asking, body::Written, emit::Counters};
use crate::{
    admit::{BodyShape, FuncType, Validated},
    fences::{MOST_ITEMS, MOST_PARAMS},
    value,
};

/// How one function is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linkage {
    /// The counter is passed in its global.
    Global,
    /// It is passed as a parameter.
    Parameter,
    /// An entrance calls the function with this index, which has the body and takes the parameter.
    Split(u32),
}

/// The callee of a direct call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Callee {
    pub(super) index: u32,
    pub(super) takes_stack: bool,
}

/// Upper bound of the types that the rewrite adds for bulk operators, growths and blocks.
const MOST_BLOCK_TYPES: usize = 20_000;

/// The linkage of every function of a module.
pub(super) struct Linkages {
    /// For the functions that the module defines.
    functions: Vec<Linkage>,
    /// Functions that the guest imports.
    imported: usize,
    /// Indices of imported functions in whose place the module has functions of its own, at its end.
    missing: Vec<u32>,
    /// Index of the first of those.
    first_stub: u32,
    /// Functions that the rewrite imports.
    added: u32,
    /// Indices of the types with the additional parameter, by the type without.
    types: BTreeMap<u32, u32>,
    /// Functions whose bodies moved, in order.
    split: Vec<usize>,
}

impl Linkages {
    /// No function takes the parameter.
    pub(super) fn none(validated: &Validated, added: u32) -> Self {
        Self {
            functions: alloc::vec![Linkage::Global; validated.bodies.len()],
            imported: validated.imported_functions,
            missing: validated.missing.clone(),
            first_stub: 0,
            added,
            types: BTreeMap::new(),
            split: Vec::new(),
        }
    }

    /// Decides where the functions in place of imports are: behind so many more that the rewrite adds.
    pub(super) fn place_stubs(&mut self, more: usize) {
        self.first_stub = u32::try_from(self.functions() + more).unwrap_or(u32::MAX);
    }

    /// `added` is the number of the rewrite's own imports, and `types_before` the number of types before those that
    /// this adds. When no more types or functions fit, a function keeps [`Linkage::Global`].
    pub(super) fn of(validated: &Validated, added: u32, types_before: usize) -> Self {
        let mut linkages = Self::none(validated, added);
        let first = linkages.kept() + linkages.added as usize;
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
            } else if body_index
                + validated.bulk.len()
                + validated.growths.len()
                + asking::FUNCTIONS
                + validated.missing.len()
                < most
            {
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

    /// Number of the guest's imports that remain imports.
    pub(super) fn kept(&self) -> usize {
        self.imported - self.missing.len()
    }

    /// Number of functions, imported ones and moved bodies included.
    pub(super) fn functions(&self) -> usize {
        self.kept() + self.added as usize + self.functions.len() + self.split.len()
    }

    /// The linkage of the defined function at `index`.
    pub(super) fn of_defined(&self, index: usize) -> Linkage {
        self.functions[index]
    }

    /// The callee of a direct call of `function`; `None` when the guest imports it.
    pub(super) fn callee(&self, function: u32) -> Option<Callee> {
        let index = (function as usize).checked_sub(self.imported)?;
        Some(match self.functions[index] {
            Linkage::Global => Callee { index: self.index(function), takes_stack: false },
            Linkage::Parameter => Callee { index: self.index(function), takes_stack: true },
            Linkage::Split(body) => Callee { index: body, takes_stack: true },
        })
    }

    /// The new index of `function`.
    pub(super) fn index(&self, function: u32) -> u32 {
        let index = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if function as usize >= self.imported {
            return function - index(self.missing.len()) + self.added;
        }
        match self.missing.binary_search(&function) {
            Ok(position) => self.first_stub + index(position),
            Err(before) => function - index(before),
        }
    }

    /// The new index of an imported function, where imports have others now.
    pub(super) fn moved_import(&self, function: u32) -> Option<u32> {
        (!self.missing.is_empty()).then(|| self.index(function))
    }

    /// Whether function indices change.
    pub(super) fn renumbers(&self) -> bool {
        self.added > 0
    }

    /// Defined functions whose bodies moved to the end, in order.
    pub(super) fn split(&self) -> &[usize] {
        &self.split
    }

    /// The types that get a variant with the additional parameter, in the order of those variants.
    pub(super) fn types(&self) -> Vec<u32> {
        let mut types: Vec<(u32, u32)> = self.types.iter().map(|(ty, position)| (*position, *ty)).collect();
        types.sort_unstable();
        types.into_iter().map(|(_, ty)| ty).collect()
    }

    /// The type with the additional parameter, for the type `ty` without.
    pub(super) fn type_with_parameter(&self, ty: u32) -> u32 {
        self.types.get(&ty).copied().unwrap_or(ty)
    }
}

/// The body of an entrance: calls `body` with the counter from its global.
///
/// An exported entrance gives the counter back to the host for its next call, and checks the fuel of the last run; for
/// a caller in the guest, its own next check covers that. With tail calls every body does so itself, and an entrance
/// must not stay on the stack below a body that is replaced by the next.
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
        // The refill function reads the remaining fuel from the stack counter and writes the slice to both globals.
        sink.if_(BlockType::Empty).global_get(counters.fuel).global_set(counters.stack);
        sink.call(counters.ask).end();
        sink.local_get(stack).global_set(counters.stack);
    } else {
        sink.call(body);
    }
    InstructionSink::new(&mut out).end();
    Written::new(&[], &added, &out, unlikely)
}

/// A function type with an additional last parameter, the counter.
pub(super) fn with_parameter(ty: &FuncType) -> FuncType {
    let params = ty.params.iter().copied().chain([value::ValType::I64]).collect();
    FuncType { params, results: ty.results.clone() }
}
