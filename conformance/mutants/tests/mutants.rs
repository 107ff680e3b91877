//! Every mutant is caught by the check that is named for it, and without a mutant that check passes.
//!
//! A mutant is a whole process: its mutations may kill it. The parent runs each check twice in children, first without a
//! mutant, then with it. Without one the whole suite passes: that is the example's own test.
//!
//! Some promises core keeps, whatever a backend does: an instance that failed is not called again; the guest's version is
//! compared; where `alloc` and the reply are is held against the memory and the policy; budgets are counted, and armed
//! again; objects of another policy, engine or session are refused; a name is one that the guest exports, or that is not
//! taken; a host function's panic is caught; text from guests is escaped. No mutant breaks these. Mutants of what they
//! rest on (a call's result, a counter, the memory's length, an answer to the guest, the fault on its way up) are in the
//! list.

use std::{
    collections::BTreeSet,
    env,
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use hotcell_conformance::{Need, Suite};
use hotcell_differential::{Comparison, Stats};
use libtest_mimic::{Arguments, Failed, Trial};

use custom::Custom;
use list::{End, Mutant};
use mutated::{Hooks, Mutated};

#[path = "../../examples/custom_backend/custom/mod.rs"]
#[expect(unreachable_pub, reason = "a crate of its own would export it")]
mod custom;
#[path = "../list/mod.rs"]
mod list;
mod mutated;

/// Names the mutant to a child process.
const VARIABLE: &str = "HOTCELL_MUTANT";
/// The name of a mutant that there is not.
const NOBODY: &str = "nobody";
/// After how long a check that ends is taken to hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the mutant of this process does.
fn hooks() -> &'static Hooks {
    static HOOKS: LazyLock<&Hooks> = LazyLock::new(|| {
        let name = env::var(VARIABLE).unwrap_or_default();
        list::all().find(|mutant| mutant.name == name).map_or(&Hooks::NONE, |mutant| &mutant.hooks)
    });
    &HOOKS
}

fn main() {
    if env::var_os(VARIABLE).is_some() {
        hotcell_conformance::test::<Mutated>();
    }
    let mut trials = vec![
        Trial::test("every family has a mutant", every_family),
        Trial::test("every mutant has a name of its own", names),
        Trial::test("the differential suite asks for nothing that a backend does not have", differential),
    ];
    trials.extend(list::all().map(|mutant| Trial::test(mutant.name, || is_caught(mutant))));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A backend without metering of its own and without 64-bit indices is compared in all the rest.
fn differential() -> Result<(), Failed> {
    let comparison = Comparison::<Mutated, Custom>::new()?;
    let mut stats = Stats::default();
    for seed in 0..64 {
        stats.add(&comparison.compare(seed)?);
    }
    match stats.counted > 0 && stats.modules >= 50 && stats.transparent == 0 {
        true => Ok(()),
        false => Err(format!("{stats:?}").into()),
    }
}

/// The families in which no backend can be wrong: what its author declares of it, what core says went wrong, and what core
/// makes of calls and host functions that other families prove.
const NOT_OF_BACKENDS: &[&str] = &["suite", "messages", "command", "reactor", "wasi"];

/// For each family of mandatory checks there is a mutant that one of them catches.
fn every_family() -> Result<(), Failed> {
    let suite = Suite::<Mutated>::new();
    let mandatory = || suite.checks().iter().filter(|check| check.need() == Need::Mandatory);
    let caught: BTreeSet<_> = mandatory()
        .filter(|check| list::all().any(|mutant| mutant.caught_by == check.id()))
        .map(|check| check.family())
        .collect();
    let families: BTreeSet<_> = mandatory().map(|check| check.family()).collect();
    let missed: Vec<_> = families.difference(&caught).filter(|family| !NOT_OF_BACKENDS.contains(family)).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("no mutant breaks {missed:?}").into()) }
}

fn names() -> Result<(), Failed> {
    let names: BTreeSet<_> = list::all().map(|mutant| mutant.name).collect();
    if names.len() == list::all().count() { Ok(()) } else { Err("two mutants have one name".into()) }
}

/// Without a mutant the check passes; with it, the check ends as it must.
fn is_caught(mutant: &Mutant) -> Result<(), Failed> {
    for (who, expected) in [(NOBODY, End::Passes), (mutant.name, mutant.end)] {
        let (end, told) = run(who, mutant.caught_by)?;
        if end != expected {
            return Err(format!("{}: {who}: found {end:?}, expected {expected:?}\n{told}", mutant.caught_by).into());
        }
    }
    Ok(())
}

/// Runs one check in a process of its own: how it ended, and what it printed.
fn run(mutant: &str, check: &str) -> Result<(End, String), Failed> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", check, "--test-threads=1"]).env(VARIABLE, mutant);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if !ends(&mut child)? {
        child.kill()?;
        child.wait()?;
        return Ok((End::Hangs, String::new()));
    }
    let output = child.wait_with_output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) if told.contains("1 passed; 0 failed") => Ok((End::Passes, told)),
        Some(_) if told.contains("0 passed; 1 failed") => Ok((End::Fails, told)),
        // By a signal.
        None => Ok((End::Dies, told)),
        _ => Err(format!("{check} did not run: {}\n{told}", output.status).into()),
    }
}

/// Waits for a child. What it prints of one check fits into a pipe.
fn ends(child: &mut Child) -> Result<bool, Failed> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}
