//! The measured guests.

/// The fields after the memory in the module of an echo guest.
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

/// Replies with its input, in place. `add` is a call and little else.
pub const ECHO: &str = concat!("(module (memory (export \"memory\") 1)", echo!());

/// Like [`ECHO`], with enough memory for a megabyte.
pub const LARGE_ECHO: &str = concat!("(module (memory (export \"memory\") 17)", echo!());

/// Never ends.
pub const ENDLESS: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
    (func (export "run") (loop $again (br $again))))"#;

/// Calls the host function `env.add` as often as the argument of `run` says, and returns the sum of its results.
pub const HOST: &str = r#"(module
    (import "env" "add" (func $add (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
    (func (export "add") (param $n i32) (param $sum i32) (result i32)
        (loop $again
            (local.set $sum (call $add (local.get $sum) (local.get $n)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))"#;

/// A guest of `guests/`, with an input that takes it some time.
pub struct Guest {
    /// Its name in tables.
    pub name: &'static str,
    /// The binary.
    pub wasm: &'static [u8],
    /// The exported entry.
    pub entry: &'static str,
    /// Makes the input.
    pub input: fn() -> Vec<u8>,
}

const MARKDOWN: &[u8] = include_bytes!("../../../guests/markdown.wasm");
const WORDCOUNT: &[u8] = include_bytes!("../../../guests/wordcount.wasm");
const LEDGER: &[u8] = include_bytes!("../../../guests/ledger-check.wasm");
const KERNELS: &[u8] = include_bytes!("../../../guests/kernels.wasm");

/// The guests for compute.
pub const GUESTS: &[Guest] = &[
    Guest { name: "markdown", wasm: MARKDOWN, entry: "process", input: || text(16 << 10) },
    Guest { name: "wordcount", wasm: WORDCOUNT, entry: "process", input: || text(16 << 10) },
    Guest { name: "ledger", wasm: LEDGER, entry: "process", input: journal },
    kernel("hash", || noise(16 << 10)),
    kernel("compress", || text(16 << 10)),
    kernel("sort", || noise(32 << 10)),
    kernel("matrix", || b"40".to_vec()),
    kernel("parse", json),
    kernel("search", || [b"\\w+-\\w+ .*\\d+\n", &*text(16 << 10)].concat()),
];

const fn kernel(name: &'static str, input: fn() -> Vec<u8>) -> Guest {
    Guest { name, wasm: KERNELS, entry: name, input }
}

/// The project's README, repeated to this length.
fn text(bytes: usize) -> Vec<u8> {
    include_bytes!("../../../README.md").iter().copied().cycle().take(bytes).collect()
}

fn journal() -> Vec<u8> {
    include_bytes!("../../../guests/ledger-check/sample.journal").repeat(8)
}

/// Pseudo-random bytes, the same in every run.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn json() -> Vec<u8> {
    let record =
        |number| format!(r#"{{"id": {number}, "name": "cell {number}", "hot": true, "at": [{number}.5, -1e3]}}"#);
    let records: Vec<String> = (0..300).map(record).collect();
    format!("[{}]", records.join(",\n ")).into_bytes()
}

/// Assembles a guest from text.
///
/// # Panics
///
/// When it does not assemble.
pub fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the guest assembles")
}
