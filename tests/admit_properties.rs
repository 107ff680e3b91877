//! Any bytes get a verdict, always the same one, and what is admitted compiles on every backend.

use std::{fs, path::Path, sync::LazyLock};

use hotcell::{
    Admitted, Contract, Offered, Policy, Rejection, Sandbox, Signature, Wasmi, Wasmtime, admit,
    admit::{ExternType, summarize},
    backend::Backend,
};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Bytes of the largest module that is compiled in here, so that the whole file takes seconds.
const SMALL: usize = 4 << 10;

/// The example guests and the hostile ones that are written as text: what mutants are made of.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let guests = files("guests", "wasm").into_iter().map(|(_, bytes)| bytes);
    // Some are hostile to whoever assembles them.
    let hostile = files("tests/hostile", "wat").into_iter().filter_map(|(_, text)| Some(wat::parse_bytes(&text).ok()?.into_owned()));
    guests.chain(hostile).collect()
});

fn files(directory: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    // Proptest's seeds name the same mutants on every file system.
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}
