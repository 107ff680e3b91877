//! The policy: one set of rules, the same for every backend.
//!
//! [`Rules`] is plain data. [`Policy`] is a checked set of rules with a fingerprint. A policy starts from a preset and
//! changes what it needs:
//!
//! ```
//! use hotcell_core::Policy;
//!
//! let policy = Policy::strict().with(|rules| {
//!     rules.limits.fuel = Some(5_000_000);
//!     rules.module.start = true;
//! })?;
//! assert_ne!(policy.fingerprint(), Policy::strict().fingerprint());
//! # Ok::<(), hotcell_core::PolicyError>(())
//! ```

mod caps;
mod error;
mod fingerprint;
mod limits;
mod narrow;
mod proposals;
mod provision;
#[cfg(feature = "serde")]
pub mod text;

pub use caps::ModuleCaps;
pub use error::PolicyError;
pub(crate) use fingerprint::Canonical;
pub use fingerprint::Fingerprint;
pub use limits::{CELL_BYTES, COST_VERSION, Interrupt, Limits, TABLE_ELEMENT_BYTES, largest_memory};
pub(crate) use proposals::{ALWAYS_DENIED, features};
pub use proposals::{Proposal, Proposals};
pub use provision::Provision;

use alloc::{borrow::ToOwned, string::String};
use core::ops::RangeInclusive;

use crate::time::Instant;

/// A named starting point for a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Preset {
    /// For microcontrollers: 256 KiB of memory, small modules, no SIMD.
    Embedded,
    /// For strangers' code on a shared server.
    Strict,
    /// For the plugins of a desktop application's own users.
    #[default]
    Default,
    /// Every module cap at the engines' common maximum and no ABI check: for test suites and whole language
    /// runtimes. Compiling an admitted module may take minutes and gigabytes.
    Ceiling,
}

impl Preset {
    /// All presets, strictest first.
    pub const ALL: [Self; 4] = [Self::Embedded, Self::Strict, Self::Default, Self::Ceiling];

    /// The name used in policy files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Strict => "strict",
            Self::Default => "default",
            Self::Ceiling => "ceiling",
        }
    }
}

/// What counts fuel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Metering {
    /// Counters inside the guest, added before any engine sees it: the same numbers on every backend.
    Exact,
    /// The engine's own counter. The numbers, and the instruction at which they run out, differ between engines.
    Engine,
}

/// What a module may do with floating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Floats {
    /// Floats are allowed, and every NaN that an operator makes is canonical: the same bits everywhere.
    Canonical,
    /// Floats are allowed; the bits of a NaN may differ between engines and processors.
    Allow,
    /// A module that mentions a float type is rejected.
    Deny,
}

/// The functions of the WebAssembly System Interface, preview 1, that a module may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Wasi {
    /// None, but those that the embedder offers itself.
    Deny,
    /// All, without an outside: standard streams that the host gives and takes, a clock that stands, no files, random
    /// numbers from [`Rules::random_seed`]. The same bytes and the same fuel on every backend.
    Sandbox,
}

/// What becomes of an imported function that nobody offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Unknown {
    /// The module is rejected.
    #[default]
    Deny,
    /// The module is admitted. A call of the function ends with [`Fault::ImportMissing`](crate::Fault::ImportMissing).
    Trap,
}

/// What a module may import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ImportRules {
    /// Functions that nobody offers.
    pub unknown: Unknown,
}

/// The version handshake: the guest's version export, and the versions that the host supports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Abi {
    /// Name of the guest's export of type `() -> i32`.
    pub export: String,
    /// Lowest version accepted.
    pub min: u32,
    /// Highest version accepted.
    pub max: u32,
}

impl Abi {
    /// The versions accepted.
    pub fn versions(&self) -> RangeInclusive<u32> {
        self.min..=self.max
    }
}

impl Default for Abi {
    fn default() -> Self {
        Self { export: "__hotcell_abi_version".to_owned(), min: 1, max: 1 }
    }
}

