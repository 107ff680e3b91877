//! Admission: decides once, before any engine sees a byte, whether a module is acceptable.
//!
//! One pass of a streaming validator whose features start from empty. Every count that the binary declares is held
//! against its cap before anything is reserved for it, so any byte sequence gets its verdict in time and memory linear
//! in its length.

mod body;
mod constants;
mod contract;
mod exports;
mod pass;
mod summary;

pub use contract::{ALLOC, Contract, MEMORY, Offered, Signature};
pub use exports::Exports;
pub use summary::{Export, ExternType, FuncType, Import, Memory, ModuleSummary, Table};

use alloc::{borrow::Cow, vec::Vec};

use wasmparser::WasmFeatures;

pub(crate) use self::{
    body::{Bulk, Growth, KEPT_PER_CELL, is_straight},
    pass::{BodyShape, Passed, Section},
};

use self::pass::pass;
use crate::{
    meter,
    policy::{ALWAYS_DENIED, Fingerprint, Policy, Proposal, Proposals, features},
    verdict::{Reason, Rejection},
};

const MAGIC: &[u8] = b"\0asm";
const CORE_VERSION_1: [u8; 4] = [1, 0, 0, 0];

/// A module that passed admission under one policy and against one set of offered imports. There is no other way to
/// make one, and `compile` takes nothing else.
#[derive(Clone, Debug)]
pub struct Admitted<'a> {
    bytes: Cow<'a, [u8]>,
    summary: ModuleSummary,
    policy: Fingerprint,
    offered: Fingerprint,
}

impl Admitted<'_> {
    /// The binary for the engine: the module as the [rewrite](crate::meter) made it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the module is and needs.
    pub fn summary(&self) -> &ModuleSummary {
        &self.summary
    }

    /// Name of the export under which the engine finds the module's start function. It has no other: a start function
    /// runs when the limits are armed and the call can be interrupted, not inside the engine's instantiation.
    pub fn start(&self) -> Option<&'static str> {
        self.summary.start.map(|_| meter::START)
    }

    /// Fingerprint of the policy that the module passed.
    pub fn policy(&self) -> Fingerprint {
        self.policy
    }

    /// Fingerprint of the imports that were offered.
    pub fn offered(&self) -> Fingerprint {
        self.offered
    }
}

/// Examines `bytes` under `policy`.
///
/// `offered` lists the host functions that a module may import; `contract` says what it must export. Text is not
/// accepted: assemble it first.
///
/// # Errors
///
/// [`Rejection`] with the reason, and the byte offset where there is one. Time and memory are linear in the length of
/// `bytes`, whatever they are.
pub fn admit<'a>(
    bytes: &'a [u8],
    policy: &Policy,
    offered: &Offered,
    contract: &Contract,
) -> Result<Admitted<'a>, Rejection> {
    check_size_and_header(bytes, policy)?;
    let features = features(policy.rules());
    let passed = match pass(bytes, policy, features) {
        Err(rejection) => return Err(name_the_proposal(rejection, bytes, policy, features)),
        Ok(passed) => passed,
    };
    let summary = &passed.summary;
    contract::check_imports(summary, offered)?;
    if summary.start.is_some() && !policy.rules().module.start {
        return Err(Rejection { offset: summary.start, reason: Reason::StartDenied });
    }
    contract::check_exports(summary, contract)?;
    Ok(Admitted {
        bytes: meter::for_engine(bytes, &passed, policy.rules())?,
        summary: passed.summary,
        policy: policy.fingerprint(),
        offered: offered.fingerprint(),
    })
}

/// What a module is and needs, whatever it imports and exports: [`admit`] without the import and export contract.
///
/// # Errors
///
/// As [`admit`].
pub fn summarize(bytes: &[u8], policy: &Policy) -> Result<ModuleSummary, Rejection> {
    check_size_and_header(bytes, policy)?;
    let features = features(policy.rules());
    let passed = pass(bytes, policy, features);
    passed.map(|passed| passed.summary).map_err(|rejection| name_the_proposal(rejection, bytes, policy, features))
}

