//! The measurements: processor time of this thread, engines interleaved.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use hotcell::{
    AnyPlugin, BackendInfo, Contract, Offered, Policy, Reply, SandboxOptions, admit,
    policy::{Floats, Metering},
};
use hotcell_bench::{
    estimate::{Estimate, median},
    paired::{Side, ThreadTime, in_turns, side},
};

use super::{
    Progress,
    break_even::{Comparison, Cost, compare},
};
use crate::{
    args::Common,
    backends::{TIERED, chosen},
    outcome::Failure,
};

/// Time for all loads of one backend, for the calls of all, and for everything else that is repeated.
const LOADING: Duration = Duration::from_secs(2);
const CALLING: Duration = Duration::from_secs(20);
const REPEATING: Duration = Duration::from_millis(400);
/// Minimum number of repetitions, whatever they take, and maximum.
const FEWEST: usize = 3;
const MOST: usize = 101;

/// The plugin that is measured.
pub(crate) struct Measured<'a> {
    pub name: String,
    pub module: Vec<u8>,
    pub input: Vec<u8>,
    pub entry: &'a str,
}

/// All results. Times are in seconds.
pub(crate) struct Bench {
    pub name: String,
    pub module_bytes: usize,
    pub input_bytes: usize,
    pub output_bytes: usize,
    pub policy: Policy,
    /// Admission without the rewrite, and the rewrite.
    pub admit: f64,
    pub rewrite: f64,
    pub engines: Vec<Engine>,
}

/// The cost of a plugin on one engine.
pub(crate) struct Engine {
    pub info: BackendInfo,
    pub compile: f64,
    pub instantiate: f64,
    /// The first call after loading: instantiation included.
    pub first_call: f64,
    /// A call on a new instance.
    pub call: Estimate,
    /// A call on a live instance.
    pub live_call: Estimate,
    pub fuel: Option<u64>,
    pub peak_memory: u64,
}

impl Engine {
    pub(crate) fn cost(&self, bench: &Bench) -> Cost {
        let load = bench.admit + bench.rewrite + self.compile;
        // A first call may be more expensive than the following ones.
        Cost { start: load + (self.first_call - self.call.median).max(0.0), call: self.call.median }
    }
}

impl Bench {
    /// Time until the reply of call `calls`. Of tiered it follows from the parts: calls are as slow as the interpreter's for as
    /// long as the compiler takes, behind.
    pub(crate) fn total(&self, engine: &Engine, calls: f64) -> f64 {
        let cost = engine.cost(self);
        let parts = self.engines.iter().find(|part| part.info.id != TIERED && part.info.is_jit);
        match (parts, self.engines.iter().find(|part| !part.info.is_jit)) {
            (Some(compiled), Some(first)) if engine.info.id == TIERED => {
                let on_first = (compiled.compile / first.call.median).ceil().min(calls);
                cost.start + on_first * first.call.median + (calls - on_first) * cost.call
            }
            _ => cost.total(calls),
        }
    }

    /// Compares the first engine with the second, if there are two.
    pub(crate) fn comparison(&self) -> Option<(&Engine, &Engine, Comparison)> {
        let [first, second, ..] = &self.engines[..] else {
            return None;
        };
        Some((first, second, compare(first.cost(self), second.cost(self))))
    }
}

pub(crate) fn measure(
    measured: &Measured<'_>,
    policy: Policy,
    common: &Common,
    progress: &Progress,
) -> Result<Bench, Failure> {
    let contract = Contract::bytes(measured.entry);
    let backends = chosen(common.backend.as_deref())?;
    let steps = backends.len() as f64 + 2.0;

    progress.say("admission");
    let (admit, rewrite) = admission(measured, &policy, &contract)?;
    let mut loaded = Vec::new();
    for (number, info) in backends.into_iter().enumerate() {
        progress.done((number as f64 + 1.0) / steps);
        progress.say(format!("loading on {}", info.id));
        loaded.push(Loaded::measure(info, measured, &policy, &contract, admit + rewrite)?);
    }
    let reply = same_reply(&loaded)?;

    progress.say("calling, in turns");
    let input: Rc<[u8]> = measured.input.as_slice().into();
    let mut sides = Vec::new();
    for loaded in &loaded {
        sides.push(fresh(loaded.plugin.clone(), measured.entry, input.clone()));
        sides.push(live(&*loaded.plugin, measured.entry, input.clone())?);
    }
    let seconds = in_turns(&mut sides, CALLING, |share| progress.done((steps - 1.0 + share) / steps));

    let (output_bytes, policy_shown) = (reply.bytes.len(), policy);
    let engines = loaded.iter().zip(seconds.chunks(2)).map(|(loaded, seconds)| Engine {
        info: loaded.info,
        compile: loaded.compile,
        instantiate: loaded.instantiate,
        first_call: loaded.first_call,
        call: Estimate::of(&seconds[0]),
        live_call: Estimate::of(&seconds[1]),
        fuel: loaded.reply.report.usage.fuel_used,
        peak_memory: loaded.reply.report.usage.peak_memory_bytes,
    });
    Ok(Bench {
        name: measured.name.clone(),
        module_bytes: measured.module.len(),
        input_bytes: measured.input.len(),
        output_bytes,
        policy: policy_shown,
        admit,
        rewrite,
        engines: engines.collect(),
    })
}

