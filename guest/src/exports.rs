//! The fixed exports of the ABI, and the way from an entry's numbers to its function.

#![expect(unsafe_code, reason = "exports need fixed symbol names; the state is one static")]

use alloc_crate::vec::Vec;
use core::ops::Deref;

use crate::session::{Session, pack};

static SESSION: SingleThreaded<Session> = SingleThreaded(Session::new());

#[unsafe(no_mangle)]
extern "C" fn __hotcell_abi_version() -> i32 {
    crate::ABI_VERSION
}

#[unsafe(no_mangle)]
extern "C" fn alloc(len: u32) -> u32 {
    // Pointers and `usize` have 32 bits here: no cast in this file loses anything.
    SESSION.reserve(len as usize).map_or(0, |ptr| ptr.as_ptr() as u32)
}

/// The body of every entry: finds the input, runs the function, keeps the reply for the host.
pub fn enter<R: Into<Vec<u8>>>(ptr: u32, len: u32, function: impl FnOnce(&[u8]) -> R) -> u64 {
    let (ptr, len) = SESSION.run(ptr as *const u8, len as usize, function);
    pack(ptr as u32, len as u32)
}

/// A value that may live in a `static` because the module has a single thread.
struct SingleThreaded<T>(T);

// SAFETY: shared memory needs the target feature `atomics`, which is refused below. Without it,
// no second thread can reach this instance.
unsafe impl<T> Sync for SingleThreaded<T> {}

impl<T> Deref for SingleThreaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(target_feature = "atomics")]
compile_error!("hotcell guests have one thread: build without the target feature `atomics`");
