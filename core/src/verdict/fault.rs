use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use core::{fmt, ops::RangeInclusive};

use super::{Blame, Escaped, Phase, ReachedLimit, Rejection, Report};
use crate::{backend::BadPointer, policy::Fingerprint};

/// An error of a foreign type, kept as the source of ours.
pub type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// The traps of WebAssembly that the guest causes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrapKind {
    /// `unreachable` was reached.
    Unreachable,
    /// A memory access, bulk operation or active data segment outside the memory.
    MemoryOutOfBounds,
    /// A table access, bulk operation or active element segment outside the table.
    TableOutOfBounds,
    /// `call_indirect` of a null element.
    IndirectCallToNull,
    /// `call_indirect` of a function of another type.
    BadSignature,
    /// An integer operation or conversion whose result does not fit.
    IntegerOverflow,
    /// Division by zero.
    IntegerDivisionByZero,
    /// Conversion of a NaN to an integer.
    BadConversionToInteger,
}

impl TrapKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Unreachable,
        Self::MemoryOutOfBounds,
        Self::TableOutOfBounds,
        Self::IndirectCallToNull,
        Self::BadSignature,
        Self::IntegerOverflow,
        Self::IntegerDivisionByZero,
        Self::BadConversionToInteger,
    ];

    /// The stable kebab-case code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "trap-unreachable",
            Self::MemoryOutOfBounds => "trap-memory-out-of-bounds",
            Self::TableOutOfBounds => "trap-table-out-of-bounds",
            Self::IndirectCallToNull => "trap-indirect-call-to-null",
            Self::BadSignature => "trap-bad-signature",
            Self::IntegerOverflow => "trap-integer-overflow",
            Self::IntegerDivisionByZero => "trap-integer-division-by-zero",
            Self::BadConversionToInteger => "trap-bad-conversion-to-integer",
        }
    }
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "unreachable code was reached",
            Self::MemoryOutOfBounds => "memory access out of bounds",
            Self::TableOutOfBounds => "table access out of bounds",
            Self::IndirectCallToNull => "indirect call to null",
            Self::BadSignature => "indirect call with the wrong signature",
            Self::IntegerOverflow => "integer overflow",
            Self::IntegerDivisionByZero => "integer division by zero",
            Self::BadConversionToInteger => "float cannot be converted to an integer",
        })
    }
}

/// How the guest failed the version handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbiFault {
    /// Name of the version export.
    pub export: String,
    /// The guest's version. `None`: the export is missing, is not a function `() -> i32`, trapped, overflowed its
    /// stack, or did not answer within [`ABI_FUEL`](crate::plugin::ABI_FUEL).
    pub found: Option<u32>,
    /// The versions that the host accepts.
    pub accepted: RangeInclusive<u32>,
}

impl fmt::Display for AbiFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            None => write!(f, "the guest does not answer `{}() -> i32`", Escaped(&self.export))?,
            Some(found) => write!(f, "the guest speaks ABI version {found}")?,
        }
        let (min, max) = (self.accepted.start(), self.accepted.end());
        if min == max { write!(f, ", the host speaks {min}") } else { write!(f, ", the host speaks {min} to {max}") }
    }
}

