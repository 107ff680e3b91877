//! Each cap lets through what is exactly at it, and refuses what is one past it, under its own name.

#[path = "caps/generators.rs"]
mod generators;

use hotcell::{Contract, Offered, Policy, Preset, Proposal, Rejection, Rules, admit, verdict::Reason};

use generators::{Build, GENERATORS, cap, caps, first, offered};

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
        assert!(cap == FLAG || GENERATORS.iter().any(|(name, ..)| *name == cap), "no generator for {cap}");
    }
}

#[test]
fn every_generator_has_a_cap() {
    for (name, ..) in GENERATORS {
        assert!(caps(&Policy::strict()).iter().any(|(cap, _)| cap == name), "no cap {name}");
    }
}

#[test]
fn every_cap_is_inclusive_and_has_its_name() {
    let mut wrong = Vec::new();
    for preset in PRESETS {
        for (key, word, build) in GENERATORS {
            if let Err(reason) = check(key, *build, &policy(preset, key)) {
                wrong.push(format!("{} {key} {word}: {reason}", preset.name()));
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

fn check(key: &'static str, build: Build, policy: &Policy) -> Result<(), String> {
    let allowed = cap(policy, key);
    let near = "no module is near the cap";
    let (at, module) = first((allowed.saturating_sub(REACH)..=allowed).rev(), build, policy).ok_or(near)?;
    verdict(&module, policy).map_err(|rejection| format!("{at} of {allowed} is refused: {rejection}"))?;

    let (found, module) = first(allowed + 1..=allowed + REACH, build, policy).ok_or(near)?;
    let expected = Reason::LimitExceeded { limit: key, found, allowed };
    match verdict(&module, policy) {
        Err(rejection) if rejection.reason == expected => Ok(()),
        Err(rejection) => Err(format!("expected {expected}, got {rejection}")),
        Ok(()) => Err(format!("{found} of {allowed} is admitted")),
    }
}

fn verdict(module: &[u8], policy: &Policy) -> Result<(), Rejection> {
    admit(module, policy, &offered(policy), &Contract::None).map(drop)
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
