//! Float results whose NaN bits the specification leaves open, and their canonicalisation.

use wasmparser::Operator;

use super::emit::Emitter;

/// Bits of the canonical NaNs.
const NAN32: u32 = 0x7fc0_0000;
const NAN64: u64 = 0x7ff8_0000_0000_0000;

/// Repeats a lane of 32 or 64 bits over a vector.
const LANES32: u128 = 1 << 96 | 1 << 64 | 1 << 32 | 1;
const LANES64: u128 = 1 << 64 | 1;

/// The shape of a float result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    F32,
    F64,
    F32x4,
    F64x2,
}

/// The result of `operator`, when its NaN bits may differ between engines.
pub(super) fn open_nan(operator: &Operator<'_>) -> Option<Float> {
    use Operator as O;
    Some(match operator {
        O::F32Add
        | O::F32Sub
        | O::F32Mul
        | O::F32Div
        | O::F32Sqrt
        | O::F32Min
        | O::F32Max
        | O::F32Ceil
        | O::F32Floor
        | O::F32Trunc
        | O::F32Nearest
        | O::F32DemoteF64 => Float::F32,
        O::F64Add
        | O::F64Sub
        | O::F64Mul
        | O::F64Div
        | O::F64Sqrt
        | O::F64Min
        | O::F64Max
        | O::F64Ceil
        | O::F64Floor
        | O::F64Trunc
        | O::F64Nearest
        | O::F64PromoteF32 => Float::F64,
        O::F32x4Add
        | O::F32x4Sub
        | O::F32x4Mul
        | O::F32x4Div
        | O::F32x4Sqrt
        | O::F32x4Min
        | O::F32x4Max
        | O::F32x4Ceil
        | O::F32x4Floor
        | O::F32x4Trunc
        | O::F32x4Nearest
        | O::F32x4DemoteF64x2Zero
        | O::F32x4RelaxedMadd
        | O::F32x4RelaxedNmadd
        | O::F32x4RelaxedMin
        | O::F32x4RelaxedMax => Float::F32x4,
        O::F64x2Add
        | O::F64x2Sub
        | O::F64x2Mul
        | O::F64x2Div
        | O::F64x2Sqrt
        | O::F64x2Min
        | O::F64x2Max
        | O::F64x2Ceil
        | O::F64x2Floor
        | O::F64x2Trunc
        | O::F64x2Nearest
        | O::F64x2PromoteLowF32x4
        | O::F64x2RelaxedMadd
        | O::F64x2RelaxedNmadd
        | O::F64x2RelaxedMin
        | O::F64x2RelaxedMax => Float::F64x2,
        _ => return None,
    })
}

/// Whether `operator` takes a `float` from the top of the stack without exposing the bits of a NaN: its own result is
/// canonicalised, or does not depend on them.
pub(super) fn hides_nan_bits(float: Float, operator: &Operator<'_>) -> bool {
    use Operator as O;
    match float {
        // Validation ensures that a scalar is consumed as its own type.
        Float::F32 | Float::F64 => {
            open_nan(operator).is_some()
                || matches!(
                    operator,
                    O::Drop
                        | O::F32Eq
                        | O::F32Ne
                        | O::F32Lt
                        | O::F32Gt
                        | O::F32Le
                        | O::F32Ge
                        | O::F64Eq
                        | O::F64Ne
                        | O::F64Lt
                        | O::F64Gt
                        | O::F64Le
                        | O::F64Ge
                )
        }
        // A vector may be consumed as lanes of another width, which exposes the bits.
        Float::F32x4 | Float::F64x2 => {
            open_nan(operator) == Some(float) && !matches!(operator, O::F32x4DemoteF64x2Zero | O::F64x2PromoteLowF32x4)
        }
    }
}

impl Emitter<'_> {
    /// Replaces a NaN on the stack by the canonical one.
    pub(super) fn canonicalise(&mut self, float: Float) {
        match float {
            Float::F32 => {
                let value = self.locals.f32();
                let nan = f32::from_bits(NAN32).into();
                self.sink().local_tee(value).f32_const(nan).local_get(value).local_get(value).f32_eq().select();
            }
            Float::F64 => {
                let value = self.locals.f64();
                let nan = f64::from_bits(NAN64).into();
                self.sink().local_tee(value).f64_const(nan).local_get(value).local_get(value).f64_eq().select();
            }
            Float::F32x4 => {
                let (value, nan) = (self.locals.v128(), u128::from(NAN32) * LANES32);
                self.sink().local_tee(value).v128_const(nan.cast_signed()).local_get(value).local_get(value);
                self.sink().f32x4_eq().v128_bitselect();
            }
            Float::F64x2 => {
                let (value, nan) = (self.locals.v128(), u128::from(NAN64) * LANES64);
                self.sink().local_tee(value).v128_const(nan.cast_signed()).local_get(value).local_get(value);
                self.sink().f64x2_eq().v128_bitselect();
            }
        }
    }
}
