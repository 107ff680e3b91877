//! Blocks, as host functions read and make them.

use alloc::{format, vec::Vec};

use hotcell_core::{Backend, HostCx, HostError, meter::BYTES_PER_UNIT};

use crate::kernel::Kernel;

/// The bytes of a guest's block, for a host function of the embedder's own that gets its handle. The guest pays for the copy.
///
/// # Errors
///
/// The handle is no block's: the guest's mistake. Or the guest has too little fuel.
pub fn read_block<B: Backend, T: Send + 'static>(cx: &mut HostCx<'_, B, T>, handle: u64) -> Result<Vec<u8>, HostError> {
    read(cx, handle, "an argument")
}

/// A new block with these bytes, for a host function of the embedder's own to return. The guest pays for the copy. Zero for no
/// bytes, and where the guest's memory budget has no room for them.
///
/// # Errors
///
/// The guest has too little fuel.
pub fn new_block<B: Backend, T: Send + 'static>(cx: &mut HostCx<'_, B, T>, bytes: &[u8]) -> Result<u64, HostError> {
    put(cx, bytes)
}

/// Frees a guest's block, where the convention of a host function is that it takes what it gets. Nothing happens where the
/// handle is no block's.
pub fn free_block<B: Backend, T: Send + 'static>(cx: &mut HostCx<'_, B, T>, handle: u64) {
    cx.extension::<Kernel>().free(handle);
}

/// `alloc`
pub(crate) fn alloc<B: Backend, T: Send + 'static>(cx: &mut HostCx<'_, B, T>, len: u64) -> Result<u64, HostError> {
    if len == 0 {
        return Ok(0);
    }
    let Some(missing) = cx.extension::<Kernel>().memory.missing(len) else { return Ok(0) };
    if !cx.reserve(missing) {
        return Ok(0);
    }
    pay(cx, missing)?;
    match cx.extension::<Kernel>().memory.alloc(len) {
        Some(handle) => Ok(handle),
        None => {
            cx.release(missing);
            Ok(0)
        }
    }
}

/// A copy of a block, which is freed.
pub(crate) fn consume<B: Backend, T: Send + 'static>(
    cx: &mut HostCx<'_, B, T>,
    handle: u64,
    what: &str,
) -> Result<Vec<u8>, HostError> {
    let bytes = read(cx, handle, what)?;
    free_block(cx, handle);
    Ok(bytes)
}

/// A block with these bytes; zero for none.
pub(crate) fn put<B: Backend, T: Send + 'static>(cx: &mut HostCx<'_, B, T>, bytes: &[u8]) -> Result<u64, HostError> {
    let handle = alloc(cx, bytes.len() as u64)?;
    if handle != 0 {
        pay(cx, bytes.len() as u64)?;
        cx.extension::<Kernel>().memory.copy_in(handle, bytes);
    }
    Ok(handle)
}

/// A copy of a block.
fn read<B: Backend, T: Send + 'static>(
    cx: &mut HostCx<'_, B, T>,
    handle: u64,
    what: &str,
) -> Result<Vec<u8>, HostError> {
    let Some(len) = cx.extension::<Kernel>().memory.length(handle) else {
        return Err(HostError::guest(format!("{what} is no block of memory: {handle:#x}")));
    };
    // While it is copied, the host has it twice.
    if !cx.reserve(len) {
        return Err(HostError::guest(format!("there is no room for {what} of {len} bytes")));
    }
    cx.release(len);
    pay(cx, len)?;
    let copy = cx.extension::<Kernel>().memory.copy(handle, len);
    copy.ok_or_else(|| HostError::message("the host's memory is used up"))
}

/// Makes the guest pay for bytes that are moved or filled.
pub(crate) fn pay<B: Backend, T: Send + 'static>(cx: &mut HostCx<'_, B, T>, bytes: u64) -> Result<(), HostError> {
    if bytes == 0 { Ok(()) } else { cx.charge(bytes.div_ceil(BYTES_PER_UNIT)) }
}
