//! A firmware that runs two WebAssembly plugins: one that does its work, and one that never ends.
//!
//! Everything goes to the debugger's console (semihosting). The exit status is 0 when all went as it should.

#![no_std]
#![no_main]

extern crate alloc;

mod clock;
mod heap;
mod stack;

use alloc::{boxed::Box, string::String, sync::Arc};
use core::{error::Error, panic::PanicInfo, time::Duration};

use cortex_m::Peripherals;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use hotcell_core::{CallError, Clock, Contract, HostOptions, Loader, Plugin, Policy, Reply, Report};
use hotcell_wasmi::Wasmi;

use crate::clock::SysTickClock;

static LEDGER_CHECK: &[u8] = include_bytes!("../../../guests/ledger-check.wasm");
static ENDLESS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/endless.wasm"));

static JOURNAL: &str = include_str!("journal.txt");
static EXPECTED: &str = "\
line 12: 2024-06-03 A cake, and a button pressed twice: off by 4.60 EUR
line 16: 2024-06-03 Change that nobody counted: fewer than two postings
failed: 4 transactions, 8 postings, 2 problems
";

/// Name of the entry of both guests.
const ENTRY: &str = "process";
/// What a call must end within, once the guest's deadline has passed.
const GRACE: Duration = Duration::from_millis(20);

type Surprise = Box<dyn Error>;

#[entry]
fn main() -> ! {
    heap::init();
    let outcome = Peripherals::take().ok_or("the peripherals are gone".into()).and_then(|board| {
        let clock = Arc::new(SysTickClock::start(board.SYST));
        run(&Host { options: HostOptions::new(clock.clone()), clock })
    });
    match outcome {
        Ok(()) => hprintln!("done"),
        Err(surprise) => fail(format_args!("{surprise}")),
    }
    exit(debug::EXIT_SUCCESS)
}

/// What every plugin shares.
struct Host {
    clock: Arc<SysTickClock>,
    options: HostOptions,
}

fn run(host: &Host) -> Result<(), Surprise> {
    let before = heap::used();
    let begin = host.clock.now();
    let ledger = host.load(LEDGER_CHECK, Policy::embedded())?;
    let lasted = host.clock.now().since(begin);
    hprintln!("ledger-check: {} bytes, loaded in {} ms", LEDGER_CHECK.len(), lasted.as_millis());
    hprintln!("heap: {} bytes at most while loading, {} after", heap::peak(), heap::used());

    check_journal(&ledger)?;
    hprintln!("heap: {} bytes at most while calling", heap::peak());

    let timed = Policy::embedded().with(|rules| {
        rules.limits.fuel = None;
        rules.limits.deadline = Some(Duration::from_millis(200));
    })?;
    let report = host.stop_endless("no fuel limit, deadline 200 ms", timed, "deadline-exceeded")?;
    if report.guest_time > Duration::from_millis(200) + GRACE {
        return Err("it was stopped too late".into());
    }
    let metered = Policy::embedded().with(|rules| rules.limits.fuel = Some(100_000))?;
    host.stop_endless("fuel 100000, deadline 2 s", metered, "out-of-fuel")?;

    check_journal(&ledger)?;
    drop(ledger);
    if heap::used() != before {
        return Err("the heap is not as it was".into());
    }
    hprintln!("heap: {} bytes, {} in use", heap::SIZE, heap::used());
    let (size, peak) = stack::size_and_peak();
    hprintln!("stack: {size} bytes, {peak} used at most");
    Ok(())
}

impl Host {
    fn load(&self, bytes: &[u8], policy: Policy) -> Result<Plugin<Wasmi>, Surprise> {
        let loader = Loader::<Wasmi>::new(policy, &self.options)?;
        let imports = hotcell_core::SandboxBackend::imports(loader.backend());
        Ok(loader.load(bytes, &imports, &Contract::bytes(ENTRY))?)
    }

    /// Calls the guest that never ends, under a policy that ends it.
    fn stop_endless(&self, limits: &str, policy: Policy, expected: &str) -> Result<Report, Surprise> {
        let endless = self.load(ENDLESS, policy)?;
        let Err(error) = endless.call(ENTRY, &[]) else {
            return Err("it came back".into());
        };
        hprintln!("endless, {limits}: {} in {}", error.code(), error.phase);
        print_report(&error.report);
        match error.code() == expected {
            true => Ok(*error.report),
            false => Err(error.into()),
        }
    }
}

fn check_journal(ledger: &Plugin<Wasmi>) -> Result<(), Surprise> {
    let Reply { bytes, report } = ledger.call(ENTRY, JOURNAL.as_bytes()).map_err(Box::<CallError>::new)?;
    let reply = String::from_utf8(bytes)?;
    hprintln!("ledger-check, a journal of {} bytes: it replies", JOURNAL.len());
    reply.lines().for_each(|line| hprintln!("  {line}"));
    print_report(&report);
    match reply == EXPECTED {
        true => Ok(()),
        false => Err("it should reply something else".into()),
    }
}

fn print_report(report: &Report) {
    let Report { backend, backend_version, policy, usage, guest_time, .. } = report;
    hprintln!(
        "  {backend} {backend_version}, policy {policy}: fuel {}, memory {} bytes, {}.{:03} ms",
        usage.fuel_used.unwrap_or_default(),
        usage.peak_memory_bytes,
        guest_time.as_micros() / 1_000,
        guest_time.as_micros() % 1_000,
    );
}

fn fail(surprise: core::fmt::Arguments<'_>) -> ! {
    hprintln!("surprise: {surprise}");
    exit(debug::EXIT_FAILURE)
}

fn exit(status: debug::ExitStatus) -> ! {
    debug::exit(status);
    // Without a debugger there is nobody to exit to.
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fail(format_args!("{info}"))
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    fail(format_args!("hard fault: {frame:?}"))
}
