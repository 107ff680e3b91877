//! A first engine that refuses a module which the second takes.

#![cfg(unix)]

use hotcell_core::{Contract, HostOptions, Loader, Policy, Value};
use hotcell_tiered::{Options, Tiered};
use hotcell_wasmi::Wasmi;
use hotcell_wasmtime::{CompileWorker, Wasmtime};

/// Its first engine compiles by a program that is not there.
fn loader() -> Loader<Tiered<Wasmtime, Wasmi>> {
    let policy = Policy::default().with(|rules| rules.abi = None).unwrap();
    let mut options = Options::<hotcell_wasmtime::Options, ()>::default();
    options.first.worker = Some(CompileWorker::program("/no/such/program"));
    Loader::new(policy, &HostOptions::default(), &options).unwrap()
}

/// As it would be from a cache.
#[test]
fn what_the_first_refuses_begins_on_the_second() {
    let loader = loader();
    let module = wat::parse_str(r#"(module (func (export "f") (result i32) (i32.const 7)))"#).unwrap();
    let plugin = loader.load::<()>(&module, &loader.imports(), &Contract::None).unwrap();
    let (values, report) = plugin.call_values("f", &[], (), None).unwrap();
    assert_eq!(values, [Value::I32(7)]);
    assert_eq!(report.tier.map(|tier| tier.backend), Some("wasmi"));
}
