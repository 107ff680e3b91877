//! Values that cross the host boundary, and the memory behind it.

use super::{Mutant, mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "loses the sign of an argument",
        "values.numbers",
        &[mutation("convert.rs", "Value::I32(value) => [[Val::I32(value)]]", "Val::I32(value.wrapping_abs())")],
    ),
    Mutant::new(
        "loses the upper half of an argument",
        "values.numbers",
        &[mutation("convert.rs", "Value::I64(value) => [[Val::I64(value)]]", "Val::I64(i64::from(value as i32))")],
    ),
    Mutant::new(
        "quiets NaNs",
        "values.numbers",
        &[mutation(
            "convert.rs",
            "Val::F32(value) => Value::F32([[value.to_bits()]])",
            "let bits = value.to_bits();
            if f32::from_bits(bits).is_nan() { bits | 1 << 22 } else { bits }",
        )],
    ),
    Mutant::new(
        "loses the sign of zero",
        "spec.wasm-v1.f64",
        &[mutation(
            "convert.rs",
            "Value::F64(bits) => Val::F64(F64::from_bits([[bits]]))",
            "if bits == 1 << 63 { 0 } else { bits }",
        )],
    ),
    Mutant::new(
        "loses the highest bit of a typed result",
        "values.typed",
        &[mutation(
            "call.rs",
            "func.call(store, params)",
            "let mut results = func.call(store, params)?;
            if let Some(number) = (&mut results as &mut dyn std::any::Any).downcast_mut::<u32>() {
                *number &= u32::MAX >> 1;
            }
            Ok(results)",
        )],
    ),
    Mutant::new(
        "turns the halves of a vector",
        "values.vectors",
        &[mutation("convert.rs", "Value::V128([[value.as_u128()]])", "value.as_u128().rotate_left(64)")],
    ),
    Mutant::new(
        "takes every function for null",
        "values.references",
        &[mutation("convert.rs", "Val::FuncRef(_) => [[Value::FuncRef]]", "Value::NullFuncRef")],
    ),
    Mutant::new(
        "gives results from last to first",
        "values.order",
        &[mutation(
            "call.rs",
            "Ok(results.iter().filter_map(from_val).collect())",
            "Ok(results.iter().rev().filter_map(from_val).collect())",
        )],
    ),
    Mutant::new(
        "reads every global as zero",
        "values.globals",
        &[mutation("store.rs", "convert::from_val(&global.get(&self.store))", "Some(Value::I32(0))")],
    ),
    Mutant::new(
        "hides every global that is named like the counters",
        "values.hidden_globals",
        &[mutation(
            "store.rs",
            "self.instance.get_global(&self.store, export)?",
            r#"self.instance.get_global(&self.store, export).filter(|_| !export.starts_with("__hotcell_"))?"#,
        )],
    ),
    Mutant::new(
        "hides every function that is named like the start function",
        "values.hidden_functions",
        &[mutation(
            "store.rs",
            "self.instance.get_func(&self.store, export)",
            r#"self.instance.get_func(&self.store, export).filter(|_| !export.eq_ignore_ascii_case("__hotcell_start"))"#,
        )],
    ),
    Mutant::new(
        "hides the last byte of the memory from a reply",
        "bytes.reply",
        &[mutation(
            "store.rs",
            "map_or(&[], |memory| [[memory.data(&self.store)]])",
            "let bytes = memory.data(&self.store);
            &bytes[..bytes.len().saturating_sub(1)]",
        )],
    ),
    Mutant::new(
        "shows a memory as large as it was before it grew",
        "values.bulk",
        &[mutation(
            "store.rs",
            "map_or(&[], |memory| [[memory.data(&self.store)]])",
            "let bytes = memory.data(&self.store);
            &bytes[..bytes.len().min(1 << 16)]",
        )],
    ),
    Mutant::new(
        "writes an input only where the memory was before it grew",
        "bytes.alloc_grows",
        &[mutation(
            "store.rs",
            "memory.data_mut(&mut self.store)",
            "let bytes = memory.data_mut(&mut self.store);
            let declared = bytes.len().min(1 << 16);
            &mut bytes[..declared]",
        )],
    ),
    Mutant::new(
        "reads a reply only where the memory was before it grew",
        "hostile.155-process-grows-then-returns",
        &[mutation(
            "store.rs",
            "map_or(&[], |memory| [[memory.data(&self.store)]])",
            "let bytes = memory.data(&self.store);
            &bytes[..bytes.len().min(1 << 16)]",
        )],
    ),
];
