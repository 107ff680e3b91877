use alloc::{string::String, vec::Vec};
use core::fmt;

use super::Escaped;

/// Why a module was not admitted. No engine has seen its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// Byte offset in the module where the reason was found; `None` when it concerns the whole module.
    pub offset: Option<u64>,
    /// What was found and what is allowed.
    pub reason: Reason,
}

impl Rejection {
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
        /// Key of the cap, as in [`ModuleCaps`](crate::policy::ModuleCaps), [`Shape`](crate::policy::Shape) or
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
    },
    /// The module imports a host function with another type.
    ImportMismatch {
        /// Which one.
        import: DeniedImport,
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACoreModule { version: [0x0d, 0, 1, 0] } => {
                f.write_str("a component, not a core module; componentise nothing, or take the core module out of it")
            }
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
            Self::ImportDenied { imports, more } => fmt_denied(f, imports, *more),
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
    if imports.iter().any(|import| import.module.starts_with("wasi_")) {
        f.write_str(
            "; this plugin was built for WASI (wasi_snapshot_preview1), which a hotcell guest does not get: \
             build it for wasm32-unknown-unknown, without an operating system",
        )?;
    }
    Ok(())
}