const STACK_OVERFLOW: &str = "the guest's stack is exhausted";
const OUT_OF_FUEL: &str = "out of fuel";
const DEADLINE_EXCEEDED: &str = "the deadline has passed";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The guest trapped.
    #[error("{0}")]
    Trap(TrapKind),
    /// The guest's frames need more stack than the policy allows.
    #[error("{} ({})", STACK_OVERFLOW, Self::STACK)]
    StackOverflow,
    /// The fuel is used up.
    #[error("{} ({})", OUT_OF_FUEL, Self::FUEL)]
    OutOfFuel,
    /// The deadline has passed.
    #[error("{} ({})", DEADLINE_EXCEEDED, Self::DEADLINE)]
    DeadlineExceeded,
    /// The guest called host functions more often than the policy allows.
    #[error("more than {allowed} calls of host functions ({})", Self::HOST_CALLS)]
    HostCallLimit {
        /// What the policy allows.
        allowed: u64,
    },
    /// A host function called back into the guest deeper than the policy allows.
    #[error(
        "a host function called back into the guest at depth {depth}, the policy allows {allowed} ({})",
        Self::REENTRY
    )]
    ReentryDenied {
        /// The depth that the call would have had.
        depth: u32,
        /// What the policy allows.
        allowed: u32,
    },
    /// `alloc` returned null or a range outside the memory.
    #[error("alloc gave {pointer:#x} for {len} bytes, in a memory of {memory} bytes")]
    BadAlloc {
        /// What `alloc` returned.
        pointer: u32,
        /// Bytes requested.
        len: u32,
        /// Bytes of the guest's memory.
        memory: u64,
    },
    /// The reply is outside the memory.
    #[error("the reply is {len} bytes at {pointer:#x}, in a memory of {memory} bytes")]
    BadOutput {
        /// The reply's address, from the guest.
        pointer: u32,
        /// The reply's length, from the guest.
        len: u32,
        /// Bytes of the guest's memory.
        memory: u64,
    },
    /// The reply is larger than the policy allows.
    #[error("the reply is {len} bytes, the policy allows {allowed} ({})", Self::OUTPUT)]
    OutputTooLarge {
        /// The reply's length, from the guest.
        len: u32,
        /// What the policy allows.
        allowed: u64,
    },
    /// The guest does not support the host's ABI.
    #[error("{0}")]
    Abi(AbiFault),
    /// A host function refused or failed.
    #[error("the host function `{}` failed", Escaped(.import))]
    HostFunction {
        /// Its name as `module::name`.
        import: String,
        /// The host function's error.
        source: BoxError,
    },
    /// A host function panicked.
    #[error("the host function `{}` panicked: {}", Escaped(.import), Escaped(.message))]
    HostFunctionPanicked {
        /// Its name as `module::name`.
        import: String,
        /// The panic's message.
        message: String,
    },
    /// The guest ended its own program.
    #[error("the guest ended itself with exit code {code}")]
    GuestExit {
        /// Its exit code.
        code: u32,
    },
    /// The guest reports an error of its own, by a convention of the library that it was built with.
    #[error("the guest reports: {}", Escaped(.message))]
    GuestError {
        /// Its words. Escape them before showing them.
        message: String,
    },
    /// The call was cancelled from outside.
    #[error("cancelled")]
    Cancelled,
    /// As many instances exist as the host allows.
    #[error("{allowed} instances are running, which is as many as the host allows")]
    Busy {
        /// What the host allows.
        allowed: u32,
    },
    /// An earlier call on this instance failed; its state cannot be trusted.
    #[error("an earlier call on this instance failed")]
    Poisoned,
    /// The input is larger than the policy allows.
    #[error("the input is {len} bytes, the policy allows {allowed} ({})", Self::INPUT)]
    InputTooLarge {
        /// Bytes given.
        len: u64,
        /// What the policy allows.
        allowed: u64,
    },
    /// The module exports no function of that name.
    #[error("the module exports no function `{}`", Escaped(.export))]
    NoSuchExport {
        /// The name requested.
        export: String,
    },
    /// A byte call of a module that exports no memory, or several and none of them called `memory`.
    #[error("the module exports no memory for bytes, or several and none called `memory`")]
    NoMemory,
    /// The guest called an import that nobody offers, which the policy or the host lets [trap](crate::policy::Unknown::Trap).
    #[error("the guest called `{}::{}`, which the host does not offer", Escaped(.module), Escaped(.name))]
    ImportMissing {
        /// Module name.
        module: String,
        /// Field name.
        name: String,
    },
    /// The function has another type than the call.
    #[error("`{}` is {found}, not {expected}", Escaped(.export))]
    WrongArguments {
        /// The export's name.
        export: String,
        /// The type of the call.
        expected: String,
        /// The type of the function.
        found: String,
    },
    /// A cancel token was passed, but the policy does not allow cancelling.
    #[error("the policy does not allow cancelling (interrupt.cancel)")]
    NotCancellable,
    /// The engine failed, or hotcell did.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl Fault {
    pub(super) const FUEL: &str = "limits.fuel";
    pub(super) const DEADLINE: &str = "limits.deadline";
    pub(super) const STACK: &str = "limits.stack_bytes";
    pub(super) const HOST_CALLS: &str = "limits.host_calls";
    pub(super) const REENTRY: &str = "limits.reentry";
    pub(super) const OUTPUT: &str = "limits.output_bytes";
    pub(super) const INPUT: &str = "limits.input_bytes";

    /// The key of the policy's limit that was reached, such as `limits.fuel`.
    pub fn limit(&self) -> Option<&'static str> {
        Some(match self {
            Self::OutOfFuel => Self::FUEL,
            Self::DeadlineExceeded => Self::DEADLINE,
            Self::StackOverflow => Self::STACK,
            Self::HostCallLimit { .. } => Self::HOST_CALLS,
            Self::ReentryDenied { .. } => Self::REENTRY,
            Self::OutputTooLarge { .. } => Self::OUTPUT,
            Self::InputTooLarge { .. } => Self::INPUT,
            _ => return None,
        })
    }

    /// The words of a fault that does not know its limit's number.
    fn without_number(&self) -> Option<&'static str> {
        match self {
            Self::StackOverflow => Some(STACK_OVERFLOW),
            Self::OutOfFuel => Some(OUT_OF_FUEL),
            Self::DeadlineExceeded => Some(DEADLINE_EXCEEDED),
            _ => None,
        }
    }

    /// The stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trap(kind) => kind.code(),
            Self::StackOverflow => "stack-overflow",
            Self::OutOfFuel => "out-of-fuel",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::HostCallLimit { .. } => "host-call-limit",
            Self::ReentryDenied { .. } => "reentry-denied",
            Self::BadAlloc { .. } => "bad-alloc",
            Self::BadOutput { .. } => "bad-output",
            Self::OutputTooLarge { .. } => "output-too-large",
            Self::Abi(AbiFault { found: None, .. }) => "abi-missing",
            Self::Abi(AbiFault { found: Some(_), .. }) => "abi-mismatch",
            Self::HostFunction { .. } => "host-function",
            Self::HostFunctionPanicked { .. } => "host-function-panicked",
            Self::GuestExit { .. } => "guest-exit",
            Self::GuestError { .. } => "guest-error",
            Self::Cancelled => "cancelled",
            Self::Busy { .. } => "busy",
            Self::Poisoned => "poisoned",
            Self::InputTooLarge { .. } => "input-too-large",
            Self::NoSuchExport { .. } => "no-such-export",
            Self::NoMemory => "no-memory",
            Self::ImportMissing { .. } => "import-missing",
            Self::WrongArguments { .. } => "wrong-arguments",
            Self::NotCancellable => "unsupported",
            Self::Backend(error) => error.code(),
        }
    }

    /// Who has to change something.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Trap(_)
            | Self::StackOverflow
            | Self::OutOfFuel
            | Self::DeadlineExceeded
            | Self::HostCallLimit { .. }
            | Self::ReentryDenied { .. }
            | Self::BadAlloc { .. }
            | Self::BadOutput { .. }
            | Self::OutputTooLarge { .. }
            | Self::GuestExit { .. }
            | Self::ImportMissing { .. }
            | Self::GuestError { .. }
            | Self::Abi(_) => Blame::Guest,
            // The host function only passes on the guest's mistake.
            Self::HostFunction { source, .. } if source.is::<BadPointer>() => Blame::Guest,
            Self::HostFunction { .. } | Self::HostFunctionPanicked { .. } => Blame::HostFunction,
            Self::Cancelled
            | Self::Busy { .. }
            | Self::Poisoned
            | Self::InputTooLarge { .. }
            | Self::NoSuchExport { .. }
            | Self::NoMemory
            | Self::WrongArguments { .. }
            | Self::NotCancellable => Blame::Caller,
            Self::Backend(error) => error.blame(),
        }
    }
}

