use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use super::{Escaped, hints};

/// Why a module was not admitted. No engine has seen its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// Byte offset in the module where the reason was found; `None` when it concerns the whole module.
    pub offset: Option<u64>,
    /// What was found and what is allowed.
    pub reason: Reason,
    /// What else is wrong, as far as it was seen: imports, then the start function, then exports. Theirs are empty.
    pub also: Vec<Rejection>,
}

impl Rejection {
    /// A rejection for one reason.
    pub fn new(offset: Option<u64>, reason: Reason) -> Self {
        Self { offset, reason, also: Vec::new() }
    }

    /// Everything that was found: this one, then [what else is wrong](Self::also).
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        core::iter::once(self).chain(&self.also)
    }

    /// Of everything that was found, the first is the main one.
    pub(crate) fn of_all(found: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut found = found.into_iter();
        let main = found.next()?;
        Some(Self { also: found.collect(), ..main })
    }

    /// The stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self.reason {
            Reason::NotACoreModule { .. } => "not-a-core-module",
            Reason::NotWebAssembly { .. } | Reason::Malformed { .. } => "malformed",
            Reason::Invalid { .. } => "invalid",
            Reason::ProposalDenied { .. } => "proposal-denied",
            Reason::LimitExceeded { .. } => "limit-exceeded",
            Reason::ImportDenied { .. } => "import-denied",
            Reason::ImportMismatch { .. } => "import-mismatch",
            Reason::ExportMissing { .. } => "export-missing",
            Reason::ExportMismatch { .. } => "export-mismatch",
            Reason::StartDenied => "start-denied",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        for (index, other) in self.also.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "; it is also " } else { ", " }, other.code())?;
        }
        Ok(())
    }
}

/// The reasons for a [`Rejection`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The magic number is right, but this is a component or an unsupported version of the format.
    NotACoreModule {
        /// The four bytes after the magic number.
        version: [u8; 4],
    },
    /// The bytes do not begin with the header of WebAssembly.
    NotWebAssembly {
        /// What is wrong with them.
        message: &'static str,
    },
    /// The module does not follow the binary format as this build knows it; it may use a later proposal.
    Malformed {
        /// The parser's message.
        message: String,
    },
    /// The module breaks a rule of the WebAssembly specification.
    Invalid {
        /// The validator's message.
        message: String,
    },
    /// The module needs a proposal that the policy does not allow.
    ProposalDenied {
        /// Name of the proposal.
        proposal: &'static str,
        /// The validator's message.
        message: String,
    },
    /// A count or size is above its cap.
    LimitExceeded {
        /// Key of the cap, as in [`ModuleCaps`](crate::policy::ModuleCaps) or
        /// [`Limits`](crate::policy::Limits), or the name of an engine's limit on the rewritten module.
        limit: &'static str,
        /// The module's number; if counting stopped early, the first number above the cap.
        found: u64,
        /// What the policy, or the engine, allows.
        allowed: u64,
    },
    /// The module imports something that the host does not offer.
    ImportDenied {
        /// The first few of them.
        imports: Vec<DeniedImport>,
        /// How many more there are.
        more: usize,
        /// What to do, where it is known what made the module.
        hints: Vec<&'static str>,
    },
    /// The module imports a host function with another type.
    ImportMismatch {
        /// Which one.
        import: Box<DeniedImport>,
        /// The type that the host offers.
        offered: String,
    },
    /// The module does not export what the contract requires.
    ExportMissing {
        /// Name of the export.
        export: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The module exports something else under a name of the contract, or exports a reserved name.
    ExportMismatch {
        /// Name of the export.
        export: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The module has a `start` function and the policy allows none.
    StartDenied,
}

/// An import that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedImport {
    /// Module name, as the guest wrote it. Escape it before showing it.
    pub module: String,
    /// Field name, as the guest wrote it. Escape it before showing it.
    pub name: String,
    /// What is imported, for example `function (i32) -> i32` or `memory`.
    pub kind: String,
}

impl fmt::Display for DeniedImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}::{}`", self.kind, Escaped(&self.module), Escaped(&self.name))
    }
}

impl Reason {
    /// What to do about it, where that is known.
    pub fn hints(&self) -> Vec<&'static str> {
        match self {
            Self::NotACoreModule { version: COMPONENT } => [hints::COMPONENT].into(),
            Self::ProposalDenied { proposal, .. } => hints::of_proposal(proposal).into_iter().collect(),
            Self::ImportDenied { hints, .. } if hints.is_empty() => [hints::UNKNOWN_IMPORT].into(),
            Self::ImportDenied { hints, .. } => hints.clone(),
            Self::ImportMismatch { .. } => [hints::OTHER_IMPORT].into(),
            Self::ExportMissing { .. } => [hints::MISSING_EXPORT].into(),
            Self::ExportMismatch { .. } => [hints::OTHER_EXPORT].into(),
            Self::LimitExceeded { limit, .. } => hints::of_limit(limit).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// Version and layer of a component.
const COMPONENT: [u8; 4] = [0x0d, 0, 1, 0];

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_found(f)?;
        self.hints().iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

impl Reason {
    fn fmt_found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACoreModule { version: COMPONENT } => f.write_str("a component, not a core module"),
            Self::NotACoreModule { version } => {
                write!(f, "not a core module of version 1: the version is {version:02x?}")
            }
            Self::NotWebAssembly { message } => write!(f, "not a WebAssembly module: {message}"),
            Self::Malformed { message } => write!(
                f,
                "malformed module: {}; it is damaged, or uses a proposal that is newer than this build",
                Escaped(message)
            ),
            Self::Invalid { message } => write!(f, "invalid module: {}", Escaped(message)),
            Self::ProposalDenied { proposal, message } => {
                write!(f, "needs the proposal {proposal}, which the policy does not allow: {}", Escaped(message))
            }
            Self::LimitExceeded { limit, found, allowed } => {
                write!(f, "{limit} is {found}, the policy allows {allowed}")
            }
            Self::ImportDenied { imports, more, .. } => fmt_denied(f, imports, *more),
            Self::ImportMismatch { import, offered } => write!(f, "imports {import}, but the host offers {offered}"),
            Self::ExportMissing { export, expected } => {
                write!(f, "does not export `{}`, which must be {expected}", Escaped(export))
            }
            Self::ExportMismatch { export, expected, found } => {
                write!(f, "exports `{}` as {found}, it must be {expected}", Escaped(export))
            }
            Self::StartDenied => f.write_str(
                "has a start function, which the policy does not allow; `start = true` under [module] allows it, and \
                 --allow-start on the command line",
            ),
        }
    }
}

fn fmt_denied(f: &mut fmt::Formatter<'_>, imports: &[DeniedImport], more: usize) -> fmt::Result {
    f.write_str("imports what the host does not offer: ")?;
    for (index, import) in imports.iter().enumerate() {
        write!(f, "{}{import}", if index == 0 { "" } else { ", " })?;
    }
    if more > 0 {
        write!(f, " and {more} more")?;
    }
    Ok(())
}
