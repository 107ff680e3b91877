//! The same on every backend: calls of all functions, from guests that are made for it. What Node did with the same calls is in
//! `node/recorded.txt`.

#[path = "backends/guest.rs"]
mod guest;
#[path = "backends/recorded.rs"]
mod recorded;

use std::collections::BTreeSet;

use chacha20::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use hotcell_core::{Backend, CallError, Contract, Fault, HostOptions, Loader, Policy, Reply};
use hotcell_tiered::{Options, Tiered};
use hotcell_wasi::{ScratchLimits, WasiConfig, WasiState};
use hotcell_wasmi::Wasmi;
use hotcell_wasmtime::Wasmtime;

use self::guest::{Argument, Guest};

type Both = Tiered<Wasmi, Wasmtime>;

fn policy() -> Policy {
    Policy::default().with(|rules| rules.abi = None).unwrap()
}

fn run<B: Backend>(options: &B::Options, wasm: &[u8], config: &WasiConfig, input: &[u8]) -> Result<Reply, CallError> {
    let host = HostOptions { slice: 1_000, ..HostOptions::default() };
    let loader = Loader::<B>::new(policy(), &host, options).unwrap();
    let mut imports = loader.imports::<()>();
    hotcell_wasi::offer(&mut imports, config.clone()).unwrap();
    let plugin = loader.load(wasm, &imports, &Contract::Command).unwrap();
    plugin.call("_start", input)
}

