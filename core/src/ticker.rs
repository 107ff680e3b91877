//! One thread per process that tells calls when to check the clock: after host functions, and where an engine checks
//! epochs.
//!
//! A tick carries no time: deadlines are compared with a monotonic clock, and no tick stops a particular call. It is a
//! cheap sign that time has passed. The thread starts with the first engine that needs interruption, and parks when no
//! call has needed it for a while.

use std::{
    boxed::Box,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
    vec::Vec,
};

/// Time between ticks: how late a guest may notice that its deadline has passed.
const PERIOD: Duration = Duration::from_millis(4);
/// Ticks without a call after which the thread parks.
const IDLE_TICKS: u32 = 250;

/// Set by every call that can be interrupted, cleared by every tick.
static WANTED: AtomicBool = AtomicBool::new(false);
static PARKED: AtomicBool = AtomicBool::new(false);
static TICKS: AtomicU64 = AtomicU64::new(0);
static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();

/// Called at every tick until it returns `false`.
type Listener = Box<dyn FnMut() -> bool + Send>;

/// Starts the thread if it does not run yet. Returns `false` when it cannot be started.
pub fn start() -> bool {
    thread().is_some()
}

/// Starts the thread, and has it call `listener` at every tick until that returns `false`. Returns `false` when the
/// thread cannot be started.
pub fn listen(listener: impl FnMut() -> bool + Send + 'static) -> bool {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    start()
}

/// Signals that an interruptible call is running. Must be called when the call begins, and whenever the call checks the
/// clock because of a tick.
#[inline]
pub fn request() {
    if !WANTED.load(Ordering::Relaxed) {
        wake();
    }
}

#[cold]
fn wake() {
    WANTED.store(true, Ordering::SeqCst);
    if PARKED.load(Ordering::SeqCst)
        && let Some(thread) = thread()
    {
        thread.unpark();
    }
}

/// Number of ticks so far.
#[inline]
pub fn ticks() -> u64 {
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
        LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(|listener| listener());
        idle = if WANTED.swap(false, Ordering::SeqCst) { 0 } else { idle + 1 };
        if idle >= IDLE_TICKS {
            park();
            idle = 0;
        }
    }
}

/// Sleeps until a call needs ticks. `PARKED` is set before `WANTED` is read, and a call sets `WANTED` before it reads
/// `PARKED`: at least one of the two sees the other's store.
fn park() {
    PARKED.store(true, Ordering::SeqCst);
    while !WANTED.load(Ordering::SeqCst) {
        thread::park();
    }
    PARKED.store(false, Ordering::SeqCst);
}
