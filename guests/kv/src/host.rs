//! The functions that the host must offer in the module `env`.
//!
//! | import | type | meaning |
//! |---|---|---|
//! | `get` | `(key_ptr, key_len, out_ptr, out_cap) -> i32` | writes at most `out_cap` bytes of the value; its whole length, or -1 when there is none |
//! | `put` | `(key_ptr, key_len, val_ptr, val_len) -> i32` | 0, or a negative number: refused |
//! | `log` | `(ptr, len)` | a line of UTF-8 for the host's log |
//!
//! All parameters are `i32`: addresses and lengths in the guest's memory.

#![expect(unsafe_code, reason = "imported functions take addresses")]

use alloc::vec;
use alloc::vec::Vec;

use crate::commands::Store;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn get(key_ptr: *const u8, key_len: usize, out_ptr: *mut u8, out_cap: usize) -> i32;
    fn put(key_ptr: *const u8, key_len: usize, val_ptr: *const u8, val_len: usize) -> i32;
    fn log(ptr: *const u8, len: usize);
}

/// The host's store.
pub(crate) struct Host;

impl Store for Host {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = vec![0; 64];
        loop {
            // SAFETY: both addresses and lengths are those of live buffers, and the host writes at
            // most `out_cap` bytes.
            let len = unsafe { get(key.as_ptr(), key.len(), value.as_mut_ptr(), value.len()) };
            let len = usize::try_from(len).ok()?;
            if len <= value.len() {
                value.truncate(len);
                return Some(value);
            }
            value = vec![0; len];
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), i32> {
        // SAFETY: both addresses and lengths are those of live buffers, which the host only reads.
        match unsafe { put(key.as_ptr(), key.len(), value.as_ptr(), value.len()) } {
            code @ ..0 => Err(code),
            _ => Ok(()),
        }
    }

    fn log(&self, message: &str) {
        // SAFETY: the address and length of a live buffer, which the host only reads.
        unsafe { log(message.as_ptr(), message.len()) }
    }
}
