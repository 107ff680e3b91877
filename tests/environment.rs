//! Environments of a sandbox: little address space, tiny default stacks, no more threads, and an embedder with extreme
//! options.

#![cfg(target_os = "linux")]

#[path = "environment/child.rs"]
mod child;
#[macro_use]
#[path = "sandbox/each_backend.rs"]
mod each_backend;
#[path = "environment/neighbours.rs"]
mod neighbours;

use std::time::Duration;

use hotcell::{
    Contract, HostOptions, Plugin, Policy, PolicyError, Rules, Sandbox, SandboxBuilder, Value, backend::Backend,
};
use hotcell_conformance::BackendUnderTest;

use self::neighbours::{a_thousand_manifests_take_nothing, pools_are_bounded};

on_each_backend! {
    backtraces_change_no_message
    little_address_space
    hardly_any_address_space
    tiny_default_stacks
    no_thread_can_be_started
    the_ends_of_what_an_embedder_may_ask_for
    a_thousand_manifests_take_nothing
    pools_are_bounded
}

/// The default policy with a change.
fn policy(change: impl FnOnce(&mut Rules)) -> Policy {
    Policy::default().with(change).unwrap()
}

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A plugin without a contract that imports nothing.
fn plugin<B: Backend>(policy: Policy, wasm: &[u8]) -> Plugin<B> {
    let sandbox = Sandbox::<B>::on(policy).unwrap();
    sandbox.load_with(wasm, &sandbox.imports(), &Contract::None).unwrap()
}

