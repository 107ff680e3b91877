use alloc::vec::Vec;
use core::{fmt, hash::Hasher as _};

use super::COST_VERSION;
use super::{Floats, Limits, Metering, Rules, Unknown, Wasi};

/// A stable 64-bit hash: the same on every machine and in every build of the same version. Neither a secret nor a
/// signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn of(canonical: &Canonical) -> Self {
        let mut hasher = fnv::FnvHasher::default();
        hasher.write(&canonical.0);
        Self(hasher.finish())
    }
}

impl Canonical {
    /// Everything that a policy says; not the name of its preset.
    pub(super) fn of_policy(rules: &Rules) -> Self {
        let Rules {
            preset: _,
            metering,
            floats,
            unbounded,
            proposals,
            interrupt,
            limits,
            module,
            imports,
            wasi,
            random_seed,
            abi,
        } = rules;
        let Limits {
            fuel,
            deadline,
            memory_bytes,
            table_elements,
            stack_bytes,
            input_bytes,
            output_bytes,
            host_calls,
            reentry,
        } = limits;
        let mut bytes = Self::default();
        bytes.word(match metering {
            Metering::Engine => 0,
            Metering::Exact => COST_VERSION,
        });
        bytes.word(match floats {
            Floats::Allow => 1,
            Floats::Deny => 2,
            Floats::Canonical => 3,
        });
        bytes.word((*unbounded).into());
        bytes.word(proposals.bits().into());
        bytes.word(u64::from(interrupt.deadline) << 1 | u64::from(interrupt.cancel));
        bytes.optional(*fuel);
        bytes.optional(deadline.map(|deadline| deadline.as_nanos() as u64));
        for limit in [memory_bytes, table_elements, stack_bytes, input_bytes, output_bytes] {
            bytes.word(*limit);
        }
        bytes.optional(*host_calls);
        bytes.word((*reentry).into());
        for (_, cap) in module.each() {
            bytes.word(cap);
        }
        bytes.word((imports.unknown == Unknown::Trap).into());
        bytes.word((*wasi == Wasi::Sandbox).into());
        bytes.word(*random_seed);
        if let Some(abi) = abi {
            bytes.text(&abi.export);
            bytes.word(abi.min.into());
            bytes.word(abi.max.into());
        }
        bytes
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Words and texts, each delimited, so that no two different sequences are the same bytes.
#[derive(Default)]
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    pub(crate) fn word(&mut self, word: u64) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    pub(crate) fn optional(&mut self, word: Option<u64>) {
        self.word(word.is_some().into());
        self.word(word.unwrap_or(0));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec::Vec};
    use core::time::Duration;

    use crate::policy::{Floats, Metering, Policy, Proposal, Rules, Unknown, Wasi};

    #[test]
    fn every_field_counts() {
        let changes: &[fn(&mut Rules)] = &[
            |r| r.floats = Floats::Deny,
            |r| r.floats = Floats::Canonical,
            |r| r.metering = Metering::Engine,
            |r| r.unbounded = true,
            |r| r.proposals.deny(Proposal::Simd),
            |r| r.interrupt.cancel = false,
            |r| r.limits.fuel = None,
            |r| r.limits.fuel = Some(0),
            |r| r.limits.deadline = None,
            |r| r.limits.deadline = Some(Duration::from_nanos(1)),
            |r| r.limits.memory_bytes += 1,
            |r| r.limits.table_elements += 1,
            |r| r.limits.stack_bytes += 1,
            |r| r.limits.input_bytes += 1,
            |r| r.limits.output_bytes += 1,
            |r| r.limits.host_calls = Some(0),
            |r| r.limits.reentry += 1,
            |r| r.module.bytes += 1,
            |r| r.module.exports += 1,
            |r| r.module.locals += 1,
            |r| r.module.custom_bytes += 1,
            |r| r.module.start = false,
            |r| r.imports.unknown = Unknown::Trap,
            |r| r.wasi = Wasi::Deny,
            |r| r.random_seed = 1,
            |r| r.abi = None,
            |r| r.abi.as_mut().unwrap().max = 2,
            |r| r.abi.as_mut().unwrap().export = "v".to_string(),
        ];
        let mut seen: Vec<_> =
            changes.iter().map(|change| Policy::default().with(change).unwrap().fingerprint()).collect();
        seen.extend(
            [Policy::default(), Policy::strict(), Policy::embedded(), Policy::ceiling()].map(|p| p.fingerprint()),
        );
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
