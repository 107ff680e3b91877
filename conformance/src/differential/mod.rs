//! The same modules on two backends: verdict, code, phase, fuel, results bit for bit, memory, globals, memory peak,
//! refused growths and what the host functions saw are equal; on each backend the module that was rewritten does what the
//! module did before; and where the module is of integers alone, both count what the [`mod@reference`] counts.
//!
//! A case is a seed. It says everything: the generator, the module, the regime (a policy), the arguments.

mod bench;
mod host;
mod long;
mod numbers;
mod regime;

pub mod generate;
pub mod reference;
pub mod smith;

use std::collections::BTreeMap;

use hotcell_core::{PolicyError, Value, admit::ExternType, value::ValType};
use serde::{Deserialize, Serialize};

use self::generate::Kinds;
pub use self::{
    bench::{Bench, Guest, Memory, Observed},
    host::Host,
    long::{Findings, LongRun},
    numbers::Numbers,
    regime::Regime,
};
use crate::Subject;

/// Budgets at which a call is held against the reference, about.
const BUDGETS: u64 = 25;

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Modules.
    pub modules: u64,
    /// Modules that both backends refused, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Calls, by the code of their verdict.
    pub calls: BTreeMap<String, u64>,
    /// Calls that were made on the module as it was before the rewrite too.
    pub transparent: u64,
    /// Calls, at many budgets, that were held against the reference interpreter.
    pub counted: u64,
}

impl Stats {
    /// Adds those of other modules.
    pub fn add(&mut self, other: &Self) {
        self.modules += other.modules;
        self.transparent += other.transparent;
        self.counted += other.counted;
        for (mine, others) in [(&mut self.rejected, &other.rejected), (&mut self.calls, &other.calls)] {
            for (code, count) in others {
                *mine.entry(code.clone()).or_default() += count;
            }
        }
    }

    /// Calls of every verdict.
    pub fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }
}

/// Two backends, or a module before and after the rewrite, that are not equal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} under {regime}, {what}:\n{one}\n{other}")]
pub struct Difference {
    /// The case.
    pub seed: u64,
    /// Name of the regime.
    pub regime: &'static str,
    /// What was done.
    pub what: String,
    /// What came of it on one side.
    pub one: String,
    /// What came of it on the other.
    pub other: String,
    /// The module.
    pub wasm: Vec<u8>,
}

/// Two backends under every regime.
pub struct Arena<A: Subject, B: Subject> {
    pairs: Vec<Pair<A, B>>,
}

/// Two backends under one regime.
struct Pair<A: Subject, B: Subject> {
    regime: Regime,
    one: Both<A>,
    other: Both<B>,
}

/// A backend that runs modules rewritten, and as they were.
struct Both<B: Subject> {
    rewritten: Bench<B>,
    original: Bench<B>,
    original_without_floats: Bench<B>,
}

impl<B: Subject> Both<B> {
    fn new(regime: &Regime) -> Result<Self, PolicyError> {
        Ok(Self {
            rewritten: Bench::new(&regime.policy())?,
            original: Bench::new(&regime.unmetered())?,
            original_without_floats: Bench::new(&regime.untouched())?,
        })
    }
}

impl<A: Subject, B: Subject> Arena<A, B> {
    /// Makes the engines.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when a backend cannot enforce a policy.
    pub fn new() -> Result<Self, PolicyError> {
        let pair = |regime: Regime| Ok(Pair { one: Both::new(&regime)?, other: Both::new(&regime)?, regime });
        Ok(Self { pairs: Regime::ALL.into_iter().map(pair).collect::<Result<_, _>>()? })
    }

    /// Compares the backends on the case of a seed.
    ///
    /// # Errors
    ///
    /// The first [`Difference`].
    pub fn compare(&self, seed: u64) -> Result<Stats, Difference> {
        let pair = self.pair(seed);
        let Case { wasm, has_floats, kinds } = Case::new(seed, pair.regime);
        let mut stats = pair.compare(seed, &wasm, has_floats)?;
        if kinds == Some(Kinds::INTEGERS) {
            stats.counted += reference::hold(&pair.one.rewritten, pair.regime, seed, &wasm, BUDGETS)?;
            stats.counted += reference::hold(&pair.other.rewritten, pair.regime, seed, &wasm, BUDGETS)?;
        }
        Ok(stats)
    }

    /// Compares the backends on a module, under the regime and with the arguments of a seed.
    ///
    /// # Errors
    ///
    /// The first [`Difference`].
    pub fn compare_module(&self, seed: u64, wasm: &[u8]) -> Result<Stats, Difference> {
        self.pair(seed).compare(seed, wasm, true)
    }

    /// The module of a seed.
    pub fn module(&self, seed: u64) -> Vec<u8> {
        Case::new(seed, self.pair(seed).regime).wasm
    }

    fn pair(&self, seed: u64) -> &Pair<A, B> {
        let index = Numbers::new(!seed).below(self.pairs.len() as u64);
        &self.pairs[index as usize]
    }
}