/// Whether or not backtraces are enabled.
fn backtraces_change_no_message<B: BackendUnderTest>() {
    if child::is_child() {
        for (_, message) in hotcell_conformance::messages::collect::<B>().unwrap() {
            println!("message {}", message.escape_debug());
        }
        return;
    }
    let run = |backtraces: &str| {
        let mut command = child::again(&format!("{}::backtraces_change_no_message", B::ID));
        for variable in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "WASMTIME_BACKTRACE_DETAILS"] {
            command.env(variable, backtraces);
        }
        let out = child::passes(command);
        out.lines().filter(|line| line.starts_with("message ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (without, with) = (run("0"), run("1"));
    assert!(without.len() > 100, "{}", without.len());
    assert_eq!(without, with);
}

const GUEST: &str = r#"(module
    (memory 1)
    (func $deeper (export "deeper") (call $deeper))
    (func (export "spin") (loop $again (br $again)))
    (func (export "touch") (result i32)
        (drop (memory.grow (i32.const 16)))
        (i32.store (i32.const 1000000) (i32.const 7))
        (i32.load (i32.const 1000000))))"#;

/// Every kind of verdict, in any environment.
fn works<B: Backend>() {
    let policy = policy(|rules| {
        rules.limits.fuel = None;
        rules.limits.deadline = Some(Duration::from_millis(200));
    });
    let plugin = plugin::<B>(policy, &wasm(GUEST));
    for _ in 0..3 {
        assert_eq!(plugin.call_values("touch", &[], (), None).unwrap().0, [Value::I32(7)]);
        assert_eq!(plugin.call_values("deeper", &[], (), None).unwrap_err().code(), "stack-overflow");
        assert_eq!(plugin.call_values("spin", &[], (), None).unwrap_err().code(), "deadline-exceeded");
    }
}

fn little_address_space<B: Backend>() {
    if !child::is_child() {
        let test = format!("{}::little_address_space", B::ID);
        child::passes(child::again_under("ulimit -v 4000000", &test));
        return;
    }
    works::<B>();
    // A backend that lacks something reports it.
    let notes = Sandbox::<B>::on(policy(|_| ())).unwrap().backend().notes();
    assert_eq!(notes.is_empty(), !B::JIT, "{notes:?}");
}

/// Less than the largest memory that the policy allows. Every refusal has a typed error.
fn hardly_any_address_space<B: Backend>() {
    if !child::is_child() {
        let test = format!("{}::hardly_any_address_space", B::ID);
        for kib in [400_000, 200_000, 100_000] {
            child::passes(child::again_under(&format!("ulimit -v {kib}"), &test));
        }
        return;
    }
    let sandbox = match Sandbox::<B>::on(policy(|_| ())) {
        Ok(sandbox) => sandbox,
        Err(error) => return assert_eq!(error.code(), "unsupported", "{error}"),
    };
    let loaded = sandbox.load_with::<()>(&wasm(GUEST), &sandbox.imports(), &Contract::None);
    let plugin = match loaded {
        Ok(plugin) => plugin,
        Err(error) => return assert_eq!(error.code(), "backend", "{error}"),
    };
    // The guest's growth may be refused, and then it traps.
    let outcome = plugin.call_values("touch", &[], (), None).map_err(|error| error.code());
    match outcome {
        Ok((values, _)) => assert_eq!(values, [Value::I32(7)]),
        Err(code) => assert!(["backend", "trap-memory-out-of-bounds"].contains(&code), "{code}"),
    }
}

fn tiny_default_stacks<B: Backend>() {
    if !child::is_child() {
        let test = format!("{}::tiny_default_stacks", B::ID);
        for bytes in ["1", "16384"] {
            let mut command = child::again(&test);
            command.env("RUST_MIN_STACK", bytes).env("RAYON_NUM_THREADS", "0");
            child::passes(command);
        }
        return;
    }
    works::<B>();
}

/// A backend whose deadlines need a thread must not run anything without one.
fn no_thread_can_be_started<B: Backend>() {
    if !child::is_child() {
        let mut command = child::again(&format!("{}::no_thread_can_be_started", B::ID));
        // No thread can have a stack of a petabyte.
        command.env("RUST_MIN_STACK", (1u64 << 50).to_string());
        child::passes(command);
        return;
    }
    std::thread::Builder::new().spawn(|| ()).expect_err("a thread was started after all");
    for _ in 0..2 {
        match Sandbox::<B>::on(policy(|_| ())) {
            Ok(_) => works::<B>(),
            Err(PolicyError::NotEnforceable { backend, field, .. }) => {
                assert_eq!((backend, field), (B::ID, "limits.deadline"));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A sandbox can be made with every number that a policy allows. In its own process, which too large a number might
/// end.
fn the_ends_of_what_an_embedder_may_ask_for<B: Backend>() {
    if !child::is_child() {
        let test = format!("{}::the_ends_of_what_an_embedder_may_ask_for", B::ID);
        child::passes(child::again(&test));
        return;
    }
    let check = |what: &str, policy: Policy, options: &HostOptions| {
        let sandbox = SandboxBuilder::<B>::new(policy).host(options.clone()).build();
        let sandbox = sandbox.unwrap_or_else(|error| panic!("{what}: {error}"));
        let wasm = wasm(r#"(module (func (export "run") (result i32) (i32.const 7)))"#);
        let plugin = sandbox.load_with::<()>(&wasm, &sandbox.imports(), &Contract::None).unwrap();
        let (values, _) = plugin.call_values("run", &[], (), None).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(values, [Value::I32(7)], "{what}");
    };
    for max_instances in [1, 2, 1_000, 100_000, u32::MAX] {
        let options = HostOptions { max_instances, ..HostOptions::default() };
        check(&format!("{max_instances} instances"), Policy::default(), &options);
    }
    type Change = fn(&mut Rules);
    let changes: [(&str, Change); 12] = [
        ("the longest deadline", |rules| rules.limits.deadline = Some(Duration::from_nanos(u64::MAX))),
        ("the least memory", |rules| rules.limits.memory_bytes = 0),
        ("the most memory", |rules| rules.limits.memory_bytes = 1 << 46),
        ("the fewest elements", |rules| rules.limits.table_elements = 0),
        ("the most elements", |rules| rules.limits.table_elements = u32::MAX.into()),
        ("the smallest stack", |rules| rules.limits.stack_bytes = 4 << 10),
        ("the largest stack", |rules| rules.limits.stack_bytes = 256 << 20),
        ("no tables", |rules| rules.module.tables = 0),
        ("the most tables", |rules| rules.module.tables = 100),
        ("no memories", |rules| rules.module.memories = 0),
        ("the most memories", |rules| rules.module.memories = 100),
        ("all of it", |rules| {
            rules.limits.memory_bytes = 1 << 46;
            rules.limits.table_elements = u32::MAX.into();
            rules.limits.stack_bytes = 256 << 20;
            (rules.module.tables, rules.module.memories) = (100, 100);
        }),
    ];
    for (what, change) in changes {
        check(what, policy(change), &HostOptions::default());
    }
}
