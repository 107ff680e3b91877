//! WebAssembly values and their types, as the contract speaks of them.

use core::fmt;

/// The type of a value that crosses the host boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Some function. Which one does not cross the host boundary; it cannot be passed back in.
    FuncRef,
}

impl Value {
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

/// A Rust type that is one WebAssembly number. `u32` and `u64` are the same bits read as unsigned.
pub trait Scalar: sealed::Sealed + Copy + Send + 'static {
    /// The type on the guest's side.
    const TYPE: ValType;
}

macro_rules! scalars {
    ($($rust:ty => $wasm:ident,)*) => {
        $(
            impl sealed::Sealed for $rust {}
            impl Scalar for $rust { const TYPE: ValType = ValType::$wasm; }
        )*
    };
}
scalars!(i32 => I32, u32 => I32, i64 => I64, u64 => I64, f32 => F32, f64 => F64,);

/// What a typed function takes or gives back: `()`, a scalar, or a tuple of up to eight scalars.
pub trait Values: Send + 'static {
    /// The types on the guest's side, in order.
    const TYPES: &'static [ValType];
}

impl<A: Scalar> Values for A {
    const TYPES: &'static [ValType] = &[A::TYPE];
}

macro_rules! values {
    ($($($scalar:ident)*;)*) => {
        $( impl<$($scalar: Scalar),*> Values for ($($scalar,)*) { const TYPES: &'static [ValType] = &[$($scalar::TYPE),*]; } )*
    };
}
values! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}