/// An engine that failed, or objects that do not belong together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The engine refused an admitted module, or failed otherwise. A bug of hotcell or of the engine.
    #[error("the engine of the backend {backend} failed")]
    Engine {
        /// Id of the backend.
        backend: &'static str,
        /// The engine's error.
        source: BoxError,
    },
    /// Compiling the module needs more than the host allows for it.
    #[error("compiling the module needs more than {allowed}")]
    CompileLimit {
        /// What the host allows, with its unit.
        allowed: String,
    },
    /// A module was admitted under another policy, or against other imports, than those it is used with.
    #[error("the module was admitted with {what} {found}, this one is {expected}")]
    Mismatch {
        /// `policy` or `imports`.
        what: &'static str,
        /// The module's fingerprint.
        found: Fingerprint,
        /// The fingerprint that it was used with.
        expected: Fingerprint,
    },
    /// A module was compiled by another engine than the one it is used with.
    #[error("the module was compiled by another engine")]
    OtherEngine,
    /// A function was resolved in another session than the one it is called in.
    #[error("the function belongs to another session")]
    OtherSession,
    /// Only a guest that counts by itself can tell what it does.
    #[error("only a guest under `metering = exact` can be traced")]
    NotTraced,
}

impl BackendError {
    /// The stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Engine { .. } => "backend",
            Self::CompileLimit { .. } => "compile-limit",
            Self::Mismatch { .. } | Self::OtherEngine | Self::OtherSession | Self::NotTraced => "policy-mismatch",
        }
    }

    /// Who has to change something.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Engine { .. } => Blame::Engine,
            Self::CompileLimit { .. } => Blame::Module,
            Self::Mismatch { .. } | Self::OtherEngine | Self::OtherSession | Self::NotTraced => Blame::Caller,
        }
    }
}

/// A failed call or instantiation, with what it used.
#[derive(Debug)]
pub struct CallError {
    /// Why.
    pub fault: Fault,
    /// Where.
    pub phase: Phase,
    /// The policy's limit that was reached, if that is why.
    pub limit: Option<Box<ReachedLimit>>,
    /// What was used.
    pub report: Box<Report>,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.report.name {
            write!(f, "{}: ", Escaped(name))?;
        }
        write!(f, "{}: {}", self.phase, self.message())
    }
}

impl core::error::Error for CallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.fault.source()
    }
}

impl CallError {
    /// The stable kebab-case code.
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// The fault in words, with the number of the limit that was reached.
    pub fn message(&self) -> String {
        match (self.fault.without_number(), self.limit.as_deref()) {
            (Some(words), Some(ReachedLimit { key, allowed })) => alloc::format!("{words}: {allowed} ({key})"),
            _ => self.fault.to_string(),
        }
    }
}

/// Loading a module failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The module was not admitted.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The engine failed on an admitted module.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl LoadError {
    /// The stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Backend(error) => error.code(),
        }
    }

    /// Where it failed.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Rejected(_) => Phase::Admit,
            Self::Backend(_) => Phase::Compile,
        }
    }

    /// Who has to change something.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Rejected(_) => Blame::Module,
            Self::Backend(error) => error.blame(),
        }
    }
}
