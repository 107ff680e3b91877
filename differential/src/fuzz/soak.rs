//! All properties at once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{BehindAbi, host_arguments, injected_faults, mutations, policies};
use crate::Comparison;
use hotcell_conformance::{BackendUnderTest, Failure};

/// Checks all properties on `threads` threads at once, `cases` of them in total. Returns how many held.
///
/// # Errors
///
/// The first failure.
pub fn soak<A: BackendUnderTest, B: BackendUnderTest>(
    comparison: &Comparison<A, B>,
    behind_abi: &BehindAbi<A, B>,
    threads: usize,
    seed: u64,
    cases: u64,
) -> Result<u64, Failure> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut done = 0;
        loop {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case >= cases {
                return Ok(done);
            }
            let seed = seed + case;
            match case % 8 {
                0 => drop(mutations(comparison, seed)?),
                1 => drop(behind_abi.compare(seed)?),
                2 => host_arguments::<A>(seed)?,
                3 => host_arguments::<B>(seed)?,
                4 => injected_faults::<A>(seed)?,
                5 => injected_faults::<B>(seed)?,
                6 => drop(policies::<A, B>(seed)?),
                _ => drop(comparison.compare(seed)?),
            }
            done += 1;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = 0;
        for worker in workers {
            all += worker.join().unwrap_or_else(|panic| Err(Failure::of_panic(&*panic)))?;
        }
        Ok(all)
    })
}
