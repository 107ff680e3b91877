//! The memory budget: the sum of all memories and tables, inclusive, from instantiation on.

use hotcell_core::{Contract, Field, LoadError, Policy, Proposal, Report, Rules, Value, verdict::Reason};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, ensure, ensure_eq},
    fixture::{Fixture, byte_plugin, guest, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "limits.memory.none",
            "With a budget of zero a module without memory runs, and no growth succeeds.",
            none::<B>,
        ),
        Check::mandatory(
            "limits.memory.inclusive",
            "Exactly the budget is allowed; one page more gives the guest -1 and is counted.",
            inclusive::<B>,
        ),
        Check::mandatory(
            "limits.memory.total",
            "The budget is the sum of all memories and tables of the store, a table element counting 8 bytes.",
            total::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::MultiMemory),
            "limits.memory.several",
            "Several memories share one budget.",
            several::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::CustomPageSizes),
            "limits.memory.byte_pages",
            "A memory with pages of one byte is held to the budget by the byte, and a refused growth of any size is counted.",
            byte_pages::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::Memory64),
            "limits.memory.wide",
            "A memory and a table with 64-bit indices are held to the budget, and a refused growth of any size gives -1.",
            wide::<B>,
        ),
        Check::mandatory("limits.memory.declared", "What a module declares counts before it runs.", declared::<B>),
        Check::mandatory(
            "limits.memory.refused",
            "A growth that only the policy forbids gives the guest -1 and is counted, however far it went.",
            refused::<B>,
        ),
        Check::mandatory(
            "limits.memory.impossible",
            "A growth that no memory could do gives the guest -1 and is not the policy's refusal.",
            impossible::<B>,
        ),
        Check::optional(
            Field::Proposal(Proposal::CustomPageSizes),
            "limits.memory.largest",
            "A memory of one-byte pages has at most 2^32 - 2 bytes, whatever the policy says; growth past that gives the \
             guest -1 and is not the policy's refusal.",
            largest::<B>,
        ),
        Check::mandatory(
            "limits.memory.session",
            "A session keeps the memory that it has grown, and counts refusals anew in each call.",
            session::<B>,
        ),
        Check::mandatory(
            "limits.memory.failed_call",
            "Memory that a call took before it failed is in its report.",
            of_a_failed_call::<B>,
        ),
        Check::mandatory(
            "limits.table.inclusive",
            "The budget of elements is the sum of all tables, inclusive; one more gives the guest -1 and is counted.",
            tables::<B>,
        ),
    ]
}

const PAGE: u64 = 1 << 16;

/// The result of an export without parameters.
fn number(values: &[Value]) -> Result<i32, Failure> {
    match values {
        [Value::I32(number)] => Ok(*number),
        _ => Err(Failure::new(format!("found {values:?}, expected an i32"))),
    }
}

/// Runs the export `run` of a module without a contract.
fn run<B: BackendUnderTest>(policy: Policy, text: &str) -> Result<(i32, Report), Failure> {
    let (values, report) = plain_plugin::<B>(policy, &wasm(text))?.call_values("run", &[], (), None)?;
    Ok((number(&values)?, report))
}

fn none<B: BackendUnderTest>() -> Outcome {
    let none = || policy(|rules| (rules.limits.memory_bytes, rules.limits.table_elements) = (0, 0));
    let (result, report) = run::<B>(none(), r#"(module (func (export "run") (result i32) (i32.const 7)))"#)?;
    ensure_eq!((result, report.usage.peak_memory_bytes), (7, 0));

    let empty = r#"(module (memory 0) (table 0 funcref)
        (func (export "run") (result i32)
            (i32.add (memory.grow (i32.const 1)) (table.grow (ref.null func) (i32.const 1)))))"#;
    let (result, report) = run::<B>(none(), empty)?;
    ensure_eq!(result, -2);
    ensure_eq!((report.usage.peak_memory_bytes, report.usage.refused_growths), (0, 2));
    Ok(())
}