/// The rules of a policy as plain data, not checked yet. [`Policy::new`] checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Rules {
    /// The preset that the rules started from. Nothing depends on it.
    pub preset: Preset,
    /// What counts fuel.
    pub metering: Metering,
    /// What a module may do with floating point.
    pub floats: Floats,
    /// Allows unlimited fuel together with no deadline. Without it, that combination is a contradiction.
    pub unbounded: bool,
    /// The WebAssembly proposals that a module may use.
    pub proposals: Proposals,
    /// What may interrupt a running call.
    pub interrupt: Interrupt,
    /// What a call may use.
    pub limits: Limits,
    /// How large a module may be.
    pub module: ModuleCaps,
    /// What a module may import.
    pub imports: ImportRules,
    /// The system interface.
    pub wasi: Wasi,
    /// What its random numbers are made from.
    pub random_seed: u64,
    /// The version handshake; `None` disables it.
    #[cfg_attr(feature = "serde", serde(with = "text::none"))]
    pub abi: Option<Abi>,
}

impl Rules {
    /// The rules of a preset.
    pub fn preset(preset: Preset) -> Self {
        Self {
            preset,
            metering: Metering::Exact,
            floats: if preset == Preset::Strict { Floats::Canonical } else { Floats::Allow },
            unbounded: false,
            proposals: Proposals::preset(preset),
            interrupt: Interrupt { deadline: true, cancel: true },
            limits: Limits::preset(preset),
            module: ModuleCaps::preset(preset),
            imports: ImportRules::default(),
            wasi: if matches!(preset, Preset::Default | Preset::Ceiling) { Wasi::Sandbox } else { Wasi::Deny },
            random_seed: 0,
            abi: (preset != Preset::Ceiling).then(Abi::default),
        }
    }
}

/// A checked set of rules. Plain data: cheap to keep, to compare and to send between threads.
///
/// Two policies are equal when their rules are, whatever they were made from.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Rules", into = "Rules"))]
pub struct Policy {
    rules: Rules,
    fingerprint: Fingerprint,
    /// The provision of the policy that this one was narrowed from.
    operator: Option<Provision>,
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        let Self { rules, fingerprint, operator: _ } = self;
        (rules, fingerprint) == (&other.rules, &other.fingerprint)
    }
}

impl Eq for Policy {}

impl Policy {
    /// Checks `rules`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the field: a zero where zero has no meaning, a number that overflows, or two fields that
    /// contradict each other. Fuel 0 is legal and ends every call at once.
    pub fn new(rules: Rules) -> Result<Self, PolicyError> {
        Self::checked(rules, None)
    }

    fn checked(rules: Rules, operator: Option<Provision>) -> Result<Self, PolicyError> {
        error::check(&rules)?;
        let fingerprint = Fingerprint::of(&Canonical::of_policy(&rules));
        Ok(Self { rules, fingerprint, operator })
    }

    fn preset(preset: Preset) -> Self {
        let rules = Rules::preset(preset);
        let fingerprint = Fingerprint::of(&Canonical::of_policy(&rules));
        Self { rules, fingerprint, operator: None }
    }

    /// For strangers' code on a shared server.
    pub fn strict() -> Self {
        Self::preset(Preset::Strict)
    }

    /// For microcontrollers.
    pub fn embedded() -> Self {
        Self::preset(Preset::Embedded)
    }

    /// For test suites and whole language runtimes: see [`Preset::Ceiling`].
    pub fn ceiling() -> Self {
        Self::preset(Preset::Ceiling)
    }

    /// This policy with `change` made to its rules.
    ///
    /// # Errors
    ///
    /// As [`Policy::new`].
    pub fn with(&self, change: impl FnOnce(&mut Rules)) -> Result<Self, PolicyError> {
        let mut rules = self.rules.clone();
        change(&mut rules);
        Self::checked(rules, self.operator)
    }

