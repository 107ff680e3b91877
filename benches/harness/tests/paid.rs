//! The code that the rewrite emits is paid for: the work for one unit of fuel is bounded by a constant that does not
//! depend on the module.

use hotcell::{Contract, Offered, Policy, Proposal, Signature, admit, admit::FuncType};
use hotcell_bench::kinds::{Kind, kinds};
use hotcell_core::meter::{FUEL, GROW, HOST, REFILL, STACK};
use wasmi::{Caller, CompilationMode, Config, Engine, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, Val};

/// Maximum number of an interpreter's instructions per unit.
const MOST: f64 = 12.0;

/// Instructions of a rewritten module that wasmi executes per unit of fuel, by its own count. Copying and clearing is
/// not in it, but in the prices that the bench `price` measures.
fn work_per_unit(kind: &Kind, times: usize) -> f64 {
    let policy = Policy::ceiling().with(|rules| {
        for proposal in [Proposal::TailCall, Proposal::WideArithmetic] {
            rules.proposals.allow(proposal);
        }
    });
    let mut offered = Offered::default();
    let nop = Signature { module: "env".to_owned(), name: "nop".to_owned(), ty: FuncType::default() };
    offered.offer(nop).expect("the name is free");
    let wasm = wat::parse_str(kind.module_with(times)).expect("the kind assembles");
    let admitted = admit(&wasm, &policy.expect("the policy is right"), &offered, &Contract::None);
    let admitted = admitted.unwrap_or_else(|error| panic!("{}: {error}", kind.name));

    let mut config = Config::default();
    config.consume_fuel(true).compilation_mode(CompilationMode::Eager).wasm_tail_call(true).wasm_wide_arithmetic(true);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, admitted.bytes()).expect("the module compiles");
    let mut linker: Linker<StoreLimits> = Linker::new(&engine);
    linker.func_wrap("env", "nop", || ()).expect("the name is free");
    linker.func_wrap(HOST, REFILL, |_: Caller<'_, StoreLimits>, _: i64| ()).expect("the name is free");
    // The limiter decides.
    linker.func_wrap(HOST, GROW, |_: i32, _: i64, _: i64| 1).expect("the name is free");
    let limits = StoreLimitsBuilder::new().memory_size(64 << 20).table_elements(1 << 20).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    const PLENTY: u64 = 1 << 40;
    store.set_fuel(PLENTY).expect("the engine counts");
    let instance = linker.instantiate_and_start(&mut store, &module).expect("an instance is made");
    for counter in [FUEL, STACK] {
        let global = instance.get_global(&store, counter).expect("it counts");
        global.set(&mut store, Val::I64(1 << 40)).expect("a mutable i64");
    }
    let before = store.get_fuel().expect("the engine counts");
    let run = instance.get_typed_func::<i32, ()>(&store, "run").expect("it is there");
    run.call(&mut store, 3).unwrap_or_else(|error| panic!("{}: {error}", kind.name));
    let work = before - store.get_fuel().expect("the engine counts");
    let left = instance.get_global(&store, FUEL).and_then(|fuel| fuel.get(&store).i64()).expect("an i64");
    work as f64 / ((1 << 40) - left) as f64
}

#[test]
fn the_work_of_a_unit_does_not_depend_on_the_module() {
    let mut wrong = Vec::new();
    // The engine counts an arm that it does not run; the bench `price` measures those by the clock.
    for kind in kinds().into_iter().filter(|kind| !kind.name.ends_with("not reached")) {
        // Long bodies need not be repeated. In a large function the engine counts both arms of an `if`.
        let all: &[usize] = match kind.times {
            1 => &[1],
            2..64 => &[1, 4],
            _ => &[1, 10, 400],
        };
        for &times in all {
            let work = work_per_unit(&kind, times);
            if work > MOST {
                wrong.push(format!("{} repeated {times} times: {work:.1} instructions for a unit", kind.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
