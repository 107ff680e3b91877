//! The allocator of `no_std` guests: dlmalloc, as in `std`, told to be sparing with pages.

#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::{Cell, UnsafeCell};
use core::ptr;

use dlmalloc::Dlmalloc;

const PAGE_BYTES: usize = 64 * 1024;

/// By how much dlmalloc rounds up a request for memory. Its default is a whole page, for which
/// the rest of the initial memory is always too small.
const GRANULARITY_BYTES: usize = 1024;

/// A global allocator for single-threaded WebAssembly.
pub struct Allocator {
    heap: UnsafeCell<Dlmalloc<LinearMemory>>,
}

impl Allocator {
    /// An allocator that holds no memory yet. One per module: it takes the module's heap.
    #[expect(clippy::new_without_default, reason = "only ever used to initialise a static")]
    pub const fn new() -> Self {
        let mut heap = Dlmalloc::new_with_allocator(LinearMemory::new());
        assert!(heap.set_granularity(GRANULARITY_BYTES));
        Self { heap: UnsafeCell::new(heap) }
    }
}

// SAFETY: without the target feature `atomics` (refused in `exports`) there is one thread.
unsafe impl Sync for Allocator {}

// SAFETY: dlmalloc keeps the contract of `GlobalAlloc`, and each method passes on just what its
// caller promises. The exclusive borrow ends within the method, and dlmalloc calls nothing that
// could allocate.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.heap.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.heap.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { (*self.heap.get()).free(ptr, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        unsafe { (*self.heap.get()).realloc(ptr, layout.size(), layout.align(), new_size) }
    }
}

/// Where dlmalloc gets its memory: first what the linker left free in the initial memory, extended
/// by growing as far as the request needs, then whole pages.
struct LinearMemory {
    started: Cell<bool>,
}

impl LinearMemory {
    const fn new() -> Self {
        Self { started: Cell::new(false) }
    }
}

unsafe extern "C" {
    // Defined by the linker. Only their addresses mean something.
    static __heap_base: u8;
    static __heap_end: u8;
}

// SAFETY: each region is handed out once: the first starts at `__heap_base`, where the linker
// ends everything of its own, every later one at what was then the end of memory. Regions are at
// least as large as asked, and never taken back.
unsafe impl dlmalloc::Allocator for LinearMemory {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        const REFUSED: (*mut u8, usize, u32) = (ptr::null_mut(), 0, 0);

        let pages = memory_size(0);
        // Overflows when the last page of the address space is in use: that one is never taken, so
        // that no region ends at address 0.
        let Some(end) = pages.checked_mul(PAGE_BYTES) else {
            return REFUSED;
        };
        let mut start = end;
        // If somebody grew the memory before us, its end is theirs: leave the rest alone.
        if !self.started.get() && end == (&raw const __heap_end).addr() {
            start = (&raw const __heap_base).addr();
        }

        let missing_pages = size.saturating_sub(end - start).div_ceil(PAGE_BYTES);
        let new_end = missing_pages.checked_mul(PAGE_BYTES).and_then(|more| end.checked_add(more));
        let Some(new_end) = new_end else {
            return REFUSED;
        };
        if missing_pages > 0 && memory_grow(0, missing_pages) != pages {
            return REFUSED;
        }
        self.started.set(true);
        (ptr::with_exposed_provenance_mut(start), new_end - start, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_BYTES
    }
}
