//! The counters of exact metering: fuel and stack are the same numbers on every backend, however a call is sliced.

use hotcell_core::{Contract, Field, Policy, Rules, Value, meter::CELL_BYTES};

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{Denied, ensure, ensure_eq},
    fixture::{Fixture, plain_plugin, policy, wasm},
};

pub(super) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "counters.fuel",
            "The fuel that a call uses is the sum of the cost table, whether something may interrupt it or not.",
            fuel::<B>,
        ),
        Check::mandatory(
            "counters.exhausted",
            "Fuel runs out at the same instruction, whether something may interrupt the call or not.",
            exhausted::<B>,
        ),
        Check::mandatory(
            "counters.trap",
            "The fuel that a call used until it trapped is what was counted at the last call, however many slices came after.",
            trap::<B>,
        ),
        Check::mandatory("counters.host", "A host function does not run for a guest that has no fuel left.", host::<B>),
        Check::mandatory(
            "counters.stack",
            "A guest may go exactly as deep as its frames fit into the policy's stack.",
            stack::<B>,
        ),
        Check::optional(
            Field::Reentry,
            "counters.stack_nested",
            "Guest frames above and below a host function are on one stack.",
            stack_nested::<B>,
        ),
    ]
}

const WORK: &str = r#"(module
    (memory (export "memory") 2)
    (table 64 funcref)
    (func (export "loop") (param $n i32)
        (loop $again
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func $fib (export "fib") (param $n i32) (result i32)
        (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
            (then (local.get $n))
            (else (i32.add
                (call $fib (i32.sub (local.get $n) (i32.const 1)))
                (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
    (func (export "bulk") (param $n i32)
        (loop $again
            (memory.fill (i32.const 0) (local.get $n) (i32.const 65536))
            (memory.copy (i32.const 65536) (i32.const 0) (i32.const 65536))
            (table.fill (i32.const 0) (ref.null func) (i32.const 64))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;

/// The policy with and without interruption.
fn policies(change: impl Fn(&mut Rules)) -> [Policy; 2] {
    [true, false].map(|interruptible| {
        policy(|rules| {
            change(rules);
            if !interruptible {
                (rules.limits.deadline, rules.interrupt.cancel) = (None, false);
            }
        })
    })
}

fn fuel<B: BackendUnderTest>() -> Outcome {
    for policy in policies(|_| ()) {
        let plugin = plain_plugin::<B>(policy, &wasm(WORK))?;
        for (export, argument, expected) in [
            // Entry and loop; five operators per iteration.
            ("loop", 1, 2 + 5),
            ("loop", 1_000_000, 2 + 5_000_000),
            // 10,946 leaves of 8 units and 10,945 inner calls of 18.
            ("fib", 20, 10_946 * 8 + 10_945 * 18),
            // Seventeen operators per iteration, of which three are bulk operators: two of 65,536 bytes in a memory,
            // and one of 64 elements in a table. Entry costs 1 more, because the frame has more than 16 cells.
            ("bulk", 100, 3 + 100 * (17 + 3 + 2 * 65_536 / 16 + 64)),
        ] {
            let (_, report) = plugin.call_values(export, &[Value::I32(argument)], (), None)?;
            ensure_eq!(report.usage.fuel_used, Some(expected), "{export}({argument})");
        }
    }
    Ok(())
}

fn exhausted<B: BackendUnderTest>() -> Outcome {
    let text = r#"(module
        (global $rounds (export "rounds") (mut i32) (i32.const 0))
        (func $round (global.set $rounds (i32.add (global.get $rounds) (i32.const 1))))
        (func (export "run") (loop $again (call $round) (br $again))))"#;
    // Entry and loop; per iteration 2 for the call, 1 for the branch, and 5 in the function: entry and four operators.
    const ROUND: u64 = 8;
    for policy in policies(|rules| rules.limits.fuel = Some(2 + ROUND * 300_000)) {
        let mut session = plain_plugin::<B>(policy, &wasm(text))?.session(())?;
        ensure_eq!(session.call_values("run", &[]).denied()?.code(), "out-of-fuel");
        ensure_eq!(session.global("rounds"), Some(Value::I32(300_000)));
        ensure_eq!(session.usage().fuel_used, Some(2 + ROUND * 300_000));
    }
    Ok(())
}

fn trap<B: BackendUnderTest>() -> Outcome {
    let text = r#"(module
        (func $nothing)
        (func (export "run") (param $n i32)
            (call $nothing)
            (loop $again
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            unreachable))"#;
    for policy in policies(|_| ()) {
        let mut session = plain_plugin::<B>(policy, &wasm(text))?.session(())?;
        ensure_eq!(session.call_values("run", &[Value::I32(1_000_000)]).denied()?.code(), "trap-unreachable");
        // Entry, 2 for the call, and the entry of the callee.
        ensure_eq!(session.usage().fuel_used, Some(4));
    }
    Ok(())
}

fn host<B: BackendUnderTest>() -> Outcome {
    let text = r#"(module
        (import "env" "note" (func $note))
        (table funcref (elem $note))
        (func (export "name") (call $note) (drop (i32.const 1)) (call $note))
        (func (export "table") (call $note) (call_indirect (i32.const 0))))"#;
    // Entry, the first call, and the two operators after it.
    const ENOUGH: u64 = 1 + 1 + 2;
    for policy in policies(|rules| rules.limits.fuel = Some(ENOUGH - 1)) {
        let fixture = Fixture::<B>::on(policy)?;
        let mut imports = fixture.imports::<u32>();
        imports.func("env", "note", |cx, ()| {
            *cx.state() += 1;
            Ok(())
        })?;
        let plugin = fixture.load_with(&wasm(text), &imports, &Contract::None)?;
        for export in ["name", "table"] {
            let mut session = plugin.session(0)?;
            ensure_eq!(session.call_values(export, &[]).denied()?.code(), "out-of-fuel", "{export}");
            ensure_eq!((*session.state(), session.usage().fuel_used), (1, Some(ENOUGH - 1)), "{export}");
        }
    }
    Ok(())
}

fn stack<B: BackendUnderTest>() -> Outcome {
    // One local, two operands at the maximum height, 8 cells for the engine, and two for its eight operators.
    const FRAME: u64 = 1 + 2 + 8 + 2;
    let text = r#"(module (func $down (export "down") (param i32)
        (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))))))"#;
    for frames in [50, 100, 5_000] {
        let deepest = Value::I32(frames as i32 - 1);
        let with_cells =
            |cells: u64| plain_plugin::<B>(policy(|rules| rules.limits.stack_bytes = cells * CELL_BYTES), &wasm(text));
        with_cells(frames * FRAME)?.call_values("down", &[deepest], (), None)?;
        let error = with_cells(frames * FRAME - 1)?.call_values("down", &[deepest], (), None).denied()?;
        ensure_eq!(error.code(), "stack-overflow", "{frames}");
    }
    Ok(())
}

fn stack_nested<B: BackendUnderTest>() -> Outcome {
    // A frame as in `stack`, with another cell for the call of an imported function. The host function's parameter and
    // the host's own frames do not count.
    const FRAME: u64 = 1 + 2 + 8 + 2;
    const FRAMES: u64 = 50;
    let text = r#"(module
        (import "env" "again" (func $again (param i32)))
        (func (export "down") (param i32)
            (if (local.get 0) (then (call $again (i32.sub (local.get 0) (i32.const 1)))))))"#;
    let with_cells = |cells: u64| -> Result<_, Failure> {
        let fixture = Fixture::<B>::on(policy(|rules| {
            rules.limits.stack_bytes = cells * CELL_BYTES;
            rules.limits.reentry = FRAMES as u32;
        }))?;
        let mut imports = fixture.imports::<()>();
        imports.func("env", "again", |cx, (more,): (u32,)| {
            cx.call("down", &[Value::I32(more.cast_signed())])?;
            Ok(())
        })?;
        Ok(fixture.load_with(&wasm(text), &imports, &Contract::None)?)
    };
    let deepest = [Value::I32(FRAMES as i32 - 1)];
    with_cells(FRAMES * FRAME)?.call_values("down", &deepest, (), None)?;
    let error = with_cells(FRAMES * FRAME - 1)?.call_values("down", &deepest, (), None).denied()?;
    ensure_eq!(error.code(), "stack-overflow");
    Ok(())
}
