//! Compares two backends on the same modules: verdict, code, phase, fuel, results bit for bit, memory, globals, memory
//! peak, refused growths and the arguments of host calls must be equal. On each backend the rewritten module must
//! behave like the original. For modules of integers only, both backends must count what the [`mod@reference`] counts.
//!
//! A backend is not tested for what it declares unsupported: only backends with 64-bit indices run modules that have
//! them, and original modules run only with `metering = engine`.
//!
//! A case is a seed, which determines everything: the generator, the module, the configuration (a policy), the
//! arguments.

mod configuration;
mod host;
mod long;
mod numbers;
mod runner;

pub mod frames;
pub mod fuzz;
pub mod generate;
pub mod reference;
pub mod smith;
pub mod superseded;
pub mod traced;

use std::collections::BTreeMap;

use hotcell_conformance::BackendUnderTest;
use hotcell_core::{Enforcement, Field, LoadError, Plugin, PolicyError, Value, admit::ExternType, value::ValType};
use serde::{Deserialize, Serialize};

pub use self::{
    configuration::Configuration,
    host::Host,
    long::{Findings, LongRun},
    numbers::Numbers,
    runner::{Guest, Memory, Observed, Runner},
};
use self::{frames::Frames, generate::Kinds};

/// Approximate number of budgets at which a call is compared with the reference.
const BUDGETS: u64 = 25;

/// Counts of what was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Modules.
    pub modules: u64,
    /// Modules that both backends refused, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Calls, by the code of their verdict.
    pub calls: BTreeMap<String, u64>,
    /// Calls that were also made on the original module.
    pub transparent: u64,
    /// Calls, at many budgets, that were compared with the reference interpreter.
    pub counted: u64,
}

impl Stats {
    /// For one call.
    fn of_one(observed: &Observed) -> Self {
        Self { modules: 1, calls: BTreeMap::from([(observed.code.into(), 1)]), ..Self::default() }
    }

    /// Adds the counts of other modules.
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

    /// Number of calls, whatever their verdict.
    pub fn all_calls(&self) -> u64 {
        self.calls.values().sum()
    }
}

/// A difference between two backends, or between a module before and after the rewrite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} under {configuration}, {what}:\n{one}\n{other}")]
pub struct Difference {
    /// The case.
    pub seed: u64,
    /// Name of the configuration.
    pub configuration: &'static str,
    /// The operation that was compared.
    pub what: String,
    /// The outcome on one side.
    pub one: String,
    /// The outcome on the other side.
    pub other: String,
    /// The module.
    pub wasm: Vec<u8>,
}

/// Two backends under every configuration.
pub struct Comparison<A: BackendUnderTest, B: BackendUnderTest> {
    sides: Vec<(Configuration, Sides<A, B>)>,
    frames: Frames<A, B>,
}

/// The backends that run the modules of a configuration. A single backend is compared with itself, with the original
/// module, and with the reference.
enum Sides<A: BackendUnderTest, B: BackendUnderTest> {
    Both(Pair<A, B>),
    One(Pair<A, A>),
    Other(Pair<B, B>),
    Nobody,
}

/// Two backends under one configuration.
struct Pair<A: BackendUnderTest, B: BackendUnderTest> {
    configuration: Configuration,
    one: Side<A>,
    other: Side<B>,
}

/// A backend that runs rewritten and original modules.
struct Side<B: BackendUnderTest> {
    rewritten: Runner<B>,
    /// Run original modules with and without floats. A backend may have no metering of its own, and then cannot run
    /// original modules.
    original: Option<(Runner<B>, Runner<B>)>,
}

impl<B: BackendUnderTest> Side<B> {
    fn new(configuration: &Configuration) -> Result<Self, PolicyError> {
        let original = match has::<B>(Field::EngineMetering) && has::<B>(Field::EngineStackBytes) {
            true => Some((Runner::new(&configuration.unmetered())?, Runner::new(&configuration.untouched())?)),
            false => None,
        };
        Ok(Self { rewritten: Runner::new(&configuration.policy())?, original })
    }

    /// Loads the original module, if the backend can run it.
    fn load_original(&self, wasm: &[u8], has_floats: bool) -> Result<Option<Plugin<B, Host>>, LoadError> {
        let Some((with_floats, without)) = &self.original else { return Ok(None) };
        (if has_floats { with_floats } else { without }).load(wasm).map(Some)
    }
}

fn has<B: BackendUnderTest>(field: Field) -> bool {
    !matches!(B::enforcement(field), Enforcement::Unsupported { .. })
}

/// Whether a backend supports every proposal that a configuration allows.
fn takes<B: BackendUnderTest>(configuration: Configuration) -> bool {
    configuration.policy().rules().proposals.iter().all(|proposal| has::<B>(Field::Proposal(proposal)))
}

impl<A: BackendUnderTest, B: BackendUnderTest> Pair<A, B> {
    fn new(configuration: Configuration) -> Result<Self, PolicyError> {
        Ok(Self { one: Side::new(&configuration)?, other: Side::new(&configuration)?, configuration })
    }

    fn compare_case(&self, seed: u64, case: &Case) -> Result<Stats, Difference> {
        let Case { wasm, has_floats, kinds } = case;
        let mut stats = self.compare(seed, wasm, *has_floats)?;
        if kinds.is_some_and(Kinds::are_integers) {
            stats.counted += reference::compare(&self.one.rewritten, self.configuration, seed, wasm, BUDGETS)?;
            stats.counted += reference::compare(&self.other.rewritten, self.configuration, seed, wasm, BUDGETS)?;
        }
        Ok(stats)
    }
}

