//! Host functions that are written in JavaScript.

use hotcell::{AnyImports, HostError, ValType, Value, admit::FuncType, backend::DuplicateImport, verdict::Escaped};
use serde::Deserialize;

use crate::{abi, outcome::Failure};

/// A host function, as JavaScript declares it.
#[derive(Deserialize)]
pub(crate) struct Function {
    module: String,
    name: String,
    params: Vec<ValTypeName>,
    results: Vec<ValTypeName>,
    /// Its number on JavaScript's side.
    id: u32,
}

/// The types that JavaScript has values for.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ValTypeName {
    I32,
    I64,
    F32,
    F64,
}

impl From<ValTypeName> for ValType {
    fn from(name: ValTypeName) -> Self {
        match name {
            ValTypeName::I32 => Self::I32,
            ValTypeName::I64 => Self::I64,
            ValTypeName::F32 => Self::F32,
            ValTypeName::F64 => Self::F64,
        }
    }
}

/// Makes them imports.
pub(crate) fn imports(functions: Vec<Function>) -> Result<AnyImports, Failure> {
    let mut imports = AnyImports::new();
    for function in functions {
        add(&mut imports, function).map_err(|error| Failure::caller(error.to_string()))?;
    }
    Ok(imports)
}

fn add(imports: &mut AnyImports, function: Function) -> Result<(), DuplicateImport> {
    let Function { module, name, params, results, id } = function;
    let own = |types: Vec<ValTypeName>| types.into_iter().map(ValType::from).collect();
    let ty = FuncType { params: own(params), results: own(results) };
    imports.func_values(&module, &name, ty, move |cx, params, results| {
        let mut values = vec![0; params.len().max(results.len())];
        values.iter_mut().zip(params).for_each(|(bits, param)| *bits = to_bits(*param));
        let done = abi::call_host(id, cx.memory_and_state().0, &mut values);
        cx.charge(done.charge)?;
        if let Some(message) = done.error {
            return Err(HostError::message(Escaped(&message).to_string()));
        }
        results.iter_mut().zip(values).for_each(|(result, bits)| *result = from_bits(*result, bits));
        Ok(())
    })?;
    Ok(())
}

fn to_bits(value: Value) -> u64 {
    match value {
        Value::I32(value) => value.cast_unsigned().into(),
        Value::I64(value) => value.cast_unsigned(),
        Value::F32(bits) => bits.into(),
        Value::F64(bits) => bits,
        // No function has such a parameter.
        Value::V128(_) | Value::NullFuncRef | Value::FuncRef => 0,
    }
}

/// A value of the type of `like`.
#[expect(clippy::cast_possible_truncation, reason = "a value of 32 bits has no more")]
fn from_bits(like: Value, bits: u64) -> Value {
    match like {
        Value::I32(_) => Value::I32((bits as u32).cast_signed()),
        Value::I64(_) => Value::I64(bits.cast_signed()),
        Value::F32(_) => Value::F32(bits as u32),
        Value::F64(_) => Value::F64(bits),
        other => other,
    }
}
