//! Where a guest leaves why it failed, and how it ends.

#![cfg_attr(target_arch = "wasm32", expect(unsafe_code, reason = "the host finds the words by a fixed symbol"))]

use alloc_crate::string::ToString;
use core::fmt::Display;

/// Pointer and length of the text, of which the host reads up to 4 KiB when the guest has trapped.
#[cfg(target_arch = "wasm32")]
#[repr(C)]
struct Words {
    pointer: core::cell::Cell<u32>,
    len: core::cell::Cell<u32>,
}

// SAFETY: without the target feature `atomics` (refused in `exports`) there is one thread.
#[cfg(target_arch = "wasm32")]
unsafe impl Sync for Words {}

#[cfg(target_arch = "wasm32")]
#[unsafe(export_name = "__hotcell_error")]
static WORDS: Words = Words { pointer: core::cell::Cell::new(0), len: core::cell::Cell::new(0) };

/// Ends the call with the fault `guest-error` and this text.
///
/// # Panics
///
/// On every other target than `wasm32`, with the text.
pub fn fail(error: impl Display) -> ! {
    fail_with(&error.to_string())
}

/// As [`fail`], with a text that is there.
#[cfg(target_arch = "wasm32")]
pub(crate) fn fail_with(text: &str) -> ! {
    // Pointers and `usize` have 32 bits here: no cast loses anything.
    WORDS.pointer.set(text.as_ptr() as u32);
    WORDS.len.set(text.len() as u32);
    core::arch::wasm32::unreachable()
}

/// As [`fail`], with a text that is there.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn fail_with(text: &str) -> ! {
    panic!("{text}")
}
