use alloc::string::String;

use super::{ModuleCaps, Preset, Proposal, Rules, limits::MOST_MEMORY_BYTES};
use crate::verdict::Escaped;

/// Largest stack that a policy may allow. The host's thread must be able to provide it.
const MAX_STACK_BYTES: u64 = 256 << 20;
/// Smallest stack with which an engine can enter a guest.
const MIN_STACK_BYTES: u64 = 4 << 10;

/// No policy may have higher caps: the engines, or what the rewrite needs of them, end there.
const MOST_CAPS: ModuleCaps = ModuleCaps::preset(Preset::Ceiling);

/// An impossible policy: the caller must change it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A field is zero, and zero has no meaning there.
    #[error("{field} must not be zero")]
    Zero {
        /// Key of the field.
        field: &'static str,
    },
    /// A field is outside the range that can be represented or enforced.
    #[error("{field} is {found}, allowed is {min} to {max}")]
    OutOfRange {
        /// Key of the field.
        field: &'static str,
        /// The value given.
        found: u64,
        /// Lowest value allowed.
        min: u64,
        /// Highest value allowed.
        max: u64,
    },
    /// Two fields contradict each other.
    #[error("{reason}")]
    Contradiction {
        /// What contradicts what, and what to do.
        reason: &'static str,
    },
    /// The backend cannot enforce a field that the policy sets.
    #[error("the backend {backend} cannot enforce {field}: {reason}")]
    NotEnforceable {
        /// Id of the backend.
        backend: &'static str,
        /// Key of the field.
        field: &'static str,
        /// What is missing.
        reason: &'static str,
    },
    /// The build contains no backend, or none of that name.
    #[error("no backend `{}` in this build; it has: {available}", Escaped(.backend))]
    NoBackend {
        /// The name requested.
        backend: String,
        /// The backends of this build.
        available: &'static str,
    },
}

impl PolicyError {
    /// The stable code: `unsupported` for what a backend cannot enforce, `policy` for the rest.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotEnforceable { .. } | Self::NoBackend { .. } => "unsupported",
            _ => "policy",
        }
    }
}

pub(super) fn check(rules: &Rules) -> Result<(), PolicyError> {
    let limits = &rules.limits;
    if let Some(deadline) = limits.deadline {
        if deadline.is_zero() {
            return Err(PolicyError::Zero { field: "limits.deadline" });
        }
        if u64::try_from(deadline.as_nanos()).is_err() {
            return Err(PolicyError::OutOfRange {
                field: "limits.deadline",
                found: deadline.as_secs(),
                min: 0,
                max: u64::MAX / 1_000_000_000,
            });
        }
        if !rules.interrupt.deadline {
            return Err(PolicyError::Contradiction {
                reason: "limits.deadline is set, but interrupt.deadline is off; turn it on, or set the deadline to none",
            });
        }
    } else if limits.fuel.is_none() && !rules.unbounded {
        return Err(PolicyError::Contradiction {
            reason: "unlimited fuel and no deadline let a guest run for ever; set one of them, or unbounded = true",
        });
    }
    if rules.proposals.contains(Proposal::RelaxedSimd) && !rules.proposals.contains(Proposal::Simd) {
        return Err(PolicyError::Contradiction {
            reason: "the proposal relaxed-simd needs simd; allow both, or neither",
        });
    }
    for (field, found, min, max) in [
        ("limits.stack_bytes", limits.stack_bytes, MIN_STACK_BYTES, MAX_STACK_BYTES),
        ("limits.input_bytes", limits.input_bytes, 0, u32::MAX.into()),
        ("limits.output_bytes", limits.output_bytes, 0, u32::MAX.into()),
        ("module.bytes", rules.module.bytes, 8, MOST_CAPS.bytes),
        ("limits.memory_bytes", limits.memory_bytes, 0, MOST_MEMORY_BYTES),
        ("limits.table_elements", limits.table_elements, 0, u32::MAX.into()),
        ("limits.reentry", limits.reentry.into(), 0, 64),
    ]
    .into_iter()
    .chain(rules.module.each().zip(MOST_CAPS.each()).map(|((field, found), (_, max))| (field, found, 0, max)))
    {
        if !(min..=max).contains(&found) {
            return Err(PolicyError::OutOfRange { field, found, min, max });
        }
    }
    if let Some(abi) = &rules.abi {
        if abi.export.is_empty() {
            return Err(PolicyError::Contradiction {
                reason: "abi.export is empty; name an export, or set abi to none",
            });
        }
        if abi.min > abi.max {
            return Err(PolicyError::Contradiction { reason: "abi.min is above abi.max: no version is accepted" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn fuel_zero_is_legal() {
        Policy::default().with(|rules| rules.limits.fuel = Some(0)).unwrap();
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_fields_name() {
        let refused = |change: fn(&mut Rules)| Policy::default().with(change).unwrap_err();
        assert_eq!(
            refused(|r| r.limits.deadline = Some(Duration::ZERO)),
            PolicyError::Zero { field: "limits.deadline" }
        );
        let field = |error| match error {
            PolicyError::OutOfRange { field, .. } => field,
            other => panic!("{other}"),
        };
        assert_eq!(field(refused(|r| r.limits.stack_bytes = 0)), "limits.stack_bytes");
        assert_eq!(field(refused(|r| r.limits.input_bytes = 1 << 32)), "limits.input_bytes");
        assert_eq!(field(refused(|r| r.limits.deadline = Some(Duration::MAX))), "limits.deadline");
        assert_eq!(field(refused(|r| r.limits.memory_bytes = u64::MAX)), "limits.memory_bytes");
        for change in [
            (|r| (r.limits.fuel, r.limits.deadline) = (None, None)) as fn(&mut Rules),
            |r| r.interrupt.deadline = false,
            |r| r.abi.as_mut().unwrap().min = 2,
            |r| r.proposals = [Proposal::RelaxedSimd].into_iter().collect(),
        ] {
            assert!(matches!(refused(change), PolicyError::Contradiction { .. }));
        }
    }

    #[test]
    fn no_cap_may_be_above_the_ceiling() {
        let ceiling = Policy::ceiling();
        for change in [
            (|r| r.module.locals += 1) as fn(&mut Rules),
            |r| r.module.results += 1,
            |r| r.module.bytes += 1,
            |r| r.module.name_bytes = u64::MAX,
        ] {
            let refused = ceiling.with(change).unwrap_err();
            assert!(matches!(refused, PolicyError::OutOfRange { .. }), "{refused}");
        }
        Policy::default().with(|rules| rules.module = MOST_CAPS).unwrap();
    }

    #[test]
    fn for_ever_must_be_asked_for() {
        Policy::default()
            .with(|rules| {
                (rules.limits.fuel, rules.limits.deadline) = (None, None);
                rules.unbounded = true;
            })
            .unwrap();
    }
}
