//! A plugin that keeps its state in the host: the input is lines of commands, the reply has one
//! line for each.
//!
//! See [`commands`] for the commands and [`host`] for the functions that it imports.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(any(target_arch = "wasm32", test))]
mod commands;
#[cfg(target_arch = "wasm32")]
mod host;

hotcell_guest::runtime!();
#[cfg(target_arch = "wasm32")]
hotcell_guest::entry!(|input| commands::run(input, &mut host::Host));
