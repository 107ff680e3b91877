use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use hotcell::{Contract, Plugin, Policy, backend::Backend};
use hotcell_bench::guests::{ENDLESS, assemble};

use crate::{Effort, id, load};

const DEADLINE: Duration = Duration::from_millis(20);

pub(crate) fn report<B: Backend>(effort: Effort) {
    let policy = Policy::default().with(|rules| {
        rules.limits.fuel = None;
        rules.limits.deadline = Some(DEADLINE);
    });
    let plugin = load::<B>(&assemble(ENDLESS), policy.expect("the policy is right"), &Contract::Abi, 256);
    row::<B>("idle", lateness(&plugin, effort));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    black_box((0..10_000u64).fold(0, |sum, number| sum ^ black_box(number)));
                }
            });
        }
        row::<B>("every processor busy", lateness(&plugin, effort));
        stop.store(true, Ordering::Relaxed);
    });
}

fn row<B: Backend>(what: &str, late: Vec<Duration>) {
    let at = |share: usize| late[(late.len() * share / 100).min(late.len() - 1)];
    println!("  {:<9} {what:<21} p50 {:>8.1?}, p99 {:>8.1?}", id::<B>(), at(50), at(99));
}

/// How much later than the deadline each call returned, sorted.
fn lateness<B: Backend>(plugin: &Plugin<B>, effort: Effort) -> Vec<Duration> {
    let mut late: Vec<_> = (0..effort.of(200))
        .map(|_| {
            let begin = Instant::now();
            let error = plugin.call_values("run", &[], (), None).expect_err("the guest never ends");
            assert_eq!(error.fault.code(), "deadline-exceeded");
            begin.elapsed().saturating_sub(DEADLINE)
        })
        .collect();
    late.sort();
    late
}