fn inclusive<B: BackendUnderTest>() -> Outcome {
    let three_pages = policy(|rules| rules.limits.memory_bytes = 3 * PAGE);
    let plugin = plain_plugin::<B>(
        three_pages,
        &wasm(
            r#"(module (memory (export "memory") 1)
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "size") (result i32) (memory.size)))"#,
        ),
    )?;
    let mut session = plugin.session(())?;
    let mut grow = |pages: i32| -> Result<_, Failure> {
        let before = number(&session.call_values("grow", &[Value::I32(pages)])?)?;
        let usage = session.usage();
        let size = number(&session.call_values("size", &[])?)?;
        ensure_eq!(session.memory().len() as u64, size as u64 * PAGE);
        Ok((before, size, usage.peak_memory_bytes, usage.refused_growths))
    };
    ensure_eq!(grow(0)?, (1, 1, PAGE, 0));
    ensure_eq!(grow(3)?, (-1, 1, PAGE, 1));
    ensure_eq!(grow(2)?, (1, 3, 3 * PAGE, 0), "exactly the budget");
    ensure_eq!(grow(1)?, (-1, 3, 3 * PAGE, 1), "one page more");
    ensure_eq!(grow(0)?, (3, 3, 3 * PAGE, 0));
    ensure!(!session.is_poisoned());

    let one_byte_less = policy(|rules| rules.limits.memory_bytes = 3 * PAGE - 1);
    let two_then_one = r#"(module (memory 1)
        (func (export "run") (result i32)
            (i32.add (i32.mul (memory.grow (i32.const 2)) (i32.const 100)) (memory.grow (i32.const 1)))))"#;
    let (result, report) = run::<B>(one_byte_less, two_then_one)?;
    ensure_eq!(result, -100 + 1);
    ensure_eq!((report.usage.peak_memory_bytes, report.usage.refused_growths), (2 * PAGE, 1));
    Ok(())
}

