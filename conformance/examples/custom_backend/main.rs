//! A backend of one's own, and the ten lines that hold it to the contract: `cargo run --release --example custom_backend`
//!
//! `docs/writing-a-backend.md` walks through it. The suite's own tests make mutants of it.

#[expect(unreachable_pub, reason = "a crate of its own would export it")]
mod custom;

fn main() {
    hotcell_conformance::test::<custom::Custom>();
}
