//! A median with an interval, and its verdict on a bound.

/// Resamples of the bootstrap.
const RESAMPLES: usize = 1_000;
/// Maximum width of an interval, as a share of its median.
const WIDEST: f64 = 0.10;

/// The median of samples, and the interval that contains 95 % of the medians of resampled samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The verdict of an estimate on an upper bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bound is kept, as far as the interval shows.
    Pass,
    /// The bound is exceeded.
    Fail,
    /// The interval is too wide: run more rounds.
    NoResult,
}

impl Estimate {
    /// The estimate from `samples`. The same samples give the same estimate.
    ///
    /// # Panics
    ///
    /// When `samples` is empty.
    pub fn of(samples: &[f64]) -> Self {
        assert!(!samples.is_empty(), "there is no median of nothing");
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let resample = |_| median((0..samples.len()).map(|_| samples[random.below(samples.len())]).collect());
        let mut medians: Vec<f64> = (0..RESAMPLES).map(resample).collect();
        medians.sort_by(f64::total_cmp);
        Self {
            median: median(samples.to_vec()),
            low: medians[RESAMPLES / 40],
            high: medians[RESAMPLES - 1 - RESAMPLES / 40],
        }
    }

    /// Whether the interval is narrow enough.
    pub fn is_settled(&self) -> bool {
        self.high - self.low < WIDEST * self.median
    }

    /// Whether the measured value is at most `bound`.
    pub fn verdict(&self, bound: f64) -> Verdict {
        match (self.is_settled(), self.low <= bound) {
            (false, _) => Verdict::NoResult,
            (true, true) => Verdict::Pass,
            (true, false) => Verdict::Fail,
        }
    }
}

/// The median.
///
/// # Panics
///
/// When `samples` is empty.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    if samples.len().is_multiple_of(2) { f64::midpoint(samples[middle - 1], samples[middle]) } else { samples[middle] }
}

/// Pseudo-random numbers, the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let random = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        // Both are below 2^32, so the product's upper half is below `end`.
        ((random * end as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn an_interval_holds_its_median_and_narrows_with_samples() {
        let noisy = |count: usize| (0..count).map(|i| 1.0 + (i * 37 % 100) as f64 / 500.0).collect::<Vec<_>>();
        let (few, many) = (Estimate::of(&noisy(30)), Estimate::of(&noisy(3_000)));
        for estimate in [few, many] {
            assert!(estimate.low <= estimate.median && estimate.median <= estimate.high, "{estimate:?}");
        }
        assert!(many.high - many.low < few.high - few.low);
        assert!((many.median - 1.1).abs() < 0.01);
    }

    #[test]
    fn one_outlier_moves_nothing() {
        let mut samples = vec![1.0; 30];
        samples.push(1_000.0);
        assert_eq!(Estimate::of(&samples), Estimate { median: 1.0, low: 1.0, high: 1.0 });
    }

    #[test]
    fn a_bound_is_kept_broken_or_neither() {
        let narrow = Estimate { median: 1.10, low: 1.08, high: 1.12 };
        assert_eq!(narrow.verdict(1.10), Verdict::Pass);
        assert_eq!(narrow.verdict(1.08), Verdict::Pass);
        assert_eq!(narrow.verdict(1.07), Verdict::Fail);
        let wide = Estimate { median: 1.0, low: 0.9, high: 1.1 };
        assert_eq!(wide.verdict(2.0), Verdict::NoResult);
    }
}
