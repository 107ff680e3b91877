//! Each cap lets through what is exactly at it, and refuses what is one past it, under its own name.

#[path = "caps/generators.rs"]
mod generators;

use hotcell::{
    Contract, Offered, Policy, Preset, Proposal, Rejection, Rules, Signature, admit, admit::FuncType, policy::Limits,
    verdict::Reason,
};

use generators::{Build, GENERATORS};

/// How far from a cap a generator may look for a number that some module has: no prime number of locals and blocks
/// multiplies to every product, and constant expressions have an odd number of operators.
const REACH: u64 = 64;

/// The presets whose modules are of a size to be built here.
const PRESETS: [Preset; 3] = [Preset::Embedded, Preset::Strict, Preset::Default];

/// `module.start` is no count, and has a reason of its own.
const FLAG: &str = "module.start";

#[test]
fn every_cap_has_a_generator() {
    for (cap, _) in caps(&Policy::strict()) {
        assert!(cap == FLAG || GENERATORS.iter().any(|(name, _)| *name == cap), "no generator for {cap}");
    }
}

#[test]
fn every_generator_has_a_cap() {
    for (name, _) in GENERATORS {
        assert!(caps(&Policy::strict()).iter().any(|(cap, _)| cap == name), "no cap {name}");
    }
}

#[test]
fn every_cap_is_inclusive_and_has_its_name() {
    let mut wrong = Vec::new();
    for preset in PRESETS {
        for (index, (cap, build)) in GENERATORS.iter().enumerate() {
            let policy = policy(preset, cap);
            let allowed = caps(&policy).into_iter().find(|(name, _)| name == cap).unwrap().1;
            if let Err(reason) = check(cap, allowed, *build, &policy) {
                wrong.push(format!("{} {cap} (generator {index}): {reason}", preset.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_start_function_is_refused_unless_it_is_allowed() {
    let module = wat::parse_str("(module (func $f) (start $f))").unwrap();
    let verdict = |policy: &Policy| admit(&module, policy, &Offered::default(), &Contract::None).map(drop);
    assert_eq!(verdict(&Policy::strict()).unwrap_err().reason, Reason::StartDenied);
    verdict(&Policy::strict().with(|rules| rules.module.start = true).unwrap()).unwrap();
}

fn check(cap: &'static str, allowed: u64, build: Build, policy: &Policy) -> Result<(), String> {
    let (at, module) = nearest((allowed.saturating_sub(REACH)..=allowed).rev(), build, policy)?;
    verdict(&module, policy).map_err(|rejection| format!("{at} of {allowed} is refused: {rejection}"))?;

    let (found, module) = nearest(allowed + 1..=allowed + REACH, build, policy)?;
    let expected = Reason::LimitExceeded { limit: cap, found, allowed };
    match verdict(&module, policy) {
        Err(rejection) if rejection.reason == expected => Ok(()),
        Err(rejection) => Err(format!("expected {expected}, got {rejection}")),
        Ok(()) => Err(format!("{found} of {allowed} is admitted")),
    }
}

/// The first of `numbers` that a module can have, with the module.
fn nearest(
    mut numbers: impl Iterator<Item = u64>,
    build: Build,
    policy: &Policy,
) -> Result<(u64, Vec<u8>), &'static str> {
    numbers.find_map(|n| Some((n, build(n, policy)?))).ok_or("no module near the cap")
}

fn verdict(module: &[u8], policy: &Policy) -> Result<(), Rejection> {
    admit(module, policy, &offered(policy), &Contract::None).map(drop)
}

/// What the generators import: a name as long as it may be, too.
fn offered(policy: &Policy) -> Offered {
    let longest = "n".repeat(policy.shape().name_bytes as usize);
    let mut offered = Offered::default();
    for (module, name) in [("env", "f"), (&longest, "f"), ("env", &longest)] {
        offered.offer(Signature { module: module.into(), name: name.into(), ty: FuncType::default() }).unwrap();
    }
    offered
}

/// Every cap of a policy that admission holds a module against.
fn caps(policy: &Policy) -> Vec<(&'static str, u64)> {
    let Limits { memory_bytes, table_elements, .. } = policy.rules().limits;
    let limits = [("limits.memory_bytes", memory_bytes), ("limits.table_elements", table_elements)];
    policy.rules().module.each().chain(policy.shape().each()).chain(limits).collect()
}

/// The policy of a preset, with what stands before this cap out of the way.
fn policy(preset: Preset, cap: &str) -> Policy {
    let change = |rules: &mut Rules| match cap {
        // More than one also needs the proposal, and without it the proposal is what a rejection names.
        "module.memories" => rules.proposals.allow(Proposal::MultiMemory),
        // The default preset has one number for both.
        "module.custom_bytes" => rules.module.bytes *= 2,
        _ => {}
    };
    Policy::new(Rules::preset(preset)).unwrap().with(change).unwrap()
}
