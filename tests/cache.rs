//! Code that is kept between processes: the same answers, for exactly what it was compiled for.

use hotcell::{
    CodeCache, Contract, LoadError, Plugin, Policy, Reply, Sandbox, SandboxBuilder, Tiered, Value, Wasmtime,
    WasmtimeOptions, backend::SandboxBackend, policy::Metering,
};

const MARKDOWN: &[u8] = include_bytes!("../guests/markdown.wasm");
const ENTRY: &str = "process";

fn scratch() -> (tempfile::TempDir, CodeCache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = CodeCache::in_dir(directory.path()).unwrap();
    (directory, cache)
}

fn sandbox(policy: Policy, cache: &CodeCache) -> Sandbox<Wasmtime> {
    Sandbox::builder(policy).cache(cache.clone()).build().unwrap()
}

fn load(policy: Policy, cache: &CodeCache) -> Plugin<Wasmtime> {
    sandbox(policy, cache).load(MARKDOWN, ENTRY).unwrap()
}

fn reply(plugin: &Plugin<Wasmtime>) -> Reply {
    plugin.call(ENTRY, b"# *hot* cell").unwrap()
}

#[test]
fn a_hit_is_what_was_compiled() {
    let (_directory, cache) = scratch();
    let (first, second) = (load(Policy::default(), &cache), load(Policy::default(), &cache));
    assert_eq!((first.is_cached(), second.is_cached()), (false, true));
    assert_eq!(first.summary(), second.summary());
    let (one, other) = (reply(&first), reply(&second));
    assert_eq!((one.bytes, one.report.usage), (other.bytes, other.report.usage));
}

#[test]
fn everything_that_code_depends_on_tells_entries_apart() {
    let (_directory, cache) = scratch();
    assert!(!load(Policy::default(), &cache).is_cached());
    let with = |change: fn(&mut hotcell::Rules)| Policy::default().with(change).unwrap();
    let policies = [
        Policy::strict(),
        with(|rules| rules.metering = Metering::Engine),
        with(|rules| rules.limits.fuel = Some(12_345_678)),
        with(|rules| rules.module.functions -= 1),
    ];
    for policy in policies {
        let what = format!("{:?}", policy.rules());
        assert!(!load(policy.clone(), &cache).is_cached(), "{what}");
        assert!(load(policy, &cache).is_cached(), "{what}");
    }
    let sandbox = sandbox(Policy::default(), &cache);
    let mut imports = sandbox.imports::<()>();
    let loaded = |imports: &hotcell::Imports<(), Wasmtime>, contract: &Contract, bytes: &[u8]| {
        sandbox.load_with(bytes, imports, contract).unwrap().is_cached()
    };
    assert!(!loaded(&imports, &Contract::bytes(ENTRY), MARKDOWN), "WASI is offered");
    assert!(loaded(&imports, &Contract::bytes(ENTRY), MARKDOWN));
    assert!(!loaded(&imports, &Contract::None, MARKDOWN), "another contract");
    imports.func("env", "f", |_, ()| Ok(())).unwrap();
    assert!(!loaded(&imports, &Contract::bytes(ENTRY), MARKDOWN), "another offer");
    // An empty custom section of the name "x".
    let longer = [MARKDOWN, &[0, 2, 1, b'x']].concat();
    assert!(!loaded(&imports, &Contract::bytes(ENTRY), &longer), "another module");
    let options = WasmtimeOptions { signals_based_traps: false, cache: Some(cache), ..WasmtimeOptions::default() };
    let unsignalled = Sandbox::builder(Policy::default()).options(options).build().unwrap();
    assert!(!unsignalled.load(MARKDOWN, ENTRY).unwrap().is_cached(), "other settings of the engine");
}

/// What a policy refuses is refused, whatever a more generous one has left in the cache.
#[test]
fn a_refusal_is_never_answered_from_the_cache() {
    let (_directory, cache) = scratch();
    assert!(!load(Policy::default(), &cache).is_cached());
    let refusing: [fn(&mut hotcell::Rules); 4] = [
        |rules| rules.module.bytes = 1_000,
        |rules| rules.module.functions = 3,
        |rules| rules.limits.memory_bytes = 1 << 16,
        |rules| rules.proposals = std::iter::empty().collect(),
    ];
    for change in refusing {
        let policy = Policy::default().with(change).unwrap();
        let outcome = sandbox(policy, &cache).load(MARKDOWN, ENTRY);
        assert!(matches!(outcome, Err(LoadError::Rejected(_))), "{:?}", outcome.map(|plugin| plugin.is_cached()));
    }
    let outcome = sandbox(Policy::default(), &cache).load(MARKDOWN, "no such entry");
    assert!(matches!(outcome, Err(LoadError::Rejected(_))));
}

#[test]
fn a_cached_module_begins_compiled_on_tiered() {
    let (_directory, cache) = scratch();
    let tiered = || SandboxBuilder::<Tiered>::new(Policy::default()).cache(cache.clone()).build().unwrap();
    let first = tiered();
    // Nothing is compiled for a plugin that nobody has any more.
    let waiting = first.load(MARKDOWN, ENTRY).unwrap();
    first.backend().finish_compiling();
    assert!(!waiting.is_cached());
    let plugin = tiered().load(MARKDOWN, ENTRY).unwrap();
    assert!(plugin.is_cached());
    let report = plugin.call(ENTRY, b"*hot*").unwrap().report;
    assert_eq!(report.tier.map(|tier| tier.backend), Some(Wasmtime::ID));
}

/// An offered function is bound anew: the code in the cache has none of the first process in it.
#[test]
fn host_functions_are_those_of_the_one_who_loads() {
    let (_directory, cache) = scratch();
    let wasm = wat::parse_str(r#"(module (import "env" "f" (func (result i32))) (export "f" (func 0)))"#).unwrap();
    for (answer, is_cached) in [(7, false), (8, true)] {
        let sandbox = sandbox(Policy::default().with(|rules| rules.abi = None).unwrap(), &cache);
        let mut imports = sandbox.imports::<()>();
        imports.func("env", "f", move |_, ()| Ok(answer)).unwrap();
        let plugin = sandbox.load_with(&wasm, &imports, &Contract::None).unwrap();
        assert_eq!(plugin.is_cached(), is_cached);
        let (values, _) = plugin.call_values("f", &[], (), None).unwrap();
        assert_eq!(values, [Value::I32(answer)]);
    }
}
