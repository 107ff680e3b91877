//! WebAssembly values and their types at the host boundary.

use core::fmt;

/// The type of a value that crosses the host boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference to a function.
    FuncRef,
    /// Any other reference type. No policy allows one, so no admitted module has it.
    OtherRef,
}

impl ValType {
    /// The name in the text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::FuncRef => "funcref",
            Self::OtherRef => "ref",
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<wasmparser::ValType> for ValType {
    fn from(ty: wasmparser::ValType) -> Self {
        use wasmparser::ValType as W;
        match ty {
            W::I32 => Self::I32,
            W::I64 => Self::I64,
            W::F32 => Self::F32,
            W::F64 => Self::F64,
            W::V128 => Self::V128,
            W::Ref(ty) if ty == wasmparser::RefType::FUNCREF => Self::FuncRef,
            W::Ref(_) => Self::OtherRef,
        }
    }
}

/// A value of a dynamic call or of an exported global. Floats are kept as bits, so that NaNs survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// Bits of a 32-bit float.
    F32(u32),
    /// Bits of a 64-bit float.
    F64(u64),
    /// 128-bit vector, lane 0 in the lowest bits.
    V128(u128),
    /// The null function reference.
    NullFuncRef,
    /// A function. Which one does not cross the host boundary; it cannot be passed back in.
    FuncRef,
}

impl Value {
    /// The zero of a type; null for references.
    pub fn zero(ty: ValType) -> Self {
        match ty {
            ValType::I32 => Self::I32(0),
            ValType::I64 => Self::I64(0),
            ValType::F32 => Self::F32(0),
            ValType::F64 => Self::F64(0),
            ValType::V128 => Self::V128(0),
            ValType::FuncRef | ValType::OtherRef => Self::NullFuncRef,
        }
    }

    /// The value's type.
    pub fn ty(self) -> ValType {
        match self {
            Self::I32(_) => ValType::I32,
            Self::I64(_) => ValType::I64,
            Self::F32(_) => ValType::F32,
            Self::F64(_) => ValType::F64,
            Self::V128(_) => ValType::V128,
            Self::NullFuncRef | Self::FuncRef => ValType::FuncRef,
        }
    }
}

/// `i32:7`, `f64:0.5`, `v128:0x…`, `funcref:null`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.ty())?;
        match *self {
            Self::I32(value) => write!(f, "{value}"),
            Self::I64(value) => write!(f, "{value}"),
            Self::F32(bits) if f32::from_bits(bits).is_nan() => write!(f, "nan:{bits:#010x}"),
            Self::F32(bits) => write!(f, "{:?}", f32::from_bits(bits)),
            Self::F64(bits) if f64::from_bits(bits).is_nan() => write!(f, "nan:{bits:#018x}"),
            Self::F64(bits) => write!(f, "{:?}", f64::from_bits(bits)),
            Self::V128(bits) => write!(f, "{bits:#034x}"),
            Self::NullFuncRef => f.write_str("null"),
            Self::FuncRef => f.write_str("function"),
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that is one WebAssembly number. `u32` and `u64` are the same bits, read as unsigned.
pub trait Scalar: sealed::Sealed + Copy + Send + 'static {
    /// The type on the guest's side.
    const TYPE: ValType;

    /// Converts to a value whose type is known only at run time.
    fn to_value(self) -> Value;

    /// Converts from one; `None` when it has another type.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! scalars {
    ($($rust:ty => $wasm:ident, $number:ident => $to:expr, $bits:ident => $from:expr;)*) => {
        $(
            impl sealed::Sealed for $rust {}
            impl Scalar for $rust {
                const TYPE: ValType = ValType::$wasm;

                #[inline]
                fn to_value(self) -> Value {
                    let $number = self;
                    Value::$wasm($to)
                }

                #[inline]
                fn from_value(value: Value) -> Option<Self> {
                    match value {
                        Value::$wasm($bits) => Some($from),
                        _ => None,
                    }
                }
            }
        )*
    };
}
scalars! {
    i32 => I32, number => number, bits => bits;
    u32 => I32, number => number.cast_signed(), bits => bits.cast_unsigned();
    i64 => I64, number => number, bits => bits;
    u64 => I64, number => number.cast_signed(), bits => bits.cast_unsigned();
    f32 => F32, number => number.to_bits(), bits => Self::from_bits(bits);
    f64 => F64, number => number.to_bits(), bits => Self::from_bits(bits);
}

