//! The plain operators, by their types.

use wasm_encoder::{Instruction as I, MemArg, ValType};

use ValType::{F32, F64, I32, I64, V128};

/// Operators of one type.
pub(super) struct Family {
    pub(super) params: &'static [ValType],
    pub(super) result: ValType,
    /// Whether they may trap.
    pub(super) traps: bool,
    pub(super) operators: &'static [I<'static>],
}

/// Loads or stores of one type; the constructor takes the address.
pub(super) struct Access {
    pub(super) value: ValType,
    pub(super) operators: &'static [fn(MemArg) -> I<'static>],
}

macro_rules! families {
    ($( $traps:literal ($($param:ident)*) -> $result:ident: $($operator:expr)*; )*) => {
        &[$( Family { params: &[$($param),*], result: $result, traps: $traps, operators: &[$($operator),*] } ),*]
    };
}

/// On integers only.
pub(super) const INTEGERS: &[Family] = families! {
    false (I32) -> I32: I::I32Clz I::I32Ctz I::I32Popcnt I::I32Eqz I::I32Extend8S I::I32Extend16S;
    false (I64) -> I64: I::I64Clz I::I64Ctz I::I64Popcnt I::I64Extend8S I::I64Extend16S I::I64Extend32S;
    false (I64) -> I32: I::I32WrapI64 I::I64Eqz;
    false (I32) -> I64: I::I64ExtendI32S I::I64ExtendI32U;
    false (I32 I32) -> I32: I::I32Add I::I32Sub I::I32Mul I::I32And I::I32Or I::I32Xor I::I32Shl I::I32ShrS I::I32ShrU
        I::I32Rotl I::I32Rotr;
    false (I32 I32) -> I32: I::I32Eq I::I32Ne I::I32LtS I::I32LtU I::I32GtS I::I32GtU I::I32LeS I::I32LeU I::I32GeS
        I::I32GeU;
    false (I64 I64) -> I64: I::I64Add I::I64Sub I::I64Mul I::I64And I::I64Or I::I64Xor I::I64Shl I::I64ShrS I::I64ShrU
        I::I64Rotl I::I64Rotr;
    false (I64 I64) -> I32: I::I64Eq I::I64Ne I::I64LtS I::I64LtU I::I64GtS I::I64GtU I::I64LeS I::I64LeU I::I64GeS
        I::I64GeU;
    true (I32 I32) -> I32: I::I32DivS I::I32DivU I::I32RemS I::I32RemU;
    true (I64 I64) -> I64: I::I64DivS I::I64DivU I::I64RemS I::I64RemU;
};

/// With floats.
pub(super) const FLOATS: &[Family] = families! {
    false (F32 F32) -> F32: I::F32Add I::F32Sub I::F32Mul I::F32Div I::F32Min I::F32Max I::F32Copysign;
    false (F64 F64) -> F64: I::F64Add I::F64Sub I::F64Mul I::F64Div I::F64Min I::F64Max I::F64Copysign;
    false (F32) -> F32: I::F32Abs I::F32Neg I::F32Ceil I::F32Floor I::F32Trunc I::F32Nearest I::F32Sqrt;
    false (F64) -> F64: I::F64Abs I::F64Neg I::F64Ceil I::F64Floor I::F64Trunc I::F64Nearest I::F64Sqrt;
    false (F32 F32) -> I32: I::F32Eq I::F32Ne I::F32Lt I::F32Gt I::F32Le I::F32Ge;
    false (F64 F64) -> I32: I::F64Eq I::F64Ne I::F64Lt I::F64Gt I::F64Le I::F64Ge;
    false (F32) -> I32: I::I32ReinterpretF32 I::I32TruncSatF32S I::I32TruncSatF32U;
    false (F64) -> I32: I::I32TruncSatF64S I::I32TruncSatF64U;
    false (F32) -> I64: I::I64TruncSatF32S I::I64TruncSatF32U;
    false (F64) -> I64: I::I64ReinterpretF64 I::I64TruncSatF64S I::I64TruncSatF64U;
    false (I32) -> F32: I::F32ReinterpretI32 I::F32ConvertI32S I::F32ConvertI32U;
    false (I64) -> F32: I::F32ConvertI64S I::F32ConvertI64U;
    false (I32) -> F64: I::F64ConvertI32S I::F64ConvertI32U;
    false (I64) -> F64: I::F64ReinterpretI64 I::F64ConvertI64S I::F64ConvertI64U;
    false (F32) -> F64: I::F64PromoteF32;
    false (F64) -> F32: I::F32DemoteF64;
    true (F32) -> I32: I::I32TruncF32S I::I32TruncF32U;
    true (F64) -> I32: I::I32TruncF64S I::I32TruncF64U;
    true (F32) -> I64: I::I64TruncF32S I::I64TruncF32U;
    true (F64) -> I64: I::I64TruncF64S I::I64TruncF64U;
};

