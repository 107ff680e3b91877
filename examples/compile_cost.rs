//! The cost of compiling at the caps of `strict`: the evidence for its numbers.
//!
//! ```text
//! cargo run --release --example compile_cost [wasmtime|wasmi] [words of a row's name]
//! ```
//!
//! For each cap, a module of at most 256 KiB at that cap; then attacks, which combine caps, as large as `strict` admits
//! in 256 KiB; then those that scale with the module, at its full size. Every module compiles in its own process, which
//! is killed after a minute or at four gigabytes. The target is two seconds and 512 MiB for a module of 256 KiB.
//!
//! Time is processor time, and memory the peak of resident memory over what the process had before. Both are read from
//! `/proc`: on Linux only.

#[path = "compile_cost/attacks.rs"]
mod attacks;
use std::{
    env,
    error::Error,
    fs,
    io::{self, Read, Write},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hotcell::{Contract, Policy, Sandbox, admit, backend::Backend};

use attacks::{ATTACKS, Attack};
use hotcell_conformance::modules::{GENERATORS, cap, first, offered};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// Bytes of a module to which the target applies.
const SMALL: usize = 256 * KIB;

/// Attacks that are also measured at the full size of a module, because their cost only scales with it.
const FULL: &[&str] = &["calls", "loads and stores", "functions with a loop", "functions with a bit of everything"];

/// The target.
const MOST_SECONDS: f64 = 2.0;
const MOST_MEMORY: u64 = 512 << 20;

/// Limits at which a compilation is killed.
const PATIENCE: Duration = Duration::from_secs(60);
const ENDURANCE: u64 = 4 << 30;

/// The first argument of a process that compiles its input and prints the cost.
const CHILD: &str = "--compile";

fn main() -> Result<(), Box<dyn Error>> {
    if cfg!(not(target_os = "linux")) {
        return Err("compile_cost reads /proc, which only Linux has".into());
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((child, backend)) if child == CHILD => return compile(&backend.concat()),
        Some((backend, words)) => table(backend, &words.join(" ")),
        None => table("wasmtime", ""),
    }
    Ok(())
}

fn table(backend: &str, words: &str) {
    println!("   seconds       MiB  s per MiB    KiB  module on {backend}");
    let mut missed = 0;
    for row in rows().filter(|row| row.name.contains(words)) {
        let module = (row.build)();
        let cost = cost_of(&module, backend);
        let is_missed = module.len() <= SMALL && !cost.is_within_target();
        missed += u32::from(is_missed);
        let flag = if is_missed { '!' } else { ' ' };
        println!("{flag}{} {:>7}  {}", cost.columns(module.len()), module.len() / KIB, row.name);
    }
    println!("{missed} of at most 256 KiB take more than {MOST_SECONDS} s or {} MiB", MOST_MEMORY >> 20);
}

/// One measured module.
struct Row {
    name: String,
    build: Box<dyn Fn() -> Vec<u8>>,
}

fn rows() -> impl Iterator<Item = Row> {
    let at_caps = GENERATORS.iter().map(|(key, word, build)| Row {
        name: format!("{key} {word}"),
        build: Box::new(|| {
            let policy = Policy::strict();
            first((0..=cap(&policy, key)).rev(), *build, &policy).unwrap_or_default().1
        }),
    });
    let attack = |attack: &'static Attack, most_bytes| move || attack.module(&Policy::strict(), most_bytes);
    let small = ATTACKS.iter().map(move |it| Row { name: it.name.to_owned(), build: Box::new(attack(it, SMALL)) });
    let full = ATTACKS.iter().filter(|attack| FULL.contains(&attack.name));
    let full = full.map(move |it| Row { name: format!("{}, 4 MiB", it.name), build: Box::new(attack(it, 4 * MIB)) });
    at_caps.chain(small).chain(full)
}

/// The cost of one compilation.
enum Cost {
    Measured { seconds: f64, memory: u64 },
    GivenUp { seconds: f64, memory: u64 },
    Failed { reason: String },
}

impl Cost {
    fn is_within_target(&self) -> bool {
        matches!(self, Self::Measured { seconds, memory } if *seconds <= MOST_SECONDS && *memory <= MOST_MEMORY)
    }

    /// Seconds, MiB and seconds per MiB of a module of `length` bytes.
    fn columns(&self, length: usize) -> String {
        let line = |sign, seconds: f64, memory: u64| {
            let per_mib = seconds * MIB as f64 / length as f64;
            format!("{sign}{seconds:>8.2} {sign}{:>8}  {sign}{per_mib:>8.2}", memory >> 20)
        };
        match self {
            Self::Measured { seconds, memory } => line(' ', *seconds, *memory),
            Self::GivenUp { seconds, memory } => line('>', *seconds, *memory),
            Self::Failed { reason } => reason.clone(),
        }
    }
}

/// Compiles `module` in another process.
fn cost_of(module: &[u8], backend: &str) -> Cost {
    match in_child(module, backend) {
        Ok(cost) => cost,
        Err(error) => Cost::Failed { reason: error.to_string() },
    }
}

fn in_child(module: &[u8], backend: &str) -> io::Result<Cost> {
    let mut command = Command::new(env::current_exe()?);
    let mut child = command.args([CHILD, backend]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(module)?;
    }
    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        let memory = status(&child.id().to_string(), "VmRSS:");
        if begin.elapsed() > PATIENCE || memory > ENDURANCE {
            child.kill()?;
            child.wait()?;
            return Ok(Cost::GivenUp { seconds: begin.elapsed().as_secs_f64(), memory });
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(match text.split_once(' ').and_then(|(s, m)| Some((s.parse().ok()?, m.parse().ok()?))) {
        Some((seconds, memory)) => Cost::Measured { seconds, memory },
        None => Cost::Failed { reason: format!("{} {text}", output.status) },
    })
}

/// Compiles standard input, and prints seconds and bytes.
fn compile(backend: &str) -> Result<(), Box<dyn Error>> {
    let mut module = Vec::new();
    io::stdin().read_to_end(&mut module)?;
    match backend {
        "wasmi" => compile_on::<hotcell::Wasmi>(&module),
        _ => compile_on::<hotcell::Wasmtime>(&module),
    }
}

fn compile_on<B: Backend>(module: &[u8]) -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::<B>::on(Policy::strict())?;
    let admitted = admit(module, sandbox.policy(), &offered(sandbox.policy()), &Contract::None)?;
    let (seconds, memory) = (processor_seconds(), status("self", "VmHWM:"));
    let _compiled = sandbox.backend().compile(&admitted)?;
    println!("{} {}", processor_seconds() - seconds, status("self", "VmHWM:") - memory);
    Ok(())
}

/// Processor time of this thread in seconds: other processes do not count.
fn processor_seconds() -> f64 {
    let nanoseconds = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    nanoseconds.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

/// A number of bytes from a process's status; 0 if absent.
fn status(process: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