/// The maximum number of parameters or results of a typed function.
pub const MOST_VALUES: usize = 16;

/// The parameters or results of a typed function: `()`, a scalar, or a tuple of up to 16 scalars.
pub trait Values: Send + 'static {
    /// The types on the guest's side, in order.
    const TYPES: &'static [ValType];

    /// Writes them as values whose types are known only at run time, one for each of [`TYPES`](Self::TYPES). Values
    /// that do not fit into `values` are left out.
    fn to_values(self, values: &mut [Value]);

    /// Converts from such values; `None` when their number or types differ.
    fn from_values(values: &[Value]) -> Option<Self>
    where
        Self: Sized;
}

impl<A: Scalar> Values for A {
    const TYPES: &'static [ValType] = &[A::TYPE];

    #[inline]
    fn to_values(self, values: &mut [Value]) {
        (self,).to_values(values);
    }

    #[inline]
    fn from_values(values: &[Value]) -> Option<Self> {
        <(A,)>::from_values(values).map(|(value,)| value)
    }
}

macro_rules! values {
    ($($scalar:ident $value:ident)*) => {
            impl<$($scalar: Scalar),*> Values for ($($scalar,)*) {
                const TYPES: &'static [ValType] = &[$($scalar::TYPE),*];

                #[inline]
                fn to_values(self, values: &mut [Value]) {
                    let ($($value,)*) = self;
                    for (place, value) in values.iter_mut().zip([$($value.to_value()),*]) {
                        *place = value;
                    }
                }

                #[inline]
                fn from_values(values: &[Value]) -> Option<Self> {
                    match *values {
                        [$($value),*] => Some(($($scalar::from_value($value)?,)*)),
                        _ => None,
                    }
                }
            }
    };
}

/// Calls a macro for each number of values from 16 down to none, with that many pairs of a type parameter and a
/// variable, so that a backend can implement a trait for each arity.
#[macro_export]
macro_rules! each_arity {
    ($macro:ident) => {
        $crate::each_arity!($macro: A a B b C c D d E e F f G g H h I i J j K k L l M m N n O o P p);
    };
    ($macro:ident: $type:ident $value:ident $($rest:tt)*) => {
        $macro!($type $value $($rest)*);
        $crate::each_arity!($macro: $($rest)*);
    };
    ($macro:ident:) => {
        $macro!();
    };
}
each_arity!(values);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_bits_and_their_types() {
        let mut values = [Value::NullFuncRef; 6];
        let nan = f32::from_bits(0x7fa0_0001);
        (-1i32, u32::MAX, i64::MIN, u64::MAX, nan, -0.0f64).to_values(&mut values);
        let bits = [
            Value::I32(-1),
            Value::I32(-1),
            Value::I64(i64::MIN),
            Value::I64(-1),
            Value::F32(0x7fa0_0001),
            Value::F64(1 << 63),
        ];
        assert_eq!(values, bits);
        let back = <(i32, u32, i64, u64, f32, f64)>::from_values(&values).unwrap();
        assert_eq!((back.0, back.1, back.2, back.3, back.4.to_bits()), (-1, u32::MAX, i64::MIN, u64::MAX, 0x7fa0_0001));
        assert_eq!(<(i32, u32)>::from_values(&values[..3]), None, "another number");
        assert_eq!(<(i32, u64)>::from_values(&values[..2]), None, "another type");
        assert_eq!(u32::from_values(&[Value::I32(7)]), Some(7));
        assert_eq!(<()>::from_values(&[]), Some(()));
    }
}
