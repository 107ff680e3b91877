//! Any bytes get a verdict, always the same one, and admitted modules compile on every backend.

use std::{fs, path::Path, sync::LazyLock};

use hotcell::{
    Admitted, Contract, ModuleSummary, Offered, Policy, Rejection, Sandbox, Signature, Wasmi, Wasmtime, admit,
    admit::{ExternType, summarize},
    backend::Backend,
};
use proptest::{collection::vec, prelude::*, sample::Index};

use hotcell_conformance::guests::{GUESTS, Guest};

/// Maximum bytes of a seed whose mutants are compiled, so that the whole file takes seconds.
const SMALL: usize = 32 << 10;

/// The seeds of mutants: the example guests and the hostile ones that are written as text.
fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let hostile = GUESTS.iter().map(Guest::wasm);
        example_guests().into_iter().chain(hostile).collect()
    });
    &SEEDS
}

fn small_seeds() -> &'static [Vec<u8>] {
    static SEEDS: LazyLock<Vec<Vec<u8>>> =
        LazyLock::new(|| seeds().iter().filter(|seed| seed.len() <= SMALL).cloned().collect());
    &SEEDS
}

static ENGINES: LazyLock<(Sandbox<Wasmtime>, Sandbox<Wasmi>)> =
    LazyLock::new(|| (Sandbox::on(Policy::strict()).unwrap(), Sandbox::on(Policy::strict()).unwrap()));

#[test]
fn a_small_module_cut_anywhere_gets_a_verdict() {
    let module = guest("wordcount.wasm");
    for length in 0..=module.len() {
        check(&module[..length]);
    }
}

#[test]
fn every_seed_that_is_admitted_compiles() {
    for seed in seeds() {
        compile_if_admitted(seed);
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn random_bytes_get_a_verdict(bytes in vec(any::<u8>(), 0..256)) {
        check(&bytes);
        check(&[b"\0asm\x01\0\0\0", bytes.as_slice()].concat());
    }

    /// Sections with correct sizes, optionally in order.
    #[test]
    fn random_sections_get_a_verdict(mut sections in vec((0..14_u8, vec(0..8_u8, 0..24)), 0..8), in_order: bool) {
        if in_order {
            sections.sort_by_key(|(id, _)| *id);
        }
        let sections = sections.iter().flat_map(|(id, content)| [&[*id, content.len() as u8], content.as_slice()].concat());
        check(&b"\0asm\x01\0\0\0".iter().copied().chain(sections).collect::<Vec<_>>());
    }

    #[test]
    fn a_plugin_cut_anywhere_gets_a_verdict(length: Index) {
        static PLUGIN: LazyLock<Vec<u8>> = LazyLock::new(|| guest("markdown.wasm"));
        let _ = check_under(&Policy::strict(), &PLUGIN[..length.index(PLUGIN.len())]);
    }

    #[test]
    fn a_mutant_gets_a_verdict(seed: Index, edits in vec(edit(), 1..6)) {
        check(&mutant(seed.get::<Vec<u8>>(seeds()), &edits));
    }
}

proptest! {
    #![proptest_config(config(1_500))]

    /// One flip: more of them seldom leave a module valid.
    #[test]
    fn a_mutant_that_is_admitted_compiles(seed: Index, at: Index, bit in 0..8_u8) {
        compile_if_admitted(&mutant(seed.get::<Vec<u8>>(small_seeds()), &[Edit::Flip { at, bit }]));
    }
}

/// Writes no file of failures: the edits that fail are printed.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A change to a module, at positions that fit any length.
#[derive(Clone, Debug)]
enum Edit {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        byte: u8,
    },
    Remove {
        from: Index,
        length: usize,
    },
    Insert {
        at: Index,
        bytes: Vec<u8>,
    },
    /// Replaces bytes by a piece of another seed of the same length.
    Splice {
        at: Index,
        seed: Index,
        from: Index,
        length: usize,
    },
    Cut {
        at: Index,
    },
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        8 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set { at, byte }),
        2 => (at(), 1..64_usize).prop_map(|(from, length)| Edit::Remove { from, length }),
        2 => (at(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
        4 => (at(), at(), at(), 1..512_usize)
            .prop_map(|(at, seed, from, length)| Edit::Splice { at, seed, from, length }),
        1 => at().prop_map(|at| Edit::Cut { at }),
    ]
}