/// With vectors.
pub(super) const VECTORS: &[Family] = families! {
    false (V128) -> V128: I::V128Not I::I8x16Abs I::I8x16Neg I::I8x16Popcnt I::I16x8Abs I::I16x8Neg I::I32x4Abs
        I::I32x4Neg I::I64x2Abs I::I64x2Neg I::I16x8ExtAddPairwiseI8x16S I::I16x8ExtAddPairwiseI8x16U
        I::I32x4ExtAddPairwiseI16x8S I::I32x4ExtAddPairwiseI16x8U I::I16x8ExtendLowI8x16S I::I16x8ExtendHighI8x16U
        I::I32x4ExtendLowI16x8S I::I32x4ExtendHighI16x8U I::I64x2ExtendLowI32x4S I::I64x2ExtendHighI32x4U;
    false (V128) -> V128: I::F32x4Ceil I::F32x4Floor I::F32x4Trunc I::F32x4Nearest I::F32x4Abs I::F32x4Neg I::F32x4Sqrt
        I::F64x2Ceil I::F64x2Floor I::F64x2Trunc I::F64x2Nearest I::F64x2Abs I::F64x2Neg I::F64x2Sqrt
        I::I32x4TruncSatF32x4S I::I32x4TruncSatF32x4U I::F32x4ConvertI32x4S I::F32x4ConvertI32x4U
        I::I32x4TruncSatF64x2SZero I::I32x4TruncSatF64x2UZero I::F64x2ConvertLowI32x4S I::F64x2ConvertLowI32x4U
        I::F32x4DemoteF64x2Zero I::F64x2PromoteLowF32x4;
    false (V128 V128) -> V128: I::F32x4Add I::F32x4Sub I::F32x4Mul I::F32x4Div I::F32x4Min I::F32x4Max I::F32x4PMin
        I::F32x4PMax I::F64x2Add I::F64x2Sub I::F64x2Mul I::F64x2Div I::F64x2Min I::F64x2Max I::F64x2PMin I::F64x2PMax
        I::F32x4Eq I::F32x4Ne I::F32x4Lt I::F32x4Gt I::F32x4Le I::F32x4Ge I::F64x2Eq I::F64x2Ne I::F64x2Lt I::F64x2Ge;
    false (V128 V128) -> V128: I::V128And I::V128AndNot I::V128Or I::V128Xor I::I8x16Swizzle I::I8x16Add I::I8x16Sub
        I::I8x16AddSatS I::I8x16SubSatU I::I8x16MinS I::I8x16MaxU I::I8x16AvgrU I::I8x16NarrowI16x8S
        I::I8x16NarrowI16x8U I::I16x8Add I::I16x8Sub I::I16x8Mul I::I16x8AddSatU I::I16x8SubSatS I::I16x8MinU
        I::I16x8MaxS I::I16x8AvgrU I::I16x8Q15MulrSatS I::I16x8NarrowI32x4S I::I16x8NarrowI32x4U I::I32x4Add
        I::I32x4Sub I::I32x4Mul I::I32x4MinS I::I32x4MaxU I::I32x4DotI16x8S I::I64x2Add I::I64x2Sub I::I64x2Mul
        I::I16x8ExtMulLowI8x16S I::I16x8ExtMulHighI8x16U I::I32x4ExtMulLowI16x8U I::I32x4ExtMulHighI16x8S
        I::I64x2ExtMulLowI32x4S I::I64x2ExtMulHighI32x4U;
    false (V128 V128) -> V128: I::I8x16Eq I::I8x16LtS I::I8x16GtU I::I16x8Ne I::I16x8LeS I::I16x8GeU I::I32x4Eq
        I::I32x4LtU I::I32x4GeS I::I64x2Eq I::I64x2Ne I::I64x2LtS I::I64x2GeS;
    false (V128 V128 V128) -> V128: I::V128Bitselect;
    false (V128 I32) -> V128: I::I8x16Shl I::I8x16ShrS I::I8x16ShrU I::I16x8Shl I::I16x8ShrS I::I16x8ShrU I::I32x4Shl
        I::I32x4ShrS I::I32x4ShrU I::I64x2Shl I::I64x2ShrS I::I64x2ShrU;
    false (V128) -> I32: I::V128AnyTrue I::I8x16AllTrue I::I8x16Bitmask I::I16x8AllTrue I::I16x8Bitmask
        I::I32x4AllTrue I::I32x4Bitmask I::I64x2AllTrue I::I64x2Bitmask I::I8x16ExtractLaneS(9)
        I::I8x16ExtractLaneU(15) I::I16x8ExtractLaneS(7) I::I16x8ExtractLaneU(2) I::I32x4ExtractLane(0)
        I::I32x4ExtractLane(3);
    false (V128) -> I64: I::I64x2ExtractLane(0) I::I64x2ExtractLane(1);
    false (V128) -> F32: I::F32x4ExtractLane(0) I::F32x4ExtractLane(2) I::F32x4ExtractLane(3);
    false (V128) -> F64: I::F64x2ExtractLane(0) I::F64x2ExtractLane(1);
    false (I32) -> V128: I::I8x16Splat I::I16x8Splat I::I32x4Splat;
    false (I64) -> V128: I::I64x2Splat;
    false (F32) -> V128: I::F32x4Splat;
    false (F64) -> V128: I::F64x2Splat;
    false (V128 I32) -> V128: I::I8x16ReplaceLane(15) I::I16x8ReplaceLane(3) I::I32x4ReplaceLane(1);
    false (V128 I64) -> V128: I::I64x2ReplaceLane(1);
    false (V128 F32) -> V128: I::F32x4ReplaceLane(0) I::F32x4ReplaceLane(3);
    false (V128 F64) -> V128: I::F64x2ReplaceLane(0) I::F64x2ReplaceLane(1);
    false (V128 V128) -> V128: I::I8x16Shuffle([0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31])
        I::I8x16Shuffle([4, 5, 6, 7, 0, 1, 2, 3, 28, 29, 30, 31, 16, 17, 18, 19]);
};

