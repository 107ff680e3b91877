//! Generated modules: on both backends everything is equal, whatever the module does.
//!
//! `HOTCELL_MODULES` sets how many (400 if not set), `HOTCELL_SEED` where to begin.

use arbitrary::Unstructured;
use hotcell::{ValType, Value, admit::ExternType};
use wasm_smith::{Config, Module};

use crate::run::{Both, Guest, policy, same};

/// Fuel of one call: most generated functions end long before, the rest must stop at the same operator.
const FUEL: u64 = 20_000;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A stream of numbers that looks random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A module of what the policy allows. Half of them are made so that they do not trap; only every eighth has several
/// results, because the generator does not know the cap on them.
fn module(seed: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    let bytes: Vec<u8> = (0..512).flat_map(|_| numbers.next().to_le_bytes()).collect();
    let config = Config {
        min_funcs: 2,
        max_funcs: 8,
        max_imports: 0,
        max_types: 8,
        max_globals: 8,
        max_instructions: 400,
        max_memory32_bytes: 8 << 16,
        max_table_elements: 100,
        export_everything: true,
        disallow_traps: seed.is_multiple_of(2),
        multi_value_enabled: seed % 8 == 1,
        allow_start_export: seed % 16 == 3,
        reference_types_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        ..Config::default()
    };
    Module::new(config, &mut Unstructured::new(&bytes)).expect("the generator makes do with any bytes").to_bytes()
}

fn argument(ty: ValType, numbers: &mut Numbers) -> Option<Value> {
    let number = match numbers.next() % 4 {
        0 => 0,
        1 => numbers.next() % 64,
        2 => u64::MAX >> (numbers.next() % 64),
        _ => numbers.next(),
    };
    Some(match ty {
        ValType::I32 => Value::I32(number as u32 as i32),
        ValType::I64 => Value::I64(number.cast_signed()),
        ValType::F32 => Value::F32(number as u32),
        ValType::F64 => Value::F64(number),
        ValType::V128 => Value::V128(u128::from(number) << 64 | u128::from(numbers.next())),
        ValType::FuncRef | ValType::OtherRef => return None,
    })
}

/// Calls every export twice and gives how many calls that were, and how many of them ended in a fault.
fn compare(both: &Both, seed: u64, wasm: &[u8]) -> Result<Option<(u64, u64)>, String> {
    let (wasmtime, wasmi) = match (both.wasmtime.load(wasm), both.wasmi.load(wasm)) {
        (Ok(wasmtime), Ok(wasmi)) => (wasmtime, wasmi),
        (Err(one), Err(other)) if one.code() == other.code() && one.code() != "backend" => return Ok(None),
        (one, other) => return Err(format!("{:?} and {:?}", one.err(), other.err())),
    };
    let mut numbers = Numbers::new(!seed);
    let (mut calls, mut faults) = (0, 0);
    let (mut one, mut other) = (Guest::new(&wasmtime), Guest::new(&wasmi));
    for export in &wasmtime.summary().exports {
        let ExternType::Function(ty) = &export.ty else { continue };
        for _ in 0..2 {
            let Some(arguments) = ty.params.iter().map(|ty| argument(*ty, &mut numbers)).collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            let observed = same(one.call(&export.name, &arguments), other.call(&export.name, &arguments))
                .map_err(|difference| format!("{} {arguments:?}\n{difference}", export.name))?;
            calls += 1;
            faults += u64::from(observed.code != "ok");
        }
    }
    Ok(Some((calls, faults)))
}

#[test]
fn generated_modules_are_equal_on_both_backends() {
    let both = Both::new(&policy(FUEL, |_| {}));
    let (modules, first) = (number("HOTCELL_MODULES", 400), number("HOTCELL_SEED", 0));
    let (mut admitted, mut calls, mut faults) = (0, 0, 0);
    let mut differences = Vec::new();
    for seed in first..first + modules {
        match compare(&both, seed, &module(seed)) {
            Ok(None) => {}
            Ok(Some((more_calls, more_faults))) => {
                admitted += 1;
                calls += more_calls;
                faults += more_faults;
            }
            Err(difference) => differences.push(format!("seed {seed}: {difference}")),
        }
    }
    println!("{modules} modules, {admitted} admitted, {calls} calls, {faults} faults");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(admitted * 10 >= modules * 8, "only {admitted} of {modules} modules are admitted");
    assert!(faults * 100 >= calls, "next to nothing fails: {faults} of {calls}");
}
