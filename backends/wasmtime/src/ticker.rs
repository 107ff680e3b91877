//! One thread per process that gives running guests an occasion to look at the clock.
//!
//! A tick says nothing about time: deadlines are compared with a monotonic clock, and nobody ticks to stop one call.
//! The thread starts with the first engine that asks for interruption, and parks when no call has needed it for a
//! while.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::{Engine, EngineWeak};

/// Time between ticks: how late a guest may notice that its deadline has passed.
const PERIOD: Duration = Duration::from_millis(4);
/// Ticks without a call after which the thread parks.
const IDLE_TICKS: u32 = 250;

/// Set by every call that can be interrupted, cleared by every tick.
static WANTED: AtomicBool = AtomicBool::new(false);
static PARKED: AtomicBool = AtomicBool::new(false);
static TICKS: AtomicU64 = AtomicU64::new(0);
static ENGINES: Mutex<Vec<EngineWeak>> = Mutex::new(Vec::new());
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();

/// Ticks `engine` for as long as it lives. Gives `false` when no thread can be started.
pub(crate) fn register(engine: &Engine) -> bool {
    ENGINES.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    thread().is_some()
}

/// Says that an interruptible call is running. Must be said at its beginning and whenever it looks at the clock.
#[inline]
pub(crate) fn want() {
    if !WANTED.load(Ordering::Relaxed) {
        WANTED.store(true, Ordering::SeqCst);
        if PARKED.load(Ordering::SeqCst)
            && let Some(thread) = thread()
        {
            thread.unpark();
        }
    }
}

/// How many ticks there have been.
#[inline]
pub(crate) fn ticks() -> u64 {
    TICKS.load(Ordering::Relaxed)
}

fn thread() -> Option<&'static Thread> {
    THREAD
        .get_or_init(|| {
            let spawned = thread::Builder::new().name("hotcell-ticker".into()).spawn(run);
            spawned.ok().map(|handle| handle.thread().clone())
        })
        .as_ref()
}

fn run() {
    let mut idle = 0;
    loop {
        thread::sleep(PERIOD);
        TICKS.fetch_add(1, Ordering::Relaxed);
        ENGINES.lock().unwrap_or_else(PoisonError::into_inner).retain(|engine| match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                true
            }
            None => false,
        });
        idle = if WANTED.swap(false, Ordering::SeqCst) { 0 } else { idle + 1 };
        if idle >= IDLE_TICKS {
            park();
            idle = 0;
        }
    }
}

/// Sleeps until a call wants ticks. `PARKED` is set before `WANTED` is read, and a call sets `WANTED` before it reads
/// `PARKED`: one of the two sees the other.
fn park() {
    PARKED.store(true, Ordering::SeqCst);
    while !WANTED.load(Ordering::SeqCst) {
        thread::park();
    }
    PARKED.store(false, Ordering::SeqCst);
}
