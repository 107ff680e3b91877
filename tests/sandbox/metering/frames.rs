//! Frames that do not fit into what is left of the stack: an engine may find that out before the guest's counter does,
//! and the verdict, the fuel and what the host saw must be the same.

use std::{collections::BTreeMap, fmt::Write as _};

use hotcell::{Policy, Proposal, Value, Wasmi, Wasmtime};
use hotcell_differential::{Guest, Observed};

use super::run::{Both, plain, policy, same, wasm};

/// Fuel that suffices for every frame here.
const PLENTY: u64 = 1_000_000;

/// The stack of these guests: the smallest one.
const SMALL: u64 = 4 << 10;

/// Where [`vectors`] come from.
const GLOBAL: &str = "(global $g (mut v128) (v128.const i32x4 3 5 7 9))";

fn small() -> Policy {
    policy(PLENTY, |rules| rules.limits.stack_bytes = SMALL)
}

/// `count` constants, each of which an interpreter keeps in the frame. `$sink` takes an i64.
fn constants(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = write!(text, "(call $sink (i64.const {})) ", 0x7000_0000_0000_usize + number);
        text
    })
}

/// `count` vectors that are live across a call of `$none`, which a compiler keeps in the frame.
fn vectors(count: usize) -> String {
    let (square, join) = ("local.get $v local.get $v i32x4.mul local.tee $v ", "v128.xor ");
    format!("global.get $g local.set $v {} call $none {} global.set $g ", square.repeat(count), join.repeat(count - 1))
}

/// Bodies with small frames, and with such for which the engines have no room.
fn bodies() -> Vec<(String, String)> {
    let vectors = [20, 1_000, 10_000].map(|count| (format!("{count} vectors"), vectors(count)));
    let constants = [20, 1_000, 8_000].map(|count| (format!("{count} constants"), constants(count)));
    vectors.into_iter().chain(constants).collect()
}

/// Budgets around those at which a verdict could turn: all small ones, and about those that the call uses.
fn budgets(used: u64) -> impl Iterator<Item = u64> {
    (0..used.min(60)).chain(used.saturating_sub(3)..used + 4).chain((0..).map(|power| 1 << power).take(20))
}

/// The common verdict on a call with `fuel`, on new instances.
struct Pair<'p>(Guest<'p, Wasmtime>, Guest<'p, Wasmi>);

impl Pair<'_> {
    fn call(&mut self, export: &str, params: &[Value], fuel: u64) -> Result<Observed, String> {
        same(self.0.call_with_fuel(export, params, fuel), self.1.call_with_fuel(export, params, fuel))
    }
}

/// A large function is entered from the host, by name, through a table, from a host function, and at the end of a
/// recursion that comes to every distance from the end of the stack.
#[test]
fn a_frame_that_does_not_fit_is_the_same_on_both() {
    let both = Both::new(&small());
    let mut codes = BTreeMap::<_, u32>::new();
    for (name, body) in bodies() {
        let module = wasm(&format!(
            r#"{GLOBAL} (table funcref (elem $large)) (func $sink (param i64)) (func $none)
            (func $large (export "large") (local $v v128) {body})
            (func (export "name") call $large)
            (func (export "table") (call_indirect (i32.const 0)))
            (func (export "again") (param i32) (result i32) call $large i32.const 0)
            (func (export "host") (drop (call $again (i32.const 0))))
            (func $down (export "down") (param i32)
                (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else (call $large))))"#
        ));
        let plugins = (both.wasmtime.load(&module).unwrap(), both.wasmi.load(&module).unwrap());
        let mut pair = Pair(Guest::new(&plugins.0), Guest::new(&plugins.1));
        // `down` charges for its arm and checks nothing there: with too little fuel its counter is below zero at the call.
        let number = |value| vec![Value::I32(value)];
        let no = Vec::new;
        for (export, params) in
            [("down", number(0)), ("down", number(3)), ("large", no()), ("name", no()), ("table", no()), ("host", no())]
        {
            let mut call = |fuel: u64| {
                let observed = pair.call(export, &params, fuel);
                observed.unwrap_or_else(|error| panic!("{name}, {export} {params:?}, fuel {fuel}: {error}"))
            };
            let plenty = call(PLENTY);
            for fuel in budgets(plenty.fuel()) {
                let expected = if fuel >= plenty.fuel() { plenty.code } else { "out-of-fuel" };
                assert_eq!(call(fuel).code, expected, "{name}, {export}: fuel {fuel} of {}", plenty.fuel());
            }
        }
        for depth in 0..45 {
            let observed = pair.call("down", &[Value::I32(depth)], PLENTY);
            let observed = observed.unwrap_or_else(|error| panic!("{name}, {depth} frames: {error}"));
            *codes.entry(observed.code).or_default() += 1;
        }
    }
    assert!(codes.len() == 2 && codes.values().all(|calls| *calls > 20), "{codes:?}");
}

/// An engine may make the frame of a tail call before it drops the caller's.
#[test]
fn a_large_frame_in_place_of_another_fits() {
    let allowed = policy(PLENTY, |rules| {
        rules.limits.stack_bytes = SMALL;
        rules.proposals.allow(Proposal::TailCall);
    });
    let both = Both::new(&allowed);
    let mut codes = BTreeMap::<_, u32>::new();
    for count in (660..1_400).step_by(32) {
        let body = constants(count);
        let module = plain(&format!(
            r#"(func $sink (param i64)) (func $other {body}) (table funcref (elem $other))
            (func (export "name") {body} (return_call $other))
            (func (export "table") {body} (return_call_indirect (i32.const 0)))"#
        ));
        for export in ["name", "table"] {
            let observed = both.call(&module, export, &[]);
            let observed = observed.unwrap_or_else(|error| panic!("{count} constants, by {export}: {error}"));
            *codes.entry(observed.code).or_default() += 1;
        }
    }
    assert!(codes.len() == 2 && codes.values().all(|calls| *calls >= 4), "{codes:?}");
}
