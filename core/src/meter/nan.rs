//! Which results may be a NaN whose bits the specification leaves open.

use wasmparser::Operator;

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

/// Whether `operator` takes a `float` on top of the stack without letting anybody see the bits of a NaN: its own result
/// is made canonical, or does not depend on them.
pub(super) fn hides_nan_bits(float: Float, operator: &Operator<'_>) -> bool {
    use Operator as O;
    match float {
        // Validation has seen to it that a scalar is taken as what it is.
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
        // A vector may be taken as lanes of another width, which would see the bits.
        Float::F32x4 | Float::F64x2 => {
            open_nan(operator) == Some(float) && !matches!(operator, O::F32x4DemoteF64x2Zero | O::F64x2PromoteLowF32x4)
        }
    }
}
