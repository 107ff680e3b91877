//! The parent's side.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{self, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hotcell_wasmtime::worker::{CompileLimits, CompileWorker, Failed};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn run(worker: &CompileWorker, request: &[&[u8]]) -> Result<Vec<u8>, Failed> {
    worker.run(request)
}

const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

macro_rules! checks {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, fn())] = &[$((stringify!($name), $name)),*];
    };
}

checks![
    an_echo_comes_back,
    large_requests_and_replies_pass,
    eight_jobs_run_at_once,
    sleeping_ends_at_the_deadline,
    spinning_ends_at_the_deadline,
    a_child_that_never_reads_ends_at_the_deadline,
    a_limit_that_was_inherited_is_not_ours,
    allocating_without_end_is_memory,
    the_address_space_is_limited,
    a_hundred_mebibytes_are_within_a_gibibyte,
    a_panic_or_a_refusal_for_want_of_memory_is_memory,
    an_abort_a_panic_and_an_overflow_are_crashes,
    exits_and_kills_are_crashes,
    a_silent_exit_is_garbage,
    output_that_is_no_reply_is_garbage,
    a_forged_reply_is_garbage,
    a_reply_that_is_announced_is_not_allocated,
    writing_without_end_is_stopped,
    a_closed_output_ends_the_child,
    a_refusal_is_the_handlers_text_and_short,
    errors_are_escaped_and_short,
    much_on_the_error_stream_blocks_nobody,
    the_limits_are_set,
    the_environment_is_empty,
    no_file_is_opened,
    landlock_denies_what_needs_no_descriptor,
    no_socket_is_made,
    no_program_is_started,
    a_worker_has_no_workers,
    other_programs_are_no_workers,
    a_worker_that_cannot_be_tied_to_its_parent_does_not_work,
    a_child_dies_with_its_parent,
    the_parents_memory_stays_flat,
    no_child_is_left,
];

fn worker() -> CompileWorker {
    CompileWorker::this_program().unwrap()
}

fn limited(time: Duration, memory_bytes: u64) -> CompileWorker {
    worker().with_limits(CompileLimits { time, memory_bytes })
}

fn job(job: &str, input: impl AsRef<[u8]>) -> Result<Vec<u8>, Failed> {
    run(&worker(), &[job.as_bytes(), input.as_ref()])
}

