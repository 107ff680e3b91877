//! What the author of a hotcell plugin links, so that a plugin is one function from bytes to bytes.
//!
//! ```
//! #![cfg_attr(target_arch = "wasm32", no_std)]
//! extern crate alloc;
//! use alloc::vec::Vec;
//!
//! fn shout(input: &[u8]) -> Vec<u8> {
//!     input.to_ascii_uppercase()
//! }
//!
//! hotcell_guest::entry!(shout); // the export `process`
//! hotcell_guest::runtime!();    // allocator and panic handler: `no_std` guests only
//! # fn main() {}
//! ```
//!
//! A guest that uses `std` leaves `#![no_std]` and [`runtime!`] away. Either is a library with
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [profile.release]
//! panic = "abort"
//! lto = true
//! strip = true
//! ```
//!
//! and is built with `cargo build --release --target wasm32-unknown-unknown`. The result imports
//! nothing by itself. It exports `memory`, `alloc`, `__hotcell_abi_version` and one function per
//! [`entry!`], which is all that the host asks for:
//!
//! | export | type | meaning |
//! |---|---|---|
//! | `__hotcell_abi_version` | `() -> i32` | [`ABI_VERSION`]; the host calls it before anything else |
//! | `alloc` | `(len: u32) -> u32` | room for an input of `len` bytes; 0 when memory is refused |
//! | `process`, ... | `(ptr: u32, len: u32) -> u64` | the reply as `ptr << 32 \| len` |
//!
//! On every other target the macros only type-check the function, so the guest's logic can be
//! tested with a plain `cargo test`.
//!
//! With the feature `arrow`, `scalar!` makes a function over the values of a row into an entry over the columns of a batch,
//! for `hotcell-datafusion`.
//!
//! # Memory
//!
//! hotcell gives each call a fresh instance unless the host keeps a session: what the function
//! leaves behind is gone with the instance, and nobody has to free it. In a session, one instance
//! answers thousands of calls, and this crate keeps it from growing: the input is freed when the
//! entry returns, and the reply, which the host reads after that, when the next call begins.
//! There is therefore one call at a time: one `alloc` (none when the input is empty), then one
//! entry. An entry that is called with another buffer than the one from `alloc` panics.
//!
//! A linear memory never shrinks. To make it small from the start, give the guest a small stack:
//! Rust's default is 1 MiB, and `println!("cargo::rustc-link-arg=-zstack-size=16384")` in a
//! `build.rs` changes that. With [`runtime!`], such a guest runs in one page (64 KiB): the
//! allocator uses what is left of the initial memory before it asks for more.
//!
//! # Errors and panics
//!
//! [`fail`] ends the call with the fault `guest-error` and a text, and so does an [`entry!`] made of
//! `try` and a function that returns an error. With [`runtime!`], so does a panic whose message is
//! a literal; any other message is lost, but not that it was a panic. A guest that uses `std` may
//! set a hook in its entry:
//!
//! ```
//! # fn entry() {
//! std::panic::set_hook(Box::new(|panic| hotcell_guest::fail(panic)));
//! # }
//! ```
//!
//! Without it a panic ends the call with `trap-unreachable`. So does memory that runs out, except
//! in `alloc`: that returns 0, and hotcell says `bad-alloc`.

#![no_std]

extern crate alloc as alloc_crate;

#[cfg(target_arch = "wasm32")]
mod allocator;
#[cfg(feature = "arrow")]
pub mod arrow;
#[cfg(target_arch = "wasm32")]
mod exports;
mod failure;
#[cfg_attr(
    not(any(target_arch = "wasm32", test)),
    expect(dead_code, reason = "used by the exports, which exist on wasm32 only")
)]
mod session;

pub use failure::fail;

/// The version of the ABI that this crate speaks: what `__hotcell_abi_version` returns.
pub const ABI_VERSION: i32 = 1;

/// Exports a function from bytes to bytes as an entry of the plugin.
///
/// `entry!(function)` exports it as `process`, the host's default; `entry!(name, function)` as
/// `name`. A plugin may have several entries.
///
/// The function (or closure) takes `&[u8]` and returns a `Vec<u8>` or anything that turns into one
/// without fail, like a `String`.
///
/// ```
/// # extern crate alloc;
/// fn length(input: &[u8]) -> String {
///     format!("{} bytes", input.len())
/// }
///
/// hotcell_guest::entry!(length);
/// hotcell_guest::entry!(reverse, |input| input.iter().rev().copied().collect::<Vec<u8>>());
/// # fn main() {}
/// ```
///
/// With `try` the function returns a `Result`, whose error ends the call by [`fail`].
///
/// ```
/// # extern crate alloc;
/// fn number(input: &[u8]) -> Result<Vec<u8>, alloc::string::FromUtf8Error> {
///     String::from_utf8(input.to_vec()).map(String::into_bytes)
/// }
///
/// hotcell_guest::entry!(try number);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! entry {
    (try $function:expr $(,)?) => {
        $crate::entry!(try process, $function);
    };
    (try $name:ident, $function:expr $(,)?) => {
        $crate::entry!($name, |input: &[u8]| match ($function)(input) {
            Ok(reply) => reply,
            Err(error) => $crate::fail(error),
        });
    };
    ($function:expr $(,)?) => {
        $crate::entry!(process, $function);
    };
    ($name:ident, $function:expr $(,)?) => {
        const _: () = {
            #[cfg_attr(target_arch = "wasm32", unsafe(export_name = stringify!($name)))]
            #[allow(dead_code, reason = "an export; elsewhere only type-checked")]
            extern "C" fn entry(ptr: u32, len: u32) -> u64 {
                $crate::__private::enter(ptr, len, $function)
            }
        };
    };
}

/// Gives a `no_std` guest what `std` would bring: a global allocator, and a panic handler that
/// ends the call with the fault `guest-error`.
///
/// To be written once, in the guest itself. It is a macro and not a Cargo feature because Cargo
/// unifies features: one `no_std` guest would force its panic handler upon every guest that is
/// built together with it. A guest that links another allocator (C code with a `malloc`, or `std`)
/// must not use it: both would take the same memory.
///
/// Expands to nothing on targets other than `wasm32`.
#[macro_export]
macro_rules! runtime {
    () => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[global_allocator]
            static ALLOCATOR: $crate::__private::Allocator = $crate::__private::Allocator::new();

            #[panic_handler]
            fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
                $crate::__private::panicked(info)
            }
        };
    };
}

/// What the macros expand to. Not for use by hand, and free to change in any release.
#[doc(hidden)]
pub mod __private {
    #[cfg(target_arch = "wasm32")]
    pub use crate::{allocator::Allocator, exports::enter};

    /// Ends the call. To write a message that has to be put together would take a guest of a few KiB twice its size.
    #[cfg(target_arch = "wasm32")]
    pub fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
        crate::failure::fail_with(info.message().as_str().unwrap_or("panicked"))
    }

    /// Type-checks an entry where there is no host that could call it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn enter<R>(_ptr: u32, _len: u32, _function: impl FnOnce(&[u8]) -> R) -> u64
    where
        R: Into<alloc_crate::vec::Vec<u8>>,
    {
        unreachable!("entries are called in WebAssembly only")
    }
}
