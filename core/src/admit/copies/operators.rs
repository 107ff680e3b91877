//! Which operators are pure, and what each of them weighs.

use wasmparser::Operator;

use super::{
    super::body::{VECTOR_PREFIX, is_vector_access},
    Copies, Sum,
};

/// Bytes that an operator accesses at most.
const LONGEST_ACCESS: u64 = 16;

/// Integer operators, floats and vectors: as `speculated`, and as a frame is charged for a value.
const INTEGER: Sum = Sum { work: 2, frame: 8 };
const FLOAT: Sum = Sum { work: 8, frame: 16 };
const WIDE: Sum = Sum { work: 8, frame: 16 };
const SELECT: Sum = Sum { work: 2, frame: 16 };
/// Division and square root of floats: slow for subnormal numbers.
const SLOW: Sum = Sum { work: 32, frame: 16 };
/// A constant is made anew in every place; in front of loops its place is counted where they are.
pub(super) const CONSTANT: Sum = Sum { work: 2, frame: 0 };

/// What the compiler may find out about a value.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum What {
    #[default]
    Unknown,
    /// Certainly no constant.
    Opaque,
    /// A constant to which the order of integers is never known beforehand: no extreme, and not next to zero.
    Middle,
    Constant,
    /// Perhaps one of two constants.
    Choice,
}

/// What a pure operator makes of its operands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    /// A value without operands.
    Constant {
        is_middle: bool,
    },
    /// A sum or a difference.
    Sum,
    /// An order of two integers, of which one is less.
    Order,
    /// One of two constants, perhaps.
    Choice,
    Other,
}

/// What straight code does, by its opcode.
#[derive(Clone, Copy)]
enum Does {
    Drop,
    Get,
    Set,
    Tee,
    /// A pure operator of so many operands.
    Compute(usize, Sum, Makes),
    /// A constant, of an integer or another.
    Integer,
    Float,
    Divide,
    /// An access of a memory, with so many operands and results; or another operator that needs its operands.
    Access(usize, usize),
    Effect(usize, usize),
}

const fn does(opcode: u8) -> Does {
    match opcode {
        0x1a => Does::Drop,
        0x1b => Does::Compute(3, SELECT, Makes::Choice),
        0x20 => Does::Get,
        0x21 => Does::Set,
        0x22 => Does::Tee,
        0x24 => Does::Effect(1, 0),
        0x28..=0x35 => Does::Access(1, 1),
        0x36..=0x3e => Does::Access(2, 0),
        0x41..=0x42 => Does::Integer,
        0x43..=0x44 => Does::Float,
        // Integers: tests of zero, comparisons; comparisons of floats.
        0x45 | 0x50 => Does::Compute(1, INTEGER, Makes::Choice),
        0x48..=0x4f | 0x53..=0x5a => Does::Compute(2, INTEGER, Makes::Order),
        0x46..=0x66 => Does::Compute(2, INTEGER, Makes::Choice),
        0x67..=0x69 | 0x79..=0x7b => Does::Compute(1, INTEGER, Makes::Other),
        0x6a | 0x6b | 0x7c | 0x7d => Does::Compute(2, INTEGER, Makes::Sum),
        0x6d..=0x70 | 0x7f..=0x82 => Does::Divide,
        0x6a..=0x8a => Does::Compute(2, INTEGER, Makes::Other),
        // Floats: of one operand, square roots, of two operands, divisions.
        0x91 | 0x9f => Does::Compute(1, SLOW, Makes::Other),
        0x95 | 0xa3 => Does::Compute(2, SLOW, Makes::Other),
        0x8b..=0x90 | 0x99..=0x9e => Does::Compute(1, FLOAT, Makes::Other),
        0x92..=0x98 | 0xa0..=0xa6 => Does::Compute(2, FLOAT, Makes::Other),
        // Conversions of floats to integers, which trap; all others.
        0xa8..=0xab | 0xae..=0xb1 => Does::Effect(1, 1),
        0xb2..=0xbf => Does::Compute(1, FLOAT, Makes::Other),
        _ => Does::Compute(1, INTEGER, Makes::Other),
    }
}

/// Of a pure operator that is not straight code; [`None`] for one with an effect.
pub(super) fn of(operator: &Operator<'_>, code: &[u8]) -> Option<Sum> {
    use Operator as O;
    match operator {
        O::TypedSelect { .. } => Some(SELECT),
        O::RefNull { .. } | O::MemorySize { .. } | O::TableSize { .. } => Some(CONSTANT),
        O::RefIsNull => Some(INTEGER),
        O::I32TruncSatF32S
        | O::I32TruncSatF32U
        | O::I32TruncSatF64S
        | O::I32TruncSatF64U
        | O::I64TruncSatF32S
        | O::I64TruncSatF32U
        | O::I64TruncSatF64S
        | O::I64TruncSatF64U => Some(FLOAT),
        O::I64Add128 | O::I64Sub128 | O::I64MulWideS | O::I64MulWideU => Some(WIDE),
        O::F32x4Div | O::F64x2Div | O::F32x4Sqrt | O::F64x2Sqrt => Some(SLOW),
        _ if code.first() == Some(&VECTOR_PREFIX) && !is_vector_access(operator) => Some(FLOAT),
        _ => None,
    }
}