/// Seconds of admission without the rewrite, and of the rewrite.
fn admission(measured: &Measured<'_>, policy: &Policy, contract: &Contract) -> Result<(f64, f64), Failure> {
    let plain = policy.with(|rules| {
        rules.metering = Metering::Engine;
        rules.floats = if rules.floats == Floats::Canonical { Floats::Allow } else { rules.floats };
    })?;
    let run = |policy: &Policy| {
        let admitted = admit(&measured.module, policy, &Offered::default(), contract);
        admitted.map(drop)
    };
    run(policy)?;
    let (without, with) = (repeat(REPEATING, || run(&plain))?, repeat(REPEATING, || run(policy))?);
    Ok((without, (with - without).max(0.0)))
}

/// A plugin on one backend, with the cost of loading it.
struct Loaded {
    info: BackendInfo,
    plugin: Rc<dyn AnyPlugin>,
    reply: Reply,
    compile: f64,
    first_call: f64,
    instantiate: f64,
}

impl Loaded {
    fn measure(
        info: BackendInfo,
        measured: &Measured<'_>,
        policy: &Policy,
        contract: &Contract,
        admission: f64,
    ) -> Result<Self, Failure> {
        let sandbox = info.sandbox(policy.clone(), &SandboxOptions::default())?;
        let (mut loads, mut firsts) = (Vec::new(), Vec::new());
        let begin = Instant::now();
        loop {
            let (plugin, load) = timed(|| sandbox.load(&measured.module, contract));
            let plugin = plugin?;
            let (reply, first) = timed(|| plugin.call(measured.entry, &measured.input, None));
            let reply = reply?;
            loads.push(load);
            firsts.push(first);
            if loads.len() >= MOST || loads.len() >= FEWEST && begin.elapsed() >= LOADING {
                // What was compiled behind is there when calls are measured.
                sandbox.finish_compiling();
                let instantiate = repeat(REPEATING, || plugin.session(None).map(drop))?;
                let compile = (median(loads) - admission).max(0.0);
                return Ok(Self {
                    info,
                    plugin: plugin.into(),
                    reply,
                    compile,
                    first_call: median(firsts),
                    instantiate,
                });
            }
        }
    }
}

/// All backends must return the same bytes: otherwise comparing their speed means nothing.
fn same_reply(loaded: &[Loaded]) -> Result<&Reply, Failure> {
    let first = &loaded[0];
    match loaded.iter().find(|other| other.reply.bytes != first.reply.bytes) {
        None => Ok(&first.reply),
        Some(other) => Err(Failure::different(first.info.id, other.info.id)),
    }
}

fn fresh(plugin: Rc<dyn AnyPlugin>, entry: &str, input: Rc<[u8]>) -> Side {
    let entry = entry.to_owned();
    side(move || plugin.call(&entry, &input, None))
}

fn live(plugin: &dyn AnyPlugin, entry: &str, input: Rc<[u8]>) -> Result<Side, Failure> {
    let entry = entry.to_owned();
    let mut session = plugin.session(None)?;
    session.call(&entry, &input)?;
    Ok(side(move || session.call(&entry, &input)))
}

/// The median of a run's seconds.
fn repeat<E>(budget: Duration, mut run: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let begin = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < FEWEST || seconds.len() < MOST && begin.elapsed() < budget {
        let (done, took) = timed(&mut run);
        done?;
        seconds.push(took);
    }
    Ok(median(seconds))
}

fn timed<R>(run: impl FnOnce() -> R) -> (R, f64) {
    let begin = ThreadTime::now();
    let result = run();
    (result, begin.elapsed().as_secs_f64())
}
