//! Measurements that can be trusted on a machine that cannot.
//!
//! * [`paired`] runs two sides of a comparison in turns and keeps the ratio of each round; [`estimate`] gives the median of
//!   such ratios with an interval, and decides whether a bound is kept.
//! * [`raw`] are the bare engines doing what hotcell does, by hand: the same configuration, the same limits, the same
//!   bytes.
//! * [`cases`] hold hotcell against them.
//! * [`kinds`] are everything that a guest could repeat, to be priced.

pub mod estimate;
pub mod kinds;
pub mod paired;

#[cfg(feature = "twins")]
pub mod cases;
#[cfg(feature = "twins")]
pub mod guests;
#[cfg(feature = "twins")]
pub mod raw;
