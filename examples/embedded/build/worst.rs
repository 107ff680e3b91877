//! Modules that cost as much as the policy allows.

use crate::policy::policy;

const ABI: &str = r#"
    (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
    (func (export "alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "process") (param i32 i32) (result i64) (i64.const 0))"#;
const ABI_FUNCTIONS: u64 = 3;
const ABI_EXPORTS: u64 = 4;
/// More than a body, or a module, has besides its instructions.
const OVERHEAD: u64 = 512;

fn module(pages: u64, fields: &str) -> String {
    format!("(module {fields} (memory (export \"memory\") {pages}) {ABI})")
}

/// One-byte instructions, which become eight bytes each.
pub(crate) fn code() -> String {
    full_of("i32.clz ", 1)
}

/// Two-byte calls: the counters are saved before each and read after it.
pub(crate) fn calls() -> String {
    full_of("call $nop ", 2)
}

/// As much code as fits, in bodies of the maximum size.
fn full_of(instruction: &str, bytes: u64) -> String {
    let caps = policy().rules().module;
    let mut left = caps.bytes - OVERHEAD;
    let mut functions = "(func $nop)".to_owned();
    while left > OVERHEAD {
        let body = left.min(caps.body_bytes);
        let instructions = instruction.repeat(((body - 16) / bytes) as usize);
        functions += &format!("(func (param i32) (result i32) local.get 0 {instructions})");
        left -= body;
    }
    module(1, &functions)
}

/// The maximum number of functions, types, exports and table entries, and little code.
pub(crate) fn entities() -> String {
    let caps = policy().rules().module;
    let mut fields = String::new();
    for index in 0..caps.types - ABI_FUNCTIONS {
        let params: String =
            (0..caps.params).map(|bit| if index >> (bit % 16) & 1 == 0 { " i32" } else { " i64" }).collect();
        fields += &format!("(type (func (param{params}) (result i32 i32 i32)))");
    }
    for _ in 0..caps.functions - ABI_FUNCTIONS {
        fields += "(func (param i32) (result i32) local.get 0)";
    }
    for index in 0..caps.exports - ABI_EXPORTS {
        fields += &format!("(export \"{index:0width$}\" (func 0))", width = caps.name_bytes as usize);
    }
    let entries = "(ref.func 0)".repeat(caps.element_entries as usize);
    fields += &format!("(table {} funcref)(elem (table 0) (i32.const 0) funcref {entries})", caps.element_entries);
    module(1, &fields)
}

/// All the memory at once.
pub(crate) fn memory() -> String {
    module(policy().rules().limits.memory_bytes >> 16, "")
}
