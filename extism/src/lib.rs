//! The host's side of plugins that were built with one of Extism's kits: they run in hotcell unchanged, under its policy.
//!
//! Such a plugin imports functions from [`MODULE`], over blocks of memory that the host keeps, and exports functions without
//! parameters that return a number, or nothing. [`offer`] defines the imports, once for every backend, and [`Plugin`] makes
//! the calls:
//!
//! ```
//! use hotcell_core::{Loader, Policy};
//! use hotcell_extism::{CONTRACT, ExtismConfig, Plugin};
//! use hotcell_wasmi::Wasmi;
//!
//! // Gives its input back. Real ones come from a kit.
//! const ECHO: &str = r#"(module
//!     (import "extism:host/env" "input_offset" (func $offset (result i64)))
//!     (import "extism:host/env" "input_length" (func $length (result i64)))
//!     (import "extism:host/env" "output_set" (func $reply (param i64 i64)))
//!     (func (export "echo") (result i32)
//!         (call $reply (call $offset) (call $length))
//!         (i32.const 0)))"#;
//!
//! let loader = Loader::<Wasmi>::new(Policy::strict(), &Default::default(), &Default::default())?;
//! let mut imports = loader.imports::<()>();
//! hotcell_extism::offer(&mut imports, ExtismConfig::default())?;
//! let plugin = Plugin::from(loader.load(&wat::parse_str(ECHO)?, &imports, &CONTRACT)?);
//! assert_eq!(plugin.call("echo", b"hello")?.bytes, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds of every function
//!
//! * No argument can make it trap, panic or take long. What lies outside of the blocks reads as zero, and is not written.
//! * What the host keeps for the guest (blocks, variables) counts against `limits.memory_bytes`, and for the report's peak.
//! * It does not count against `limits.host_calls`; the guest pays a unit of fuel for every 16 bytes that it moves or fills.
//! * A handle that is no block, where one is needed, ends the call with [`Fault::GuestError`](hotcell_core::Fault::GuestError).
//! * Nothing leaves the sandbox: what the guest logs is in the report, and a request over HTTP is refused unless the host
//!   [makes it](ExtismConfig::http).

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod blocks;
mod config;
mod convention;
mod http;
mod kernel;
mod memory;
mod offer;
mod plugin;
mod signatures;

pub use blocks::{free_block, new_block, read_block};
pub use config::{ExtismConfig, LogLevel};
pub use http::HttpResponse;
pub use offer::{ExtismBackend, offer};
pub use plugin::{Plugin, Session, call_in, call_traced};
pub use signatures::signatures;

use hotcell_core::{Contract, admit::imports_from};

/// The module name of the functions that every kit imports.
pub const MODULE: &str = "extism:host/env";

/// The module name under which kits import the functions that an embedder adds.
pub const USER_MODULE: &str = "extism:host/user";

/// What such a plugin is loaded under: its exports are looked at when they are called.
pub const CONTRACT: Contract = Contract::None;

/// Whether a module was built with one of Extism's kits: it imports from [`MODULE`]. Reads its imports alone.
pub fn is_plugin(module: &[u8]) -> bool {
    imports_from(module, MODULE)
}
