//! Exact metering: the same fuel, the same stack and the same NaNs on every engine.

mod attacks;
mod branches;
mod budgets;
mod frames;
mod nans;
mod reach;
mod run;
