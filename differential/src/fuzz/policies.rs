//! Random policies: zeros, ones, maxima, and contradictions.

use std::time::Duration;

use hotcell_core::{
    Contract, HostOptions, Loader, Policy, Preset, Proposal, Rules, Value,
    policy::{Abi, Floats, Metering, ModuleCaps},
};

use crate::Numbers;
use hotcell_conformance::{BackendUnderTest, Failure};

/// A guest that uses a little of everything.
const GUEST: &str = r#"(module
    (memory (export "memory") 1) (table 2 10 funcref) (elem (i32.const 0) $leaf $leaf)
    (func $leaf)
    (func (export "f") (param $n i32) (result i32)
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 1000))
        (drop (memory.grow (i32.const 1)))
        (loop $again
            (call $leaf)
            (call_indirect (i32.const 1))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.load8_u (i32.const 7))))"#;

/// Any rules are a policy or a typed error, any policy is enforced or refused, and two backends that enforce it give
/// the same verdict under it. Returns whether they did.
///
/// # Errors
///
/// The verdicts differ, or a backend failed.
pub fn policies<A: BackendUnderTest, B: BackendUnderTest>(seed: u64) -> Result<bool, Failure> {
    let mut numbers = Numbers::new(seed);
    let Ok(policy) = Policy::new(rules(&mut numbers)) else { return Ok(false) };
    let wasm = wat::parse_str(GUEST)?;
    let n = numbers.pick(&[1, 2, 100]);
    let (Some(one), Some(other)) = (verdict::<A>(&policy, &wasm, n)?, verdict::<B>(&policy, &wasm, n)?) else {
        return Ok(false);
    };
    let is_same = match policy.is_exact() {
        true => one == other,
        // Engines count differently.
        false => true,
    };
    match is_same && one.0 != "backend" && other.0 != "backend" {
        true => Ok(true),
        false => Err(Failure::new(format!("seed {seed}: {one:?}, {other:?} under {:?}", policy.rules()))),
    }
}

type Verdict = (&'static str, Option<u64>, Vec<Value>);

fn verdict<B: BackendUnderTest>(policy: &Policy, wasm: &[u8], n: i32) -> Result<Option<Verdict>, Failure> {
    let Ok(loader) = Loader::<B>::new(policy.clone(), &HostOptions::default(), &B::Options::default()) else {
        return Ok(None);
    };
    let plugin = match loader.load(wasm, &loader.imports::<()>(), &Contract::None) {
        Ok(plugin) => plugin,
        Err(error) => return Ok(Some((error.code(), None, Vec::new()))),
    };
    let mut session = match plugin.session(()) {
        Ok(session) => session,
        Err(error) => return Ok(Some((error.code(), error.report.usage.fuel_used, Vec::new()))),
    };
    let outcome = session.call_values("f", &[Value::I32(n)]);
    let code = outcome.as_ref().map_or_else(|fault| fault.code(), |_| "ok");
    Ok(Some((code, session.usage().fuel_used, outcome.unwrap_or_default())))
}

fn rules(numbers: &mut Numbers) -> Rules {
    let preset = numbers.pick(&Preset::ALL);
    let mut rules = Rules::preset(preset);
    let limits = &mut rules.limits;
    let mut number = |otherwise: u64| match numbers.below(30) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => i64::MAX as u64,
        4 => u32::MAX.into(),
        5 => 1 << numbers.below(40),
        _ => otherwise,
    };
    // Bounded, so that the call ends soon, whatever the other limits.
    limits.fuel = Some(number(100_000));
    limits.memory_bytes = number(limits.memory_bytes);
    limits.table_elements = number(limits.table_elements);
    limits.stack_bytes = number(limits.stack_bytes);
    limits.input_bytes = number(limits.input_bytes);
    limits.output_bytes = number(limits.output_bytes);
    limits.host_calls = Some(number(100));
    limits.reentry = number(0) as u32;
    let module = &mut rules.module;
    // One above the ceiling's is a typed error, which ends the case.
    let most = ModuleCaps::preset(Preset::Ceiling);
    for (cap, most) in [
        (&mut module.bytes, most.bytes),
        (&mut module.functions, most.functions),
        (&mut module.body_bytes, most.body_bytes),
        (&mut module.element_entries, most.element_entries),
        (&mut module.tables, most.tables),
        (&mut module.memories, most.memories),
        (&mut module.exports, most.exports),
        (&mut module.locals, most.locals),
        (&mut module.types, most.types),
        (&mut module.blocks, most.blocks),
    ] {
        *cap = number(*cap).min(most);
    }
    module.nesting = number(module.nesting);
    const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
    limits.deadline = numbers.pick(&[None, MINUTE, MINUTE, MINUTE, Some(Duration::ZERO), Some(Duration::MAX)]);
    rules.interrupt.deadline = limits.deadline.is_some() != numbers.once_in(10);
    rules.interrupt.cancel = numbers.once_in(2);
    rules.unbounded = numbers.once_in(2);
    rules.metering = numbers.pick(&[Metering::Exact, Metering::Exact, Metering::Engine]);
    rules.floats = numbers.pick(&[Floats::Canonical, Floats::Allow, Floats::Deny]);
    for proposal in Proposal::ALL {
        if numbers.once_in(20) {
            rules.proposals.allow(*proposal);
        } else if numbers.once_in(20) {
            rules.proposals.deny(*proposal);
        }
    }
    rules.abi = numbers
        .pick(&[None, None, None, Some((1, 1)), Some((2, 1)), Some((0, u32::MAX))])
        .map(|(min, max)| Abi { export: numbers.pick(&["", "__hotcell_abi_version", "memory"]).to_owned(), min, max });
    rules
}
