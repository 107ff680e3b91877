use super::SandboxBackend;
use crate::policy::{Policy, PolicyError, Proposal};

/// A part of the policy that only the backend can hold. All the rest (the module caps, the import and export contract,
/// input and output sizes, the ABI check) is decided above the backend and so holds on every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `limits.fuel`
    Fuel,
    /// `limits.deadline`
    Deadline,
    /// `interrupt.cancel`
    Cancel,
    /// `limits.memory_bytes`
    MemoryBytes,
    /// `limits.table_elements`
    TableElements,
    /// `metering = exact`: the counters that the guest carries.
    ExactMetering,
    /// `limits.stack_bytes`, with `metering = exact`.
    StackBytes,
    /// `metering = engine`: the engine's own counter.
    EngineMetering,
    /// `limits.stack_bytes`, with `metering = engine`.
    EngineStackBytes,
    /// `limits.host_calls`
    HostCalls,
    /// `limits.reentry`
    Reentry,
    /// `module.start`
    Start,
    /// One proposal of `proposals`.
    Proposal(Proposal),
}

impl Field {
    /// Every field.
    pub fn all() -> impl Iterator<Item = Self> {
        [
            Self::Fuel,
            Self::Deadline,
            Self::Cancel,
            Self::MemoryBytes,
            Self::TableElements,
            Self::ExactMetering,
            Self::StackBytes,
            Self::EngineMetering,
            Self::EngineStackBytes,
            Self::HostCalls,
            Self::Reentry,
            Self::Start,
        ]
        .into_iter()
        .chain(Proposal::ALL.iter().copied().map(Self::Proposal))
    }

    /// The key in a policy file; for a proposal, its name.
    pub fn key(self) -> &'static str {
        match self {
            Self::Fuel => "limits.fuel",
            Self::Deadline => "limits.deadline",
            Self::Cancel => "interrupt.cancel",
            Self::MemoryBytes => "limits.memory_bytes",
            Self::TableElements => "limits.table_elements",
            Self::ExactMetering => "metering = exact",
            Self::StackBytes => "limits.stack_bytes",
            Self::EngineMetering => "metering = engine",
            Self::EngineStackBytes => "limits.stack_bytes (engine)",
            Self::HostCalls => "limits.host_calls",
            Self::Reentry => "limits.reentry",
            Self::Start => "module.start",
            Self::Proposal(proposal) => proposal.name(),
        }
    }

    /// Whether the policy asks for something here.
    pub fn is_set(self, policy: &Policy) -> bool {
        let rules = policy.rules();
        match self {
            Self::Fuel => rules.limits.fuel.is_some(),
            Self::Deadline => rules.limits.deadline.is_some(),
            Self::Cancel => rules.interrupt.cancel,
            Self::MemoryBytes | Self::TableElements => true,
            Self::ExactMetering | Self::StackBytes => policy.is_exact(),
            Self::EngineMetering | Self::EngineStackBytes => !policy.is_exact(),
            Self::HostCalls => rules.limits.host_calls.is_some(),
            Self::Reentry => rules.limits.reentry > 0,
            Self::Start => rules.module.start,
            Self::Proposal(proposal) => rules.proposals.contains(proposal),
        }
    }
}

/// What a backend does about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// As the policy says it.
    Enforced,
    /// The promise is kept, but not in the policy's own unit.
    Emulated {
        /// How.
        how: &'static str,
    },
    /// Not at all: a policy that sets the field is refused.
    Unsupported {
        /// What is missing.
        reason: &'static str,
    },
}

impl Enforcement {
    /// Everything is enforced but these fields.
    pub fn all_but(field: Field, exceptions: &[(Field, Self)]) -> Self {
        exceptions.iter().find(|(exception, _)| *exception == field).map_or(Self::Enforced, |(_, what)| *what)
    }
}

/// Refuses a policy that sets what `B` cannot enforce.
///
/// # Errors
///
/// [`PolicyError::NotEnforceable`] names the first such field.
pub fn check_enforceable<B: SandboxBackend>(policy: &Policy) -> Result<(), PolicyError> {
    for field in Field::all().filter(|field| field.is_set(policy)) {
        if let Enforcement::Unsupported { reason } = B::enforcement(field) {
            return Err(PolicyError::NotEnforceable { backend: B::ID, field: field.key(), reason });
        }
    }
    Ok(())
}
