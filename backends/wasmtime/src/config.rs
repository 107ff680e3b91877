//! wasmtime's `Config` for a policy, as functions: for embedders who build their own engine and still want the
//! sandbox's settings.
//!
//! What a policy limits per store (fuel, deadline, memory) must then be armed by the embedder. With exact metering an
//! admitted module also imports the [function that gives fuel](hotcell_core::meter::REFILL), which is held to the deadline,
//! and one whose memories or tables may grow the [function that it asks](hotcell_core::meter::GROW) before they do.

use hotcell_core::{
    Policy, Proposal,
    policy::{Floats, Proposals},
};
use wasmtime::{Config, Enabled, PoolingAllocationConfig, WasmFeatures};

use crate::cost::operator_cost;

/// Address space that a 32-bit memory can fill. Reserving it all spares the bounds checks.
pub(crate) const MEMORY32: u64 = 1 << 32;
/// Bytes of a slot that stay resident between instances. Most plugins touch less, and resetting what they touched is
/// cheaper than giving it back and faulting it in again: 2.5 µs against 5.9 µs for an instance of one page. More gains
/// nothing (measured up to 4 MiB) and would stay in use, slot by slot.
const KEEP_RESIDENT: usize = 256 << 10;
/// Bytes of an instance's own structure, at most: more than a module has that engines take. It has 32 bytes for each function
/// that something refers to, 16 for each global, and little beside; nothing is reserved for it.
const INSTANCE_BYTES: usize = 256 << 20;

/// A configuration for guests under `policy`: proposals, fuel, epochs and stack. Cranelift, backtraces off, one thread
/// per compilation, memory reservations and allocator left at wasmtime's defaults.
pub fn sandbox_config(policy: &Policy) -> Config {
    let mut config = Code::of(policy).config();
    let stack = usize::try_from(native_stack_bytes(policy)).unwrap_or(usize::MAX);
    config.max_wasm_stack(stack);
    // Nothing here is asynchronous, but the engine wants this number above the other.
    config.async_stack_size(stack.saturating_mul(2));
    config
}

/// The part of a policy that code depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) proposals: Proposals,
    pub(crate) has_floats: bool,
    pub(crate) counts_fuel: bool,
    /// Whether the engine must look whether a call is to be interrupted. With exact metering the guest asks the host now
    /// and then.
    pub(crate) has_epochs: bool,
}

impl Code {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            proposals: policy.engine_proposals(),
            has_floats: policy.rules().floats != Floats::Deny,
            counts_fuel: policy.needs_engine_fuel(),
            has_epochs: policy.is_interruptible() && !policy.is_exact(),
        }
    }

    pub(crate) fn config(self) -> Config {
        let mut config = Config::new();
        config.strategy(wasmtime::Strategy::Cranelift);
        config.wasm_backtrace_max_frames(None);
        // Whatever the environment says: code would depend on it.
        config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
        config.parallel_compilation(false);
        // Code runs where the guest has it, and so what is charged for it is what it takes: the optimiser moves
        // operators in front of loops, and computes again in each arm what stood before the branch.
        config.cranelift_opt_level(wasmtime::OptLevel::None);
        config.cranelift_regalloc_algorithm(wasmtime::RegallocAlgorithm::Backtracking);
        config.relaxed_simd_deterministic(true);
        config.consume_fuel(self.counts_fuel);
        config.operator_cost(operator_cost());
        config.epoch_interruption(self.has_epochs);
        // The hints are those of exact metering; a guest's own are dropped at admission.
        config.wasm_branch_hinting(true);
        allow_proposals(&mut config, self.proposals, if self.has_floats { Floats::Allow } else { Floats::Deny });
        config
    }
}

