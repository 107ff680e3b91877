//! Failures at the n-th iteration, after which other instances must be unaffected.

use hotcell_core::{Contract, Fault, HostError, HostOptions, Loader, Policy, Value};

use crate::Numbers;
use hotcell_conformance::{BackendUnderTest, Failure};

/// Calls the host and grows its memory `n` times.
const GUEST: &str = r#"(module
    (import "env" "turn" (func $turn))
    (memory (export "memory") 1)
    (func (export "f") (param $n i32) (result i32) (local $refused i32)
        (loop $again
            (call $turn)
            (local.set $refused (i32.add (local.get $refused) (i32.eq (memory.grow (i32.const 1)) (i32.const -1))))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $refused)))"#;

/// How a host function fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Refuses,
    Panics,
    TakesAllFuel,
    CallsWhatIsNotThere,
}

#[derive(Default)]
struct Turns {
    seen: u32,
    fails_at: Option<(u32, Failing)>,
}

/// A host function fails at its n-th call, or growths are refused from the n-th on. The call must end with the right
/// verdict, its instance must be poisoned, and a new instance must behave like the first one without the failure.
///
/// # Errors
///
/// One of these did not hold.
pub fn injected_faults<B: BackendUnderTest>(seed: u64) -> Result<(), Failure> {
    let mut numbers = Numbers::new(seed);
    let pages = 1 + numbers.below(12);
    let policy = Policy::default().with(|rules| {
        rules.abi = None;
        rules.limits.fuel = Some(1_000_000);
        rules.limits.memory_bytes = pages << 16;
        rules.limits.reentry = 1;
    })?;
    let loader = Loader::<B>::new(policy, &HostOptions::default(), &B::Options::default())?;
    let mut imports = loader.imports::<Turns>();
    imports.func("env", "turn", |cx, ()| {
        let turns = cx.state();
        turns.seen += 1;
        match turns.fails_at {
            Some((turn, failing)) if turn == turns.seen => match failing {
                Failing::Refuses => Err(HostError::message("it is this one's turn")),
                Failing::Panics => panic!("it is this one's turn"),
                Failing::TakesAllFuel => cx.charge(u64::MAX),
                Failing::CallsWhatIsNotThere => cx.call("nothing", &[]).map(drop),
            },
            _ => Ok(()),
        }
    })?;
    let plugin = loader.load(&wat::parse_str(GUEST)?, &imports, &Contract::None)?;

    let turns = 1 + numbers.below(15);
    // The first page is there at instantiation.
    let refused = turns.saturating_sub(pages - 1);
    let control = |what: &str| {
        let mut session = plugin.session(Turns::default())?;
        let outcome = session.call_values("f", &[Value::I32(turns as i32)])?;
        match outcome == [Value::I32(refused as i32)] && session.usage().refused_growths == refused {
            true => Ok(session.usage()),
            false => Err(Failure::new(format!("seed {seed}, {what}: {outcome:?}, not {refused} refusals"))),
        }
    };
    let usage = control("before")?;
    let kinds = [Failing::Refuses, Failing::Panics, Failing::TakesAllFuel, Failing::CallsWhatIsNotThere];
    let (turn, failing) = (1 + numbers.below(turns) as u32, numbers.pick(&kinds));
    let mut session = plugin.session(Turns { seen: 0, fails_at: Some((turn, failing)) })?;
    let outcome = session.call_values("f", &[Value::I32(turns as i32)]);
    let is_right = match (failing, &outcome) {
        (Failing::Refuses, Err(Fault::HostFunction { .. }))
        | (Failing::Panics, Err(Fault::HostFunctionPanicked { .. }))
        | (Failing::TakesAllFuel, Err(Fault::OutOfFuel))
        | (Failing::CallsWhatIsNotThere, Err(Fault::NoSuchExport { .. })) => session.state().seen == turn,
        _ => false,
    };
    if !is_right {
        return Err(Failure::new(format!("seed {seed}, {failing:?} at turn {turn} of {turns}: {outcome:?}")));
    }
    match session.call_values("f", &[Value::I32(1)]) {
        Err(Fault::Poisoned) => {}
        outcome => return Err(Failure::new(format!("seed {seed}, after {failing:?}: {outcome:?}"))),
    }
    match control("after")? == usage {
        true => Ok(()),
        false => Err(Failure::new(format!("seed {seed}: the control call uses something else after {failing:?}"))),
    }
}
