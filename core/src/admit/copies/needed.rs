//! Which pure operators of a body something has needed so far.

use alloc::collections::BTreeMap;

use super::Sum;

/// Ranges of the body, in sums of its pure operators. They do not touch each other.
#[derive(Default)]
pub(super) struct Needed {
    /// The last one. Most code needs what stands right before it.
    last: Range,
    /// All others, by the work before them.
    others: BTreeMap<u32, Range>,
}

#[derive(Clone, Copy, Default)]
struct Range {
    start: Sum,
    end: Sum,
}

impl Range {
    fn touches(self, other: Self) -> bool {
        self.start.work <= other.end.work && other.start.work <= self.end.work
    }

    fn and(self, other: Self) -> Sum {
        self.end.min(other.end).since(self.start.max(other.start))
    }

    fn with(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl Needed {
    pub(super) fn clear(&mut self) {
        self.last = Range::default();
        self.others.clear();
    }

    /// Whether the operator that ends there is among them.
    pub(super) fn has(&self, end: Sum) -> bool {
        let covers = |range: &Range| range.start.work < end.work && end.work <= range.end.work;
        covers(&self.last) || self.others.range(..end.work).next_back().is_some_and(|(_, range)| covers(range))
    }

    /// Notes that what is from `start` to `end` is needed. Returns what was before, up to `limit`.
    ///
    /// In all, the ranges that are read are as many as those that are added.
    pub(super) fn add(&mut self, start: Sum, end: Sum, limit: Sum) -> Sum {
        let (asked, mut all) = (Range { start, end: end.min(limit) }, Range { start, end });
        let mut before = Sum::default();
        let is_last = all.end.work >= self.last.start.work;
        if all.touches(self.last) {
            before = asked.and(self.last);
            all = all.with(self.last);
        } else if is_last {
            self.others.insert(self.last.start.work, self.last);
        }
        while let Some((&at, &range)) = self.others.range(..=all.end.work).next_back()
            && range.touches(all)
        {
            before = before.add(asked.and(range));
            all = all.with(range);
            self.others.remove(&at);
        }
        if is_last {
            self.last = all;
        } else {
            self.others.insert(all.start.work, all);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_needed_before_is_counted_once() {
        let at = |work: u32| Sum { work, frame: 4 * work };
        let mut needed = Needed::default();
        let mut add = |start, end, limit| needed.add(at(start), at(end), at(limit)).work;
        assert_eq!(add(10, 20, 99), 0);
        assert_eq!(add(30, 40, 99), 0);
        assert_eq!(add(50, 60, 99), 0);
        assert_eq!(add(12, 14, 99), 2);
        assert_eq!(add(35, 55, 52), 5 + 2);
        assert_eq!(add(22, 24, 99), 0);
        assert_eq!(add(0, 70, 99), 10 + 2 + 30);
        assert_eq!(add(5, 80, 60), 55);
    }
}