/// Bytes, standard error and fuel of a command that ends well on each backend, which must be the same.
fn run_on_all(text: &str, config: &WasiConfig, input: &[u8]) -> Vec<u8> {
    let wasm = wat::parse_str(text).unwrap();
    let tiered = Options { begins_on_first: true, ..Options::default() };
    let replies = [
        run::<Wasmtime>(&Default::default(), &wasm, config, input),
        run::<Wasmi>(&Default::default(), &wasm, config, input),
        run::<Both>(&tiered, &wasm, config, input),
    ];
    let mut outcomes = replies.map(|reply| {
        let Reply { bytes, report } = reply.unwrap();
        (bytes, report.output.stderr, report.usage.fuel_used, report.usage.host_calls)
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
    std::mem::take(&mut outcomes[0].0)
}

fn config() -> WasiConfig {
    let config = WasiConfig::sandbox().args(["plugin", "x"]).unwrap().env("A", "b").unwrap().random_seed(3);
    let config = config.files("/data", [("a", "one"), ("b/c", "two")]).unwrap();
    config.scratch("/tmp", ScratchLimits { bytes: 10_000, entries: 20 }).unwrap()
}

/// Each function, with arguments of every kind.
#[test]
fn every_function_is_the_same() {
    let mut called = BTreeSet::new();
    for seed in 0..6 {
        let mut random = ChaCha12Rng::from_seed([seed; 32]);
        let mut guest = Guest::default();
        for _ in 0..300 {
            let (name, types) = guest::FUNCTIONS[random.next_u32() as usize % guest::FUNCTIONS.len()];
            let arguments: Vec<Argument> = types.chars().map(|ty| guest::any(ty, &mut random)).collect();
            // Standard output is needed in the end.
            let first = arguments.first().map(|argument| argument.number());
            let second = arguments.get(1).map(|argument| argument.number());
            match name {
                "proc_exit" => continue,
                "fd_close" | "fd_renumber" | "fd_fdstat_set_rights" if first == Some(1) => continue,
                "fd_renumber" if second == Some(1) => continue,
                _ => guest.call(name, types, &arguments),
            }
            called.insert(name);
        }
        let bytes = run_on_all(&guest.text(true), &config(), b"standard input");
        let log = &bytes[..guest::RECORD * guest.calls()];
        let well = log.chunks_exact(guest::RECORD).filter(|record| record[..4] == [0; 4]).count();
        assert!(well > 20, "{well} calls did something");
    }
    assert_eq!(called.len(), 45, "all but proc_exit");
}

/// What programs may rely on is what another host does.
#[test]
fn what_node_does() {
    let mut different = Vec::new();
    for sequence in recorded::sequences(include_str!("node/recorded.txt")) {
        let mut guest = Guest::default();
        sequence.iter().for_each(|step| guest.call(&step.name, &step.types, &step.arguments));
        let limits = ScratchLimits { bytes: 1 << 20, entries: 1000 };
        let config = WasiConfig::sandbox().scratch("/", limits).unwrap();
        let bytes = run_on_all(&guest.text(false), &config, b"");
        for (index, (step, record)) in sequence.iter().zip(bytes.chunks_exact(guest::RECORD)).enumerate() {
            let outcome = recorded::outcome(&step.name, record);
            // Node takes a descriptor that nobody has opened for itself.
            let is_itself = step.name == "fd_renumber" && step.arguments[0].number() == step.arguments[1].number();
            if outcome != step.outcome && !is_itself {
                let recorded::Step { sequence, line, outcome: expected, .. } = step;
                different.push(format!("sequence {sequence}, step {index}: {line}: {outcome:?}, not {expected:?}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn text(imports: &str, body: &str) -> String {
    let functions = guest::FUNCTIONS.iter().filter(|(name, _)| imports.split(' ').any(|import| import == *name));
    let imports: String = functions.map(|(name, types)| guest::import(name, types)).collect();
    format!(r#"(module {imports} (memory (export "memory") 1) (func (export "_start") {body}))"#)
}

#[test]
fn standard_input_comes_back() {
    let body = r#"
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 5))
        (loop $more
            (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
            (i32.store (i32.const 8) (i32.const 64))
            (i32.store (i32.const 12) (i32.load (i32.const 16)))
            (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 20)))
            (drop (call $fd_write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 20)))
            (br_if $more (i32.load (i32.const 16))))"#;
    let text = text("fd_read fd_write", body);
    assert_eq!(run_on_all(&text, &WasiConfig::sandbox(), b"hello, world"), b"hello, world");
    let reply =
        run::<Wasmi>(&Default::default(), &wat::parse_str(text).unwrap(), &WasiConfig::sandbox(), b"abc").unwrap();
    assert_eq!(reply.report.output.stderr, b"abc");
}

#[test]
fn a_guest_ends_with_its_code() {
    for code in [0, 1, 77, 300] {
        let text = text("proc_exit", &format!("(call $proc_exit (i32.const {code})) unreachable"));
        let wasm = wat::parse_str(text).unwrap();
        let outcomes = [
            run::<Wasmi>(&Default::default(), &wasm, &WasiConfig::sandbox(), b"").map(|_| ()),
            run::<Wasmtime>(&Default::default(), &wasm, &WasiConfig::sandbox(), b"").map(|_| ()),
        ];
        for outcome in outcomes {
            match outcome {
                Ok(()) => assert_eq!(code, 0),
                Err(CallError { fault: Fault::GuestExit { code: found }, .. }) => assert_eq!(found, code),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A sleep on the host's clock is the guest's time.
#[test]
fn nobody_sleeps_beyond_the_deadline() {
    let body = "(i64.store (i32.const 24) (i64.const -1)) (i32.store (i32.const 16) (i32.const 1))
        (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))";
    let wasm = wat::parse_str(text("poll_oneoff", body)).unwrap();
    let policy = policy().with(|rules| rules.limits.deadline = Some(std::time::Duration::from_millis(50))).unwrap();
    let loader = Loader::<Wasmi>::new(policy, &HostOptions::default(), &Default::default()).unwrap();
    for (config, is_real) in [(WasiConfig::sandbox(), false), (WasiConfig::sandbox().real_clock(), true)] {
        let mut imports = loader.imports::<()>();
        hotcell_wasi::offer(&mut imports, config).unwrap();
        let plugin = loader.load(&wasm, &imports, &Contract::Command).unwrap();
        match (plugin.call("_start", b""), is_real) {
            (Ok(_), false) | (Err(CallError { fault: Fault::DeadlineExceeded, .. }), true) => {}
            (outcome, _) => panic!("{is_real}: {:?}", outcome.map(drop).map_err(|error| error.to_string())),
        }
    }
}

/// A function ends the guest where its fuel ends, and does nothing then.
#[test]
fn fuel_ends_in_functions() {
    let wasm = wat::parse_str(text("random_get", "(drop (call $random_get (i32.const 0) (i32.const 65536)))")).unwrap();
    let fuel = |fuel| {
        let policy = policy().with(|rules| rules.limits.fuel = Some(fuel)).unwrap();
        let loader = Loader::<Wasmi>::new(policy, &HostOptions::default(), &Default::default()).unwrap();
        let mut imports = loader.imports::<()>();
        hotcell_wasi::offer(&mut imports, WasiConfig::sandbox()).unwrap();
        loader.load(&wasm, &imports, &Contract::Command).unwrap().call("_start", b"")
    };
    let used = fuel(1_000_000).unwrap().report.usage.fuel_used.unwrap();
    assert!(used > 65536 / 4);
    assert!(fuel(used).is_ok());
    assert!(matches!(fuel(used - 1), Err(CallError { fault: Fault::OutOfFuel, .. })));
}

/// The host gets what a guest leaves in its scratch directory.
#[test]
fn files_come_back() {
    let mut guest = Guest::default();
    let path = Argument::Path("made".into());
    let arguments = [
        Argument::I32(3),
        Argument::I32(0),
        path,
        Argument::I32(1),
        Argument::I64(0x42),
        Argument::I64(0),
        Argument::I32(0),
        Argument::Out,
    ];
    guest.call("path_open", "iiiiiIIii", &arguments);
    guest.call("fd_write", "iiii", &[Argument::I32(4), Argument::List(vec![3, 4]), Argument::Out]);
    let wasm = wat::parse_str(guest.text(false)).unwrap();
    let loader = Loader::<Wasmi>::new(policy(), &HostOptions::default(), &Default::default()).unwrap();
    let mut imports = loader.imports::<()>();
    let config = WasiConfig::sandbox().scratch("/", ScratchLimits { bytes: 100, entries: 2 }).unwrap();
    hotcell_wasi::offer(&mut imports, config).unwrap();
    let plugin = loader.load(&wasm, &imports, &Contract::Command).unwrap();
    let mut session = plugin.session(()).unwrap();
    session.call("_start", b"").unwrap();
    let files = session.extension::<WasiState>().take_files("/").unwrap();
    let made: Vec<u8> = (7..14).collect();
    assert_eq!(files, [(String::from("made"), made)]);
}