fn total<B: BackendUnderTest>() -> Outcome {
    let two_pages_and_ten_elements = policy(|rules| rules.limits.memory_bytes = 2 * PAGE + 80);
    let text = r#"(module (memory 1) (table 2 funcref)
        (func (export "memory") (result i32) (memory.grow (i32.const 1)))
        (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;
    let plugin = plain_plugin::<B>(two_pages_and_ten_elements, &wasm(text))?;

    let mut session = plugin.session(())?;
    let mut grow = |what: &str, params: &[Value]| -> Result<_, Failure> {
        let before = number(&session.call_values(what, params)?)?;
        Ok((before, session.usage().peak_memory_bytes, session.usage().refused_growths))
    };
    ensure_eq!(grow("memory", &[])?, (1, 2 * PAGE + 16, 0));
    ensure_eq!(grow("table", &[Value::I32(9)])?, (-1, 2 * PAGE + 16, 1));
    ensure_eq!(grow("table", &[Value::I32(8)])?, (2, 2 * PAGE + 80, 0));
    ensure_eq!(grow("memory", &[])?, (-1, 2 * PAGE + 80, 1));

    let mut session = plugin.session(())?;
    let mut grow = |what: &str, params: &[Value]| -> Result<_, Failure> { number(&session.call_values(what, params)?) };
    ensure_eq!(grow("table", &[Value::I32(9)])?, 2, "a table may use what the memory has not");
    ensure_eq!(grow("memory", &[])?, -1);
    Ok(())
}

fn declared<B: BackendUnderTest>() -> Outcome {
    let load = |change: fn(&mut Rules), text: &str| -> Result<_, Failure> {
        let fixture = Fixture::<B>::on(policy(change))?;
        match fixture.load_with::<()>(&wasm(text), &fixture.imports(), &Contract::None) {
            Ok(plugin) => plugin.session(()).map(|_| None).map_err(Failure::from),
            Err(LoadError::Rejected(rejection)) => match rejection.reason {
                Reason::LimitExceeded { limit, found, allowed } => Ok(Some((limit, found, allowed))),
                _ => Err(rejection.into()),
            },
            Err(error) => Err(error.into()),
        }
    };
    let text = "(module (memory 1) (table 2 funcref) (table 3 funcref))";
    ensure_eq!(load(|rules| rules.limits.memory_bytes = PAGE + 40, text)?, None);
    ensure_eq!(
        load(|rules| rules.limits.memory_bytes = PAGE + 39, text)?,
        Some(("limits.memory_bytes", PAGE + 40, PAGE + 39))
    );
    ensure_eq!(load(|rules| rules.limits.table_elements = 5, text)?, None);
    ensure_eq!(load(|rules| rules.limits.table_elements = 4, text)?, Some(("limits.table_elements", 5, 4)));
    ensure_eq!(load(|rules| rules.limits.memory_bytes = 0, "(module (memory 0))")?, None);
    ensure_eq!(
        load(|rules| rules.limits.memory_bytes = 0, "(module (memory 1))")?,
        Some(("limits.memory_bytes", PAGE, 0))
    );
    Ok(())
}

/// However far the growth exceeds the budget.
fn refused<B: BackendUnderTest>() -> Outcome {
    for (table, growth) in [("0", "0x100001"), ("0", "-1"), ("1 0xffffffff", "0x7fffffff")] {
        let text = format!(
            r#"(module (table {table} funcref)
                (func (export "run") (result i32) (table.grow (ref.null func) (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(policy(|_| ()), &text)?;
        ensure_eq!((result, report.usage.refused_growths), (-1, 1), "table {table} {growth}");
    }
    for (memory, growth) in [("1", "4096"), ("1", "10000"), ("1", "65535"), ("1 65536", "65535"), ("0", "65536")] {
        let text = format!(
            r#"(module (memory {memory}) (func (export "run") (result i32) (memory.grow (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(policy(|_| ()), &text)?;
        ensure_eq!((result, report.usage.refused_growths), (-1, 1), "memory {memory} {growth}");
    }
    Ok(())
}

fn impossible<B: BackendUnderTest>() -> Outcome {
    for (declared, growth) in [("1", "-1"), ("1", "65536"), ("1 2", "2"), ("1 2", "-1"), ("0 0", "1")] {
        let text = format!(
            r#"(module (memory {declared}) (func (export "run") (result i32) (memory.grow (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(policy(|_| ()), &text)?;
        ensure_eq!(result, -1, "{declared} {growth}");
        ensure_eq!(report.usage.refused_growths, 0, "{declared} {growth}");
        ensure_eq!(report.usage.peak_memory_bytes, declared[..1].parse::<u64>()? * PAGE);
    }
    for (declared, growth) in [("1 2", "2"), ("1 2", "-1"), ("0 0", "1")] {
        let text = format!(
            r#"(module (table {declared} funcref)
                (func (export "run") (result i32) (table.grow (ref.null func) (i32.const {growth}))))"#
        );
        let (result, report) = run::<B>(policy(|_| ()), &text)?;
        ensure_eq!((result, report.usage.refused_growths), (-1, 0), "table {declared} {growth}");
    }
    Ok(())
}

/// Only sizes that are refused: an engine may touch what it grants.
fn largest<B: BackendUnderTest>() -> Outcome {
    for memory_bytes in [256 << 20, 1 << 32, 1 << 40] {
        let policy = policy(|rules| {
            rules.proposals.allow(Proposal::CustomPageSizes);
            rules.limits.memory_bytes = memory_bytes;
        });
        let of_the_policy = u64::from(memory_bytes < 1 << 32);
        for (declared, growth, refused) in [
            ("1", "0xffffffff", 0),
            ("1", "0xfffffffe", 0),
            ("1 0xffffffff", "0xfffffffe", 0),
            ("1", "0xfffffffd", of_the_policy),
        ] {
            if growth == "0xfffffffd" && refused == 0 {
                continue;
            }
            let text = format!(
                r#"(module (memory {declared} (pagesize 1))
                    (func (export "run") (result i32) (memory.grow (i32.const {growth}))))"#
            );
            let (result, report) = run::<B>(policy.clone(), &text)?;
            let what = format!("{declared} {growth} with {memory_bytes} bytes");
            ensure_eq!((result, report.usage.refused_growths), (-1, refused), "{what}");
            ensure_eq!(report.usage.peak_memory_bytes, 1, "{what}");
        }
    }
    Ok(())
}

fn session<B: BackendUnderTest>() -> Outcome {
    let two_pages = policy(|rules| rules.limits.memory_bytes = 2 * PAGE);
    let plugin = byte_plugin::<B>(
        two_pages,
        &guest(
            r#"(func (export "process") (param i32 i32) (result i64)
                (i64.store (i32.const 0) (i64.extend_i32_s (memory.grow (i32.const 1))))
                (i64.const 8))"#,
        ),
    )?;
    let mut session = plugin.session(())?;
    let mut call = || -> Result<_, Failure> {
        let reply = session.call("process", b"")?;
        let usage = reply.report.usage;
        ensure_eq!(reply.bytes.len(), 8);
        Ok((reply.bytes[0].cast_signed(), usage.peak_memory_bytes, usage.refused_growths))
    };
    ensure_eq!(call()?, (1, 2 * PAGE, 0));
    ensure_eq!(call()?, (-1, 2 * PAGE, 1));
    ensure_eq!(call()?, (-1, 2 * PAGE, 1));
    let fresh = plugin.call("process", b"")?;
    ensure_eq!((fresh.bytes, fresh.report.usage.refused_growths), (1u64.to_le_bytes().to_vec(), 0));
    Ok(())
}

fn tables<B: BackendUnderTest>() -> Outcome {
    let ten = policy(|rules| rules.limits.table_elements = 10);
    let text = r#"(module (table $a 4 funcref) (table $b 1 funcref)
        (func (export "grow_a") (param i32) (result i32) (table.grow $a (ref.null func) (local.get 0)))
        (func (export "grow_b") (param i32) (result i32) (table.grow $b (ref.null func) (local.get 0)))
        (func (export "sizes") (result i32)
            (i32.add (i32.mul (table.size $a) (i32.const 100)) (table.size $b))))"#;
    let plugin = plain_plugin::<B>(ten, &wasm(text))?;
    let mut session = plugin.session(())?;
    let mut grow = |table: &str, elements: i32| -> Result<_, Failure> {
        let before = number(&session.call_values(table, &[Value::I32(elements)])?)?;
        let usage = session.usage();
        let sizes = number(&session.call_values("sizes", &[])?)?;
        Ok((before, sizes, usage.peak_memory_bytes, usage.refused_growths))
    };
    ensure_eq!(grow("grow_a", 6)?, (-1, 401, 40, 1), "the sum of both tables counts");
    ensure_eq!(grow("grow_a", 3)?, (4, 701, 64, 0));
    ensure_eq!(grow("grow_b", 2)?, (1, 703, 80, 0), "exactly the budget");
    ensure_eq!(grow("grow_b", 1)?, (-1, 703, 80, 1));
    ensure_eq!(grow("grow_a", 1)?, (-1, 703, 80, 1));
    ensure_eq!(grow("grow_a", 0)?, (7, 703, 80, 0));
    Ok(())
}

fn several<B: BackendUnderTest>() -> Outcome {
    let three_pages = policy(|rules| {
        rules.proposals.allow(Proposal::MultiMemory);
        rules.module.memories = 2;
        rules.limits.memory_bytes = 3 * PAGE;
    });
    let text = r#"(module (memory $a 1) (memory $b 1)
        (func (export "grow_a") (result i32) (memory.grow $a (i32.const 1)))
        (func (export "grow_b") (result i32) (memory.grow $b (i32.const 1))))"#;
    let plugin = plain_plugin::<B>(three_pages, &wasm(text))?;
    for (first, second) in [("grow_a", "grow_b"), ("grow_b", "grow_a")] {
        let mut session = plugin.session(())?;
        ensure_eq!(number(&session.call_values(first, &[])?)?, 1);
        ensure_eq!(number(&session.call_values(second, &[])?)?, -1, "{second} after {first}");
        ensure_eq!(session.usage().peak_memory_bytes, 3 * PAGE);
    }
    Ok(())
}

fn byte_pages<B: BackendUnderTest>() -> Outcome {
    let bytes = |memory_bytes: u64| {
        policy(|rules| {
            rules.proposals.allow(Proposal::CustomPageSizes);
            rules.limits.memory_bytes = memory_bytes;
        })
    };
    let grows = |memory: &str, growth: &str| {
        format!(
            r#"(module (memory {memory} (pagesize 1))
                (func (export "run") (result i32) (memory.grow (i32.const {growth}))))"#
        )
    };
    for (memory, growth, expected) in [
        ("10", "90", (10, 100, 0)),
        ("10", "91", (-1, 10, 1)),
        ("10 40", "31", (-1, 10, 0)),
        ("10 40", "30", (10, 40, 0)),
        ("100", "0", (100, 100, 0)),
        ("0", "100", (0, 100, 0)),
        ("0", "0x7fffffff", (-1, 0, 1)),
        ("0", "0x80000000", (-1, 0, 1)),
        ("16", "0x80000000", (-1, 16, 1)),
        ("16", "0xffff0000", (-1, 16, 1)),
        // No memory can have that size.
        ("0", "0xffffffff", (-1, 0, 0)),
        ("16", "0xffffffff", (-1, 16, 0)),
        ("16 17", "0x80000000", (-1, 16, 0)),
    ] {
        let (result, report) = run::<B>(bytes(100), &grows(memory, growth))?;
        let found = (result, report.usage.peak_memory_bytes, report.usage.refused_growths);
        ensure_eq!(found, expected, "{memory} {growth}");
    }
    // A refused growth costs as much as one by zero; a successful one costs its bytes.
    let fuel = |growth: &str| -> Result<_, Failure> {
        Ok(run::<B>(bytes(1_000), &grows("16", growth))?.1.usage.fuel_used.unwrap_or_default())
    };
    let nothing = fuel("0")?;
    ensure_eq!((fuel("0x80000000")?, fuel("0xffffffff")?), (nothing, nothing));
    ensure_eq!((fuel("15")?, fuel("16")?, fuel("900")?), (nothing, nothing + 1, nothing + 56));
    Ok(())
}

fn wide<B: BackendUnderTest>() -> Outcome {
    let plugin = plain_plugin::<B>(
        policy(|rules| {
            rules.proposals.allow(Proposal::Memory64);
            (rules.limits.memory_bytes, rules.limits.table_elements) = (3 * PAGE, 10);
        }),
        &wasm(
            r#"(module (memory (export "memory") i64 1) (table i64 4 funcref)
                (func (export "memory.grow") (param i64) (result i64) (memory.grow (local.get 0)))
                (func (export "table.grow") (param i64) (result i64) (table.grow (ref.null func) (local.get 0))))"#,
        ),
    )?;
    let mut session = plugin.session(())?;
    let mut grow = |export: &str, growth: u64| -> Result<_, Failure> {
        let before = session.call_values(export, &[Value::I64(growth.cast_signed())])?;
        Ok((before == [Value::I64(-1)], before, session.usage().peak_memory_bytes, session.usage().refused_growths))
    };
    let refused = |held| (true, vec![Value::I64(-1)], held, 1);
    ensure_eq!(grow("memory.grow", 2)?, refused(PAGE + 32), "the table counts too");
    for growth in [1 << 16, 1 << 20, 1 << 30] {
        ensure_eq!(grow("memory.grow", growth)?, refused(PAGE + 32), "{growth:#x} pages");
        ensure_eq!(grow("table.grow", growth)?, refused(PAGE + 32), "{growth:#x} elements");
    }
    // Beyond the size of any memory it does not matter what refuses.
    for growth in [1 << 32, 1 << 47, 1 << 48, i64::MAX as u64, 1 << 63, u64::MAX] {
        for export in ["memory.grow", "table.grow"] {
            let (is_refused, before, held, _) = grow(export, growth)?;
            ensure!(is_refused && held == PAGE + 32, "{export} by {growth:#x}: {before:?}, {held} bytes");
        }
    }
    ensure_eq!(grow("memory.grow", 1)?, (false, vec![Value::I64(1)], 2 * PAGE + 32, 0));
    ensure_eq!(grow("table.grow", 7)?, refused(2 * PAGE + 32));
    ensure_eq!(grow("table.grow", 6)?, (false, vec![Value::I64(4)], 2 * PAGE + 80, 0));
    Ok(())
}

fn of_a_failed_call<B: BackendUnderTest>() -> Outcome {
    let text = r#"(module (memory 1)
        (func (export "run") (result i32) (drop (memory.grow (i32.const 2))) (unreachable)))"#;
    let error = plain_plugin::<B>(policy(|_| ()), &wasm(text))?.call_values("run", &[], (), None).denied()?;
    ensure_eq!((error.code(), error.report.usage.peak_memory_bytes), ("trap-unreachable", 3 * PAGE));
    Ok(())
}
