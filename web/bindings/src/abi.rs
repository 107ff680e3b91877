//! The boundary: functions that JavaScript calls, and those that it gives.

#![expect(unsafe_code, reason = "JavaScript passes pointers into this module's memory")]

use std::{cell::RefCell, ptr};

use hotcell::{Clock, Instant};

use crate::requests;

#[link(wasm_import_module = "hotcell")]
unsafe extern "C" {
    /// Milliseconds of a monotonic clock.
    safe fn now() -> f64;
    /// Calls a host function. Zero when it returned, one when it threw.
    fn host(function: u32, frame: *mut Frame) -> u32;
}

/// What a host function gets and gives. JavaScript knows the offsets.
#[repr(C)]
struct Frame {
    /// Fuel that it charges to the guest.
    charge: u64,
    memory: *mut u8,
    memory_len: usize,
    /// Arguments, then overwritten by results: 8 bytes each.
    values: *mut u64,
    /// Of an error, in a buffer from [`hotcell_alloc`].
    message: *mut u8,
    message_len: usize,
}

/// What a host function did.
pub(crate) struct Done {
    pub(crate) charge: u64,
    pub(crate) error: Option<String>,
}

/// Calls a host function of JavaScript's on a guest's memory.
pub(crate) fn call_host(function: u32, memory: &mut [u8], values: &mut [u64]) -> Done {
    let mut frame = Frame {
        charge: 0,
        memory: memory.as_mut_ptr(),
        memory_len: memory.len(),
        values: values.as_mut_ptr(),
        message: ptr::null_mut(),
        message_len: 0,
    };
    // SAFETY: the frame, the memory and the values outlive the call, and JavaScript stays inside of them.
    let failed = unsafe { host(function, &raw mut frame) } != 0;
    let error = failed.then(|| {
        // SAFETY: JavaScript made the buffer with `hotcell_alloc`, and gives it away.
        let message = unsafe { take(frame.message, frame.message_len) };
        String::from_utf8_lossy(&message).into_owned()
    });
    Done { charge: frame.charge, error }
}

/// The page's clock.
pub(crate) struct PageClock;

impl Clock for PageClock {
    fn now(&self) -> Instant {
        // Saturates, and is zero for a clock that is no number.
        Instant((now() * 1_000_000.0) as u64)
    }
}

thread_local! {
    /// The last reply, until the next one.
    static REPLY: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// A buffer for a request.
#[unsafe(no_mangle)]
extern "C" fn hotcell_alloc(len: usize) -> *mut u8 {
    Box::leak(vec![0; len].into_boxed_slice()).as_mut_ptr()
}

/// # Safety
///
/// The buffer is one of [`hotcell_alloc`] with this length, and nobody else has it.
unsafe fn take(pointer: *mut u8, len: usize) -> Vec<u8> {
    if pointer.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller says.
    unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(pointer, len)) }.into_vec()
}

/// Answers a request: its JSON and its bytes are two buffers of [`hotcell_alloc`], which it takes. Where the reply is can be
/// asked of [`hotcell_reply`].
///
/// # Safety
///
/// As it says.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotcell_request(json: *mut u8, json_len: usize, bytes: *mut u8, bytes_len: usize) {
    // SAFETY: as the caller says.
    let (json, bytes) = unsafe { (take(json, json_len), take(bytes, bytes_len)) };
    let reply = requests::answer(&json, &bytes);
    REPLY.set(reply);
}

/// Of the last reply: 0 and 1 are pointer and length of its JSON, 2 and 3 those of its bytes.
#[unsafe(no_mangle)]
extern "C" fn hotcell_reply(part: u32) -> usize {
    REPLY.with_borrow(|(json, bytes)| match part {
        0 => json.as_ptr() as usize,
        1 => json.len(),
        2 => bytes.as_ptr() as usize,
        _ => bytes.len(),
    })
}