/// A pool for instances under `policy`: as many slots as instances may run, each large enough for what the policy
/// admits.
pub fn pooling_config(policy: &Policy, max_instances: u32) -> PoolingAllocationConfig {
    let rules = policy.rules();
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let slots = |each: u64| count(each).saturating_mul(max_instances.max(1));
    let (tables, memories) = (rules.module.tables, rules.module.memories);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(max_instances)
        .total_memories(slots(memories))
        .total_tables(slots(tables))
        .max_memories_per_module(count(memories))
        .max_tables_per_module(count(tables))
        .max_memory_size(usize::try_from(memory_class(policy)).unwrap_or(usize::MAX))
        .table_elements(usize::try_from(rules.limits.table_elements).unwrap_or(usize::MAX))
        .max_core_instance_size(INSTANCE_BYTES)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        // Where the system tells which pages a guest has touched (Linux since 6.7), only those are reset: an instance of
        // a Rust plugin of 1.2 MiB costs 12 µs instead of 33 µs, one of a single page 3.3 µs instead of 2.5 µs.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Bytes of the largest memory under `policy`, rounded up to a power of two so that similar policies share a pool.
pub(crate) fn memory_class(policy: &Policy) -> u64 {
    let rules = policy.rules();
    let largest = if rules.proposals.contains(Proposal::Memory64) { u64::MAX >> 1 } else { MEMORY32 };
    rules.limits.memory_bytes.min(largest).next_power_of_two().max(1 << 16)
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
/// With exact metering the guest counts its own frames, and this must be safely above what it counts. A cell that is
/// charged has three of 8 bytes here:
///
/// * a local, or an operand: its value, and what is computed of it to reach memory, are two;
/// * an operator that makes a value is charged a third of a cell, or two for a vector: a place of 8 or 16 bytes of its own.
///   The compiler's allocator looks at ten places only before it makes a new one. Its optimiser, which would keep values for
///   longer than the guest does, is off;
/// * so is a value that comes to the end of a block, or to the head of a loop, by several ways: each local that is set
///   inside, what the block takes and leaves, and the fuel counter;
/// * calls of imported functions and through tables are charged two thirds more, for the addresses that they load;
/// * parameters that a call passes on the stack are operands of the caller and locals of the callee;
/// * the entrance through which a table or the host calls a function that is also called by name passes parameters on in a
///   frame that nobody counts: 8 or 16 bytes for each of the callee's locals.
///
/// That holds for frames that the guest has counted. The last one is made before the guest looks at its counter: where there
/// is no room for it here, the counter has none either, and core ends both in the same way.
pub(crate) fn native_stack_bytes(policy: &Policy) -> u64 {
    let bytes = policy.rules().limits.stack_bytes;
    if policy.is_exact() { 3 * bytes + NATIVE_MARGIN } else { bytes }
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
            let never = NEVER.contains(&name) || name.starts_with("CM") || name.starts_with("COMPONENT_MODEL");
            assert!(decided.contains(flag) != never, "nobody has decided {name}");
        }
    }

    /// The smallest module that needs a proposal.
    fn needs(proposal: Proposal) -> &'static str {
        match proposal {
            Proposal::MutableGlobal => r#"(global (export "g") (mut i32) (i32.const 0))"#,
            Proposal::SaturatingFloatToInt => "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))",
            Proposal::SignExtension => "(func (drop (i32.extend8_s (i32.const 0))))",
            Proposal::MultiValue => "(func (result i32 i32) i32.const 0 i32.const 0)",
            Proposal::BulkMemory => "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
            Proposal::ReferenceTypes => "(func (drop (ref.null func)))",
            Proposal::ExtendedConst => "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
            Proposal::Simd => "(func (drop (v128.const i64x2 0 0)))",
            Proposal::RelaxedSimd => {
                "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))"
            }
            Proposal::TailCall => "(func $f (return_call $f))",
            Proposal::MultiMemory => "(memory 1) (memory 1)",
            Proposal::Memory64 => "(memory i64 1)",
            Proposal::WideArithmetic => {
                "(func (param i64 i64 i64 i64) (result i64 i64)
                    local.get 0 local.get 1 local.get 2 local.get 3 i64.add128)"
            }
            Proposal::CustomPageSizes => "(memory 1 (pagesize 1))",
        }
    }

    fn compiles(allowed: impl IntoIterator<Item = Proposal>, text: &str) -> bool {
        let mut config = Config::new();
        allow_proposals(&mut config, allowed.into_iter().collect(), Floats::Allow);
        let engine = wasmtime::Engine::new(&config).unwrap();
        wasmtime::Module::new(&engine, wat::parse_str(format!("(module {text})")).unwrap()).is_ok()
    }

    #[test]
    fn an_engine_takes_what_is_allowed_and_nothing_else() {
        for proposal in Proposal::ALL.iter().copied() {
            // Relaxed vectors are no engine's without vectors.
            let goes = |other| other == proposal || (other == Proposal::RelaxedSimd && proposal == Proposal::Simd);
            let rest = Proposal::ALL.iter().copied().filter(|other| !goes(*other));
            assert!(compiles(Proposal::ALL.iter().copied(), needs(proposal)), "{proposal:?} is off although allowed");
            assert!(!compiles(rest, needs(proposal)), "{proposal:?} is on although denied");
        }
        for denied in ["(memory 1 1 shared)", "(tag)", "(type (struct))", "(func (param externref))"] {
            assert!(!compiles(Proposal::ALL.iter().copied(), denied), "{denied}");
        }
    }
}
