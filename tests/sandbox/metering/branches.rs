//! Branches over straight code that is longer than wasmi 1.1 can encode in a branch that is fused with a comparison, or
//! in the copies of the branch's operands: every kind of target, of operands and of condition, forward and backward.
//!
//! The expected results are known by construction. wasmi, which has the defect, runs the whole product at one size with
//! both meterings; wasmtime runs a third of it, over bodies just long enough to be large for the rewrite. Other sizes
//! and presets get a part of the product each, always the same.

use hotcell::{Policy, Preset, Rules, Value, Wasmi, Wasmtime, policy::Metering};
use hotcell_conformance::BackendUnderTest;
use hotcell_differential::{Numbers, Runner};
use wasm_encoder::{CodeSection, Module, RawSection, SectionId};
use wasmparser::{Parser, Payload};

/// The target of the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Block,
    Loop,
    If,
    Else,
}

/// The operands of the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operands {
    /// The block's parameters, in place.
    InPlace,
    /// The same in another order, through locals.
    Moved,
    /// Results of an operator.
    Computed,
}

/// The condition of the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Plain,
    Compared,
    Eqz,
    Compared64,
    AndImmediate,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    target: Target,
    values: usize,
    operands: Operands,
    condition: Condition,
    by_table: bool,
    /// Whether there is another block between the branch and its target.
    is_nested: bool,
}

/// The whole product. Without operands only one of their kinds is used.
fn product() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in [Target::Block, Target::Loop, Target::If, Target::Else] {
        for values in 0..=3 {
            for operands in [Operands::InPlace, Operands::Moved, Operands::Computed] {
                if values == 0 && operands != Operands::InPlace {
                    continue;
                }
                for condition in [
                    Condition::Plain,
                    Condition::Compared,
                    Condition::Eqz,
                    Condition::Compared64,
                    Condition::AndImmediate,
                ] {
                    for (by_table, is_nested) in [(false, false), (false, true), (true, false), (true, true)] {
                        cases.push(Case { target, values, operands, condition, by_table, is_nested });
                    }
                }
            }
        }
    }
    assert_eq!(cases.len(), 4 * (1 + 3 * 3) * 5 * 2 * 2);
    cases
}

impl Condition {
    /// An expression that is true if the local `$t` is 1, and false if it is 0.
    fn text(self) -> &'static str {
        match self {
            Self::Plain => "local.get $t",
            Self::Compared => "local.get $t i32.const 0 i32.gt_s",
            Self::Eqz => "local.get $t i32.const 1 i32.xor local.set $u local.get $u i32.eqz",
            Self::Compared64 => "local.get $t i64.extend_i32_u local.set $w local.get $w i64.const 0 i64.ne",
            Self::AndImmediate => "local.get $t i32.const 5 i32.and",
        }
    }
}

impl Operands {
    fn text(self, values: usize) -> String {
        let locals = ["$a", "$b", "$c"];
        let sets: String = locals[..values].iter().rev().map(|local| format!("local.set {local} ")).collect();
        let get = |local: &str| match self {
            Self::Computed => format!("local.get {local} i32.const 3 i32.add "),
            _ => format!("local.get {local} "),
        };
        match self {
            Self::InPlace => String::new(),
            Self::Moved => sets + &locals[..values].iter().rev().map(|local| get(local)).collect::<String>(),
            Self::Computed => sets + &locals[..values].iter().map(|local| get(local)).collect::<String>(),
        }
    }

    fn apply(self, values: &mut [i32]) {
        match self {
            Self::InPlace => {}
            Self::Moved => values.reverse(),
            Self::Computed => values.iter_mut().for_each(|value| *value += 3),
        }
    }
}

/// A placeholder for the straight code: assembling it as text would take longer than compiling it.
const STRAIGHT: &str = "i32.popcnt i32.popcnt i32.popcnt";
const STRAIGHT_BYTES: [u8; 3] = [0x69; 3];
/// `i32.clz` and `i32.ctz`.
const PAIR: [u8; 2] = [0x67, 0x68];

