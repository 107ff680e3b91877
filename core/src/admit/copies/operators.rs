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
pub(super) const CONSTANT: Sum = Sum { work: 2, frame: 8 };
const FLOAT_CONSTANT: Sum = Sum { work: 2, frame: 16 };

/// What straight code does, by its opcode.
#[derive(Clone, Copy)]
enum What {
    Drop,
    Get,
    Set,
    Tee,
    /// A pure operator of so many operands.
    Compute(usize, Sum),
    Divide,
    /// An access of a memory, with so many operands and results; or another operator that needs its operands.
    Access(usize, usize),
    Effect(usize, usize),
}

const fn what(opcode: u8) -> What {
    match opcode {
        0x1a => What::Drop,
        0x1b => What::Compute(3, SELECT),
        0x20 => What::Get,
        0x21 => What::Set,
        0x22 => What::Tee,
        0x24 => What::Effect(1, 0),
        0x28..=0x35 => What::Access(1, 1),
        0x36..=0x3e => What::Access(2, 0),
        0x41..=0x42 => What::Compute(0, CONSTANT),
        0x43..=0x44 => What::Compute(0, FLOAT_CONSTANT),
        // Integers: tests of zero, comparisons; comparisons of floats.
        0x45 | 0x50 => What::Compute(1, INTEGER),
        0x46..=0x66 => What::Compute(2, INTEGER),
        0x67..=0x69 | 0x79..=0x7b => What::Compute(1, INTEGER),
        0x6d..=0x70 | 0x7f..=0x82 => What::Divide,
        0x6a..=0x8a => What::Compute(2, INTEGER),
        // Floats: of one operand, square roots, of two operands, divisions.
        0x91 | 0x9f => What::Compute(1, SLOW),
        0x95 | 0xa3 => What::Compute(2, SLOW),
        0x8b..=0x90 | 0x99..=0x9e => What::Compute(1, FLOAT),
        0x92..=0x98 | 0xa0..=0xa6 => What::Compute(2, FLOAT),
        // Conversions of floats to integers, which trap; all others.
        0xa8..=0xab | 0xae..=0xb1 => What::Effect(1, 1),
        0xb2..=0xbf => What::Compute(1, FLOAT),
        _ => What::Compute(1, INTEGER),
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

fn local(behind: &[u8]) -> u32 {
    u32::try_from(number(behind).0).unwrap_or(u32::MAX)
}

impl Copies {
    /// One operator of straight code, at byte `at` of the module; `code` begins with it.
    pub(in super::super) fn straight(&mut self, code: &[u8], at: usize) {
        self.step(at);
        let Some((opcode, behind)) = code.split_first().filter(|_| self.is_reachable) else { return };
        match what(*opcode) {
            What::Drop => drop(self.pop()),
            What::Get => self.get(local(behind)),
            What::Set => self.set(local(behind)),
            What::Tee => self.tee(local(behind)),
            What::Compute(params, sum) => self.compute(params, 1, sum),
            What::Divide => self.divide(INTEGER),
            What::Effect(params, results) => self.effect(params, results),
            What::Access(params, results) => {
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
}
