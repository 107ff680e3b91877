//! The guests that are measured.

/// What follows the memory in the module of an echo.
macro_rules! echo {
    () => {
        r#"
    (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
    (func (export "alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "process") (param $at i32) (param $len i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#
    };
}

/// Answers with its input, where it lies. `add` is a call and next to nothing else.
pub const ECHO: &str = concat!("(module (memory (export \"memory\") 1)", echo!());

/// As [`ECHO`], with room for a megabyte.
pub const LARGE_ECHO: &str = concat!("(module (memory (export \"memory\") 17)", echo!());

/// Calls the host function `env.add` as often as `run` is told, and gives the sum of what it returns.
pub const HOST: &str = r#"(module
    (import "env" "add" (func $add (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
    (func (export "add") (param $n i32) (param $sum i32) (result i32)
        (loop $again
            (local.set $sum (call $add (local.get $sum) (local.get $n)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"#;

/// A guest of `guests/`, with an input that it is busy with for a while.
pub struct Guest {
    /// Its name.
    pub name: &'static str,
    /// The binary.
    pub wasm: &'static [u8],
    /// Makes the input.
    pub input: fn() -> Vec<u8>,
}

/// Text for guests that read text: the project's own README, as often as it takes.
fn text(bytes: usize) -> Vec<u8> {
    include_bytes!("../../README.md").iter().copied().cycle().take(bytes).collect()
}

/// The guests for compute.
pub const GUESTS: &[Guest] = &[
    Guest { name: "markdown", wasm: include_bytes!("../../guests/markdown.wasm"), input: || text(32 << 10) },
    Guest { name: "wordcount", wasm: include_bytes!("../../guests/wordcount.wasm"), input: || text(32 << 10) },
];

/// The binary of a guest that is text here.
///
/// # Panics
///
/// When it does not assemble.
pub fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the guest assembles")
}
