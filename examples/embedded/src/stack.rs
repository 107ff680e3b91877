//! The maximum depth of the stack: the runtime paints it before `main`, and words that are still painted were never
//! used.

#![expect(unsafe_code, reason = "the stack's bounds are symbols of the linker, and its words are nobody's variables")]

use core::ptr;

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of the stack, and the maximum in use.
pub(crate) fn size_and_peak() -> (usize, usize) {
    let (top, bottom) = (&raw const _stack_start, &raw const _stack_end);
    let words = (top.addr() - bottom.addr()) / 4;
    // SAFETY: these words are the stack's own memory, aligned and initialised by the runtime. They change during the
    // search only where the stack is in use, and there the search has ended.
    let is_painted = |word: &usize| unsafe { ptr::read_volatile(bottom.add(*word)) } == STACK_PAINT_VALUE;
    let unused = (0..words).take_while(is_painted).count();
    (words * 4, (words - unused) * 4)
}