/// The module with this many operators in place of [`STRAIGHT`].
fn with_straight_code(short: &[u8], operators: usize) -> Vec<u8> {
    let (mut module, mut code) = (Module::new(), CodeSection::new());
    for payload in Parser::new(0).parse_all(short) {
        let payload = payload.unwrap();
        if let Payload::CodeSectionEntry(body) = &payload {
            let bytes = body.as_bytes();
            let at = bytes.windows(3).position(|window| window == STRAIGHT_BYTES).unwrap();
            let straight = PAIR.repeat(operators / 2);
            code.raw(&[&bytes[..at], &straight, &bytes[at + 3..]].concat());
            module.section(&code);
        } else if let Some((id, range)) = payload.as_section().filter(|(id, _)| *id != SectionId::Code as u8) {
            module.section(&RawSection { id, data: &short[range] });
        }
    }
    module.finish()
}

impl Case {
    /// A function with one parameter over this many operators of straight code.
    fn module(self, operators: usize) -> Vec<u8> {
        let Self { target, values, operands, condition, by_table, is_nested } = self;
        let types = "i32 ".repeat(values);
        let ty = format!("(param {types}) (result {types})");
        let (operands, condition) = (operands.text(values), condition.text());
        let straight = format!("local.get $x {STRAIGHT} local.set $x ");
        let depth = if is_nested { "1" } else { "0" };
        // With a table, zero exits a block of its own, to the code after the branch.
        let branch = match by_table {
            false => format!("{operands} {condition} br_if {depth}"),
            true => format!("block {ty} {operands} {condition} br_table 0 {} end", if is_nested { "2" } else { "1" }),
        };
        let inside = match target {
            Target::Loop => format!(
                "{straight} local.get $p i32.const 1 i32.sub local.tee $p i32.const 0 i32.ne local.set $t {branch}"
            ),
            _ => format!("{branch} {straight}"),
        };
        let inside = if is_nested { format!("block {ty} {inside} end") } else { inside };
        let block = match target {
            Target::Block => format!("block {ty} {inside} end"),
            Target::Loop => format!("loop {ty} {inside} end"),
            Target::If => format!("local.get $p i32.const 2 i32.and if {ty} {inside} end"),
            Target::Else => format!("local.get $p i32.const 2 i32.and if {ty} else {inside} end"),
        };
        let given: String = (1..=values).map(|n| format!("local.get $p i32.const {} i32.add ", 10 * n)).collect();
        let taken = "local.set $a local.get $s i32.const 31 i32.mul local.get $a i32.add local.set $s ".repeat(values);
        let text = format!(
            r#"(module (func (export "f") (param $p i32) (result i32)
                (local $x i32) (local $t i32) (local $u i32) (local $w i64)
                (local $a i32) (local $b i32) (local $c i32) (local $s i32)
                local.get $p i32.const 1 i32.and local.set $t
                {given} {block} {taken}
                local.get $s i32.const 31 i32.mul local.get $x i32.add))"#
        );
        let short = wat::parse_str(&text).unwrap_or_else(|error| panic!("{self:?}: {error}"));
        with_straight_code(&short, operators)
    }

    fn expected(self, operators: usize, param: i32) -> i32 {
        let mut values: Vec<i32> = (1..=self.values as i32).map(|n| param + 10 * n).collect();
        let mut x = 0i32;
        // From zero every other pair returns the same, so a few are enough.
        let pairs = operators / 2;
        let mut straight = || {
            for _ in 0..pairs.min(6 + pairs % 6) {
                x = (x.leading_zeros()).trailing_zeros() as i32;
            }
        };
        let is_taken = param & 1 != 0;
        let is_entered = match self.target {
            Target::Block | Target::Loop => true,
            Target::If => param & 2 != 0,
            Target::Else => param & 2 == 0,
        };
        let rounds = if self.target == Target::Loop { param } else { i32::from(is_entered) };
        for _ in 0..rounds {
            self.operands.apply(&mut values);
            if self.target == Target::Loop || !is_taken {
                straight();
            }
        }
        let sum = values.iter().rev().fold(0i32, |sum, value| sum.wrapping_mul(31).wrapping_add(*value));
        sum.wrapping_mul(31).wrapping_add(x)
    }

    /// What is wrong on a backend, if anything.
    fn wrong<B: BackendUnderTest>(self, runner: &Runner<B>, operators: usize) -> Option<String> {
        let wasm = self.module(operators);
        // A loop runs this many iterations; otherwise the bits determine the path.
        let params = if self.target == Target::Loop { 1..=3 } else { 0..=3 };
        for param in params {
            let observed = runner.call(&wasm, "f", &[Value::I32(param)]);
            let expected = self.expected(operators, param);
            if observed.code != "ok" || observed.values != [Value::I32(expected)] {
                let (code, values, message) = (observed.code, observed.values, observed.message);
                return Some(format!(
                    "{self:?} over {operators} on {}, f({param}): {code} {values:?} {message:?}, expected {expected}",
                    B::ID
                ));
            }
        }
        None
    }
}

