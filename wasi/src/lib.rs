//! WASI preview 1 for guests of hotcell, as host functions that reach only what the host grants. No engine is named here: the
//! functions are written once for every backend.
//!
//! A [`WasiConfig`] begins as a sandbox without an outside, whose every answer is the same on every backend, and what a host
//! grants it grants by name. [`offer`] adds the functions to an embedder's others.
//!
//! ```
//! use hotcell_core::{Contract, Loader, Policy};
//! use hotcell_wasi::WasiConfig;
//! use hotcell_wasmi::Wasmi;
//!
//! // A program that writes its first argument to standard output.
//! const ECHO: &str = r#"(module
//!     (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
//!     (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (func (export "_start")
//!         (drop (call $args_get (i32.const 0) (i32.const 64)))
//!         (i32.store (i32.const 8) (i32.load (i32.const 0)))
//!         (i32.store (i32.const 12) (i32.const 5))
//!         (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;
//!
//! let loader = Loader::<Wasmi>::new(Policy::default(), &Default::default(), &Default::default())?;
//! let mut imports = loader.imports::<()>();
//! hotcell_wasi::offer(&mut imports, WasiConfig::sandbox().args(["hello"])?)?;
//! let plugin = loader.load(&wat::parse_str(ECHO)?, &imports, &Contract::Command)?;
//! assert_eq!(plugin.call("_start", b"")?.bytes, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds of every function
//!
//! * Its name and type are those of `wasi_snapshot_preview1`. Older programs import `wasi_unstable`, under which some functions
//!   have other numbers and records of another shape with the same types; nobody has made such programs since 2020, and to be
//!   mistaken for one is worse than to be refused.
//! * Each pointer and length is held against the guest's memory before anything happens that could be seen. What is not inside
//!   is `fault`, and the guest goes on, as with a system call; the specification and wasmtime would have it trap, Node says
//!   `overflow`. A pointer need not be aligned: wasmtime ends a guest for that, Node does not, and no program can tell.
//! * Its numbers are capped before anything is reserved or copied: 1,024 buffers or subscriptions a call, paths of 4,096 bytes,
//!   1,024 descriptors.
//! * It is paid for before it is done: 16 units of fuel, and one for every 16 bytes that are moved, 4 random bytes, or buffer of
//!   a list; two for a byte of a path, four for an entry of a directory, eight for a subscription.
//! * What it refuses it refuses with an error code of the specification. Nothing ends a guest but `proc_exit` and its budget.
//! * `proc_raise` and links are not supported, and there are no sockets.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod args;
mod call;
mod clocks;
mod config;
mod errno;
mod fd;
mod fds;
mod files;
mod io;
mod memory;
mod offer;
mod paths;
mod poll;
mod process;
mod random;
mod readdir;
mod rights;
mod sockets;
mod state;
#[cfg(test)]
mod testing;

#[cfg(feature = "dirs")]
pub use config::Access;
pub use config::{ConfigError, ScratchLimits, WasiConfig};
pub use offer::{MODULE, offer};
pub use state::WasiState;
