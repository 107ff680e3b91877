//! What each budget means at its edges: zero, one, exactly enough, the largest number.

use std::time::Duration;

use hotcell::{
    CallError, Contract, LoadError, Phase, Policy, Report, Rules, Sandbox, Value,
    backend::Backend,
    policy::{Abi, Metering},
    verdict::Reason,
};

use crate::{
    guest::{guest, policy, wasm},
    load::{byte_plugin, plugin},
};

on_each_backend! {
    fuel_zero_and_one_run_nothing
    exactly_enough_fuel_is_enough
    an_abundance_of_fuel_does_not_overflow
    unlimited_fuel_is_not_counted_when_nobody_asks
    one_nanosecond_is_over_before_it_began
    no_memory_at_all
    the_memory_budget_is_inclusive
    a_growth_that_no_memory_could_do_is_not_the_policys_refusal
    a_growth_that_only_the_policy_forbids_is_counted
    the_table_budget_is_inclusive
    memories_and_tables_share_one_budget
    what_a_module_declares_counts_before_it_runs
    a_session_keeps_its_memory_and_counts_refusals_anew
    no_output_at_all
    an_output_up_to_the_limit
    an_input_up_to_the_limit
}

const PAGE: u64 = 1 << 16;

/// The sum of the input's bytes, by a loop; a reply of eight bytes.
const SUM: &str = r#"
    (func (export "process") (param $at i32) (param $len i32) (result i64)
        (local $end i32) (local $sum i64)
        (local.set $end (i32.add (local.get $at) (local.get $len)))
        (block $done
            (loop $next
                (br_if $done (i32.eq (local.get $at) (local.get $end)))
                (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $next)))
        (i64.store (i32.const 0) (local.get $sum))
        (i64.const 8))"#;

fn with_fuel(fuel: Option<u64>) -> Policy {
    policy(|rules| rules.limits.fuel = fuel)
}

/// The result of an export without parameters.
fn number(values: Vec<Value>) -> i32 {
    match values[..] {
        [Value::I32(number)] => number,
        _ => panic!("{values:?}"),
    }
}

/// Runs the export `run` of a module without a contract.
fn run<B: Backend>(policy: Policy, text: &str) -> (i32, Report) {
    let (values, report) = plugin::<B>(policy, &wasm(text)).call_values("run", &[], (), None).unwrap();
    (number(values), report)
}

fn fuel_zero_and_one_run_nothing<B: Backend>() {
    for fuel in [0, 1] {
        let plugin = byte_plugin::<B>(with_fuel(Some(fuel)), &guest(SUM));
        let error = plugin.call("process", b"abc").unwrap_err();
        assert_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Abi), "{fuel}");
        assert!(error.report.usage.fuel_used.unwrap() <= fuel);
        let error = plugin.session(()).err().unwrap();
        assert_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Abi), "{fuel}");
    }
    // Without a handshake, the first thing to run is the call.
    let calls_itself = wasm(r#"(module (func $run (export "run") (call $run)))"#);
    for fuel in [0, 1] {
        let error = plugin::<B>(with_fuel(Some(fuel)), &calls_itself).call_values("run", &[], (), None).unwrap_err();
        assert_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call), "{fuel}");
    }
}

fn exactly_enough_fuel_is_enough<B: Backend>() {
    let wasm = guest(SUM);
    let call = |fuel| byte_plugin::<B>(with_fuel(Some(fuel)), &wasm).call("process", &[1; 1_000]);
    let plenty = call(1_000_000).unwrap();
    assert_eq!(plenty.bytes, 1_000u64.to_le_bytes());
    let used = plenty.report.usage.fuel_used.unwrap();

    let exact = call(used).unwrap_or_else(|error| panic!("{used} fuel was enough, and now it is not: {error}"));
    assert_eq!(exact.bytes, plenty.bytes);
    assert_eq!(exact.report.usage.fuel_used, Some(used));

    let error = call(used - 1).unwrap_err();
    assert_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call));
    let error = call(used / 2).unwrap_err();
    assert_eq!((error.code(), error.phase), ("out-of-fuel", Phase::Call));
    assert!(error.report.usage.fuel_used.unwrap() <= used / 2);
}

fn an_abundance_of_fuel_does_not_overflow<B: Backend>() {
    const EDGE: u64 = i64::MAX as u64;
    let wasm = guest(SUM);
    let used = |fuel| {
        let plugin = byte_plugin::<B>(with_fuel(fuel), &wasm);
        // Twice in one session: what is left of the first call must not be added to the second.
        let mut session = plugin.session(()).unwrap();
        let first = session.call("process", &[1; 1_000]).unwrap();
        let second = session.call("process", &[1; 1_000]).unwrap();
        assert_eq!(first.bytes, 1_000u64.to_le_bytes());
        assert_eq!(first.report.usage, second.report.usage);
        let fresh = plugin.call("process", &[1; 1_000]).unwrap();
        (first.report.usage.fuel_used.unwrap(), fresh.report.usage.fuel_used.unwrap())
    };
    let expected = used(Some(1_000_000));
    for fuel in [EDGE - 1, EDGE, EDGE + 1, u64::MAX - 1, u64::MAX] {
        assert_eq!(used(Some(fuel)), expected, "{fuel}");
    }
    // The ABI check has a limit of its own, so the fuel is counted all the same.
    assert_eq!(used(None), expected);
}

