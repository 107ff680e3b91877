//! The properties that fuzzing checks, a few hundred times each.

use hotcell::{Contract, Policy, Sandbox, Wasmi, Wasmtime};
use hotcell_conformance::BackendUnderTest;
use hotcell_differential::{
    Comparison, Stats,
    fuzz::{BehindAbi, Compiles, admission, host_arguments, injected_faults, mutations, policies, soak},
};

const SEEDS: std::ops::Range<u64> = 0..200;

#[test]
fn admission_gives_a_verdict_and_what_it_admits_compiles() {
    fn compiled<B: BackendUnderTest>(modules: &[Vec<u8>]) -> usize {
        let compiles = Compiles::<B>::new(&Policy::default()).unwrap();
        modules.iter().filter(|wasm| compiles.check(wasm).unwrap()).count()
    }
    let comparison = Comparison::<Wasmi, Wasmi>::new().unwrap();
    let modules: Vec<Vec<u8>> = SEEDS.map(|seed| comparison.module(seed)).collect();
    modules.iter().for_each(|wasm| admission(wasm).unwrap());
    let counts = [compiled::<Wasmtime>(&modules), compiled::<Wasmi>(&modules)];
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] > modules.len() / 2, "{counts:?}");
}

#[test]
fn mutants_do_not_differ() {
    let comparison = Comparison::<Wasmtime, Wasmi>::new().unwrap();
    let mut stats = Stats::default();
    for seed in SEEDS {
        stats.add(&mutations(&comparison, seed).unwrap());
    }
    println!("{stats:?}");
    let rejected: u64 = stats.rejected.values().sum();
    assert!(rejected * 10 < stats.modules * 9 && rejected * 10 > stats.modules, "{stats:?}");
}

#[test]
fn random_code_behind_the_abi_does_not_differ() {
    let behind_abi = BehindAbi::<Wasmtime, Wasmi>::new().unwrap();
    let mut phases = std::collections::BTreeMap::<_, u64>::new();
    for seed in SEEDS.start..SEEDS.end * 3 {
        *phases.entry(behind_abi.compare(seed).unwrap()).or_default() += 1;
    }
    println!("{phases:?}");
    for phase in ["abi", "alloc", "call", "reply"] {
        assert!(phases.get(phase).is_some_and(|calls| *calls >= 10), "hardly a call ends in {phase}: {phases:?}");
    }
}

#[test]
fn any_policy_is_enforced_or_refused() {
    let enforced = SEEDS.filter(|seed| policies::<Wasmtime, Wasmi>(*seed).unwrap()).count();
    assert!(enforced * 10 > SEEDS.count(), "{enforced}");
}

/// A pool has a record for every possible table.
#[test]
fn the_largest_caps_make_an_engine() {
    for change in [
        (|caps| caps.tables = 100) as fn(&mut hotcell::policy::ModuleCaps),
        |caps| caps.memories = 100,
        |caps| (caps.tables, caps.memories) = (100, 100),
    ] {
        let policy = Policy::default().with(|rules| change(&mut rules.module)).unwrap();
        let sandbox = Sandbox::<Wasmtime>::on(policy).unwrap();
        let wasm = wat::parse_str(r#"(module (memory 1) (func (export "f")))"#).unwrap();
        let plugin = sandbox.load_with(&wasm, &sandbox.imports(), &Contract::None).unwrap();
        plugin.session(()).unwrap().call_values("f", &[]).unwrap();
    }
}

#[test]
fn host_functions_reach_what_is_inside() {
    for seed in SEEDS.step_by(10) {
        host_arguments::<Wasmtime>(seed).unwrap();
        host_arguments::<Wasmi>(seed).unwrap();
    }
}

#[test]
fn after_a_fault_all_is_as_before() {
    for seed in SEEDS.step_by(2) {
        injected_faults::<Wasmtime>(seed).unwrap();
        injected_faults::<Wasmi>(seed).unwrap();
    }
}

/// Resident memory of the process, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[test]
#[cfg(target_os = "linux")]
fn a_soak_of_everything_gives_its_memory_back() {
    const CASES: u64 = 400;
    let comparison = Comparison::<Wasmtime, Wasmi>::new().unwrap();
    let behind_abi = BehindAbi::<Wasmtime, Wasmi>::new().unwrap();
    let round = |seed| soak(&comparison, &behind_abi, 64, seed, CASES).unwrap();
    // The first rounds fill what is kept: pools, stacks, the allocator's arenas.
    let mut held = Vec::new();
    for turn in 0..4 {
        assert_eq!(round(turn * CASES), CASES);
        held.push(resident());
    }
    println!("{held:?}");
    let (first, last) = (held[1], held[3]);
    assert!(last < first + (first / 2).max(64 << 20), "{held:?}");
}
