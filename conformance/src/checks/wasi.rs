//! WASI without an outside: the same bytes and the same fuel on every backend, whatever a guest tries.

use hotcell_core::{CallError, Contract, LoadError, Phase, Plugin, Reply, Rules, admit::COMMAND};
use hotcell_wasi::WasiConfig;

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, ensure, ensure_eq},
    fixture::{Fixture, policy, wasm},
    guests,
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "wasi.streams",
            "A program copies standard input to standard output through lists of buffers, and writes to standard error.",
            streams::<B>,
        ),
        Check::mandatory(
            "wasi.same",
            "Clocks, random numbers and fuel are numbers that do not depend on the backend.",
            same::<B>,
        ),
        Check::mandatory(
            "wasi.exit",
            "A guest that exits in any call ends that call, with its exit code, in its phase.",
            exit::<B>,
        ),
        Check::mandatory(
            "wasi.hostile",
            "Endless sleep, 4 GiB of random bytes, lists of huge buffers and games with descriptors end well or by fuel.",
            hostile::<B>,
        ),
        Check::mandatory("wasi.unpaid", "What a guest cannot pay for is not done.", unpaid::<B>),
    ]
}

fn load<B: BackendUnderTest>(
    wasm: &[u8],
    contract: &Contract,
    change: impl FnOnce(&mut Rules),
) -> Result<Plugin<B>, Failure> {
    let fixture = Fixture::<B>::on(policy(change))?;
    let mut imports = fixture.imports::<()>();
    hotcell_wasi::offer(&mut imports, WasiConfig::sandbox())?;
    let loaded: Result<_, LoadError> = fixture.load_with(wasm, &imports, contract);
    Ok(loaded?)
}

/// A program with this body, over the functions that these checks use.
fn program(start: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func $write (param $fd i32) (param $at i32) (param $len i32)
                (i32.store (i32.const 0) (local.get $at))
                (i32.store (i32.const 4) (local.get $len))
                (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then (unreachable)))
                (if (i32.ne (i32.load (i32.const 8)) (local.get $len)) (then (unreachable))))
            (func (export "_start") {start}))"#
    ))
}

fn run<B: BackendUnderTest>(start: &str, input: &[u8]) -> Result<Reply, Failure> {
    Ok(load::<B>(&program(start), &Contract::Command, |_| ())?.call(COMMAND, input)?)
}

fn streams<B: BackendUnderTest>() -> Outcome {
    // Two buffers, of five and of three bytes.
    const CAT: &str = "
        (i32.store (i32.const 16) (i32.const 1024)) (i32.store (i32.const 20) (i32.const 5))
        (i32.store (i32.const 24) (i32.const 1029)) (i32.store (i32.const 28) (i32.const 3))
        (loop $next
            (if (call $fd_read (i32.const 0) (i32.const 16) (i32.const 2) (i32.const 12)) (then (unreachable)))
            (if (i32.load (i32.const 12))
                (then (call $write (i32.const 1) (i32.const 1024) (i32.load (i32.const 12))) (br $next))))
        (i32.store8 (i32.const 1024) (i32.const 33))
        (call $write (i32.const 2) (i32.const 1024) (i32.const 1))";
    for input in [&b""[..], b"hello", b"a longer text than one list of buffers holds"] {
        let reply = run::<B>(CAT, input)?;
        ensure_eq!(reply.bytes, input);
        ensure_eq!(reply.report.output.stderr, b"!");
    }
    Ok(())
}

fn same<B: BackendUnderTest>() -> Outcome {
    let reply = run::<B>(
        "(drop (call $clock (i32.const 0) (i64.const 1) (i32.const 1024)))
        (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 1032)))
        (drop (call $random (i32.const 1040) (i32.const 8)))
        (call $write (i32.const 1) (i32.const 1024) (i32.const 24))",
        b"",
    )?;
    let number =
        |at: usize| reply.bytes.get(at..at + 8).and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
    ensure_eq!((number(0), number(8)), (Some(1_000), Some(2_000)));
    ensure_eq!(number(16), Some(RANDOM));
    ensure_eq!(reply.report.usage.fuel_used, Some(FUEL));
    ensure_eq!(reply.report.usage.host_calls, 4);
    Ok(())
}

