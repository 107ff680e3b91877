//! Mutations of valid modules.

use crate::{Comparison, Numbers, Stats};
use hotcell_conformance::{BackendUnderTest, Failure};

/// Mutates the module of `seed`: bit flips, truncations, omitted or repeated pieces, reordered sections. Each mutant
/// must get the same verdict on both backends, and behave the same if it is admitted.
///
/// # Errors
///
/// They differ.
pub fn mutations<A: BackendUnderTest, B: BackendUnderTest>(
    comparison: &Comparison<A, B>,
    seed: u64,
) -> Result<Stats, Failure> {
    let module = comparison.module(seed);
    let mut numbers = Numbers::new(seed);
    let mut stats = Stats::default();
    for _ in 0..10 {
        let mutant = mutant(&module, &mut numbers);
        super::admission(&mutant)?;
        stats.add(&comparison.compare_module(seed, &mutant)?);
    }
    Ok(stats)
}

fn mutant(module: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut mutant = module.to_vec();
    match numbers.below(9) {
        // One flip: more of them seldom leave a module valid. Mostly in the code, which is near the end.
        0..5 => {
            let from = mutant.len() * numbers.pick(&[0, 1, 1, 1]) / 2;
            let at = from + numbers.below((mutant.len() - from) as u64) as usize;
            mutant[at] ^= 1 << numbers.below(8);
        }
        5 => mutant.truncate(numbers.below(module.len() as u64) as usize),
        6 => {
            let piece = piece(module.len(), numbers);
            mutant.drain(piece);
        }
        7 => {
            let piece = piece(module.len(), numbers);
            let at = numbers.below(module.len() as u64) as usize;
            mutant.splice(at..at, module[piece].iter().copied());
        }
        _ => mutant = shuffled(module, numbers),
    }
    mutant
}

fn piece(length: usize, numbers: &mut Numbers) -> std::ops::Range<usize> {
    let from = numbers.below(length as u64) as usize;
    from..length.min(from + 1 + numbers.below(20) as usize)
}

/// Swaps two sections, or repeats or omits one.
fn shuffled(module: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut sections = Vec::new();
    let mut at = 8;
    while let Some((end, _)) = section_end(module, at) {
        sections.push(&module[at..end]);
        at = end;
    }
    if sections.is_empty() {
        return module.to_vec();
    }
    let count = sections.len() as u64;
    let (one, other) = (numbers.below(count) as usize, numbers.below(count) as usize);
    match numbers.below(3) {
        0 => sections.swap(one, other),
        1 => sections.insert(one, sections[other]),
        _ => drop(sections.remove(one)),
    }
    [&module[..8], &sections.concat()].concat()
}

/// The end of the section at `at`.
fn section_end(module: &[u8], at: usize) -> Option<(usize, u8)> {
    let id = *module.get(at)?;
    let (mut size, mut next) = (0usize, at + 1);
    for shift in (0..35).step_by(7) {
        let byte = *module.get(next)?;
        next += 1;
        size |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    let end = next.checked_add(size)?;
    (end <= module.len()).then_some((end, id))
}
