//! The number of calls after which the slower start has paid for itself.

/// The cost of a plugin on one engine, in seconds: once, and per call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub start: f64,
    pub call: f64,
}

impl Cost {
    /// Time from the module's bytes to the reply of call `calls`.
    pub(crate) fn total(self, calls: f64) -> f64 {
        self.start + calls * self.call
    }
}

/// Which of two engines is cheaper, and from which call on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Comparison {
    /// The first is cheaper from the first call on.
    First,
    /// The second is cheaper from the first call on.
    Second,
    /// The second is cheaper at first, the first from this call on.
    FirstFrom(u64),
    /// The first is cheaper at first, the second from this call on.
    SecondFrom(u64),
}

pub(crate) fn compare(first: Cost, second: Cost) -> Comparison {
    let (once, each) = (first.start - second.start, second.call - first.call);
    // The intersection of the lines; the first call that is clearly on one side counts.
    let crossing = (once / each).max(0.0).ceil().max(1.0) as u64;
    match (first.total(1.0) <= second.total(1.0), each > 0.0) {
        (true, true) => Comparison::First,
        (false, false) => Comparison::Second,
        (false, true) => Comparison::FirstFrom(crossing),
        (true, false) if each == 0.0 => Comparison::First,
        (true, false) => Comparison::SecondFrom(crossing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(start: f64, call: f64) -> Cost {
        Cost { start, call }
    }

    #[test]
    fn lines_cross_once_or_never() {
        assert_eq!(compare(cost(10.0, 1.0), cost(1.0, 2.0)), Comparison::FirstFrom(9));
        assert_eq!(compare(cost(1.0, 2.0), cost(10.0, 1.0)), Comparison::SecondFrom(9));
        assert_eq!(compare(cost(10.0, 1.0), cost(0.5, 2.0)), Comparison::FirstFrom(10));
        assert_eq!(compare(cost(1.0, 1.0), cost(2.0, 2.0)), Comparison::First);
        assert_eq!(compare(cost(2.0, 2.0), cost(1.0, 1.0)), Comparison::Second);
        assert_eq!(compare(cost(1.0, 1.0), cost(2.0, 1.0)), Comparison::First);
        assert_eq!(compare(cost(2.0, 1.0), cost(1.0, 1.0)), Comparison::Second);
    }
}
