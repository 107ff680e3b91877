//! Values, and what host functions see.

use super::{Saboteur, lie};

pub(super) const SABOTEURS: &[Saboteur] = &[Saboteur::new(
    "loses the sign of an argument",
    "values.numbers",
    &[lie("convert.rs", "Value::I32(value) => [[Val::I32(value)]]", "Val::I32(value.wrapping_abs())")],
)];
