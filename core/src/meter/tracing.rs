//! The diagnostic mode of the rewrite: the guest tells the host of every function that it enters and leaves, and keeps in two
//! globals where it is. Fuel, stack and results stay as they are.

use alloc::vec::Vec;

use super::emit::Emitter;
use crate::{
    admit::{FuncType, Validated},
    reserved::{ENTER, LEAVE, PLACE, Place},
    value::ValType::{I32, I64},
};

/// A traced body gets up to so many times as many words, of which [`LARGE_BODY`](crate::fences::LARGE_BODY) speaks.
pub(super) const GROWTH: u64 = 4;

/// What a traced module has in addition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tracing {
    /// Index of the first of the two globals.
    place: u32,
    /// Indices of the imports `enter` and `leave`.
    enter: u32,
    leave: u32,
    /// Index of the type of `enter`; that of `leave` is the next.
    enter_type: u32,
    /// Offset in the module of the content of its code section.
    code: u32,
}

impl Tracing {
    /// With the index of the first of two globals, imports and types, and the offset of the code.
    pub(super) fn new(place: u32, enter: u32, enter_type: u32, code: usize) -> Self {
        Self { place, enter, leave: enter + 1, enter_type, code: u32::try_from(code).unwrap_or(u32::MAX) }
    }

    /// The imports, with their types.
    pub(super) fn imports(self) -> [(&'static str, u32); ITEMS] {
        [(ENTER, self.enter_type), (LEAVE, self.enter_type + 1)]
    }

    /// The exported globals that it has in addition.
    pub(super) fn globals(self) -> [(&'static str, u32); ITEMS] {
        [(PLACE[0], self.place), (PLACE[1], self.place + 1)]
    }
}

/// Number of the imports, of their types, and of the globals.
pub(super) const ITEMS: usize = 2;

/// The types of the imports.
pub(crate) fn types() -> [FuncType; ITEMS] {
    let ty = |params: &[_]| FuncType { params: params.to_vec(), results: Vec::new() };
    [ty(&[I32, I32, I32, I64]), ty(&[I64])]
}

/// The global that is exported as the stack pointer.
pub(super) fn stack_pointer(validated: &Validated) -> Option<u32> {
    let first = validated.globals.first()?;
    (first.ty == I32 && first.is_mutable).then_some(0)
}

/// Whether an operator of straight code may end the guest, by its opcode. Operators that can do so only with another prefix or
/// are not known here may.
pub(super) fn may_end(opcode: u8) -> bool {
    let is_division = matches!(opcode, 0x6d..=0x70 | 0x7f..=0x82);
    let is_truncation = matches!(opcode, 0xa8..=0xab | 0xae..=0xb1);
    let is_parametric = matches!(opcode, 0x1a..=0x1c);
    let is_variable = matches!(opcode, 0x20..=0x24);
    let is_number = matches!(opcode, 0x41..=0xc4);
    let is_block = matches!(opcode, 0x01..=0x05 | 0x0b..=0x0f);
    is_division || is_truncation || !(is_parametric || is_variable || is_number || is_block)
}

impl Emitter<'_> {
    /// Notes where the guest is; does nothing where it is not traced.
    pub(super) fn place(&mut self, at: u32, is_tail_call: bool) {
        let Some(Tracing { code, place, .. }) = self.context.tracing else { return };
        let Place { low, high } = Place::new(code + at, is_tail_call);
        self.sink().i32_const(low).global_set(place).i32_const(high).global_set(place + 1);
    }

    /// Tells of the function that is entered. The fuel counter is in its global: nothing of this function is paid yet.
    pub(super) fn tell_enter(&mut self, function: u32) {
        let Some(Tracing { place, enter, .. }) = self.context.tracing else { return };
        let fuel = self.context.counters.fuel;
        self.sink()
            .i32_const(function.cast_signed())
            .global_get(place)
            .global_get(place + 1)
            .global_get(fuel)
            .call(enter);
    }

    /// Tells that the function is left. The fuel counter is in its global again.
    pub(super) fn tell_leave(&mut self) {
        let Some(Tracing { leave, .. }) = self.context.tracing else { return };
        let fuel = self.context.counters.fuel;
        self.sink().global_get(fuel).call(leave);
    }

    /// Tells that the function is left for another one that takes its place.
    pub(super) fn tell_replaced(&mut self) {
        let (f, fuel) = (self.locals.fuel(), self.context.counters.fuel);
        self.sink().local_get(f).global_set(fuel);
        self.tell_leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_end_a_guest() {
        // unreachable, call, call_indirect, return_call, a table, a load, a store, memory.grow, divisions, truncations
        for opcode in [0x00, 0x10, 0x11, 0x12, 0x13, 0x25, 0x28, 0x3e, 0x40, 0x6d, 0x82, 0xa8, 0xb1, 0xfc, 0xfd] {
            assert!(may_end(opcode), "{opcode:#x}");
        }
        // nop, block, end, br, return, drop, local.get, global.set, i32.const, i32.add, i64.add, f32.add, i64.extend_i32_u
        for opcode in [0x01, 0x02, 0x0b, 0x0c, 0x0f, 0x1a, 0x20, 0x24, 0x41, 0x6a, 0x7c, 0x92, 0xad] {
            assert!(!may_end(opcode), "{opcode:#x}");
        }
    }
}
