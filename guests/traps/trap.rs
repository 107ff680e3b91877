//! Gives the byte of its input that the first byte names, and panics where there is none.

#![no_std]

use core::{panic::PanicInfo, ptr::addr_of_mut, slice};

static mut INPUT: [u8; 4096] = [0; 4096];

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

#[unsafe(no_mangle)]
extern "C" fn __hotcell_abi_version() -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn alloc(_: u32) -> *mut u8 {
    addr_of_mut!(INPUT).cast()
}

struct Picker<'a>(&'a mut [u8]);

impl Picker<'_> {
    #[inline(never)]
    fn pick(&mut self, index: usize) -> &mut u8 {
        &mut self.0[index]
    }
}

#[inline(never)]
fn answer(input: &mut [u8]) -> &mut u8 {
    let index = input.first().map_or(0, |first| usize::from(*first - b'0'));
    let mut picker = Picker(input);
    let picked: *mut u8 = picker.pick(index);
    // SAFETY: it is in the input, which lives on.
    unsafe { &mut *picked }
}

#[unsafe(no_mangle)]
extern "C" fn process(at: *mut u8, len: usize) -> u64 {
    // SAFETY: the host has written so many bytes there.
    let input = unsafe { slice::from_raw_parts_mut(at, len) };
    let picked: *mut u8 = answer(input);
    (picked as u64) << 32 | 1
}
