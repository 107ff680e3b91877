//! wasmtime's `Config` for a policy, as functions: for embedders who build their own engine and still want the
//! sandbox's settings.
//!
//! What a policy limits per store (fuel, deadline, memory) must then be armed by the embedder.

use hotcell_core::{
    Policy, Proposal,
    policy::{Floats, Proposals},
};
use wasmtime::{Config, WasmFeatures};

use crate::cost::operator_cost;

/// A configuration for guests under `policy`: proposals, fuel, epochs and stack. Cranelift, backtraces off, one thread
/// per compilation, memory reservations and allocator left at wasmtime's defaults.
pub fn sandbox_config(policy: &Policy) -> Config {
    let rules = policy.rules();
    let mut config = Config::new();
    config.strategy(wasmtime::Strategy::Cranelift);
    config.wasm_backtrace_max_frames(None);
    config.parallel_compilation(false);
    config.cranelift_opt_level(wasmtime::OptLevel::Speed);
    config.cranelift_regalloc_algorithm(wasmtime::RegallocAlgorithm::Backtracking);
    config.relaxed_simd_deterministic(true);
    config.consume_fuel(policy.needs_engine_fuel());
    config.operator_cost(operator_cost());
    config.epoch_interruption(policy.is_interruptible());
    config.max_wasm_stack(usize::try_from(native_stack_bytes(policy)).unwrap_or(usize::MAX));
    allow_proposals(&mut config, rules.proposals, rules.floats);
    config
}

/// Turns every WebAssembly proposal off, then on what is allowed. Works on any existing configuration, whatever its
/// defaults are.
pub fn allow_proposals(config: &mut Config, proposals: Proposals, floats: Floats) {
    config.wasm_features(WasmFeatures::all(), false);
    let allowed = proposals.iter().map(feature).fold(WasmFeatures::empty(), |all, feature| all | feature);
    config.wasm_features(allowed, true);
    config.wasm_features(WasmFeatures::FLOATS, floats != Floats::Deny);
}

/// Bytes of native stack that guests under `policy` may use.
///
/// With exact metering the guest counts its own frames, and this must be safely above what it counts: the compiler
/// keeps at most as many values alive as a frame is charged for, so twice the bytes hold them and what surrounds them.
pub(crate) fn native_stack_bytes(policy: &Policy) -> u64 {
    let bytes = policy.rules().limits.stack_bytes;
    if policy.is_exact() { 2 * bytes + NATIVE_MARGIN } else { bytes }
}

/// Room for the first frames, whatever the policy's number.
const NATIVE_MARGIN: u64 = 128 << 10;

fn feature(proposal: Proposal) -> WasmFeatures {
    match proposal {
        Proposal::MutableGlobal => WasmFeatures::MUTABLE_GLOBAL,
        Proposal::SaturatingFloatToInt => WasmFeatures::SATURATING_FLOAT_TO_INT,
        Proposal::SignExtension => WasmFeatures::SIGN_EXTENSION,
        Proposal::MultiValue => WasmFeatures::MULTI_VALUE,
        Proposal::BulkMemory => WasmFeatures::BULK_MEMORY,
        Proposal::ReferenceTypes => WasmFeatures::REFERENCE_TYPES,
        Proposal::ExtendedConst => WasmFeatures::EXTENDED_CONST,
        Proposal::Simd => WasmFeatures::SIMD,
        Proposal::RelaxedSimd => WasmFeatures::RELAXED_SIMD,
        Proposal::TailCall => WasmFeatures::TAIL_CALL,
        Proposal::MultiMemory => WasmFeatures::MULTI_MEMORY,
        Proposal::Memory64 => WasmFeatures::MEMORY64,
        Proposal::WideArithmetic => WasmFeatures::WIDE_ARITHMETIC,
        Proposal::CustomPageSizes => WasmFeatures::CUSTOM_PAGE_SIZES,
    }
}

#[cfg(test)]
mod tests {
    use hotcell_core::Preset;

    use super::*;

    /// The flags of wasmtime's validator that no policy turns on. A flag of a newer version that stands neither here
    /// nor in [`Proposal`] fails the test below.
    const NEVER: &[&str] = &[
        "THREADS",
        "SHARED_EVERYTHING_THREADS",
        "EXCEPTIONS",
        "LEGACY_EXCEPTIONS",
        "FUNCTION_REFERENCES",
        "MEMORY_CONTROL",
        "GC",
        "GC_TYPES",
        "STACK_SWITCHING",
        "CUSTOM_DESCRIPTORS",
        "COMPACT_IMPORTS",
        "BRANCH_HINTING",
    ];

    #[test]
    fn every_flag_of_the_engine_is_decided() {
        let decided = Proposal::ALL.iter().copied().map(feature).fold(WasmFeatures::FLOATS, |all, flag| all | flag);
        for (name, flag) in WasmFeatures::all().iter_names() {
            let never = NEVER.contains(&name) || name.starts_with("CM_") || name.starts_with("COMPONENT_MODEL");
            assert!(decided.contains(flag) != never, "nobody has decided {name}");
        }
    }

    #[test]
    fn an_engine_has_exactly_what_the_policy_allows() {
        for preset in Preset::ALL {
            let rules = hotcell_core::Rules::preset(preset);
            let mut config = Config::new();
            allow_proposals(&mut config, rules.proposals, rules.floats);
            for proposal in Proposal::ALL {
                let on = config.get_wasm_features().contains(feature(*proposal));
                assert_eq!(on, rules.proposals.contains(*proposal), "{preset:?} {proposal:?}");
            }
            let rest = [WasmFeatures::THREADS, WasmFeatures::GC, WasmFeatures::EXCEPTIONS, WasmFeatures::GC_TYPES];
            assert!(rest.iter().all(|flag| !config.get_wasm_features().contains(*flag)));
        }
    }
}
