//! Exact metering: the same fuel, the same stack and the same NaNs on every engine.

#[path = "metering/attacks.rs"]
mod attacks;
#[path = "metering/branches.rs"]
mod branches;
#[path = "metering/budgets.rs"]
mod budgets;
#[path = "metering/frames.rs"]
mod frames;
#[path = "metering/nans.rs"]
mod nans;
#[path = "metering/reach.rs"]
mod reach;
#[path = "metering/run.rs"]
mod run;
