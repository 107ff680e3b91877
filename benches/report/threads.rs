use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use hotcell::{Contract, Plugin, Policy, backend::Backend};
use hotcell_bench::{
    estimate::median,
    guests::{ECHO, assemble},
};

use crate::{Effort, id, load};

pub(crate) fn report<B: Backend>(effort: Effort) {
    let plugin = load::<B>(&assemble(ECHO), Policy::default(), &Contract::bytes("process"), 256);
    let rate = |threads| median((0..effort.of(5)).map(|_| calls_per_second(&plugin, threads, effort)).collect());
    let (one, two) = (rate(1), rate(2));
    println!("  {:<9} {one:>9.0} on one thread, {two:>9.0} on two: {:.2} times", id::<B>(), two / one);
}

fn calls_per_second<B: Backend>(plugin: &Plugin<B>, threads: usize, effort: Effort) -> f64 {
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = 0;
                while !stop.load(Ordering::Relaxed) {
                    plugin.call("process", &[7; 64]).expect("the guest answers");
                    mine += 1;
                }
                calls.fetch_add(mine, Ordering::Relaxed);
            });
        }
        thread::sleep(Duration::from_millis(10 * effort.of(100) as u64));
        stop.store(true, Ordering::Relaxed);
    });
    calls.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64()
}
