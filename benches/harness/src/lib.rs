//! Reliable measurements on an unreliable machine.
//!
//! * [`paired`] interleaves the two sides of a comparison and keeps the ratio of each round; [`estimate`] computes the
//!   median of such ratios with an interval, and decides whether a bound is kept.
//! * [`raw`] has the raw engines doing by hand what hotcell does: the same configuration, the same limits, the same
//!   bytes.
//! * [`cases`] compares hotcell with them.
//! * [`kinds`] lists the code that a guest could repeat, to measure its price.

pub mod estimate;
pub mod kinds;
pub mod paired;

#[cfg(feature = "twins")]
pub mod cases;
#[cfg(feature = "twins")]
pub mod guests;
#[cfg(feature = "twins")]
pub mod raw;
