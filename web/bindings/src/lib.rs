//! hotcell for JavaScript: the module inside the npm package `web/npm`.
//!
//! Requests are JSON and bytes, and so are replies. What crosses the boundary otherwise is in [`abi`], the only file that
//! needs `unsafe`.

#![deny(unsafe_code)]

mod abi;
mod host;
mod lines;
mod outcome;
mod requests;
mod sandbox;
