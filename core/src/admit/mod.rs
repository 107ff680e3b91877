//! Admission: decides, once and before an engine sees any byte, whether a module is acceptable.
//!
//! One pass of a streaming validator whose features start from empty. Every count that the binary declares is checked
//! against its cap before memory is reserved for it, so any byte sequence gets its verdict in time and memory linear in
//! its length.

mod body;
mod constants;
mod contract;
mod exports;
mod merges;
mod summary;
mod validate;
mod validated;

pub use contract::{ALLOC, COMMAND, Contract, INITIALIZE, MEMORY, Offered, Signature, imports_from};
pub use exports::Exports;
pub use summary::{Export, ExternType, FuncType, Import, Memory, ModuleKind, ModuleSummary, Table};

use alloc::vec::Vec;

use wasmparser::WasmFeatures;

pub(crate) use self::{
    body::{Bulk, Growth, KEPT_PER_CELL, is_straight},
    validated::{BodyShape, Section, Validated},
};

use self::validate::validate;
use crate::{
    policy::{ALWAYS_DENIED, Policy, Proposal, Proposals, features},
    verdict::{Reason, Rejection},
};

pub(crate) const MAGIC: &[u8] = b"\0asm";
pub(crate) const CORE_VERSION_1: [u8; 4] = [1, 0, 0, 0];

/// Validates `bytes` under `policy`, and checks its imports against `offered` and its exports against `contract`.
///
/// # Errors
///
/// As [`admit`](crate::admit()).
pub(crate) fn examine(
    bytes: &[u8],
    policy: &Policy,
    offered: &Offered,
    contract: &Contract,
) -> Result<Validated, Rejection> {
    check_size_and_header(bytes, policy)?;
    let features = features(policy.rules());
    let validated = validate(bytes, policy, features);
    let (summary, exports_are_seen) = match &validated {
        Ok(validated) => (&validated.summary, true),
        Err(refused) => (&refused.seen, refused.exports_are_seen),
    };
    let mut found = contract::check_imports(summary, offered, policy.rules());
    if summary.start.is_some() && !policy.rules().module.start {
        found.push(Rejection::new(summary.start, Reason::StartDenied));
    }
    if exports_are_seen {
        found.extend(contract::check_exports(summary, contract));
    }
    match validated {
        Err(refused) => {
            let main = name_the_proposal(refused.rejection, bytes, policy, features);
            Err(Rejection { also: found, ..main })
        }
        Ok(mut validated) => {
            validated.missing = contract::missing(&validated.summary, offered, policy.rules());
            Rejection::of_all(found).map_or(Ok(validated), Err)
        }
    }
}

/// Summarises a module, whatever it imports and exports: [`admit`](crate::admit()) without the checks of imports and
/// exports.
///
/// # Errors
///
/// As [`admit`](crate::admit()).
pub fn summarize(bytes: &[u8], policy: &Policy) -> Result<ModuleSummary, Rejection> {
    check_size_and_header(bytes, policy)?;
    let features = features(policy.rules());
    let validated = validate(bytes, policy, features);
    validated
        .map(|validated| validated.summary)
        .map_err(|refused| name_the_proposal(refused.rejection, bytes, policy, features))
}

/// The proposals that a module needs, of those that `policy` allows. Each is found by trying, in one validation per
/// proposal. Meaningful for a module that [`summarize`] accepts.
pub fn proposals_used(bytes: &[u8], policy: &Policy) -> Proposals {
    let all = features(policy.rules());
    let is_needed = |proposal: &Proposal| validate(bytes, policy, all.difference(proposal.feature())).is_err();
    policy.rules().proposals.iter().filter(is_needed).collect()
}

fn check_size_and_header(bytes: &[u8], policy: &Policy) -> Result<(), Rejection> {
    let (found, allowed) = (bytes.len() as u64, policy.rules().module.bytes);
    if found > allowed {
        return Err(Rejection::new(None, Reason::LimitExceeded { limit: "module.bytes", found, allowed }));
    }
    let no_header = |offset, message| Rejection::new(Some(offset), Reason::NotWebAssembly { message });
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(no_header(0, "it does not start with the magic number 00 61 73 6d"));
    };
    match rest.first_chunk() {
        None => Err(no_header(4, "it ends before the version")),
        Some(&CORE_VERSION_1) => Ok(()),
        Some(&version) => Err(Rejection::new(Some(4), Reason::NotACoreModule { version })),
    }
}

/// Finds by trying whether a module would be valid with a denied proposal, and with which.
///
/// The denied features are added in a fixed order; the one that moves the first error is the one that the module needs.
/// The text of an error is not used.
fn name_the_proposal(rejection: Rejection, bytes: &[u8], policy: &Policy, allowed: WasmFeatures) -> Rejection {
    let (Reason::Invalid { message } | Reason::Malformed { message }, Some(offset)) =
        (&rejection.reason, rejection.offset)
    else {
        return rejection;
    };
    let denied: Vec<(WasmFeatures, &'static str)> = Proposal::ALL
        .iter()
        .map(|proposal| (proposal.feature(), proposal.name()))
        .chain([(WasmFeatures::FLOATS, "floats")])
        .chain(ALWAYS_DENIED.iter().copied())
        .filter(|(feature, _)| !allowed.contains(*feature))
        .collect();
    let with_first = |count: usize| denied[..count].iter().fold(allowed, |all, (feature, _)| all | *feature);
    let still_fails =
        |count: usize| match validate(bytes, policy, with_first(count)).map_err(|refused| refused.rejection) {
            Err(Rejection { offset: Some(at), reason: Reason::Invalid { .. } | Reason::Malformed { .. }, .. }) => {
                at <= offset
            }
            _ => false,
        };
    if still_fails(denied.len()) {
        return rejection;
    }
    let (mut fails, mut passes) = (0, denied.len());
    while passes - fails > 1 {
        let middle = usize::midpoint(fails, passes);
        if still_fails(middle) { fails = middle } else { passes = middle }
    }
    let proposal = denied[passes - 1].1;
    Rejection { reason: Reason::ProposalDenied { proposal, message: message.clone() }, ..rejection }
}
