//! Holds the example's backend to the contract, check by check.

#[path = "../../examples/custom_backend/custom/mod.rs"]
#[expect(unreachable_pub, reason = "a crate of its own would export it")]
mod custom;

fn main() {
    hotcell_conformance::test::<custom::Custom>();
}
