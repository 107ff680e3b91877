//! The official suite gives the same results and uses the same fuel on both backends, to the unit.

use hotcell::{Wasmi, Wasmtime};
use hotcell_conformance::spec::scripts;

#[test]
fn the_backends_take_the_same_steps() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for script in scripts() {
        let (Some(one), Some(other)) = (script.steps::<Wasmtime>(), script.steps::<Wasmi>()) else { continue };
        let (one, other) = (one.unwrap(), other.unwrap());
        compared += one.len();
        if let Some((one, other)) = one.iter().zip(&other).find(|(one, other)| one != other) {
            wrong.push(format!("{}: {one:?}, {other:?}", script.name()));
        }
        if one.len() != other.len() {
            wrong.push(format!("{}: {} and {} steps", script.name(), one.len(), other.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 50_000, "{compared} steps");
}
