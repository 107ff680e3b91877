//! Admission as a whole: what was validated, rewritten for the engine.

use alloc::{borrow::Cow, boxed::Box};

use crate::{
    admit::{self, Contract, ModuleSummary, Offered},
    identity::Identity,
    meter,
    policy::{Fingerprint, Policy},
    reserved,
    verdict::Rejection,
};

/// A module that passed admission under one policy and against one set of offered imports. There is no other way to
/// make one, and `compile` takes nothing else.
#[derive(Clone, Debug)]
pub struct Admitted<'a> {
    identity: Option<Identity<'a>>,
    bytes: Cow<'a, [u8]>,
    summary: ModuleSummary,
    memory: Option<Box<str>>,
    policy: Fingerprint,
    offered: Fingerprint,
}

impl<'a> Admitted<'a> {
    /// The module as it came, and all that decided about it: for a backend that [keeps
    /// code](crate::SandboxBackend::keeps_code), when it was loaded for one.
    pub fn identity(&self) -> Option<&Identity<'a>> {
        self.identity.as_ref()
    }

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
        reserved::start(&self.summary)
    }

    /// The name that the contract gives to the memory, if it does.
    pub fn memory(&self) -> Option<&str> {
        self.memory.as_deref()
    }

    /// Fingerprint of the policy that admitted the module.
    pub fn policy(&self) -> Fingerprint {
        self.policy
    }

    /// Fingerprint of the imports that were offered.
    pub fn offered(&self) -> Fingerprint {
        self.offered
    }

    /// With copies of what it borrows.
    pub fn into_owned(self) -> Admitted<'static> {
        let Self { identity, bytes, summary, memory, policy, offered } = self;
        Admitted {
            identity: identity.map(Identity::into_owned),
            bytes: bytes.into_owned().into(),
            summary,
            memory,
            policy,
            offered,
        }
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
    admit_identified(None, bytes, policy, offered, contract)
}

/// As [`admit`], for a backend that keeps code under this identity.
pub(crate) fn admit_identified<'a>(
    identity: Option<Identity<'a>>,
    bytes: &'a [u8],
    policy: &Policy,
    offered: &Offered,
    contract: &Contract,
) -> Result<Admitted<'a>, Rejection> {
    admit_as(identity, bytes, policy, offered, contract, false)
}

/// As [`admit`], for an engine that runs the module [traced](crate::trace). Nobody keeps its code.
pub(crate) fn admit_traced<'a>(
    bytes: &'a [u8],
    policy: &Policy,
    offered: &Offered,
    contract: &Contract,
) -> Result<Admitted<'a>, Rejection> {
    admit_as(None, bytes, policy, offered, contract, true)
}

fn admit_as<'a>(
    identity: Option<Identity<'a>>,
    bytes: &'a [u8],
    policy: &Policy,
    offered: &Offered,
    contract: &Contract,
    is_traced: bool,
) -> Result<Admitted<'a>, Rejection> {
    let validated = admit::examine(bytes, policy, offered, contract)?;
    Ok(Admitted {
        identity,
        bytes: meter::for_engine(bytes, &validated, policy.rules(), is_traced)?,
        summary: validated.summary,
        memory: contract.memory().map(Box::from),
        policy: policy.fingerprint(),
        offered: offered.fingerprint(),
    })
}

#[cfg(test)]
mod tests {
    use alloc::{
        string::{String, ToString},
        vec::Vec,
    };

    use super::*;
    use crate::admit::{CORE_VERSION_1, MAGIC};

    /// The words of the rejection of a module with this section after `before`; none where it is admitted.
    fn words(before: &[u8], id: u8, content: &[u8]) -> Option<(&'static str, String)> {
        let header = [MAGIC, &CORE_VERSION_1].concat();
        let module = [&header, before, &[id, content.len() as u8], content].concat();
        let rejection = admit(&module, &Policy::ceiling(), &Offered::default(), &Contract::None).err()?;
        Some((rejection.code(), rejection.to_string()))
    }

    /// A module with an import of a memory, one function, and a table past its cap behind it.
    #[test]
    fn a_cap_does_not_hide_what_else_is_wrong() {
        let imports: &[u8] = &[2, 15, 1, 3, b'e', b'n', b'v', 6, b'm', b'e', b'm', b'o', b'r', b'y', 2, 0, 1];
        let tables: &[u8] = &[4, 7, 2, 0x70, 0, 1, 0x70, 0, 1];
        let exports: &[u8] = &[7, 1, 0];
        let module = |last: &[&[u8]]| [&[MAGIC, &CORE_VERSION_1, imports, tables], last].concat().concat();
        let policy = Policy::default().with(|rules| rules.module.tables = 1).unwrap();
        let codes = |module: &[u8], policy: &Policy| {
            let rejection = admit(module, policy, &Offered::default(), &Contract::bytes("process")).unwrap_err();
            let hints: Vec<_> = rejection.all().flat_map(|rejection| rejection.reason.hints()).collect();
            assert_eq!(hints.iter().filter(|hint| hint.contains("--import-memory")).count(), 1, "{hints:?}");
            rejection.all().map(Rejection::code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&module(&[]), &policy), ["limit-exceeded", "import-denied"], "exports were not seen");
        let missing = ["import-denied", "export-missing", "export-missing", "export-missing"];
        assert_eq!(codes(&module(&[exports]), &Policy::default()), missing);
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
