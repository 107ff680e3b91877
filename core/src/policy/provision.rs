use super::{Floats, Proposal, Proposals, Rules};

/// The capacity and proposals of an engine that several policies share: see
/// [`Policy::provision`](super::Policy::provision).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provision {
    /// Proposals that the engine must support.
    pub proposals: Proposals,
    /// Whether it must support floating point.
    pub floats: bool,
    /// Bytes of the largest memory.
    pub memory_bytes: u64,
    /// Elements of the largest table.
    pub table_elements: u64,
    /// Tables of one module.
    pub tables: u64,
    /// Memories of one module: at most one without [`Proposal::MultiMemory`].
    pub memories: u64,
    /// Bytes of stack, as [`Limits::stack_bytes`](super::Limits::stack_bytes) counts them.
    pub stack_bytes: u64,
}

impl Provision {
    /// The needs of `rules` alone.
    pub(super) fn of(rules: &Rules) -> Self {
        let has_several = rules.proposals.contains(Proposal::MultiMemory);
        Self {
            proposals: rules.proposals,
            floats: rules.floats != Floats::Deny,
            memory_bytes: rules.limits.memory_bytes,
            table_elements: rules.limits.table_elements,
            tables: rules.module.tables,
            memories: if has_several { rules.module.memories } else { rules.module.memories.min(1) },
            stack_bytes: rules.limits.stack_bytes,
        }
    }

    /// The needs of both.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            proposals: self.proposals.iter().chain(other.proposals.iter()).collect(),
            floats: self.floats || other.floats,
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            table_elements: self.table_elements.max(other.table_elements),
            tables: self.tables.max(other.tables),
            memories: self.memories.max(other.memories),
            stack_bytes: self.stack_bytes.max(other.stack_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::{Floats, Policy, Proposal};

    fn manifest() -> Policy {
        Policy::strict()
            .with(|rules| {
                rules.floats = Floats::Deny;
                rules.proposals.deny(Proposal::BulkMemory);
                rules.limits.stack_bytes = 4 << 10;
                (rules.limits.memory_bytes, rules.limits.table_elements) = (1 << 16, 1);
                (rules.module.tables, rules.module.memories) = (0, 0);
            })
            .unwrap()
    }

    #[test]
    fn a_narrowed_policy_provides_what_its_operator_does() {
        let operator = Policy::default();
        let once = operator.narrowed_by(&manifest()).unwrap();
        assert_eq!(once.provision(), operator.provision());
        let twice = once.narrowed_by(&Policy::embedded()).unwrap();
        assert_eq!(twice.provision(), operator.provision());
        assert_ne!(manifest().provision(), operator.provision());
    }

    #[test]
    fn it_is_never_less_than_what_the_rules_say() {
        let narrowed = Policy::strict().narrowed_by(&manifest()).unwrap();
        let raised = narrowed
            .with(|rules| {
                rules.proposals.allow(Proposal::MultiMemory);
                rules.module.memories = 3;
                rules.limits.stack_bytes = 8 << 20;
            })
            .unwrap();
        let provision = raised.provision();
        assert!(provision.proposals.contains(Proposal::MultiMemory));
        assert!(provision.proposals.contains(Proposal::BulkMemory), "the operator's stay");
        assert_eq!((provision.memories, provision.stack_bytes), (3, 8 << 20));
        assert_eq!(provision.memory_bytes, Policy::strict().rules().limits.memory_bytes);
    }

    #[test]
    fn it_says_nothing_about_verdicts() {
        let narrowed = Policy::default().narrowed_by(&manifest()).unwrap();
        let by_hand = Policy::new(narrowed.rules().clone()).unwrap();
        assert_eq!(narrowed.fingerprint(), by_hand.fingerprint());
        assert_eq!(narrowed, by_hand);
        assert_ne!(narrowed.provision(), by_hand.provision());
    }

    #[test]
    fn memories_beyond_the_first_need_their_proposal() {
        assert_eq!(Policy::ceiling().provision().memories, 1);
        let several = Policy::ceiling().with(|rules| rules.proposals.allow(Proposal::MultiMemory)).unwrap();
        assert_eq!(several.provision().memories, 100);
    }
}