fn unlimited_fuel_is_not_counted_when_nobody_asks<B: Backend>() {
    let policy = policy(|rules| {
        (rules.limits.fuel, rules.abi) = (None, None);
        rules.metering = Metering::Engine;
    });
    let reply = byte_plugin::<B>(policy, &guest(SUM)).call("process", b"a").unwrap();
    assert_eq!(reply.report.usage.fuel_used, None);
    assert_eq!(reply.bytes, 97u64.to_le_bytes());
}

fn one_nanosecond_is_over_before_it_began<B: Backend>() {
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.deadline = Some(Duration::from_nanos(1))), &guest(SUM));
    assert_eq!(plugin.call("process", b"abc").unwrap_err().code(), "deadline-exceeded");
    assert_eq!(plugin.call("process", b"").unwrap_err().code(), "deadline-exceeded");
    let error = plugin.call_values("alloc", &[Value::I32(1)], (), None).unwrap_err();
    assert_eq!(error.code(), "deadline-exceeded");
    assert_eq!(plugin.session(()).err().unwrap().code(), "deadline-exceeded");
}

fn no_memory_at_all<B: Backend>() {
    let none = || policy(|rules| (rules.limits.memory_bytes, rules.limits.table_elements) = (0, 0));
    let (result, report) = run::<B>(none(), r#"(module (func (export "run") (result i32) (i32.const 7)))"#);
    assert_eq!((result, report.usage.peak_memory_bytes), (7, 0));

    let empty = r#"(module (memory 0) (table 0 funcref)
        (func (export "run") (result i32)
            (i32.add (memory.grow (i32.const 1)) (table.grow (ref.null func) (i32.const 1)))))"#;
    let (result, report) = run::<B>(none(), empty);
    assert_eq!(result, -2);
    assert_eq!((report.usage.peak_memory_bytes, report.usage.refused_growths), (0, 2));
}

fn the_memory_budget_is_inclusive<B: Backend>() {
    let three_pages = policy(|rules| rules.limits.memory_bytes = 3 * PAGE);
    let plugin = plugin::<B>(
        three_pages,
        &wasm(
            r#"(module (memory (export "memory") 1)
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "size") (result i32) (memory.size)))"#,
        ),
    );
    let mut session = plugin.session(()).unwrap();
    let mut grow = |pages: i32| {
        let before = number(session.call_values("grow", &[Value::I32(pages)]).unwrap());
        let usage = session.usage();
        let size = number(session.call_values("size", &[]).unwrap());
        assert_eq!(session.memory().len() as u64, size as u64 * PAGE);
        (before, size, usage.peak_memory_bytes, usage.refused_growths)
    };
    assert_eq!(grow(0), (1, 1, PAGE, 0));
    assert_eq!(grow(3), (-1, 1, PAGE, 1));
    assert_eq!(grow(2), (1, 3, 3 * PAGE, 0), "exactly the budget");
    assert_eq!(grow(1), (-1, 3, 3 * PAGE, 1), "one page more");
    assert_eq!(grow(0), (3, 3, 3 * PAGE, 0));
    assert!(!session.is_poisoned());

    let one_byte_less = policy(|rules| rules.limits.memory_bytes = 3 * PAGE - 1);
    let two_then_one = r#"(module (memory 1)
        (func (export "run") (result i32)
            (i32.add (i32.mul (memory.grow (i32.const 2)) (i32.const 100)) (memory.grow (i32.const 1)))))"#;
    let (result, report) = run::<B>(one_byte_less, two_then_one);
    assert_eq!(result, -100 + 1);
    assert_eq!((report.usage.peak_memory_bytes, report.usage.refused_growths), (2 * PAGE, 1));
}

