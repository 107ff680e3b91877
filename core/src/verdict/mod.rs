//! One vocabulary of verdicts for all backends. Every verdict has a stable kebab-case code, the phase in which it was
//! reached, and a party to blame.

mod escape;
mod fault;
mod hints;
mod limit;
mod rejection;
mod report;

pub use escape::Escaped;
pub use fault::{AbiFault, BackendError, BoxError, CallError, Fault, LoadError, TrapKind};
pub(crate) use hints::of_imports;
pub use limit::ReachedLimit;
pub use rejection::{DeniedImport, Reason, Rejection};
pub use report::{Output, Report, Tier, Usage};

use core::fmt;

/// How far a module had come when the verdict was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Admission of the bytes; no engine has seen them.
    Admit,
    /// Compilation and linking of imports.
    Compile,
    /// Instantiation: segments were copied, a `start` function ran.
    Instantiate,
    /// The call of the guest's version export.
    Abi,
    /// The call of the guest's `alloc` for the input.
    Alloc,
    /// The call of the entry, or a typed call.
    Call,
    /// Copying the reply out of the guest's memory.
    Reply,
}

impl Phase {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Compile => "compile",
            Self::Instantiate => "instantiate",
            Self::Abi => "abi",
            Self::Alloc => "alloc",
            Self::Call => "call",
            Self::Reply => "reply",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The module, which never ran: tell the plugin's author.
    Module,
    /// The guest, which ran and broke a rule: drop the instance.
    Guest,
    /// A host function: the embedder's own bug, or its own refusal.
    HostFunction,
    /// The caller: fix the call.
    Caller,
    /// hotcell or the engine: report a bug.
    Engine,
}
