//! The allocator, which records its maximum use.

#![expect(unsafe_code, reason = "a global allocator is an unsafe trait, and its memory a mutable static")]

use core::{
    alloc::{GlobalAlloc, Layout},
    mem::MaybeUninit,
    sync::atomic::{AtomicUsize, Ordering},
};

use embedded_alloc::TlsfHeap;

/// Bytes of the heap. The rest of the board's memory is the stack.
pub(crate) const SIZE: usize = if cfg!(feature = "worst-case") { 15 << 20 } else { 224 << 10 };

#[global_allocator]
static HEAP: Heap = Heap { free: TlsfHeap::empty(), used: AtomicUsize::new(0), peak: AtomicUsize::new(0) };

#[unsafe(link_section = ".uninit.heap")]
static mut MEMORY: [MaybeUninit<u64>; SIZE / 8] = [MaybeUninit::uninit(); SIZE / 8];

struct Heap {
    // Not first fit: the allocations that a plugin keeps would be scattered among the temporary ones of loading it, and
    // leave no contiguous page of 64 KiB.
    free: TlsfHeap,
    used: AtomicUsize,
    peak: AtomicUsize,
}

// SAFETY: every block comes from `TlsfHeap` and goes back to it, unchanged.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees `layout`.
        let block = unsafe { self.free.alloc(layout) };
        if !block.is_null() {
            let used = self.used.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
            self.peak.fetch_max(used, Ordering::Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller guarantees `block` and `layout`.
        unsafe { self.free.dealloc(block, layout) }
    }
}

/// Gives the allocator its memory. Must be called once, before any allocation; a second call panics.
pub(crate) fn init() {
    // SAFETY: `MEMORY` is used nowhere else, and has this size.
    unsafe { HEAP.free.init((&raw mut MEMORY).addr(), SIZE) }
}

/// Bytes in use, as requested.
pub(crate) fn used() -> usize {
    HEAP.used.load(Ordering::Relaxed)
}

/// The maximum bytes in use, since the start or since [`forget_peak`].
pub(crate) fn peak() -> usize {
    HEAP.peak.load(Ordering::Relaxed)
}

/// Resets the maximum.
#[cfg(feature = "worst-case")]
pub(crate) fn forget_peak() {
    HEAP.peak.store(used(), Ordering::Relaxed);
}