/// The first eight bytes of ChaCha with the seed 0.
const RANDOM: u64 = 6_050_961_064_690_644_123;
/// What `same` uses.
const FUEL: u64 = 110;

fn exit<B: BackendUnderTest>() -> Outcome {
    let verdict = |error: &CallError| (error.code(), error.phase);
    ensure_eq!(run::<B>("(call $exit (i32.const 0)) (unreachable)", b"")?.bytes, b"");
    let plugin = load::<B>(&program("(call $exit (i32.const 3)) (unreachable)"), &Contract::Command, |_| ())?;
    let error = plugin.call(COMMAND, b"").denied()?;
    ensure_eq!(verdict(&error), ("guest-exit", Phase::Call));
    for (place, phase) in
        [("initialize", Phase::Instantiate), ("version", Phase::Abi), ("alloc", Phase::Alloc), ("process", Phase::Call)]
    {
        let exit = |here: &str| if here == place { "(call $exit (i32.const 0))" } else { "" };
        let wasm = wasm(&format!(
            r#"(module
                (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func (export "_initialize") {})
                (func (export "__hotcell_abi_version") (result i32) {} (i32.const 1))
                (func (export "alloc") (param i32) (result i32) {} (i32.const 1024))
                (func (export "process") (param i32 i32) (result i64) {} (i64.const 0)))"#,
            exit("initialize"),
            exit("version"),
            exit("alloc"),
            exit("process"),
        ));
        let plugin = load::<B>(&wasm, &Contract::bytes("process"), |_| ())?;
        ensure_eq!(verdict(&plugin.call("process", b"input").denied()?), ("guest-exit", phase), "{place}");
    }
    Ok(())
}

fn hostile<B: BackendUnderTest>() -> Outcome {
    let ends: [(&str, &[u8]); 3] = [
        ("196-wasi-random-4gib", b"well"),
        // It has slept, and has the number of events in place of its input.
        ("197-wasi-poll-forever", &[1, 0, 0, 0]),
        ("199-wasi-fd-games", b"well"),
    ];
    for (id, expected) in ends {
        let Some(guest) = guests::guest(id) else { return Err(Failure::new(id)) };
        let plugin = load::<B>(&guest.wasm(), &Contract::bytes("process"), |_| ())?;
        ensure_eq!(plugin.call("process", b"well")?.bytes, expected, "{id}");
    }
    // As many buffers as there are, each all of the memory; and more than there may be.
    let bomb = "(local $at i32)
        (loop $next
            (i32.store offset=4 (local.get $at) (i32.const 65536))
            (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 8192))))
        (local.set $at (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1025) (i32.const 16384)))
        (if (i32.eqz (local.get $at)) (then (unreachable)))
        (loop $again
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 16384)))
            (br $again))";
    let plugin = load::<B>(&program(bomb), &Contract::Command, |rules| rules.limits.fuel = Some(50_000_000))?;
    let error = plugin.call(COMMAND, b"").denied()?;
    ensure_eq!(error.code(), "out-of-fuel");
    let output = &error.report.output;
    ensure!(output.stdout.len() as u64 <= plugin.policy().rules().limits.output_bytes && output.dropped_stdout > 0);
    Ok(())
}

fn unpaid<B: BackendUnderTest>() -> Outcome {
    let random = "(drop (call $random (i32.const 0) (i32.const 65536)))";
    let plugin = load::<B>(&program(random), &Contract::Command, |rules| rules.limits.fuel = Some(1_000))?;
    let error = plugin.call(COMMAND, b"").denied()?;
    ensure_eq!((error.code(), error.report.usage.fuel_used), ("out-of-fuel", Some(1_000)));
    Ok(())
}
