//! Checks a rewritten module against every engine limit that the rewrite can exceed.

use crate::{
    admit::{ExternType, Validated},
    fences::{LARGEST_BODY, MOST_ITEMS, MOST_SLOTS, TYPE_SIZE},
    verdict::{Reason, Rejection},
};

/// Bytes of the largest module.
const LARGEST_MODULE: u64 = 1 << 30;

/// Counts of a rewritten module.
pub(super) struct Rewritten {
    pub(super) types: usize,
    /// In addition to the guest's.
    pub(super) imports: usize,
    /// Functions that are not imported.
    pub(super) functions: usize,
    pub(super) globals: usize,
    /// In addition to the guest's.
    pub(super) exports: usize,
    /// Size of the types of added imports and exports.
    pub(super) type_size: u64,
}

/// Checks a rewritten module against the limits of the engines.
///
/// # Errors
///
/// [`Rejection`] with the limit's name.
pub(super) fn check(validated: &Validated, rewritten: &Rewritten) -> Result<(), Rejection> {
    let summary = &validated.summary;
    let all = [
        ("module.types (rewritten)", rewritten.types, MOST_ITEMS),
        ("module.imports (rewritten)", summary.imports.len() + rewritten.imports, MOST_ITEMS),
        (
            "module.functions (rewritten)",
            validated.imported_functions + rewritten.imports + rewritten.functions,
            MOST_ITEMS,
        ),
        ("module.globals (rewritten)", rewritten.globals, MOST_ITEMS),
        ("module.exports (rewritten)", summary.exports.len() + rewritten.exports, MOST_ITEMS),
    ];
    for (limit, found, allowed) in all {
        at_most(limit, found as u64, allowed)?;
    }
    at_most("module.type_size (rewritten)", type_size(validated) + rewritten.type_size, TYPE_SIZE - 1)
}

/// Checks a module that is not rewritten.
pub(super) fn check_as_it_is(validated: &Validated) -> Result<(), Rejection> {
    validated.bodies.iter().try_for_each(|body| check_body(0, body.slots()))?;
    at_most("module.type_size", type_size(validated), TYPE_SIZE - 1)
}

/// Checks a body: its bytes, and its locals and operands together.
pub(super) fn check_body(bytes: usize, slots: u64) -> Result<(), Rejection> {
    at_most("module.body_bytes (rewritten)", bytes as u64, LARGEST_BODY)?;
    at_most("module.locals + module.operand_height (rewritten)", slots, MOST_SLOTS)
}

/// Checks the bytes of all bodies together.
pub(super) fn check_code(bytes: usize) -> Result<(), Rejection> {
    at_most("module.bytes (rewritten)", bytes as u64, LARGEST_MODULE)
}

/// The size of a module's type, as validators count it.
fn type_size(validated: &Validated) -> u64 {
    let imports = validated.summary.imports.iter().map(|import| &import.ty);
    let exports = validated.summary.exports.iter().map(|export| &export.ty);
    1 + imports.chain(exports).map(item_size).sum::<u64>()
}

fn item_size(ty: &ExternType) -> u64 {
    match ty {
        ExternType::Function(ty) => function_size(ty.params.len(), ty.results.len()),
        _ => 1,
    }
}

/// The size of a function's type.
pub(super) fn function_size(params: usize, results: usize) -> u64 {
    2 + params as u64 + results as u64
}

fn at_most(limit: &'static str, found: u64, allowed: u64) -> Result<(), Rejection> {
    match found <= allowed {
        true => Ok(()),
        false => Err(Rejection::new(None, Reason::LimitExceeded { limit, found, allowed })),
    }
}
