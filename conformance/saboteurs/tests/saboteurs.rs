//! Every saboteur is caught by the check that is named for it, and by that check nobody else is.
//!
//! A saboteur is a whole process: its lies may kill or hang it. The parent runs each check twice in children, first with
//! nobody lying, then with the saboteur.
//!
//! Some promises no backend can break, because core keeps them: poison, the version that a guest answers with, where
//! `alloc` and the reply may lie, how many instances run, how often and how deep host functions call. Nobody lies about
//! these.

use std::{
    cell::Cell,
    collections::BTreeSet,
    env,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use hotcell_conformance::{Need, Suite};
use hotcell_core::Budget;
use libtest_mimic::{Arguments, Failed, Trial};

use list::Saboteur;

#[path = "../list/mod.rs"]
#[expect(dead_code, reason = "the build script reads the rest")]
mod list;

include!(concat!(env!("OUT_DIR"), "/sabotaged.rs"));

/// Names the saboteur to a child process.
const VARIABLE: &str = "HOTCELL_SABOTEUR";
/// The name of a saboteur that there is not.
const NOBODY: &str = "nobody";
/// After how long a check that ends is taken to hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a check that must hang is let hang. With nobody lying it takes milliseconds.
const IMPATIENCE: Duration = Duration::from_secs(10);

/// What a saboteur remembers, for all its instances or on one thread.
static ALL: AtomicU64 = AtomicU64::new(0);
static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
thread_local! {
    static MINE: Cell<u64> = const { Cell::new(0) };
    static BUDGET: Cell<Option<Budget>> = const { Cell::new(None) };
}

/// Who lies in this process.
fn saboteur() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| env::var(VARIABLE).unwrap_or_default());
    &NAME
}

fn main() {
    if env::var_os(VARIABLE).is_some() {
        hotcell_conformance::test::<custom::Custom>();
    }
    let mut trials = vec![Trial::test("every family has a saboteur", every_family)];
    trials.extend(list::all().map(|saboteur| Trial::test(saboteur.name, || is_caught(saboteur))));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The families in which no backend can lie.
const NOT_OF_BACKENDS: &[&str] = &[
    // What a backend's author declares of it, not what it does.
    "suite", // Core says what went wrong; a backend only says that it did.
    "messages",
];

/// For each family of mandatory checks there is somebody whom one of them catches.
fn every_family() -> Result<(), Failed> {
    let suite = Suite::<custom::Custom>::new();
    let mandatory = || suite.checks().iter().filter(|check| check.need() == Need::Mandatory);
    let caught: BTreeSet<_> = mandatory()
        .filter(|check| list::all().any(|saboteur| saboteur.caught_by == check.id()))
        .map(|check| check.family())
        .collect();
    let families: BTreeSet<_> = mandatory().map(|check| check.family()).collect();
    let missed: Vec<_> = families.difference(&caught).filter(|family| !NOT_OF_BACKENDS.contains(family)).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("nobody lies in {missed:?}").into()) }
}

/// With nobody lying the check passes, with the saboteur it fails.
fn is_caught(saboteur: &Saboteur) -> Result<(), Failed> {
    let Saboteur { caught_by, .. } = saboteur;
    match run(NOBODY, caught_by, PATIENCE)? {
        End::Passed => {}
        End::Failed(output) => return Err(format!("{caught_by} fails with nobody lying:\n{output}").into()),
        End::Hung => return Err(format!("{caught_by} hangs with nobody lying").into()),
    }
    let patience = if saboteur.hangs { IMPATIENCE } else { PATIENCE };
    match (run(saboteur.name, caught_by, patience)?, saboteur.hangs) {
        (End::Failed(_), false) | (End::Hung, true) => Ok(()),
        (End::Passed, _) => Err(format!("{caught_by} passes").into()),
        (End::Hung, false) => Err(format!("{caught_by} hangs").into()),
        (End::Failed(output), true) => Err(format!("{caught_by} does not hang, it fails:\n{output}").into()),
    }
}

/// How a check ended in a child.
enum End {
    Passed,
    Failed(String),
    Hung,
}

/// Runs one check in a process of its own.
fn run(saboteur: &str, check: &str, patience: Duration) -> Result<End, Failed> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", check, "--test-threads=1"]).env(VARIABLE, saboteur);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if !ends(&mut child, patience)? {
        child.kill()?;
        child.wait()?;
        return Ok(End::Hung);
    }
    let output = child.wait_with_output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true if told.contains("1 passed; 0 failed") => Ok(End::Passed),
        false if told.contains("0 passed; 1 failed") => Ok(End::Failed(told)),
        _ => Err(format!("{check} did not run to a verdict: {}\n{told}", output.status).into()),
    }
}

/// Waits for a child. What it prints of one check fits into a pipe.
fn ends(child: &mut Child, patience: Duration) -> Result<bool, Failed> {
    let begin = Instant::now();
    while begin.elapsed() < patience {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}
