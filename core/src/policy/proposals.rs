use wasmparser::WasmFeatures;

use super::{Floats, Preset, Rules};

macro_rules! proposals {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal: $flag:ident, )*) => {
        /// A WebAssembly proposal that a policy may allow. What is not listed here is always denied.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
        pub enum Proposal { $( $(#[$doc])* $variant, )* }

        impl Proposal {
            /// Every proposal that can be allowed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name used in policy files and in rejections.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            pub(crate) fn feature(self) -> WasmFeatures {
                match self { $( Self::$variant => WasmFeatures::$flag, )* }
            }
        }
    };
}

proposals! {
    /// Exported and imported globals may be mutable.
    MutableGlobal = "mutable-global": MUTABLE_GLOBAL,
    /// `i32.trunc_sat_f32_s` and its family.
    SaturatingFloatToInt = "saturating-float-to-int": SATURATING_FLOAT_TO_INT,
    /// `i32.extend8_s` and its family.
    SignExtension = "sign-extension": SIGN_EXTENSION,
    /// Blocks with parameters, functions and blocks with several results.
    MultiValue = "multi-value": MULTI_VALUE,
    /// `memory.copy`, `memory.fill`, passive segments and the table forms.
    BulkMemory = "bulk-memory": BULK_MEMORY,
    /// `funcref` as a value, several tables, `table.get` and its family. Not `externref`.
    ReferenceTypes = "reference-types": REFERENCE_TYPES,
    /// Integer arithmetic in constant expressions.
    ExtendedConst = "extended-const": EXTENDED_CONST,
    /// 128-bit vectors.
    Simd = "simd": SIMD,
    /// Vector operators whose results may differ between processors.
    RelaxedSimd = "relaxed-simd": RELAXED_SIMD,
    /// `return_call` and `return_call_indirect`.
    TailCall = "tail-call": TAIL_CALL,
    /// More than one linear memory.
    MultiMemory = "multi-memory": MULTI_MEMORY,
    /// Memories and tables with 64-bit indices.
    Memory64 = "memory64": MEMORY64,
    /// 128-bit addition, subtraction and multiplication.
    WideArithmetic = "wide-arithmetic": WIDE_ARITHMETIC,
    /// Memories with pages of one byte.
    CustomPageSizes = "custom-page-sizes": CUSTOM_PAGE_SIZES,
}

/// Features that no policy can allow, with their names in rejections. In order of dependency: for a module that needs
/// several, the rejection names the last.
pub(crate) const ALWAYS_DENIED: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::THREADS, "threads"),
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything-threads"),
    // Of what only this flag allows, `externref` needs no other.
    (WasmFeatures::GC_TYPES, "externref"),
    (WasmFeatures::EXCEPTIONS, "exceptions"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy-exceptions"),
    (WasmFeatures::FUNCTION_REFERENCES, "function-references"),
    (WasmFeatures::GC, "gc"),
    (WasmFeatures::STACK_SWITCHING, "stack-switching"),
    (WasmFeatures::MEMORY_CONTROL, "memory-control"),
    (WasmFeatures::COMPONENT_MODEL, "component-model"),
    (WasmFeatures::CM_VALUES, "component-model-values"),
    (WasmFeatures::CM_NESTED_NAMES, "component-model-nested-names"),
    (WasmFeatures::CM_ASYNC, "component-model-async"),
    (WasmFeatures::CM_ASYNC_STACKFUL, "component-model-async-stackful"),
    (WasmFeatures::CM_ASYNC_BUILTINS, "component-model-async-builtins"),
    (WasmFeatures::CM_THREADING, "component-model-threading"),
    (WasmFeatures::CM_ERROR_CONTEXT, "component-model-error-context"),
    (WasmFeatures::CM_FIXED_SIZE_LIST, "component-model-fixed-size-lists"),
    (WasmFeatures::CM_GC, "component-model-gc"),
];

/// The validator's features under `rules`: an allow-list that starts empty.
pub(crate) fn features(rules: &Rules) -> WasmFeatures {
    let floats = if rules.floats == Floats::Deny { WasmFeatures::empty() } else { WasmFeatures::FLOATS };
    rules.proposals.iter().fold(floats, |features, proposal| features | proposal.feature())
}

/// A set of proposals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proposals(u32);

impl Proposals {
    /// The proposals that a preset allows.
    pub fn preset(preset: Preset) -> Self {
        use Proposal::*;
        let mut set = Self::default();
        for proposal in
            [MutableGlobal, SaturatingFloatToInt, SignExtension, MultiValue, BulkMemory, ReferenceTypes, ExtendedConst]
        {
            set.allow(proposal);
        }
        if matches!(preset, Preset::Default | Preset::Ceiling) {
            set.allow(Simd);
        }
        set
    }

    /// Adds a proposal.
    pub fn allow(&mut self, proposal: Proposal) {
        self.0 |= 1 << proposal as u32;
    }

    /// Removes a proposal.
    pub fn deny(&mut self, proposal: Proposal) {
        self.0 &= !(1 << proposal as u32);
    }

    /// Whether the set contains `proposal`.
    pub fn contains(self, proposal: Proposal) -> bool {
        self.0 & 1 << proposal as u32 != 0
    }

    /// The proposals that both sets contain.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The proposals of the set.
    pub fn iter(self) -> impl Iterator<Item = Proposal> {
        Proposal::ALL.iter().copied().filter(move |proposal| self.contains(*proposal))
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }
}

impl FromIterator<Proposal> for Proposals {
    fn from_iter<I: IntoIterator<Item = Proposal>>(proposals: I) -> Self {
        let mut set = Self::default();
        proposals.into_iter().for_each(|proposal| set.allow(proposal));
        set
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Proposals {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Proposals {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(alloc::vec::Vec::<Proposal>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flag of a newer validator fails here until it is in one of the two lists.
    #[test]
    fn every_flag_of_the_validator_is_decided() {
        let mut decided = WasmFeatures::FLOATS;
        for proposal in Proposal::ALL {
            assert!(!decided.contains(proposal.feature()), "{} twice", proposal.name());
            decided |= proposal.feature();
        }
        for (flag, name) in ALWAYS_DENIED {
            assert!(!decided.intersects(*flag), "{name} twice");
            decided |= *flag;
        }
        for (name, flag) in WasmFeatures::all().iter_names() {
            assert!(decided.contains(flag), "nobody has decided {name}");
        }
    }

    #[test]
    fn no_preset_allows_what_needs_an_opt_in() {
        use Proposal::*;
        for preset in Preset::ALL {
            let set = Proposals::preset(preset);
            for proposal in [RelaxedSimd, TailCall, MultiMemory, Memory64, WideArithmetic, CustomPageSizes] {
                assert!(!set.contains(proposal), "{preset:?} allows {proposal:?}");
            }
        }
    }
}
