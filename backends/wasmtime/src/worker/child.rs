//! The child's side: limits first, then the request, then the reply.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    CompileLimits,
    frame::{self, Status, TEXT},
};

/// First argument of a worker.
const MARKER: &str = "--hotcell-compile-worker";
/// File descriptors below this number: standard input, output and error, and so no new one at all.
const FILES: u64 = 3;

/// What the limit of memory is about.
#[cfg(not(target_os = "openbsd"))]
pub(super) const MEMORY: Resource = Resource::As;
#[cfg(target_os = "openbsd")]
pub(super) const MEMORY: Resource = Resource::Data;

static SERVED: AtomicBool = AtomicBool::new(false);

/// Makes this program a worker for [`super::CompileWorker`], when it was started as one. Call it first in `main`:
/// before there are threads, which would not be limited, and before anything is printed, which is no reply.
///
/// In a worker it does not return. It limits itself, reads the request, answers with what `handler` makes of its
/// pieces, and exits. A panic of `handler` becomes the reply; with `panic = "abort"` it is a crash that says the same.
/// The handler can open no file and no socket; it should ask for memory in its own thread, because the allocator of the
/// C library reserves 64 MiB and more of the address space for each other.
///
/// In any other process it returns at once, and allows [`super::CompileWorker::this_program`].
pub fn serve(handler: impl FnOnce(&[Vec<u8>]) -> Result<Vec<u8>, String>) {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != MARKER) {
        SERVED.store(true, Ordering::Relaxed);
        return;
    }
    let code = match work(arguments, handler) {
        Ok(()) => 0,
        Err(why) => {
            // Where the error stream is gone too, nobody listens.
            let _ = writeln!(io::stderr(), "{why}");
            1
        }
    };
    process::exit(code)
}

/// Whether a worker of this program would be one.
pub(super) fn was_served() -> bool {
    SERVED.load(Ordering::Relaxed)
}

/// What makes a program a worker. The limits are arguments and no part of the request, so that they hold before the
/// first byte is read.
pub(super) fn arguments(limits: CompileLimits) -> [String; 4] {
    let order = Order { parent: process::id(), memory_bytes: limits.memory_bytes, cpu_seconds: limits.cpu_seconds() };
    [MARKER.to_owned(), order.parent.to_string(), order.memory_bytes.to_string(), order.cpu_seconds.to_string()]
}

/// The arguments after the marker.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    parent: u32,
    memory_bytes: u64,
    cpu_seconds: u64,
}

impl Order {
    fn of(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
        let (parent, memory_bytes, cpu_seconds) = (number()?, number()?, number()?);
        Some(Self { parent: u32::try_from(parent).ok()?, memory_bytes, cpu_seconds })
    }
}

fn work(
    arguments: impl Iterator<Item = OsString>,
    handler: impl FnOnce(&[Vec<u8>]) -> Result<Vec<u8>, String>,
) -> Result<(), String> {
    let order = Order::of(arguments).ok_or("these are no arguments of a worker")?;
    limit_self(&order)?;
    let (nonce, pieces) =
        frame::read_request(&mut io::stdin().lock()).map_err(|error| format!("the request cannot be read: {error}"))?;
    let (status, payload) = answer(handler, &pieces);
    let mut output = io::stdout().lock();
    let head = frame::reply_head(&nonce, status, &payload);
    let mut write = || {
        output.write_all(&head)?;
        output.write_all(&payload)?;
        output.flush()
    };
    write().map_err(|error| format!("the reply cannot be written: {error}"))
}

fn answer(handler: impl FnOnce(&[Vec<u8>]) -> Result<Vec<u8>, String>, pieces: &[Vec<u8>]) -> (Status, Vec<u8>) {
    let text = Arc::new(Mutex::new(String::new()));
    // Where a panic aborts there is no reply, and the hook that is there already says why.
    if cfg!(panic = "unwind") {
        let text = text.clone();
        panic::set_hook(Box::new(move |panic| {
            *text.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }));
    }
    match panic::catch_unwind(AssertUnwindSafe(|| handler(pieces))) {
        Ok(Ok(bytes)) => (Status::Done, bytes),
        Ok(Err(text)) => (Status::Refused, shortened(&text)),
        Err(_) => (Status::Panicked, shortened(&text.lock().unwrap_or_else(PoisonError::into_inner))),
    }
}

