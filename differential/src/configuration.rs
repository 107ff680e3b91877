//! The policies of the comparison.

use std::time::Duration;

use hotcell_core::{
    Policy, Preset, Proposal, Rules,
    policy::{Floats, Metering},
};

use super::{generate::Kinds, numbers::Numbers};

/// A policy of the comparison. None has a deadline that could end a call, because that would depend on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// Enough for most of what is generated.
    Ample,
    /// Little fuel, stack and memory.
    Tight,
    /// The strict preset: no vectors.
    Strict,
    /// Much fuel, so that recursion ends at the stack.
    Deep,
    /// Like ample, with pages of one byte.
    Pages,
    /// Like ample, with 64-bit indices and pages of one byte.
    Wide,
}

/// A deadline that no case comes near, so that a hang ends.
const BACKSTOP: Duration = Duration::from_secs(60);

impl Configuration {
    /// The configurations without proposals that a backend may not support.
    pub const USUAL: [Self; 4] = [Self::Ample, Self::Tight, Self::Strict, Self::Deep];

    /// All of them.
    pub const ALL: [Self; 6] = [Self::Ample, Self::Tight, Self::Strict, Self::Deep, Self::Pages, Self::Wide];

    /// The configuration of `seed`: one in eight has proposals that not every backend supports.
    pub fn of(seed: u64) -> Self {
        match seed % 8 {
            7 => Numbers::new(!seed).pick(&[Self::Pages, Self::Wide, Self::Wide]),
            _ => Numbers::new(!seed).pick(&Self::USUAL),
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ample => "ample",
            Self::Tight => "tight",
            Self::Strict => "strict",
            Self::Deep => "deep",
            Self::Pages => "pages",
            Self::Wide => "wide",
        }
    }

    /// The policy.
    pub fn policy(self) -> Policy {
        Policy::new(self.rules()).expect("the rules do not contradict each other")
    }

    fn rules(self) -> Rules {
        let preset = if self == Self::Strict { Preset::Strict } else { Preset::Default };
        let mut rules = Rules::preset(preset);
        rules.floats = Floats::Canonical;
        rules.limits.deadline = Some(BACKSTOP);
        rules.limits.memory_bytes = 4 << 20;
        rules.module.start = self != Self::Strict;
        let (fuel, stack_bytes, reentry) = match self {
            Self::Ample | Self::Pages | Self::Wide => (50_000, 512 << 10, 2),
            Self::Tight => (700, 4 << 10, 1),
            Self::Strict => (20_000, 64 << 10, 0),
            Self::Deep => (400_000, 16 << 10, 3),
        };
        (rules.limits.fuel, rules.limits.stack_bytes, rules.limits.reentry) = (Some(fuel), stack_bytes, reentry);
        if self == Self::Tight {
            rules.limits.memory_bytes = 3 << 16;
            rules.limits.table_elements = 40;
            rules.limits.host_calls = Some(4);
        }
        if matches!(self, Self::Ample | Self::Deep | Self::Pages | Self::Wide) {
            rules.proposals.allow(Proposal::TailCall);
        }
        if matches!(self, Self::Pages | Self::Wide) {
            rules.proposals.allow(Proposal::CustomPageSizes);
        }
        if self == Self::Wide {
            rules.proposals.allow(Proposal::Memory64);
        }
        rules
    }

    /// The policy without counters in the guest, to observe the original behaviour.
    pub fn unmetered(self) -> Policy {
        let mut rules = self.rules();
        rules.metering = Metering::Engine;
        rules.limits.fuel = None;
        // An engine's own frames are larger.
        rules.limits.stack_bytes = 16 << 20;
        Policy::new(rules).expect("the rules do not contradict each other")
    }

    /// Like [`unmetered`](Self::unmetered), for modules without floats: those are not rewritten at all.
    pub fn untouched(self) -> Policy {
        self.unmetered().with(|rules| rules.floats = Floats::Allow).expect("the rules do not contradict each other")
    }

    /// The kinds of code that a module generated for it may have.
    pub fn kinds(self) -> Kinds {
        Kinds {
            floats: true,
            vectors: self != Self::Strict,
            references: true,
            tail_calls: matches!(self, Self::Ample | Self::Deep | Self::Pages | Self::Wide),
            start: self != Self::Strict,
            memory64: self == Self::Wide,
            byte_pages: matches!(self, Self::Pages | Self::Wide),
        }
    }
}
