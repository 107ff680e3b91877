//! The host functions that generated modules may import, the same on every backend.

use hotcell_core::{Imports, Value, backend::DuplicateImport};
use wasm_encoder::ValType;

use hotcell_conformance::BackendUnderTest;

/// A host function, as a generated module imports it from `env`.
pub(super) struct HostImport {
    pub(super) name: &'static str,
    pub(super) params: &'static [ValType],
    pub(super) results: &'static [ValType],
}

/// The host function that calls the guest back.
pub(super) const AGAIN: &str = "again";

pub(super) const IMPORTS: &[HostImport] = {
    use ValType::{F32, F64, I32, I64};
    &[
        HostImport { name: "nop", params: &[], results: &[] },
        HostImport { name: "charge", params: &[I32], results: &[] },
        HostImport { name: "step", params: &[I32], results: &[I32] },
        HostImport { name: "pair", params: &[I32, I64], results: &[I64, I32] },
        HostImport { name: "mix", params: &[F32, F64], results: &[F64] },
        HostImport { name: AGAIN, params: &[I32], results: &[I32] },
    ]
};

/// The host function with this name.
pub(super) fn import(name: &str) -> &'static HostImport {
    IMPORTS.iter().find(|import| import.name == name).expect("it is in the list")
}

/// What the host functions of one instance observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Number of their calls.
    pub calls: u64,
    /// A hash of all arguments.
    pub arguments: u64,
    /// A hash of the fuel left at each call.
    pub fuel: u64,
}

/// Where host functions write what they observe.
pub(super) trait Notes: Send + 'static {
    /// Records a call.
    fn note(&mut self, arguments: &[u64], fuel_left: Option<u64>);
}

impl Notes for Host {
    fn note(&mut self, arguments: &[u64], fuel_left: Option<u64>) {
        let mix = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        self.calls += 1;
        self.arguments = arguments.iter().copied().fold(self.arguments, mix);
        self.fuel = mix(self.fuel, fuel_left.unwrap_or(0));
    }
}

/// Fuel that `step` charges.
pub(super) const STEP_CHARGE: u64 = 7;

/// The result of `step`.
pub(super) fn step(value: i32) -> i32 {
    value.wrapping_mul(3).wrapping_add(1)
}

fn bits(value: i32) -> u64 {
    value.cast_unsigned().into()
}

/// Offers the host functions.
pub(super) fn define<B: BackendUnderTest, T: Notes>(imports: &mut Imports<T, B>) -> Result<(), DuplicateImport> {
    imports.func("env", "nop", |cx, ()| {
        let left = cx.remaining_fuel();
        cx.state().note(&[1], left);
        Ok(())
    })?;
    imports.func("env", "charge", |cx, (fuel,): (i32,)| {
        let left = cx.remaining_fuel();
        cx.state().note(&[2, bits(fuel)], left);
        cx.charge(bits(fuel))
    })?;
    imports.func("env", "step", |cx, (value,): (i32,)| {
        let left = cx.remaining_fuel();
        cx.state().note(&[3, bits(value)], left);
        cx.charge(STEP_CHARGE)?;
        Ok(step(value))
    })?;
    imports.func("env", "pair", |cx, (a, b): (i32, i64)| {
        let left = cx.remaining_fuel();
        cx.state().note(&[4, bits(a), b.cast_unsigned()], left);
        Ok((b, a))
    })?;
    imports.func("env", "mix", |cx, (a, b): (f32, f64)| {
        let left = cx.remaining_fuel();
        cx.state().note(&[5, a.to_bits().into(), b.to_bits()], left);
        Ok(b)
    })?;
    imports.func("env", AGAIN, |cx, (value,): (i32,)| {
        let left = cx.remaining_fuel();
        cx.state().note(&[6, bits(value)], left);
        match cx.call(AGAIN, &[Value::I32(value)])?[..] {
            [Value::I32(result)] => Ok(result),
            _ => Ok(0),
        }
    })?;
    Ok(())
}