fn mutant(seed: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut module = seed.to_vec();
    for edit in edits {
        let len = module.len();
        if len == 0 {
            break;
        }
        match edit {
            Edit::Flip { at, bit } => module[at.index(len)] ^= 1 << bit,
            Edit::Set { at, byte } => module[at.index(len)] = *byte,
            Edit::Remove { from, length } => drop(module.drain(piece(from, *length, len))),
            Edit::Insert { at, bytes } => drop(module.splice(at.index(len)..at.index(len), bytes.iter().copied())),
            Edit::Splice { at, seed, from, length } => {
                let seed = seed.get(seeds());
                let new = &seed[piece(from, *length, seed.len())];
                module.splice(piece(at, new.len(), len), new.iter().copied());
            }
            Edit::Cut { at } => module.truncate(at.index(len)),
        }
    }
    module
}

fn piece(from: &Index, length: usize, len: usize) -> std::ops::Range<usize> {
    let from = from.index(len);
    from..len.min(from + length)
}

/// The summary, and the binary for the engine.
type Verdict = Result<(ModuleSummary, Vec<u8>), Rejection>;

/// Checks the verdict under two policies.
fn check(module: &[u8]) {
    let (strict, default) = (check_under(&Policy::strict(), module), check_under(&Policy::default(), module));
    if let Ok((summary, _)) = strict {
        // The binaries may differ: only `strict` canonicalises NaNs.
        assert_eq!(default.map(|default| default.0), Ok(summary), "what `strict` admits, `default` admits");
    }
}

/// Checks the verdict twice.
fn check_under(policy: &Policy, module: &[u8]) -> Verdict {
    let first = verdict(module, policy);
    assert_eq!(first, verdict(module, policy));
    if let Err(rejection) = &first {
        // The message contains text of the guest.
        let _ = rejection.to_string();
        assert!(rejection.offset.is_none_or(|offset| offset <= module.len() as u64), "{rejection:?}");
    }
    first
}

fn verdict(module: &[u8], policy: &Policy) -> Verdict {
    let admitted = admit(module, policy, &Offered::default(), &Contract::None)?;
    Ok((admitted.summary().clone(), admitted.bytes().to_vec()))
}

fn compile_if_admitted(module: &[u8]) {
    let policy = Policy::strict();
    if let Ok(admitted) = admit(module, &policy, &whatever_it_imports(module, &policy), &Contract::None) {
        compiles(&admitted, "what is admitted");
    }
}

/// Compiles a module on both backends.
fn compiles(admitted: &Admitted<'_>, what: &str) {
    let (wasmtime, wasmi) = &*ENGINES;
    compiles_on(wasmtime, admitted, what);
    compiles_on(wasmi, admitted, what);
}

fn compiles_on<B: Backend>(sandbox: &Sandbox<B>, admitted: &Admitted<'_>, what: &str) {
    if let Err(error) = sandbox.backend().compile(admitted) {
        panic!("{what} does not compile on {}: {error:?}", B::ID);
    }
}

/// Offers every function that the module imports, so that guests with imports are not all rejected.
fn whatever_it_imports(module: &[u8], policy: &Policy) -> Offered {
    let mut offered = Offered::default();
    for import in summarize(module, policy).map(|summary| summary.imports).unwrap_or_default() {
        if let ExternType::Function(ty) = import.ty {
            // The same name may be imported again, with the same type or a wrong one.
            let _ = offered.offer(Signature { module: import.module, name: import.name, ty: (*ty).clone() });
        }
    }
    offered
}

fn guest(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(name)).unwrap()
}

fn example_guests() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == "wasm")).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}