/// The proposals that a module cannot do without, of those that `policy` allows. Each is found by trying, in one
/// validation per proposal. Meaningful for a module that [`summarize`] accepts.
pub fn proposals_used(bytes: &[u8], policy: &Policy) -> Proposals {
    let all = features(policy.rules());
    let is_needed = |proposal: &Proposal| pass(bytes, policy, all.difference(proposal.feature())).is_err();
    policy.rules().proposals.iter().filter(is_needed).collect()
}

fn check_size_and_header(bytes: &[u8], policy: &Policy) -> Result<(), Rejection> {
    let (found, allowed) = (bytes.len() as u64, policy.rules().module.bytes);
    if found > allowed {
        return Err(Rejection {
            offset: None,
            reason: Reason::LimitExceeded { limit: "module.bytes", found, allowed },
        });
    }
    let no_header = |offset, message| Rejection { offset: Some(offset), reason: Reason::NotWebAssembly { message } };
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(no_header(0, "it does not start with the magic number 00 61 73 6d"));
    };
    match rest.first_chunk() {
        None => Err(no_header(4, "it ends before the version")),
        Some(&CORE_VERSION_1) => Ok(()),
        Some(&version) => Err(Rejection { offset: Some(4), reason: Reason::NotACoreModule { version } }),
    }
}

/// Finds out by trying whether a module would be right with a proposal that is denied, and which.
///
/// The denied features are added in a fixed order; the one that moves the first error is the one that was needed. No
/// text of an error is looked at.
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
    let still_fails = |count: usize| match pass(bytes, policy, with_first(count)) {
        Err(Rejection { offset: Some(at), reason: Reason::Invalid { .. } | Reason::Malformed { .. } }) => at <= offset,
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

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    /// The words of the rejection of a module with this section after `before`; none where it is admitted.
    fn words(before: &[u8], id: u8, content: &[u8]) -> Option<(&'static str, String)> {
        let header = [MAGIC, &CORE_VERSION_1].concat();
        let module = [&header, before, &[id, content.len() as u8], content].concat();
        let rejection = admit(&module, &Policy::ceiling(), &Offered::default(), &Contract::None).err()?;
        Some((rejection.code(), rejection.to_string()))
    }

    #[test]
    fn what_a_newer_proposal_may_have_brought_is_not_called_no_module() {
        const NEWER: &str = "newer than this build";
        /// One function of type () -> (), before its body.
        const FUNCTION: &[u8] = &[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0];
        type Rejected = fn(u8) -> Option<(&'static str, String)>;
        let kinds: [(&str, Rejected); 6] = [
            ("section", |byte| words(&[], byte, &[0])),
            ("type", |byte| words(&[], 1, &[1, byte, 0, 0])),
            ("type of a parameter", |byte| words(&[], 1, &[1, 0x60, 1, byte, 0])),
            // Kind 0x7f after an empty name begins a compact import.
            ("import", |byte| words(&[], 2, &[1, 1, b'm', 0, byte, 1, 0, 0])),
            ("operator", |byte| words(FUNCTION, 10, &[1, 3, 0, byte, 0x0b])),
            ("operator with a prefix", |byte| words(FUNCTION, 10, &[1, 4, 0, 0xfb, byte & 0x7f, 0x0b])),
        ];
        for (kind, rejected) in kinds {
            let mut unknown = 0;
            for (code, message) in (0..=u8::MAX).filter_map(rejected) {
                assert!(!message.contains("not a WebAssembly"), "{kind}: {message}");
                assert_eq!(message.contains(NEWER), code == "malformed", "{kind}: {code}: {message}");
                unknown += u32::from(code == "malformed");
            }
            assert!(unknown > 50, "{kind}: {unknown} of 256");
        }
        let text = admit(b"(module)", &Policy::ceiling(), &Offered::default(), &Contract::None).unwrap_err();
        assert_eq!(text.code(), "malformed");
        assert!(text.to_string().starts_with("not a WebAssembly module: "), "{text}");
    }
}