/// Reads a number in LEB128, and returns what stands behind it, too.
fn number(bytes: &[u8]) -> (u64, &[u8]) {
    let (mut value, mut shift) = (0, 0);
    let mut rest = bytes;
    while let Some((byte, behind)) = rest.split_first() {
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        (shift, rest) = (shift + 7, behind);
        if byte & 0x80 == 0 {
            break;
        }
    }
    (value, rest)
}

/// Whether the constant that stands here is above one and far from the greatest.
fn is_middle(behind: &[u8]) -> bool {
    let (value, rest) = number(behind);
    let last = behind[..behind.len() - rest.len()].last();
    last.is_some_and(|byte| *byte < 0x40) && (2..1 << 27).contains(&value)
}

fn local(behind: &[u8]) -> u32 {
    u32::try_from(number(behind).0).unwrap_or(u32::MAX)
}

impl Copies {
    /// One operator of straight code, at byte `at` of the module; `code` begins with it.
    pub(in super::super) fn straight(&mut self, code: &[u8], at: usize) {
        self.step(at);
        let Some((opcode, behind)) = code.split_first().filter(|_| self.is_reachable) else { return };
        match does(*opcode) {
            Does::Drop => drop(self.pop()),
            Does::Get => self.get(local(behind)),
            Does::Set => self.set(local(behind)),
            Does::Tee => self.tee(local(behind)),
            Does::Compute(params, sum, makes) => self.compute(params, 1, sum, makes),
            Does::Integer => self.compute(0, 1, CONSTANT, Makes::Constant { is_middle: is_middle(behind) }),
            Does::Float => self.compute(0, 1, CONSTANT, Makes::Constant { is_middle: false }),
            Does::Divide => self.divide(INTEGER),
            Does::Effect(params, results) => self.effect(params, results),
            Does::Access(params, results) => {
                self.access(behind);
                self.effect(params, results);
            }
        }
    }

    /// Notes an access that is outside of its memory wherever it begins: the compiler takes what follows for unreachable.
    fn access(&mut self, behind: &[u8]) {
        let (alignment, behind) = number(behind);
        let (memory, behind) = if alignment & 0x40 == 0 { (0, behind) } else { number(behind) };
        let offset = number(behind).0;
        let most = usize::try_from(memory).ok().and_then(|memory| self.memories.get(memory));
        self.is_doubtful |= offset.saturating_add(LONGEST_ACCESS) > most.copied().unwrap_or_default();
    }

    /// The same for an operator that may be the access of a vector.
    pub(super) fn vector_access(&mut self, code: &[u8]) {
        if let Some((&VECTOR_PREFIX, behind)) = code.split_first() {
            self.access(number(behind).1);
        }
    }

    /// The operand that is certainly computed with the result of a pure operator, whose operands are those from `from`
    /// on; and what the compiler may find out about the result.
    ///
    /// Most operators may turn out not to need an operand. A sum with a constant tells of every bit of the other operand,
    /// and the order against a constant in the middle is not known before, if the operand is not one of two constants.
    pub(super) fn understand(&self, from: usize, makes: Makes) -> (u32, What) {
        let of = |index: usize| {
            let id = self.operands.get(from + index).map_or(0, |value| value.id);
            (id, self.definitions[id as usize].what)
        };
        let ((first, one), (_, other)) = (of(0), of(1));
        let is_choice = one == What::Choice;
        match makes {
            Makes::Constant { is_middle } => (0, if is_middle { What::Middle } else { What::Constant }),
            Makes::Sum if matches!(other, What::Middle | What::Constant) => {
                (if is_choice { 0 } else { first }, if is_choice { What::Choice } else { What::Unknown })
            }
            Makes::Order if other == What::Middle && !is_choice => (first, What::Choice),
            Makes::Order | Makes::Choice => (0, What::Choice),
            Makes::Sum | Makes::Other => (0, What::Unknown),
        }
    }

    /// A division or remainder: where the divisor is a constant, the compiler makes pure operators of it.
    fn divide(&mut self, own: Sum) {
        let divisor = self.operands.last().map_or(0, |value| value.id);
        if self.definitions[divisor as usize].what == What::Opaque {
            return self.effect(2, 1);
        }
        self.may_need(2);
        self.compute(2, 1, own, Makes::Other);
    }
}
