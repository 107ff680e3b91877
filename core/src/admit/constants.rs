//! Counts the constants that an engine may make of a function with many operators that could make one.

use alloc::{collections::BTreeSet, vec::Vec};

use wasmparser::{FuncToValidate, FuncValidator, FunctionBody, Operator, ValidatorResources};

use super::{
    body::value,
    validate::{invalid, malformed},
    validated::Validated,
};
use crate::verdict::Rejection;

/// What an engine may know of an operand without running the guest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    /// Perhaps a constant.
    Constant {
        /// Whether it may determine the result of an operator that [`absorbs`]: `x & 0`.
        decides: bool,
    },
    /// The value of a local.
    Local(u32),
    Other,
}

/// A possible constant of unknown value; assumed to determine results.
const UNKNOWN: Operand = Operand::Constant { decides: true };

/// Upper bound of the different constants that an engine makes of the valid function `body`: its different constant
/// operands, and one for each operator whose operands may all be constant, because an engine may fold it.
pub(super) fn most(
    body: &FunctionBody<'_>,
    validator: &FuncValidator<ValidatorResources>,
    ty: u32,
    validated: &Validated,
) -> Result<u64, Rejection> {
    let (resources, index) = (validator.resources(), validator.index());
    let again = FuncToValidate { resources, index, ty, features: validated.features };
    let mut validator = again.into_validator(Default::default());
    validator.read_locals(&mut body.get_binary_reader()).map_err(invalid)?;
    let mut operators = body.get_operators_reader().map_err(malformed)?;
    let (code, begin) = (body.as_bytes(), body.range().start);
    let mut stack: Vec<Operand> = Vec::new();
    let mut distinct = BTreeSet::new();
    const LANES: u32 = 129;
    let mut computed = 0;
    while !operators.eof() {
        let offset = operators.original_position();
        let operator = operators.read().map_err(malformed)?;
        let arity = operator.operator_arity(&validator.visitor(offset));
        validator.op(offset, &operator).map_err(invalid)?;
        let taken = arity.map_or(0, |(taken, _)| taken as usize).min(stack.len());
        let operands = stack.split_off(stack.len() - taken);
        if let Operator::I8x16Shuffle { lanes } = &operator {
            distinct.insert((LANES, u128::from_le_bytes(*lanes)));
        }
        let result = match &operator {
            Operator::LocalGet { local_index } => Operand::Local(*local_index),
            Operator::LocalTee { local_index } => match operands.last() {
                Some(constant @ Operand::Constant { .. }) => *constant,
                _ => Operand::Local(*local_index),
            },
            operator => match constant(operator, validated) {
                Some((value, decides)) => {
                    distinct.insert(value);
                    Operand::Constant { decides }
                }
                None if value(operator, code[offset - begin], validated).1 => {
                    let all = !operands.is_empty() && operands.iter().all(is_constant);
                    computed += u64::from(all);
                    result_of(operator, &operands, all)
                }
                // Loads, calls and queries of the instance: an engine knows nothing of their results.
                None if matches!(code[offset - begin], 0x10 | 0x11 | 0x23 | 0x25 | 0x28..=0x35 | 0x40 | 0xd2) => {
                    Operand::Other
                }
                None => UNKNOWN,
            },
        };
        // For blocks, branches and calls only the number of results matters.
        let height = validator.operand_stack_height() as usize;
        stack.truncate(height);
        if stack.len() < height {
            let is_known = arity.is_some_and(|(_, given)| given == 1) && stack.len() + 1 == height;
            stack.resize(height, UNKNOWN);
            if is_known && let Some(top) = stack.last_mut() {
                *top = result;
            }
        }
    }
    Ok(distinct.len() as u64 + computed)
}

fn is_constant(operand: &Operand) -> bool {
    matches!(operand, Operand::Constant { .. })
}

fn result_of(operator: &Operator<'_>, operands: &[Operand], all_constant: bool) -> Operand {
    let decides = match operator {
        // The condition may select a constant, and two equal arms may be one.
        Operator::Select | Operator::TypedSelect { .. } => operands.iter().any(is_constant),
        operator => absorbs(operator) && operands.contains(&UNKNOWN),
    };
    let same = matches!(operands, [Operand::Local(a), Operand::Local(b), ..] if a == b);
    match all_constant || decides || same {
        true => UNKNOWN,
        false => Operand::Other,
    }
}

/// Whether one operand may determine the result, whatever the other is.
fn absorbs(operator: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        operator,
        O::I32Mul
            | O::I32And
            | O::I32Or
            | O::I32Shl
            | O::I32ShrS
            | O::I32ShrU
            | O::I32Rotl
            | O::I32Rotr
            | O::I32RemS
            | O::I32RemU
            | O::I64Mul
            | O::I64And
            | O::I64Or
            | O::I64Shl
            | O::I64ShrS
            | O::I64ShrU
            | O::I64Rotl
            | O::I64Rotr
            | O::I64RemS
            | O::I64RemU
            | O::V128And
            | O::V128Or
            | O::V128AndNot
    )
}

/// A constant operand, by its width and bits, and whether it may determine a result.
fn constant(operator: &Operator<'_>, validated: &Validated) -> Option<((u32, u128), bool)> {
    const GLOBAL: u32 = 1;
    let integer = |width: u32, value: i64| Some(((width, value.cast_unsigned().into()), [0, 1, -1].contains(&value)));
    match operator {
        Operator::I32Const { value } => integer(32, (*value).into()),
        Operator::I64Const { value } => integer(64, *value),
        Operator::F32Const { value } => Some(((33, value.bits().into()), false)),
        Operator::F64Const { value } => Some(((65, value.bits().into()), false)),
        Operator::V128Const { value } => Some(((128, value.i128().cast_unsigned()), true)),
        Operator::RefNull { .. } => Some(((0, 0), true)),
        Operator::GlobalGet { global_index } => {
            let is_mutable = validated.globals.get(*global_index as usize).is_some_and(|global| global.is_mutable);
            (!is_mutable).then_some(((GLOBAL, (*global_index).into()), true))
        }
        _ => None,
    }
}