impl<A: BackendUnderTest, B: BackendUnderTest> Comparison<A, B> {
    /// Makes the engines.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when a backend cannot enforce a policy.
    pub fn new() -> Result<Self, PolicyError> {
        let sides = |configuration: Configuration| {
            let sides = match (takes::<A>(configuration), takes::<B>(configuration)) {
                (true, true) => Sides::Both(Pair::new(configuration)?),
                (true, false) => Sides::One(Pair::new(configuration)?),
                (false, true) => Sides::Other(Pair::new(configuration)?),
                (false, false) => Sides::Nobody,
            };
            Ok((configuration, sides))
        };
        Ok(Self { sides: Configuration::ALL.into_iter().map(sides).collect::<Result<_, _>>()?, frames: Frames::new()? })
    }

    /// Compares the backends on the case of `seed`.
    ///
    /// # Errors
    ///
    /// The first [`Difference`].
    pub fn compare(&self, seed: u64) -> Result<Stats, Difference> {
        if is_of_frames(seed) {
            let observed = self.frames.compare(seed / 16).map_err(|difference| Difference { seed, ..difference })?;
            return Ok(Stats::of_one(&observed));
        }
        let case = Case::new(seed, Configuration::of(seed));
        match self.sides(seed) {
            Sides::Both(pair) => pair.compare_case(seed, &case),
            Sides::One(pair) => pair.compare_case(seed, &case),
            Sides::Other(pair) => pair.compare_case(seed, &case),
            Sides::Nobody => Ok(Stats::default()),
        }
    }

    /// Compares the backends on a module, under the configuration and with the arguments of `seed`.
    ///
    /// # Errors
    ///
    /// The first [`Difference`].
    pub fn compare_module(&self, seed: u64, wasm: &[u8]) -> Result<Stats, Difference> {
        match self.sides(seed) {
            Sides::Both(pair) => pair.compare(seed, wasm, true),
            Sides::One(pair) => pair.compare(seed, wasm, true),
            Sides::Other(pair) => pair.compare(seed, wasm, true),
            Sides::Nobody => Ok(Stats::default()),
        }
    }

    /// The module of `seed`.
    pub fn module(&self, seed: u64) -> Vec<u8> {
        match is_of_frames(seed) {
            true => frames::module(seed / 16).0,
            false => Case::new(seed, Configuration::of(seed)).wasm,
        }
    }

    fn sides(&self, seed: u64) -> &Sides<A, B> {
        let configuration = Configuration::of(seed);
        let sides = self.sides.iter().find(|(other, _)| *other == configuration);
        &sides.expect("there is one for each configuration").1
    }
}

/// One case in sixteen is from [`frames`].
fn is_of_frames(seed: u64) -> bool {
    seed % 16 == 6
}

/// The module of a seed.
struct Case {
    wasm: Vec<u8>,
    /// Whether it may have floats.
    has_floats: bool,
    /// Set for a module of our own generator.
    kinds: Option<Kinds>,
}

impl Case {
    /// Every other module is from our own generator; two of three if the configuration has proposals that not every
    /// backend supports.
    fn new(seed: u64, configuration: Configuration) -> Self {
        let is_smith = if seed % 8 == 7 { (seed / 8).is_multiple_of(3) } else { seed.is_multiple_of(2) };
        match is_smith {
            true => {
                let (wasm, has_floats) = smith::module(seed / 2, &configuration.policy());
                Self { wasm, has_floats, kinds: None }
            }
            false => {
                let (wasm, kinds) = generate::module(seed, configuration.kinds());
                Self { wasm, has_floats: kinds.floats, kinds: Some(kinds) }
            }
        }
    }
}

impl<A: BackendUnderTest, B: BackendUnderTest> Pair<A, B> {
    fn compare(&self, seed: u64, wasm: &[u8], has_floats: bool) -> Result<Stats, Difference> {
        let configuration = self.configuration.name();
        let differ = |what: String, one: String, other: String| Difference {
            seed,
            configuration,
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
                    // An engine that refuses an admitted module is wrong, even if the other one does so too.
                    (Some(refused), Some(_)) if one == other && refused.code != "backend" => {
                        stats.rejected.insert(refused.code.into(), 1);
                        return Ok(stats);
                    }
                    _ => return Err(differ("load".into(), format!("{one:?}"), format!("{other:?}"))),
                }
            }
        };
        let original = |error| differ("load before the rewrite".into(), format!("{error:?}"), String::new());
        let one_before = self.one.load_original(wasm, has_floats).map_err(original)?;
        let other_before = self.other.load_original(wasm, has_floats).map_err(original)?;

        let mut numbers = Numbers::new(seed ^ 0x5eed);
        let (mut first, mut second) = (Guest::new(&one), Guest::new(&other));
        let (mut first_before, mut second_before) =
            (one_before.as_ref().map(Guest::new), other_before.as_ref().map(Guest::new));
        // After a call has ended by a limit that only the rewrite counts, the states of the instances differ.
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
                    let observed = observed.without_fuel();
                    let befores = [
                        first_before.as_mut().map(|guest| (guest.call(&export.name, &arguments), "one")),
                        second_before.as_mut().map(|guest| (guest.call(&export.name, &arguments), "other")),
                    ];
                    stats.transparent += u64::from(befores.iter().any(Option::is_some));
                    for (before, side) in befores.into_iter().flatten() {
                        let before = before.without_fuel();
                        if observed != before {
                            return Err(differ(
                                what(&format!(", rewritten and not, on {side}")),
                                format!("{observed:?}"),
                                format!("{before:?}"),
                            ));
                        }
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