#[track_caller]
fn crashed(result: Result<Vec<u8>, Failed>) -> String {
    match result {
        Err(Failed::Crashed(how)) => how,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(result: Result<Vec<u8>, Failed>) -> String {
    match result {
        Err(Failed::Refused(text)) => text,
        other => panic!("{:?}", other.map(|bytes| bytes.len())),
    }
}

#[track_caller]
fn garbage(result: Result<Vec<u8>, Failed>) -> &'static str {
    match result {
        Err(Failed::Garbage(why)) => why,
        other => panic!("{:?}", other.map(|bytes| bytes.len())),
    }
}

/// Ends between `least` and three seconds later, also on a machine that is busy.
#[track_caller]
fn takes<R>(least: Duration, f: impl FnOnce() -> R) -> R {
    let begin = Instant::now();
    let result = f();
    let time = begin.elapsed();
    assert!(least <= time && time < least + 3 * SECOND, "{time:?}");
    result
}

fn an_echo_comes_back() {
    assert_eq!(job("echo", b"hello").unwrap(), b"hello");
    assert_eq!(job("echo", b"").unwrap(), b"");
    // The pipe is closed after the request: the parent would not sleep otherwise.
    assert_eq!(job("rest of the input", b"").unwrap(), b"");
    let pieces: [&[u8]; 4] = [b"lengths", b"", b"x", &[0; 200]];
    assert_eq!(run(&worker(), &pieces).unwrap(), [7, 0, 1, 200]);
    assert_eq!(refused(run(&worker(), &[])), "two pieces, please");
}

fn large_requests_and_replies_pass() {
    let large: Vec<u8> = (0..20 << 20).map(|at: u32| (at / 7) as u8).collect();
    assert!(job("echo", &large).unwrap() == large);
    assert_eq!(job("reply", "20971520").unwrap(), vec![7; 20 << 20]);
    // A child that has stopped reading is heard all the same.
    let shell = script("exec <&-; sleep 0.2; echo \"cannot read\" >&2; exit 3");
    assert_eq!(crashed(run(&CompileWorker::program(shell), &[&large])), "exit status: 3: cannot read");
}

fn eight_jobs_run_at_once() {
    takes(SECOND, || {
        thread::scope(|scope| {
            for number in 0..8_u8 {
                scope.spawn(move || {
                    let large = vec![number; 1 << 20];
                    assert!(job("echo", &large).unwrap() == large);
                    let result = run(&limited(SECOND, 1 << 30), &[b"sleep", b""]);
                    assert!(matches!(result, Err(Failed::Waited { .. })), "{result:?}");
                });
            }
        });
    });
}

fn sleeping_ends_at_the_deadline() {
    let result = takes(SECOND / 2, || run(&limited(SECOND / 2, 1 << 30), &[b"sleep", b""]));
    assert!(matches!(result, Err(Failed::Waited { used }) if used < SECOND / 4), "{result:?}");
    assert!(matches!(run(&limited(Duration::ZERO, 1 << 30), &[b"echo", b""]), Err(Failed::Time)));
    assert!(run(&limited(Duration::MAX, 1 << 30), &[b"echo", b""]).is_ok());
}

fn spinning_ends_at_the_deadline() {
    let result = takes(SECOND / 2, || run(&limited(SECOND / 2, 1 << 30), &[b"spin", b""]));
    // Who else wants a processor has some of its time.
    let has_spun = match result {
        Err(Failed::Time) => true,
        Err(Failed::Waited { used }) => used > SECOND / 50,
        _ => false,
    };
    assert!(has_spun, "{result:?}");
}

fn a_child_that_never_reads_ends_at_the_deadline() {
    let limits = CompileLimits { time: SECOND / 2, ..CompileLimits::default() };
    let worker = CompileWorker::program(script("exec sleep 5")).with_limits(limits);
    let result = takes(SECOND / 2, || run(&worker, &[&[0; 20 << 20]]));
    assert!(matches!(result, Err(Failed::Waited { .. })), "{result:?}");
}

/// In processes with lower limits than a worker's.
fn a_limit_that_was_inherited_is_not_ours() {
    for (limit, means) in INHERITED {
        let mut parent = Command::new(env::current_exe().unwrap());
        let output = parent.args(["--limited", limit]).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(means), "{limit}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The limit of such a process, and what a job in it that is not limited otherwise says.
const INHERITED: [(&str, &str); 4] = [
    ("processor time", "more than 1s of processor time, the limit that this process was started with"),
    ("processor time for good", "more than 1s of processor time, the limit that this process was started with"),
    ("address space", "more than 268435456 bytes of memory, the limit that this process was started with"),
    ("data", "more than 268435456 bytes of memory, the limit that this process was started with"),
];

/// What such a process does.
pub(crate) fn work_limited(what: &str) {
    let set = |resource, current, maximum| setrlimit(resource, Rlimit { current: Some(current), maximum }).unwrap();
    let long = limited(60 * SECOND, 1 << 30);
    let result = match what {
        "processor time" => {
            set(Resource::Cpu, 1, getrlimit(Resource::Cpu).maximum);
            run(&long, &[b"spin", b""])
        }
        "processor time for good" => {
            set(Resource::Cpu, 1, Some(1));
            run(&long, &[b"spin", b""])
        }
        "address space" => {
            set(Resource::As, 256 * MIB, getrlimit(Resource::As).maximum);
            run(&long, &[b"leak", b""])
        }
        _ => {
            set(Resource::Data, 256 * MIB, getrlimit(Resource::Data).maximum);
            run(&long, &[b"leak", b""])
        }
    };
    println!("{}", result.map(|_| "it worked".to_owned()).unwrap_or_else(|failed| failed.to_string()));
}

fn allocating_without_end_is_memory() {
    let result = run(&limited(10 * SECOND, 256 * MIB), &[b"leak", b""]);
    assert!(matches!(result, Err(Failed::Memory)), "{result:?}");
}

/// Asks for address space and does not touch it, so that a machine without the limit survives this.
fn the_address_space_is_limited() {
    let ask = |bytes: u64| run(&limited(10 * SECOND, 256 * MIB), &[b"try to allocate", bytes.to_string().as_bytes()]);
    assert!(ask(200 * MIB).is_ok());
    refused(ask(256 * MIB));
}

fn a_hundred_mebibytes_are_within_a_gibibyte() {
    assert_eq!(job("allocate", (100 * MIB).to_string()).unwrap(), [1]);
}

fn a_panic_or_a_refusal_for_want_of_memory_is_memory() {
    for text in ["memory allocation of 5 bytes failed", "mmap failed: Cannot allocate memory (os error 12)"] {
        for how in ["panic", "refuse"] {
            let result = job(how, text);
            assert!(matches!(result, Err(Failed::Memory)), "{result:?}");
        }
    }
    assert!(crashed(job("panic", "register allocation failed")).contains("register allocation"));
}

fn an_abort_a_panic_and_an_overflow_are_crashes() {
    assert_eq!(crashed(job("abort", "")), "signal: 6 (SIGABRT)");
    let panic = crashed(job("panic", "at the\nlast"));
    assert!(panic.contains("handler.rs") && panic.contains("at the\\nlast"), "{panic}");
    assert!(crashed(job("panic", "x".repeat(1 << 20))).len() < 5000);
    let overflow = crashed(job("overflow", ""));
    assert!(overflow.contains("overflowed its stack"), "{overflow}");
}

fn exits_and_kills_are_crashes() {
    assert_eq!(crashed(job("exit", "7")), "exit status: 7");
    assert_eq!(crashed(job("signal", "KILL")), "signal: 9 (SIGKILL)");
    assert!(crashed(job("signal", "XCPU")).contains("SIGXCPU"), "somebody sent it: no limit was reached");
}

fn a_silent_exit_is_garbage() {
    assert_eq!(garbage(job("exit", "0")), "there is none");
}

fn output_that_is_no_reply_is_garbage() {
    assert_eq!(garbage(job("print", "compiling ...\n")), "it does not begin like a reply");
    assert_eq!(garbage(job("forge", "HC")), "it ends too early");
}

/// The head of a reply with a MAC that is wrong.
fn forged(length: u64) -> Vec<u8> {
    [&b"HCr1\0"[..], &length.to_le_bytes(), &[0; 32]].concat()
}

fn a_forged_reply_is_garbage() {
    assert_eq!(garbage(job("forge", [&forged(3)[..], b"abc"].concat())), "its MAC is wrong");
    assert_eq!(garbage(job("forge", [&forged(3)[..], b"ab"].concat())), "it ends too early");
    assert_eq!(garbage(job("forge", forged(u64::MAX))), "it is longer than it may be");
}

fn a_reply_that_is_announced_is_not_allocated() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmHWM");
    let result = run(&limited(SECOND / 2, 1 << 30), &[b"forge and sleep", &forged(1 << 30)]);
    assert!(matches!(result, Err(Failed::Waited { .. })), "{result:?}");
    let grown = status("VmHWM") - before;
    assert!(grown < 4096, "{grown} KiB");
}

fn writing_without_end_is_stopped() {
    takes(Duration::ZERO, || {
        assert_eq!(garbage(job("endless", "garbage")), "it does not begin like a reply");
        let limited = limited(10 * SECOND, 32 * MIB);
        assert_eq!(garbage(run(&limited, &[b"endless", &forged(32 * MIB)])), "its MAC is wrong");
    });
}

fn a_closed_output_ends_the_child() {
    assert_eq!(takes(Duration::ZERO, || garbage(job("close", ""))), "there is none");
}

fn a_refusal_is_the_handlers_text_and_short() {
    assert_eq!(refused(job("refuse", "invalid\nmodule")), "invalid\nmodule");
    assert_eq!(job("refuse", "\u{1b}[31m").unwrap_err().to_string(), "\\u{1b}[31m");
    assert_eq!(refused(job("refuse at length", "")), "é".repeat(2048));
    assert_eq!(garbage(job("forge", [b"HCr1\x01", &forged(5000)[5..]].concat())), "it is longer than it may be");
}

fn errors_are_escaped_and_short() {
    let crash = crashed(job("complain and abort", "\u{1b}[31mred\n\u{7}"));
    assert_eq!(crash, "signal: 6 (SIGABRT): \\u{1b}[31mred\\n\\u{7}");
    let crash = crashed(job("complain and abort", "x".repeat(1 << 20)));
    assert!((4096..4200).contains(&crash.len()), "{}", crash.len());
}

fn much_on_the_error_stream_blocks_nobody() {
    assert_eq!(takes(Duration::ZERO, || refused(job("complain", "100000"))), "done");
}

fn the_limits_are_set() {
    // Where it is 0 already, the child has nothing to lower.
    let core = getrlimit(Resource::Core);
    setrlimit(Resource::Core, Rlimit { current: core.maximum, ..core }).unwrap();
    let limits = run(&limited(SECOND * 3 / 2, 512 * MIB), &[b"limits", b""]).unwrap();
    assert_eq!(String::from_utf8_lossy(&limits), "[536870912, 3, 0, 0, 3]");
    assert_eq!(job("privileges", "").unwrap(), [1]);
}

fn the_environment_is_empty() {
    assert_eq!(job("environment", "").unwrap(), b"0 /");
}

fn no_file_is_opened() {
    assert_eq!(refused(job("read", "/etc/passwd")), "Uncategorized");
    let file = scratch("created");
    assert_eq!(refused(job("create", file.to_str().unwrap())), "Uncategorized");
    assert!(!file.exists());
}

fn landlock_denies_what_needs_no_descriptor() {
    let directory = scratch("directory");
    assert_eq!(refused(job("mkdir", directory.to_str().unwrap())), "PermissionDenied");
    assert!(!directory.exists());
}

fn no_socket_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    refused(job("connect", listener.local_addr().unwrap().to_string()));
    refused(job("udp", ""));
}

fn no_program_is_started() {
    refused(job("start", "/bin/true"));
}

fn a_worker_has_no_workers() {
    assert!(refused(job("nest", "")).contains("does not serve"));
}

fn other_programs_are_no_workers() {
    let program = |path: &str| run(&CompileWorker::program(path), &[b"echo", &[0; 1 << 20]]);
    assert!(matches!(program("/nowhere/hotcell"), Err(Failed::CannotStart(_))));
    assert!(matches!(program(""), Err(Failed::CannotStart(_))));
    assert_eq!(garbage(program("/bin/true")), "there is none");
    assert_eq!(crashed(program("/bin/false")), "exit status: 1");
}

fn a_worker_that_cannot_be_tied_to_its_parent_does_not_work() {
    let by_hand = |arguments: &[&str]| {
        let mut command = Command::new(env::current_exe().unwrap());
        let output = command.arg("--hotcell-compile-worker").args(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(by_hand(&[]), "these are no arguments of a worker\n");
    assert_eq!(by_hand(&["1", "1073741824"]), "these are no arguments of a worker\n");
    assert_eq!(by_hand(&["1", "1073741824", "11"]), "the parent is gone\n");
    let this = process::id().to_string();
    assert!(by_hand(&[&this, "1073741824", "11"]).starts_with("the request cannot be read: "));
}

fn a_child_dies_with_its_parent() {
    let mut parent = Command::new(env::current_exe().unwrap()).arg("--parent").stdin(Stdio::null()).spawn().unwrap();
    let child = wait_for(|| children(parent.id()).first().copied());
    // Until it is a worker: what it does before that ends by itself.
    wait_for(|| fs::read_to_string(format!("/proc/{child}/status")).ok()?.contains("NoNewPrivs:\t1").then_some(()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_for(|| is_gone(child).then_some(()));
}

/// What the process above does.
pub(crate) fn sleep_as_parent() -> ! {
    let result = run(&limited(60 * SECOND, 1 << 30), &[b"sleep", b""]);
    panic!("{result:?}");
}

fn the_parents_memory_stays_flat() {
    let large = vec![1; 1 << 20];
    let resident = || {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4
    };
    for _ in 0..10 {
        job("echo", &large).unwrap();
    }
    let before = resident();
    for _ in 0..200 {
        assert!(job("echo", &large).unwrap() == large);
    }
    let grown = resident() - before;
    assert!(grown < 2048, "{grown} KiB");
}

fn no_child_is_left() {
    assert_eq!(children(process::id()), [] as [u32; 0]);
}

/// Children of a process, those too that ended and were not waited for.
fn children(process: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let all: String = tasks.flatten().map(of).collect();
    all.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

/// Whether a process is there no more, or only for whoever waits for it.
fn is_gone(process: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X'])
}

#[track_caller]
fn wait_for<R>(mut what: impl FnMut() -> Option<R>) -> R {
    let begin = Instant::now();
    loop {
        if let Some(result) = what() {
            return result;
        }
        assert!(begin.elapsed() < 5 * SECOND);
        thread::sleep(SECOND / 100);
    }
}

/// A number of KiB from this process's status.
fn status(name: &str) -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|other: char| !other.is_ascii_digit()).parse().unwrap()
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", process::id()))
}

/// A program that does not serve.
fn script(text: &str) -> PathBuf {
    let path = scratch(&format!("script-{}", text.len()));
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
