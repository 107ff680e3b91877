//! Modules of wasm-smith, configured so that a policy admits nearly all of them.

use arbitrary::Unstructured;
use hotcell_core::{Policy, admit::summarize};
use wasm_smith::{Config, Module};

use super::numbers::Numbers;

/// Attempts to find a module that the policy admits. The generator has no limit on the number of results.
const ATTEMPTS: u64 = 8;

/// The module of `seed`, and whether it may have floats.
pub fn module(seed: u64, policy: &Policy) -> (Vec<u8>, bool) {
    let has_floats = !seed.is_multiple_of(3);
    let mut numbers = Numbers::new(seed);
    let mut module = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let several_results = attempt < ATTEMPTS;
        let config = config(seed, policy, has_floats, several_results);
        let bytes = numbers.bytes(4_096);
        module = Module::new(config, &mut Unstructured::new(&bytes))
            .expect("the generator makes do with any bytes")
            .to_bytes();
        if summarize(&module, policy).is_ok() {
            break;
        }
    }
    (module, has_floats)
}

/// Half of the modules are generated so that they do not trap.
fn config(seed: u64, policy: &Policy, has_floats: bool, several_results: bool) -> Config {
    use hotcell_core::Proposal::{CustomPageSizes, Memory64, ReferenceTypes, Simd, TailCall};
    let allows = |proposal| policy.rules().proposals.contains(proposal);
    Config {
        min_funcs: 1,
        max_funcs: 8,
        max_imports: 0,
        max_types: 6,
        max_globals: 8,
        max_instructions: 400,
        max_memory32_bytes: 8 << 16,
        max_table_elements: 100,
        max_tables: 2,
        export_everything: true,
        allow_floats: has_floats,
        disallow_traps: seed.is_multiple_of(2),
        multi_value_enabled: several_results && !seed.is_multiple_of(4),
        allow_start_export: policy.rules().module.start && seed % 16 == 3,
        // Reference types enable some that no policy allows.
        reference_types_enabled: allows(ReferenceTypes) && seed % 5 == 1,
        simd_enabled: allows(Simd) && has_floats,
        tail_call_enabled: allows(TailCall) && seed % 3 == 1,
        relaxed_simd_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: allows(Memory64),
        max_memory64_bytes: 8 << 16,
        custom_page_sizes_enabled: allows(CustomPageSizes),
        threads_enabled: false,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Configuration;

    #[test]
    fn nearly_all_modules_are_admitted() {
        for configuration in Configuration::ALL {
            let (policy, mut refused) = (configuration.policy(), BTreeMap::<String, u64>::new());
            for seed in 0..300 {
                if let Err(rejection) = summarize(&module(seed, &policy).0, &policy) {
                    *refused.entry(format!("{:?}", rejection.reason)).or_default() += 1;
                }
            }
            // Reference types enable some that no policy allows.
            assert!(refused.values().sum::<u64>() <= 30, "{}: {refused:?}", configuration.name());
        }
    }
}
