//! What the rewrite and the host agree on: names that no guest may export or import and no host function may have, and the
//! number by which a guest says what grows.

use crate::admit::ModuleSummary;

/// Export of the fuel counter, an i64: what is left. Negative: the guest ran out of it. Reserved: no module may export
/// anything under this name.
pub const FUEL: &str = "__hotcell_fuel";
/// Export of the stack counter, an i64: cells of [`CELL_BYTES`](crate::policy::CELL_BYTES) left. Negative: the guest ran out of them. Reserved.
pub const STACK: &str = "__hotcell_stack";
/// Export of the start function. Reserved.
pub const START: &str = "__hotcell_start";
/// Module name of the functions that a rewritten guest imports from core. Reserved: no host function may have it.
pub const HOST: &str = "__hotcell";
/// Name in [`HOST`] of the function that a guest calls where one of its counters is below zero: `(i64) -> ()`, with
/// `metering = exact`.
pub const REFILL: &str = "refill";
/// Name in [`HOST`] of the function that a guest asks before a memory or a table grows, where it has such operators:
/// `(i32, i64, i64) -> i32`. The arguments are what grows, its size, and by how much; the result is whether it may.
pub const GROW: &str = "grow";

/// Name in [`HOST`] of the function that a guest calls in place of an import that nobody offers, where those
/// [trap](crate::policy::Unknown::Trap): `(i32) -> ()`. The argument is the import's index; it does not return.
pub const MISSING: &str = "missing";

/// Exports of the two globals that say where a [traced](crate::trace) guest is: the place of its last step that could have
/// ended it. Reserved.
pub const PLACE: [&str; 2] = ["__hotcell_at", "__hotcell_at_high"];
/// Export of a traced guest's first global, where that is a mutable i32: linkers keep there where the guest's own stack in linear
/// memory ends. Reserved.
pub const STACK_POINTER: &str = "__hotcell_stack_pointer";
/// Name in [`HOST`] of the function that a traced guest calls when it enters a function of its own:
/// `(i32, i32, i32, i64) -> ()`. The arguments are the function's index, the place of the call, and the fuel counter.
pub const ENTER: &str = "enter";
/// Name in [`HOST`] of the function that a traced guest calls when it leaves one: `(i64) -> ()`. The argument is the fuel
/// counter.
pub const LEAVE: &str = "leave";

/// The exports.
pub(crate) const EXPORTS: [&str; 6] = [FUEL, STACK, START, PLACE[0], PLACE[1], STACK_POINTER];

/// Whether a host function of these names would be taken for one of core's.
pub(crate) fn is_import(module: &str, name: &str) -> bool {
    module == HOST && [REFILL, GROW, MISSING, ENTER, LEAVE].contains(&name)
}

/// The export of the start function of a module that has one.
pub(crate) fn start(summary: &ModuleSummary) -> Option<&'static str> {
    summary.start.map(|_| START)
}

/// Bits of the number by which a guest names what grows: the kind, whether it says that the engine could not, the index.
const TABLE: i32 = 1;
const FAILED: i32 = 2;
const INDEX_SHIFT: u32 = 2;

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrowthOf {
    Memory(u32),
    Table(u32),
}

impl GrowthOf {
    /// As the guest names it, before it grows or when it could not.
    pub(crate) fn encode(self, has_failed: bool) -> i32 {
        let (kind, index) = match self {
            Self::Memory(index) => (0, index),
            Self::Table(index) => (TABLE, index),
        };
        (index << INDEX_SHIFT).cast_signed() | kind | if has_failed { FAILED } else { 0 }
    }

    pub(crate) fn decode(number: i32) -> (Self, bool) {
        let index = number.cast_unsigned() >> INDEX_SHIFT;
        let growth = if number & TABLE == 0 { Self::Memory(index) } else { Self::Table(index) };
        (growth, number & FAILED != 0)
    }
}

/// Bits of the lower half of a place: a constant of 15 bits needs no room in any engine's table of constants.
const LOW_BITS: u32 = 15;

/// Where a traced guest is: an offset in its module, in two halves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) low: i32,
    /// Negative: a call there has taken the place of its caller.
    pub(crate) high: i32,
}

impl Place {
    /// The offset, which is below 2^30: no module is larger.
    pub(crate) fn new(offset: u32, is_tail_call: bool) -> Self {
        let high = (offset >> LOW_BITS).cast_signed();
        Self { low: (offset & ((1 << LOW_BITS) - 1)).cast_signed(), high: if is_tail_call { !high } else { high } }
    }

    pub(crate) fn is_tail_call(self) -> bool {
        self.high < 0
    }

    /// The offset; zero where the guest is nowhere.
    pub(crate) fn offset(self) -> u32 {
        let high = if self.is_tail_call() { !self.high } else { self.high };
        high.cast_unsigned() << LOW_BITS | self.low.cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_where_and_whether_it_is_a_tail_call() {
        for offset in [0, 1, 32_767, 32_768, 65_536, (1 << 30) - 1] {
            for is_tail_call in [false, true] {
                let place = Place::new(offset, is_tail_call);
                assert_eq!((place.offset(), place.is_tail_call()), (offset, is_tail_call));
                assert!((-32_768..32_768).contains(&place.low) && (-32_768..32_768).contains(&place.high));
            }
        }
    }

    #[test]
    fn a_guest_names_what_grows() {
        for growth in [GrowthOf::Memory(0), GrowthOf::Memory(99), GrowthOf::Table(0), GrowthOf::Table((1 << 30) - 1)] {
            for has_failed in [false, true] {
                assert_eq!(GrowthOf::decode(growth.encode(has_failed)), (growth, has_failed));
            }
        }
    }
}
