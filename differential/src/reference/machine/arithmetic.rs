//! Operators that use only operands and locals.

use wasmparser::Operator;

use super::{Frame, OVERFLOW, Stop, ZERO, narrow};

impl Frame<'_> {
    pub(super) fn plain(&mut self, operator: &Operator<'_>) -> Result<(), Stop> {
        use Operator as O;
        match operator {
            O::Nop => {}
            O::Drop => drop(self.pop()),
            O::I32Const { value } => self.operands.push(narrow(*value)),
            O::I64Const { value } => self.operands.push(value.cast_unsigned()),
            O::LocalGet { local_index } => self.operands.push(self.locals[*local_index as usize]),
            O::LocalSet { local_index } => self.locals[*local_index as usize] = self.pop(),
            O::LocalTee { local_index } => {
                let value = self.pop();
                self.locals[*local_index as usize] = value;
                self.operands.push(value);
            }
            O::Select => {
                let (condition, other, one) = (self.pop() as u32, self.pop(), self.pop());
                self.operands.push(if condition != 0 { one } else { other });
            }
            O::I32Clz => self.unary32(|a| a.leading_zeros()),
            O::I32Ctz => self.unary32(|a| a.trailing_zeros()),
            O::I32Popcnt => self.unary32(|a| a.count_ones()),
            O::I32Eqz => self.unary32(|a| (a == 0).into()),
            O::I32Extend8S => self.unary32(|a| a as u8 as i8 as u32),
            O::I32Extend16S => self.unary32(|a| a as u16 as i16 as u32),
            O::I64Clz => self.unary64(|a| a.leading_zeros().into()),
            O::I64Ctz => self.unary64(|a| a.trailing_zeros().into()),
            O::I64Popcnt => self.unary64(|a| a.count_ones().into()),
            O::I64Eqz => self.unary64(|a| (a == 0).into()),
            O::I64Extend8S => self.unary64(|a| a as u8 as i8 as u64),
            O::I64Extend16S => self.unary64(|a| a as u16 as i16 as u64),
            O::I64Extend32S | O::I64ExtendI32S => self.unary64(|a| a as u32 as i32 as u64),
            O::I32WrapI64 | O::I64ExtendI32U => self.unary64(|a| a as u32 as u64),
            _ => return self.binary(operator),
        }
        Ok(())
    }

    fn unary32(&mut self, f: fn(u32) -> u32) {
        let a = self.pop() as u32;
        self.operands.push(f(a).into());
    }

    fn unary64(&mut self, f: fn(u64) -> u64) {
        let a = self.pop();
        self.operands.push(f(a));
    }

    fn binary(&mut self, operator: &Operator<'_>) -> Result<(), Stop> {
        use Operator as O;
        let (b, a) = (self.pop(), self.pop());
        let (a32, b32) = (a as u32, b as u32);
        let (s32, t32) = (a32.cast_signed(), b32.cast_signed());
        let (s, t) = (a.cast_signed(), b.cast_signed());
        let by = b as u32;
        let result: u64 = match operator {
            O::I32Add => a32.wrapping_add(b32).into(),
            O::I32Sub => a32.wrapping_sub(b32).into(),
            O::I32Mul => a32.wrapping_mul(b32).into(),
            O::I32DivS | O::I32RemS | O::I32DivU | O::I32RemU | O::I64DivU | O::I64RemU | O::I64DivS | O::I64RemS => {
                divide(operator, a, b)?
            }
            O::I32And => (a32 & b32).into(),
            O::I32Or => (a32 | b32).into(),
            O::I32Xor => (a32 ^ b32).into(),
            O::I32Shl => a32.wrapping_shl(by).into(),
            O::I32ShrS => narrow(s32.wrapping_shr(by)),
            O::I32ShrU => a32.wrapping_shr(by).into(),
            O::I32Rotl => a32.rotate_left(by % 32).into(),
            O::I32Rotr => a32.rotate_right(by % 32).into(),
            O::I64Add => a.wrapping_add(b),
            O::I64Sub => a.wrapping_sub(b),
            O::I64Mul => a.wrapping_mul(b),
            O::I64And => a & b,
            O::I64Or => a | b,
            O::I64Xor => a ^ b,
            O::I64Shl => a.wrapping_shl(by),
            O::I64ShrS => s.wrapping_shr(by).cast_unsigned(),
            O::I64ShrU => a.wrapping_shr(by),
            O::I64Rotl => a.rotate_left(by % 64),
            O::I64Rotr => a.rotate_right(by % 64),
            O::I32Eq => (a32 == b32).into(),
            O::I32Ne => (a32 != b32).into(),
            O::I32LtS => (s32 < t32).into(),
            O::I32LtU => (a32 < b32).into(),
            O::I32GtS => (s32 > t32).into(),
            O::I32GtU => (a32 > b32).into(),
            O::I32LeS => (s32 <= t32).into(),
            O::I32LeU => (a32 <= b32).into(),
            O::I32GeS => (s32 >= t32).into(),
            O::I32GeU => (a32 >= b32).into(),
            O::I64Eq => (a == b).into(),
            O::I64Ne => (a != b).into(),
            O::I64LtS => (s < t).into(),
            O::I64LtU => (a < b).into(),
            O::I64GtS => (s > t).into(),
            O::I64GtU => (a > b).into(),
            O::I64LeS => (s <= t).into(),
            O::I64LeU => (a <= b).into(),
            O::I64GeS => (s >= t).into(),
            O::I64GeU => (a >= b).into(),
            other => unreachable!("{other:?} has no height, so the program was not read"),
        };
        self.operands.push(result);
        Ok(())
    }
}

fn divide(operator: &Operator<'_>, a: u64, b: u64) -> Result<u64, Stop> {
    use Operator as O;
    let (a32, b32) = (a as u32, b as u32);
    let (s32, t32) = (a32.cast_signed(), b32.cast_signed());
    let (s, t) = (a.cast_signed(), b.cast_signed());
    let is_zero = match operator {
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => b32 == 0,
        _ => b == 0,
    };
    if is_zero {
        return Err(ZERO);
    }
    Ok(match operator {
        O::I32DivS => narrow(s32.checked_div(t32).ok_or(OVERFLOW)?),
        O::I32DivU => (a32 / b32).into(),
        O::I32RemS => narrow(s32.wrapping_rem(t32)),
        O::I32RemU => (a32 % b32).into(),
        O::I64DivS => s.checked_div(t).ok_or(OVERFLOW)?.cast_unsigned(),
        O::I64DivU => a / b,
        O::I64RemS => s.wrapping_rem(t).cast_unsigned(),
        _ => a % b,
    })
}