/// As much of `text` as a reply may carry.
fn shortened(text: &str) -> Vec<u8> {
    text.as_bytes()[..text.floor_char_boundary(TEXT)].to_vec()
}

/// Gives up what a compiler does not need. Whatever cannot be given up is an error; only Landlock is where the kernel
/// has it.
fn limit_self(order: &Order) -> Result<(), String> {
    #[cfg(target_os = "linux")]
    linux::confine(order)?;
    lower(MEMORY, order.memory_bytes, order.memory_bytes)?;
    // The first limit is a signal that tells what happened, the second one kills.
    lower(Resource::Cpu, order.cpu_seconds, order.cpu_seconds.saturating_add(1))?;
    lower(Resource::Core, 0, 0)?;
    // Of files; pipes have no size.
    lower(Resource::Fsize, 0, 0)?;
    lower(Resource::Nofile, FILES, FILES)?;
    Ok(())
}

/// Sets both limits of `resource`, or leaves those that are lower already.
fn lower(resource: Resource, soft: u64, hard: u64) -> Result<(), String> {
    let now = getrlimit(resource);
    let least = |now: Option<u64>, most: u64| Some(now.map_or(most, |now| now.min(most)));
    let limit = Rlimit { current: least(now.current, soft), maximum: least(now.maximum, hard) };
    setrlimit(resource, limit).map_err(|error| format!("the limit {resource:?} cannot be set: {error}"))
}

#[cfg(target_os = "linux")]
mod linux {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, Scope};
    use rustix::{
        process::{Pid, Signal, getppid, set_parent_process_death_signal},
        thread::set_no_new_privs,
    };

    use super::Order;

    /// Ties the process to its parent, and takes its rights away.
    pub(super) fn confine(order: &Order) -> Result<(), String> {
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| format!("the parent's death cannot be a signal: {error}"))?;
        // It may have died before that.
        if getppid().map(Pid::as_raw_pid).and_then(|parent| u32::try_from(parent).ok()) != Some(order.parent) {
            return Err("the parent is gone".into());
        }
        set_no_new_privs(true).map_err(|error| format!("privileges cannot be given up: {error}"))?;
        landlock().map_err(|error| format!("Landlock refuses: {error}"))
    }

    /// Denies all that the kernel's Landlock can deny: a set of rules with no rule in it.
    fn landlock() -> Result<(), RulesetError> {
        let newest = ABI::V10;
        Ruleset::default()
            .handle_access(AccessFs::from_all(newest))?
            .handle_access(AccessNet::from_all(newest))?
            .scope(Scope::from_all(newest))?
            .create()?
            .restrict_self()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn limits_become_arguments_and_back() {
        for (time, cpu_seconds) in [(0, 1), (1, 2), (999, 2), (1000, 2), (1001, 3), (10_000, 11)] {
            let limits = CompileLimits { time: Duration::from_millis(time), memory_bytes: 5 };
            let [marker, rest @ ..] = arguments(limits);
            assert_eq!(marker, MARKER);
            let order = Order::of(rest.into_iter().map(Into::into));
            assert_eq!(order, Some(Order { parent: process::id(), memory_bytes: 5, cpu_seconds }), "{time} ms");
        }
        assert_eq!(Order::of(["1", "2"].into_iter().map(Into::into)), None);
        assert_eq!(Order::of(["1", "2", "x"].into_iter().map(Into::into)), None);
    }

    #[test]
    fn a_text_is_shortened_between_characters() {
        assert_eq!(shortened("short"), b"short");
        let long = format!("x{}", "é".repeat(TEXT));
        assert_eq!(shortened(&long).len(), TEXT - 1);
        assert!(std::str::from_utf8(&shortened(&long)).is_ok());
    }
}
