//! Measurements without a bound: threads, memory, how late a guest is stopped, the cost of metering, what it adds to
//! compiling, and the engines as their tutorials use them.
//!
//! `cargo bench --bench report`; with `-- compiling` that part alone; with `-- --test` everything runs once and briefly.

mod compiling;
mod kill;
mod memory;
mod metering;
mod threads;
mod tutorial;

use std::env;

use hotcell::{
    Contract, Plugin, Policy, SandboxBuilder, Wasmi, Wasmtime,
    backend::{Backend, SandboxBackend},
};

/// The amount of measuring.
#[derive(Clone, Copy)]
struct Effort {
    is_test: bool,
}

impl Effort {
    /// `full`, or one for a test run.
    fn of(self, full: usize) -> usize {
        if self.is_test { 1 } else { full }
    }
}

/// A plugin on the backend `B`.
fn load<B: Backend>(wasm: &[u8], policy: Policy, contract: &Contract, max_instances: u32) -> Plugin<B> {
    let builder = SandboxBuilder::<B>::new(policy).max_instances(max_instances);
    let sandbox = builder.build().expect("the backend takes the policy");
    sandbox.load_with(wasm, &sandbox.imports(), contract).expect("the guest loads")
}

fn id<B: Backend>() -> &'static str {
    <B as SandboxBackend>::ID
}

fn main() {
    let effort = Effort { is_test: env::args().any(|argument| argument == "--test") };
    let is_alone = env::args().any(|argument| argument == "compiling");
    if !is_alone {
        calls(effort);
    }
    println!(
        "\nthe module rewritten for exact metering, against the original: compiling it, and the code that comes of it"
    );
    compiling::report(effort);
}

fn calls(effort: Effort) {
    println!("calls per second, fresh instance, 64 B in and out");
    threads::report::<Wasmtime>(effort);
    threads::report::<Wasmi>(effort);
    println!("\nhost memory");
    memory::report::<Wasmtime>(effort);
    memory::report::<Wasmi>(effort);
    println!("\na guest that never ends, under a deadline: how much later its call returns");
    kill::report::<Wasmtime>(effort);
    kill::report::<Wasmi>(effort);
    println!("\nmetering, against none");
    metering::report::<Wasmtime>(effort);
    metering::report::<Wasmi>(effort);
    println!(
        "\na fresh instance and a call of 64 B, the engine as tutorials show it: no limits, a linker and a store per call"
    );
    tutorial::report(effort);
}