fn a_growth_that_no_memory_could_do_is_not_the_policys_refusal<B: Backend>() {
    for (declared, growth) in [("1", "-1"), ("1", "65536"), ("1 2", "2"), ("1 2", "-1"), ("0 0", "1")] {
        let text = format!(
            r#"(module (memory {declared}) (func (export "run") (result i32) (memory.grow (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(Policy::default(), &text);
        assert_eq!(result, -1, "{declared} {growth}");
        assert_eq!(report.usage.refused_growths, 0, "{declared} {growth}");
        assert_eq!(report.usage.peak_memory_bytes, declared[..1].parse::<u64>().unwrap() * PAGE);
    }
    for (declared, growth) in [("1 2", "2"), ("1 2", "-1"), ("0 0", "1")] {
        let text = format!(
            r#"(module (table {declared} funcref)
                (func (export "run") (result i32) (table.grow (ref.null func) (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(Policy::default(), &text);
        assert_eq!((result, report.usage.refused_growths), (-1, 0), "table {declared} {growth}");
    }
}

/// However far the growth would have gone beyond the budget.
fn a_growth_that_only_the_policy_forbids_is_counted<B: Backend>() {
    for (table, growth) in [("0", "0x100001"), ("0", "-1"), ("1 0xffffffff", "0x7fffffff")] {
        let text = format!(
            r#"(module (table {table} funcref)
                (func (export "run") (result i32) (table.grow (ref.null func) (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(Policy::default(), &text);
        assert_eq!((result, report.usage.refused_growths), (-1, 1), "table {table} {growth}");
    }
    for (memory, growth) in [("1", "4096"), ("1", "10000"), ("1", "65535"), ("1 65536", "65535"), ("0", "65536")] {
        let text = format!(
            r#"(module (memory {memory}) (func (export "run") (result i32) (memory.grow (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(Policy::default(), &text);
        assert_eq!((result, report.usage.refused_growths), (-1, 1), "memory {memory} {growth}");
    }
}

fn the_table_budget_is_inclusive<B: Backend>() {
    let ten = policy(|rules| rules.limits.table_elements = 10);
    let text = r#"(module (table $a 4 funcref) (table $b 1 funcref)
        (func (export "grow_a") (param i32) (result i32) (table.grow $a (ref.null func) (local.get 0)))
        (func (export "grow_b") (param i32) (result i32) (table.grow $b (ref.null func) (local.get 0)))
        (func (export "sizes") (result i32)
            (i32.add (i32.mul (table.size $a) (i32.const 100)) (table.size $b))))"#;
    let plugin = plugin::<B>(ten, &wasm(text));
    let mut session = plugin.session(()).unwrap();
    let mut grow = |table: &str, elements: i32| {
        let before = number(session.call_values(table, &[Value::I32(elements)]).unwrap());
        let usage = session.usage();
        let sizes = number(session.call_values("sizes", &[]).unwrap());
        (before, sizes, usage.peak_memory_bytes, usage.refused_growths)
    };
    assert_eq!(grow("grow_a", 6), (-1, 401, 40, 1), "the sum of both tables counts");
    assert_eq!(grow("grow_a", 3), (4, 701, 64, 0));
    assert_eq!(grow("grow_b", 2), (1, 703, 80, 0), "exactly the budget");
    assert_eq!(grow("grow_b", 1), (-1, 703, 80, 1));
    assert_eq!(grow("grow_a", 1), (-1, 703, 80, 1));
    assert_eq!(grow("grow_a", 0), (7, 703, 80, 0));
}

fn memories_and_tables_share_one_budget<B: Backend>() {
    let two_pages_and_ten_elements = policy(|rules| rules.limits.memory_bytes = 2 * PAGE + 80);
    let text = r#"(module (memory 1) (table 2 funcref)
        (func (export "memory") (result i32) (memory.grow (i32.const 1)))
        (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;
    let plugin = plugin::<B>(two_pages_and_ten_elements, &wasm(text));

    let mut session = plugin.session(()).unwrap();
    let mut grow = |what: &str, params: &[Value]| {
        let before = number(session.call_values(what, params).unwrap());
        (before, session.usage().peak_memory_bytes, session.usage().refused_growths)
    };
    assert_eq!(grow("memory", &[]), (1, 2 * PAGE + 16, 0));
    assert_eq!(grow("table", &[Value::I32(9)]), (-1, 2 * PAGE + 16, 1));
    assert_eq!(grow("table", &[Value::I32(8)]), (2, 2 * PAGE + 80, 0));
    assert_eq!(grow("memory", &[]), (-1, 2 * PAGE + 80, 1));

    let mut session = plugin.session(()).unwrap();
    let mut grow = |what: &str, params: &[Value]| number(session.call_values(what, params).unwrap());
    assert_eq!(grow("table", &[Value::I32(9)]), 2, "a table may use what the memory has not");
    assert_eq!(grow("memory", &[]), -1);
}

fn what_a_module_declares_counts_before_it_runs<B: Backend>() {
    let load = |change: fn(&mut Rules), text: &str| {
        let sandbox = Sandbox::<B>::on(policy(change)).unwrap();
        match sandbox.load_with::<()>(&wasm(text), &sandbox.imports(), &Contract::None).err() {
            Some(LoadError::Rejected(rejection)) => match rejection.reason {
                Reason::LimitExceeded { limit, found, allowed } => Some((limit, found, allowed)),
                reason => panic!("{reason}"),
            },
            Some(error) => panic!("{error}"),
            None => None,
        }
    };
    let text = "(module (memory 1) (table 2 funcref) (table 3 funcref))";
    assert_eq!(load(|rules| rules.limits.memory_bytes = PAGE + 40, text), None);
    assert_eq!(
        load(|rules| rules.limits.memory_bytes = PAGE + 39, text),
        Some(("limits.memory_bytes", PAGE + 40, PAGE + 39))
    );
    assert_eq!(load(|rules| rules.limits.table_elements = 5, text), None);
    assert_eq!(load(|rules| rules.limits.table_elements = 4, text), Some(("limits.table_elements", 5, 4)));
    assert_eq!(load(|rules| rules.limits.memory_bytes = 0, "(module (memory 0))"), None);
    assert_eq!(
        load(|rules| rules.limits.memory_bytes = 0, "(module (memory 1))"),
        Some(("limits.memory_bytes", PAGE, 0))
    );
}

fn a_session_keeps_its_memory_and_counts_refusals_anew<B: Backend>() {
    let two_pages = policy(|rules| rules.limits.memory_bytes = 2 * PAGE);
    let plugin = byte_plugin::<B>(
        two_pages,
        &guest(
            r#"(func (export "process") (param i32 i32) (result i64)
                (i64.store (i32.const 0) (i64.extend_i32_s (memory.grow (i32.const 1))))
                (i64.const 8))"#,
        ),
    );
    let mut session = plugin.session(()).unwrap();
    let mut call = || {
        let reply = session.call("process", b"").unwrap();
        let usage = reply.report.usage;
        (i64::from_le_bytes(reply.bytes.try_into().unwrap()), usage.peak_memory_bytes, usage.refused_growths)
    };
    assert_eq!(call(), (1, 2 * PAGE, 0));
    assert_eq!(call(), (-1, 2 * PAGE, 1));
    assert_eq!(call(), (-1, 2 * PAGE, 1));
    let fresh = plugin.call("process", b"").unwrap();
    assert_eq!((fresh.bytes, fresh.report.usage.refused_growths), (1u64.to_le_bytes().to_vec(), 0));
}

/// Replies with as many bytes as it got.
const ECHO: &str = r#"(func (export "process") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))"#;

fn no_output_at_all<B: Backend>() {
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.output_bytes = 0), &guest(ECHO));
    assert_eq!(plugin.call("process", b"").unwrap().bytes, b"");
    let error = plugin.call("process", b"a").unwrap_err();
    assert_eq!((error.code(), error.phase), ("output-too-large", Phase::Reply));
}

fn an_output_up_to_the_limit<B: Backend>() {
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.output_bytes = 4), &guest(ECHO));
    assert_eq!(plugin.call("process", b"1234").unwrap().bytes, b"1234");
    let error = plugin.call("process", b"12345").unwrap_err();
    assert_eq!((error.code(), error.phase), ("output-too-large", Phase::Reply));
}

fn an_input_up_to_the_limit<B: Backend>() {
    let refused = |error: CallError| (error.code(), error.phase, error.report.usage.host_calls);
    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.input_bytes = 4), &guest(ECHO));
    let mut session = plugin.session(()).unwrap();
    for _ in 0..2 {
        let error = session.call("process", b"12345").unwrap_err();
        assert_eq!(error.report.usage.fuel_used, Some(0), "nothing of the guest ran");
        assert_eq!(refused(error), ("input-too-large", Phase::Alloc, 0));
        assert!(!session.is_poisoned());
        assert_eq!(session.call("process", b"1234").unwrap().bytes, b"1234");
    }
    assert_eq!(refused(plugin.call("process", &[0; 1 << 20]).unwrap_err()), ("input-too-large", Phase::Alloc, 0));

    let plugin = byte_plugin::<B>(policy(|rules| rules.limits.input_bytes = 0), &guest(ECHO));
    assert_eq!(plugin.call("process", b"").unwrap().bytes, b"");
    assert_eq!(plugin.call("process", b"1").unwrap_err().code(), "input-too-large");
}

#[test]
fn contradictions_are_refused_when_the_policy_is_made() {
    let refused = |change: fn(&mut Rules)| Policy::default().with(change).unwrap_err().code();
    assert_eq!(refused(|rules| rules.limits.deadline = Some(Duration::ZERO)), "policy");
    assert_eq!(refused(|rules| rules.limits.stack_bytes = 0), "policy");
    assert_eq!(refused(|rules| rules.limits.memory_bytes = u64::MAX), "policy");
    assert_eq!(refused(|rules| (rules.limits.fuel, rules.limits.deadline) = (None, None)), "policy");
    assert_eq!(refused(|rules| rules.abi = Some(Abi { export: "abi".to_owned(), min: 2, max: 1 })), "policy");
}
