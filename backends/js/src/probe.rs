//! Which proposals the host's engine knows: it is asked whether a small module that needs one is valid.

use hotcell_core::Proposal;

use crate::engine;

const HEADER: &[u8] = b"\0asm\x01\0\0\0";
/// The type `() -> ()`, and one function of it.
const FUNCTION: &[u8] = b"\x01\x04\x01\x60\0\0\x03\x02\x01\0";

/// Whether the engine knows it.
pub(crate) fn knows(proposal: Proposal) -> bool {
    let module = match proposal {
        // (global i32 (i32.add (i32.const 1) (i32.const 1)))
        Proposal::ExtendedConst => [HEADER, b"\x06\x09\x01\x7f\0\x41\x01\x41\x01\x6a\x0b"].concat(),
        // (memory 0) (memory 0)
        Proposal::MultiMemory => [HEADER, b"\x05\x05\x02\0\0\0\0"].concat(),
        // (memory i64 0)
        Proposal::Memory64 => [HEADER, b"\x05\x03\x01\x04\0"].concat(),
        // (memory 0 (pagesize 1))
        Proposal::CustomPageSizes => [HEADER, b"\x05\x04\x01\x08\0\0"].concat(),
        // (drop (i8x16.splat (i32.const 0)))
        Proposal::Simd => function(b"\x41\0\xfd\x0f\x1a"),
        // (drop (i8x16.relaxed_swizzle (i8x16.splat (i32.const 0)) (i8x16.splat (i32.const 0))))
        Proposal::RelaxedSimd => function(b"\x41\0\xfd\x0f\x41\0\xfd\x0f\xfd\x80\x02\x1a"),
        // (return_call 0)
        Proposal::TailCall => function(b"\x12\0"),
        // (i64.mul_wide_u (i64.const 0) (i64.const 0)) drop drop
        Proposal::WideArithmetic => function(b"\x42\0\x42\0\xfc\x16\x1a\x1a"),
        // Every engine of today knows the others.
        _ => return true,
    };
    engine::is_valid(&module)
}

/// A module with a function of these operators.
fn function(operators: &[u8]) -> Vec<u8> {
    let len = |extra: usize| u8::try_from(operators.len() + extra).expect("a probe is short");
    [HEADER, FUNCTION, &[0x0a, len(4), 1, len(2), 0], operators, b"\x0b"].concat()
}
