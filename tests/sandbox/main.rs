//! What holds on every backend, in one binary: a sandbox is compiled once for each of them, and not again in every file.

#[macro_use]
mod each_backend;

mod admit_properties;
mod any;
mod differential;
mod guests;
mod json;
mod languages;
mod limits;
mod messages;
mod metering;
mod parity;
mod shapes;
mod tiered;
mod traces;
mod wasmi_fences;