fn bench<B: BackendUnderTest>(preset: Preset, metering: Metering) -> Runner<B> {
    let mut rules = Rules::preset(preset);
    rules.metering = metering;
    Runner::new(&Policy::new(rules).unwrap()).unwrap()
}

fn assert_none(wrong: &[String]) {
    let told = &wrong[..wrong.len().min(20)];
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), told.join("\n"));
}

const METERINGS: [Metering; 2] = [Metering::Exact, Metering::Engine];
/// Just beyond the reach of a branch.
const FAR: usize = 33_000;
/// Enough for a body to be large for the rewrite.
const LARGE: usize = 4_200;

/// Every `step`-th case of the product.
fn product_of<B: BackendUnderTest>(metering: Metering, operators: usize, step: usize) {
    let runner = bench::<B>(Preset::Default, metering);
    let cases = product().into_iter().step_by(step);
    let wrong: Vec<_> = cases.filter_map(|case| case.wrong(&runner, operators)).collect();
    assert_none(&wrong);
}

#[test]
fn far_branches_on_wasmi() {
    product_of::<Wasmi>(Metering::Exact, FAR, 1);
}

#[test]
fn far_branches_on_wasmi_that_counts_itself() {
    product_of::<Wasmi>(Metering::Engine, FAR, 1);
}

#[test]
fn branches_in_large_bodies_on_wasmtime() {
    product_of::<Wasmtime>(Metering::Exact, LARGE, 3);
}

/// For each size, preset and metering this many cases of the product, and a few of them on wasmtime.
#[test]
fn far_branches_of_every_size_under_every_preset() {
    const CASES: usize = 16;
    const ON_WASMTIME: usize = 1;
    let (product, mut numbers, mut wrong) = (product(), Numbers::new(1), Vec::new());
    for preset in [Preset::Strict, Preset::Default, Preset::Ceiling] {
        for metering in METERINGS {
            let (wasmtime, wasmi) = (bench::<Wasmtime>(preset, metering), bench::<Wasmi>(preset, metering));
            for operators in [20_000, FAR, 70_000] {
                let cases: Vec<Case> = (0..CASES).map(|_| numbers.pick(&product)).collect();
                let told = |what: String| format!("{preset:?}, {metering:?}, {what}");
                wrong.extend(cases.iter().filter_map(|case| case.wrong(&wasmi, operators)).map(told));
                let few = &cases[..ON_WASMTIME];
                wrong.extend(few.iter().filter_map(|case| case.wrong(&wasmtime, operators)).map(told));
            }
        }
    }
    assert_none(&wrong);
}
