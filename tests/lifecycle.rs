//! Instances from birth to drop: what a call that failed leaves behind, what each budget means at its edges, and what
//! calls, threads, clocks and the environment of the host do to each other. Every check runs on every backend.

#[macro_use]
#[path = "lifecycle/each_backend.rs"]
mod each_backend;

#[path = "lifecycle/child.rs"]
mod child;
#[path = "lifecycle/guest.rs"]
mod guest;
#[path = "lifecycle/load.rs"]
mod load;

#[path = "lifecycle/environment.rs"]
mod environment;
#[path = "lifecycle/memory.rs"]
mod memory;
#[path = "lifecycle/messages.rs"]
mod messages;
#[path = "lifecycle/parity.rs"]
mod parity;