/// The module of a seed.
struct Case {
    wasm: Vec<u8>,
    /// Whether there may be floats in it.
    has_floats: bool,
    /// Where it is of our own generator.
    kinds: Option<Kinds>,
}

impl Case {
    /// Every other one is of our own generator.
    fn new(seed: u64, regime: Regime) -> Self {
        match seed % 2 {
            0 => {
                let (wasm, has_floats) = smith::module(seed / 2, &regime.policy());
                Self { wasm, has_floats, kinds: None }
            }
            _ => {
                let (wasm, kinds) = generate::module(seed, regime.kinds());
                Self { wasm, has_floats: kinds.floats, kinds: Some(kinds) }
            }
        }
    }
}

impl<A: Subject, B: Subject> Pair<A, B> {
    fn compare(&self, seed: u64, wasm: &[u8], has_floats: bool) -> Result<Stats, Difference> {
        let regime = self.regime.name();
        let differ = |what: String, one: String, other: String| Difference {
            seed,
            regime,
            what,
            one,
            other,
            wasm: wasm.to_vec(),
        };
        let mut stats = Stats { modules: 1, ..Stats::default() };
        let (one, other) = match (self.one.rewritten.load(wasm), self.other.rewritten.load(wasm)) {
            (Ok(one), Ok(other)) => (one, other),
            (one, other) => {
                let refused = |error| Observed::refused(&error);
                let (one, other) = (one.err().map(refused), other.err().map(refused));
                match (&one, &other) {
                    // An engine that refuses what was admitted is wrong, even where another does too.
                    (Some(refused), Some(_)) if one == other && refused.code != "backend" => {
                        stats.rejected.insert(refused.code.into(), 1);
                        return Ok(stats);
                    }
                    _ => return Err(differ("load".into(), format!("{one:?}"), format!("{other:?}"))),
                }
            }
        };
        let original = |error| differ("load before the rewrite".into(), format!("{error:?}"), String::new());
        let (one_before, other_before) = match has_floats {
            true => (self.one.original.load(wasm), self.other.original.load(wasm)),
            false => (self.one.original_without_floats.load(wasm), self.other.original_without_floats.load(wasm)),
        };
        let (one_before, other_before) = (one_before.map_err(original)?, other_before.map_err(original)?);

        let mut numbers = Numbers::new(seed ^ 0x5eed);
        let (mut first, mut second) = (Guest::new(&one), Guest::new(&other));
        let (mut first_before, mut second_before) = (Guest::new(&one_before), Guest::new(&other_before));
        // Once a call has ended by what only the rewrite counts, the instances are no longer alike.
        let mut is_transparent = true;
        for export in &one.summary().exports {
            let ExternType::Function(ty) = &export.ty else { continue };
            for _ in 0..2 {
                let arguments: Vec<Value> = ty.params.iter().map(|ty| argument(*ty, &mut numbers)).collect();
                let what = |how: &str| format!("{} {arguments:?}{how}", export.name);
                let observed = first.call(&export.name, &arguments);
                let again = second.call(&export.name, &arguments);
                if observed != again || observed.code == "backend" {
                    return Err(differ(what(""), format!("{observed:?}"), format!("{again:?}")));
                }
                *stats.calls.entry(observed.code.into()).or_default() += 1;
                is_transparent &= !ENDED_BY_THE_REWRITE.contains(&observed.code);
                if is_transparent {
                    stats.transparent += 1;
                    let observed = observed.without_fuel();
                    let before = first_before.call(&export.name, &arguments).without_fuel();
                    if observed != before {
                        return Err(differ(
                            what(", rewritten and not, on one"),
                            format!("{observed:?}"),
                            format!("{before:?}"),
                        ));
                    }
                    let before = second_before.call(&export.name, &arguments).without_fuel();
                    if observed != before {
                        return Err(differ(
                            what(", rewritten and not, on other"),
                            format!("{observed:?}"),
                            format!("{before:?}"),
                        ));
                    }
                }
            }
        }
        Ok(stats)
    }
}

const ENDED_BY_THE_REWRITE: [&str; 2] = ["out-of-fuel", "stack-overflow"];

fn argument(ty: ValType, numbers: &mut Numbers) -> Value {
    let number = match numbers.below(4) {
        0 => 0,
        1 => numbers.below(64),
        2 => u64::MAX >> numbers.below(64),
        _ => numbers.number(),
    };
    match ty {
        ValType::I32 => Value::I32(number as u32 as i32),
        ValType::I64 => Value::I64(number.cast_signed()),
        ValType::F32 => Value::F32(number as u32),
        ValType::F64 => Value::F64(number),
        ValType::V128 => Value::V128(u128::from(number) << 64 | u128::from(numbers.number())),
        ValType::FuncRef | ValType::OtherRef => Value::NullFuncRef,
    }
}
