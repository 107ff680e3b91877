//! What `engine.js` does: handles for what JavaScript keeps, and calls into instances.

#![expect(unsafe_code, reason = "JavaScript gets pointers into this module's memory")]

use std::cell::Cell;

use hotcell_core::{BackendError, Fault};

use crate::convert::{backend_error, fault};

#[link(wasm_import_module = "hotcell_engine")]
unsafe extern "C" {
    fn compile_module(bytes: *const u8, len: usize) -> u32;
    fn make_instance(guest: u32, hosts: u32, entries: u32, memory: *const u8, memory_len: usize) -> i32;
    fn validate(bytes: *const u8, len: usize) -> u32;
    fn read_memory(instance: u32, to: *mut u8, len: usize);
    fn write_memory(instance: u32, from: *const u8, len: usize);
    fn read_message(to: *mut u8, len: usize) -> usize;
    safe fn run(instance: u32, operation: u32) -> i32;
    safe fn memory_len(instance: u32) -> usize;
    safe fn grow_memory(instance: u32, pages: u32) -> u32;
    safe fn measure_stack() -> u32;
    safe fn release(handle: u32);
}

/// Something that JavaScript keeps until this is dropped.
pub(crate) struct Handle(u32);

impl Drop for Handle {
    fn drop(&mut self) {
        release(self.0);
    }
}

/// Bytes of an engine's message that are kept.
const MESSAGE: usize = 512;

/// What the engine said last.
pub(crate) fn message() -> String {
    let mut bytes = vec![0; MESSAGE];
    // SAFETY: the buffer has this length.
    let len = unsafe { read_message(bytes.as_mut_ptr(), bytes.len()) };
    bytes.truncate(len);
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn compile(module: &[u8]) -> Result<Handle, BackendError> {
    // SAFETY: JavaScript reads the bytes, and keeps a copy.
    match unsafe { compile_module(module.as_ptr(), module.len()) } {
        0 => Err(backend_error(message())),
        handle => Ok(Handle(handle)),
    }
}

/// Whether the engine would compile it.
pub(crate) fn is_valid(module: &[u8]) -> bool {
    // SAFETY: JavaScript reads the bytes.
    unsafe { validate(module.as_ptr(), module.len()) != 0 }
}

/// An instance of the guest, with those of the modules around it. `memory` is the name of its memory.
pub(crate) fn instantiate(
    guest: &Handle,
    hosts: &Handle,
    entries: &Handle,
    memory: Option<&str>,
) -> Result<Handle, Fault> {
    // A name may be empty: without a memory there is no pointer.
    let (name, len) = memory.map_or((std::ptr::null(), 0), |name| (name.as_ptr(), name.len()));
    // SAFETY: JavaScript reads the name.
    let made = unsafe { make_instance(guest.0, hosts.0, entries.0, name, len) };
    u32::try_from(made).map(Handle).map_err(|_| fault(-made))
}

/// Bytes of native stack that this thread has, about.
pub(crate) fn stack_bytes() -> u64 {
    measure_stack().into()
}

/// Who is asked when a guest calls a host function: whoever called the guest last.
#[derive(Clone, Copy)]
struct Current {
    store: *mut (),
    answer: unsafe fn(*mut (), u32) -> bool,
}

thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
    /// Host functions that have begun and have not returned.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Does an operation on the instance of a store. While it runs, `answer` is called with the store for each import that the
/// guest calls, and says whether the guest must end.
pub(crate) fn run_in<S>(
    Number(instance): Number,
    operation: u32,
    store: &mut S,
    answer: unsafe fn(*mut (), u32) -> bool,
) -> Result<(), Fault> {
    let current = Current { store: (&raw mut *store).cast(), answer };
    let (outer, depth) = (CURRENT.replace(Some(current)), DEPTH.get());
    let outcome = run(instance, operation);
    CURRENT.set(outer);
    if DEPTH.get() != depth {
        // A host function was left by a panic or for want of stack, not by returning: nothing in this module can be relied on.
        std::process::abort();
    }
    match outcome {
        0 => Ok(()),
        code => Err(fault(code)),
    }
}

/// Names a handle, while its store is lent.
pub(crate) struct Number(u32);

impl Handle {
    pub(crate) fn number(&self) -> Number {
        Number(self.0)
    }

    /// Does an operation that runs nothing of the guest.
    pub(crate) fn access(&self, operation: u32) -> bool {
        run(self.0, operation) == 0
    }

    pub(crate) fn memory_len(&self) -> usize {
        memory_len(self.0)
    }

    /// Copies the memory's first bytes.
    pub(crate) fn read(&self, to: &mut [u8]) {
        // SAFETY: the buffer has this length.
        unsafe { read_memory(self.0, to.as_mut_ptr(), to.len()) }
    }

    /// Overwrites the memory's first bytes.
    pub(crate) fn write(&self, from: &[u8]) {
        // SAFETY: JavaScript reads the bytes.
        unsafe { write_memory(self.0, from.as_ptr(), from.len()) }
    }

    pub(crate) fn grow(&self, pages: u32) -> bool {
        grow_memory(self.0, pages) != 0
    }
}

/// What the adapter of an import calls: whether the guest must end.
#[unsafe(no_mangle)]
extern "C" fn hotcell_engine_host(import: u32) -> u32 {
    DEPTH.set(DEPTH.get() + 1);
    let must_end = match CURRENT.get() {
        // SAFETY: `run_in` has put it there from a `&mut` that it holds until the guest returns, and uses meanwhile for nothing.
        Some(Current { store, answer }) => unsafe { answer(store, import) }.into(),
        // A function that nobody called cannot call.
        None => 1,
    };
    DEPTH.set(DEPTH.get() - 1);
    must_end
}
