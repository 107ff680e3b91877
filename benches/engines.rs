//! JIT and interpreter, each beside its raw engine: `group/backend/guest`, and `group/backend.raw/guest`.
//!
//! `cargo bench --bench engines [-- FILTER]`; with `-- --test` each runs once. Both sides of a comparison are
//! interleaved; criterion keeps the times, and the ratio is printed after them.

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion};
use hotcell::{Contract, Offered, Policy, Sandbox, Wasmi, Wasmtime, admit, backend::SandboxBackend};
use hotcell_bench::{
    cases::{self, Case, Twin},
    guests::{GUESTS, Guest},
    paired::Pair,
    raw::Raw,
};

/// Guests with different modules: the kernels share one.
fn modules() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().filter(|guest| guest.entry == "process" || guest.name == "hash")
}

/// Both sides of each comparison.
fn comparisons(criterion: &mut Criterion) {
    for case in cases::all() {
        let mut pair = None;
        let Case { group, backend, guest, .. } = &case;
        let mut group = criterion.benchmark_group(*group);
        let mut run = |id: String, ours: bool| {
            group.bench_function(id, |bencher| {
                let pair: &mut Pair = pair.get_or_insert_with(|| case.pair());
                bencher.iter_custom(|times| {
                    let round = pair.round(times);
                    let took = if ours { round.ours } else { round.theirs };
                    took.mul_f64(times as f64 / round.times as f64)
                });
            });
        };
        run(format!("{backend}/{guest}"), true);
        run(format!("{backend}.raw/{guest}"), false);
        group.finish();
        if let Some(pair) = pair.filter(|pair| pair.rounds().len() > 1) {
            let ratio = pair.ratio();
            println!("{}: {:.3} of raw ({:.3} to {:.3})", case.id(), ratio.median, ratio.low, ratio.high);
        }
    }
}

/// The steps before any call, and the first call.
fn loading(criterion: &mut Criterion) {
    let policy = Policy::default();
    for guest in modules() {
        let contract = Contract::bytes(guest.entry);
        let admit =
            |policy: &Policy| admit(guest.wasm, policy, &Offered::default(), &contract).expect("the guest is admitted");
        // Includes admission, which the group `admit` measures alone.
        criterion.bench_function(&format!("rewrite/core/{}", guest.name), |bencher| bencher.iter(|| admit(&policy)));
        on::<Wasmtime>(criterion, guest, &contract);
        on::<Wasmi>(criterion, guest, &contract);
    }
}

fn on<B: Twin>(criterion: &mut Criterion, guest: &Guest, contract: &Contract) {
    let sandbox = Sandbox::<B>::on(Policy::default()).expect("the backend takes the policy");
    let load = || sandbox.load_with(guest.wasm, &sandbox.imports::<()>(), contract).expect("the guest loads");
    let admitted = admit(guest.wasm, sandbox.policy(), &Offered::default(), contract).expect("it is admitted");
    let id = |group: &str| format!("{group}/{}/{}", <B as SandboxBackend>::ID, guest.name);
    let input = (guest.input)();

    criterion.bench_function(&id("compile"), |bencher| {
        bencher.iter(|| sandbox.backend().compile(&admitted).map(drop).expect("the guest compiles"));
    });
    let raw = B::Raw::load(sandbox.policy(), &admitted, guest.entry);
    let raw_id = format!("compile/{}.raw/{}", <B as SandboxBackend>::ID, guest.name);
    criterion.bench_function(&raw_id, |bencher| bencher.iter(|| raw.compile(&admitted)));

    let plugin = load();
    plugin.call(guest.entry, &input).expect("the guest answers");
    criterion.bench_function(&id("instantiate"), |bencher| {
        bencher.iter(|| plugin.session(()).map(drop).expect("the guest opens"));
    });
    criterion.bench_function(&id("cold-start"), |bencher| {
        // From bytes to the first reply.
        bencher.iter_batched(
            || (),
            |()| load().call(guest.entry, black_box(&input)).expect("the guest answers"),
            BatchSize::PerIteration,
        );
    });
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(31)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    loading(&mut criterion);
    comparisons(&mut criterion);
    criterion.final_summary();
}
