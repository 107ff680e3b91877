//! Six programs that do nothing but compute, for benches: each is an entry of its own.
//!
//! | entry | input | reply |
//! |---|---|---|
//! | `hash` | bytes | their SHA-256, in hexadecimal |
//! | `compress` | bytes | an LZ4 block |
//! | `sort` | little-endian `u32`s | the same, in ascending order |
//! | `matrix` | the order `n` of two matrices, in decimal | the sum of the elements of their product |
//! | `parse` | JSON | how many values of each kind it has, or where it is wrong |
//! | `search` | a pattern, a line feed, lines of text | how many lines match |

#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod compress;
mod hash;
mod matrix;
mod parse;
mod search;
mod sort;

hotcell_guest::runtime!();
hotcell_guest::entry!(hash, hash::hash);
hotcell_guest::entry!(compress, compress::compress);
hotcell_guest::entry!(sort, sort::sort);
hotcell_guest::entry!(matrix, matrix::matrix);
hotcell_guest::entry!(parse, parse::parse);
hotcell_guest::entry!(search, search::search);
