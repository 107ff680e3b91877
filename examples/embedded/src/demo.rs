//! Three plugins and their outcomes.

use alloc::string::String;
use core::time::Duration;

use cortex_m_semihosting::hprintln;
use hotcell_core::{Plugin, Policy, Reply, Report};
use hotcell_wasmi::Wasmi;

use crate::{
    Surprise, heap,
    host::{ENTRY, Host},
    policy::policy,
};

static LEDGER_CHECK: &[u8] = include_bytes!("../../../guests/ledger-check.wasm");
static ENDLESS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/endless.wasm"));
static GREEDY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/greedy.wasm"));

static JOURNAL: &str = include_str!("journal.txt");
static EXPECTED: &str = "\
line 12: 2024-06-03 A cake, and a button pressed twice: off by 4.60 EUR
line 16: 2024-06-03 Change that nobody counted: fewer than two postings
failed: 4 transactions, 8 postings, 2 problems
";

const DEADLINE: Duration = Duration::from_millis(200);
/// How much later than its deadline a call may end.
const GRACE: Duration = Duration::from_millis(5);

pub(crate) fn run(host: &Host) -> Result<(), Surprise> {
    let (before, begin) = (heap::used(), host.now());
    let ledger = host.load(LEDGER_CHECK, policy())?;
    let lasted = host.now().since(begin);
    hprintln!("ledger-check: {} bytes, loaded in {} ms", LEDGER_CHECK.len(), lasted.as_millis());
    hprintln!("  heap: {} bytes at most, {} now", heap::peak(), heap::used());
    check_journal(&ledger)?;
    hprintln!("  heap: {} bytes at most, {} now", heap::peak(), heap::used());

    let timed = policy().with(|rules| {
        rules.limits.fuel = None;
        rules.limits.deadline = Some(DEADLINE);
    })?;
    let report = stop_endless(host, "unlimited fuel, deadline 200 ms", timed, "deadline-exceeded")?;
    if report.guest_time > DEADLINE + GRACE {
        return Err("it was stopped too late".into());
    }
    let metered = policy().with(|rules| rules.limits.fuel = Some(100_000))?;
    stop_endless(host, "fuel 100000, deadline 2 s", metered, "out-of-fuel")?;

    refuse_greedy(host)?;

    hprintln!("ledger-check, once more:");
    check_journal(&ledger)?;
    drop(ledger);
    hprintln!("heap: {} bytes at most, of {}", heap::peak(), heap::SIZE);
    match heap::used() == before {
        true => Ok(()),
        false => Err("the heap is not what it was".into()),
    }
}

fn check_journal(ledger: &Plugin<Wasmi>) -> Result<(), Surprise> {
    let Reply { bytes, report } = ledger.call(ENTRY, JOURNAL.as_bytes())?;
    let reply = String::from_utf8(bytes)?;
    reply.lines().for_each(|line| hprintln!("  > {line}"));
    print(&report);
    match reply == EXPECTED {
        true => Ok(()),
        false => Err("that is not the reply".into()),
    }
}

/// Calls the endless guest, under a policy that ends it.
fn stop_endless(host: &Host, limits: &str, policy: Policy, expected: &str) -> Result<Report, Surprise> {
    let endless = host.load(ENDLESS, policy)?;
    let Err(error) = endless.call(ENTRY, &[]) else {
        return Err("it came back".into());
    };
    hprintln!("endless, {limits}: {} in {}", error.code(), error.phase);
    print(&error.report);
    match error.code() == expected {
        true => Ok(*error.report),
        false => Err(error.into()),
    }
}

/// The policy allows a guest more memory than the board has left. The growth is refused, and the guest continues.
fn refuse_greedy(host: &Host) -> Result<(), Surprise> {
    let greedy = host.load(GREEDY, policy())?;
    let Reply { bytes, report } = greedy.call(ENTRY, &[])?;
    let &[pages] = bytes.as_slice() else {
        return Err("that is not the reply".into());
    };
    let allowed = greedy.policy().rules().limits.memory_bytes >> 16;
    hprintln!("greedy, {allowed} pages allowed: got {pages}");
    print(&report);
    Ok(())
}

fn print(report: &Report) {
    let Report { backend, backend_version, policy, usage, guest_time, .. } = report;
    hprintln!(
        "  {backend} {backend_version}, policy {policy}: fuel {}, memory {} bytes, {}.{:03} ms",
        usage.fuel_used.unwrap_or_default(),
        usage.peak_memory_bytes,
        guest_time.as_micros() / 1_000,
        guest_time.as_micros() % 1_000,
    );
}
