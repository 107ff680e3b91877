//! A plugin that checks a plain-text double-entry journal, in 64 KiB of memory.
//!
//! The input is a journal as [`journal`] describes it. The reply has one line per problem and ends
//! with one line of summary.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod amount;
mod journal;

hotcell_guest::runtime!();
hotcell_guest::entry!(journal::check);