    /// An operator's policy with the lower value of each limit in `request`: a plugin's manifest may lower limits,
    /// never raise them.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when nothing satisfies both (two disjoint ranges of ABI versions).
    pub fn narrowed_by(&self, request: &Self) -> Result<Self, PolicyError> {
        let rules = narrow::narrow(&self.rules, &request.rules)?;
        Self::checked(rules, Some(self.provision()))
    }

    /// What an engine for this policy may provide for: the needs of the policy that it
    /// [was narrowed from](Self::narrowed_by), and never less than those of its own rules. A backend that shares
    /// engines makes them for this, so that all the manifests of one operator share one engine. No verdict depends on
    /// it: admission and the store enforce the rules.
    pub fn provision(&self) -> Provision {
        let own = Provision::of(&self.rules);
        self.operator.map_or(own, |operator| operator.max(own))
    }

    /// The rules.
    #[inline]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// A stable hash of the whole policy. Two policies with the same fingerprint admit the same modules and give the
    /// same verdicts.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the fingerprint is a hash of.
    pub(crate) fn canonical(&self) -> Canonical {
        Canonical::of_policy(&self.rules)
    }

    /// Whether the guest maintains counters itself: [`Metering::Exact`].
    pub fn is_exact(&self) -> bool {
        self.rules.metering == Metering::Exact
    }

    /// The proposals that an engine must support for rewritten modules: those that the policy allows, blocks with
    /// parameters, and what the counters of exact metering need.
    pub fn engine_proposals(&self) -> Proposals {
        let mut proposals = self.rules.proposals;
        proposals.allow(Proposal::MultiValue);
        if self.is_exact() {
            // The host sets the counters.
            proposals.allow(Proposal::MutableGlobal);
        }
        proposals
    }

    /// Stack cells that a guest may use, as exact metering counts them.
    pub fn stack_cells(&self) -> i64 {
        i64::try_from(self.rules.limits.stack_bytes / CELL_BYTES).unwrap_or(i64::MAX)
    }

    /// Whether the engine must count fuel: for a limit on it, or for the ABI check, which has its own.
    pub fn needs_engine_fuel(&self) -> bool {
        !self.is_exact() && (self.rules.limits.fuel.is_some() || self.rules.abi.is_some())
    }

    /// Whether anything may interrupt a call.
    #[inline]
    pub fn is_interruptible(&self) -> bool {
        self.rules.limits.deadline.is_some() || self.rules.interrupt.cancel
    }

    /// The deadline of a call that begins at `now`; `None` without one.
    #[inline]
    pub fn deadline_from(&self, now: Instant) -> Option<Instant> {
        self.rules.limits.deadline.map(|limit| now.after(limit))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::preset(Preset::Default)
    }
}

impl TryFrom<Rules> for Policy {
    type Error = PolicyError;

    fn try_from(rules: Rules) -> Result<Self, PolicyError> {
        Self::new(rules)
    }
}

impl From<Policy> for Rules {
    fn from(policy: Policy) -> Self {
        policy.rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_passes_its_own_check() {
        for preset in Preset::ALL {
            Policy::new(Rules::preset(preset)).unwrap();
        }
    }

    #[test]
    fn a_stricter_preset_is_nowhere_above_the_next() {
        for pair in Preset::ALL.windows(2) {
            let (low, high) = (ModuleCaps::preset(pair[0]), ModuleCaps::preset(pair[1]));
            assert_eq!(low.min(&high), low, "{pair:?}");
        }
    }

    #[test]
    fn with_keeps_the_caps_of_a_narrowed_policy() {
        let narrowed = Policy::default().narrowed_by(&Policy::strict()).unwrap();
        assert_eq!(narrowed.rules().module, ModuleCaps::preset(Preset::Strict));
        let changed = narrowed.with(|rules| rules.limits.fuel = Some(1)).unwrap();
        assert_eq!(changed.rules().module, ModuleCaps::preset(Preset::Strict));
    }
}