macro_rules! accesses {
    ($( $value:ident: $($operator:expr)*; )*) => {
        &[$( Access { value: $value, operators: &[$($operator),*] } ),*]
    };
}

pub(super) const LOADS: &[Access] = accesses! {
    I32: I::I32Load I::I32Load8S I::I32Load8U I::I32Load16S I::I32Load16U;
    I64: I::I64Load I::I64Load8S I::I64Load8U I::I64Load16S I::I64Load16U I::I64Load32S I::I64Load32U;
    F32: I::F32Load;
    F64: I::F64Load;
    V128: I::V128Load I::V128Load8x8S I::V128Load16x4U I::V128Load32x2S I::V128Load8Splat I::V128Load32Splat
        I::V128Load64Splat I::V128Load32Zero I::V128Load64Zero;
};

pub(super) const STORES: &[Access] = accesses! {
    I32: I::I32Store I::I32Store8 I::I32Store16;
    I64: I::I64Store I::I64Store8 I::I64Store16 I::I64Store32;
    F32: I::F32Store;
    F64: I::F64Store;
    V128: I::V128Store;
};

#[cfg(test)]
mod tests {
    use wasm_encoder::{CodeSection, Function, FunctionSection, MemorySection, MemoryType, Module, TypeSection};

    use super::*;

    /// Every operator has the type that the tables give it.
    #[test]
    fn the_tables_are_right() {
        let plain = [INTEGERS, FLOATS, VECTORS].into_iter().flatten();
        let plain = plain.flat_map(|family| {
            family.operators.iter().map(|operator| (family.params.to_vec(), vec![family.result], operator.clone()))
        });
        let at = MemArg { offset: 0, align: 0, memory_index: 0 };
        let loads = LOADS.iter().flat_map(|access| {
            access.operators.iter().map(move |operator| (vec![I32], vec![access.value], operator(at)))
        });
        let stores = STORES.iter().flat_map(|access| {
            access.operators.iter().map(move |operator| (vec![I32, access.value], vec![], operator(at)))
        });
        for (params, results, operator) in plain.chain(loads).chain(stores) {
            let mut types = TypeSection::new();
            types.ty().function(params.clone(), results);
            let mut functions = FunctionSection::new();
            functions.function(0);
            let mut memories = MemorySection::new();
            memories.memory(MemoryType {
                minimum: 1,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
            let mut body = Function::new([]);
            for local in 0..params.len() as u32 {
                body.instruction(&I::LocalGet(local));
            }
            body.instruction(&operator).instruction(&I::End);
            let mut code = CodeSection::new();
            code.function(&body);
            let mut module = Module::new();
            module.section(&types).section(&functions).section(&memories).section(&code);
            wasmparser::validate(&module.finish()).unwrap_or_else(|error| panic!("{operator:?}: {error}"));
        }
    }
}
