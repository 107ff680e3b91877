//! The manifest of one tenant does not affect the others of the process.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use hotcell::{
    Contract, Plugin, Policy, Proposal, Sandbox, SandboxBuilder, Value,
    backend::{Backend, SandboxBackend},
    policy::{Floats, Proposals},
};

use crate::{child, policy, wasm};

/// Maximum cost of a call on a new instance among neighbours, as a multiple of its cost alone. Without a pool it is
/// more than ten times.
const BOUND: u32 = 2;

const MANIFESTS: u64 = 1_000;

/// A unique manifest: it lowers everything that an engine or a pool could depend on.
fn manifest(operator: &Policy, number: u64) -> Policy {
    let request = Policy::default().with(|rules| {
        rules.limits.stack_bytes -= 8 * (number + 1);
        rules.limits.table_elements >>= number % 20;
        rules.limits.memory_bytes >>= number % 12;
        rules.module.tables = number % 8;
        rules.proposals = rules.proposals.iter().skip(number as usize % 8).collect::<Proposals>();
        rules.floats = [Floats::Allow, Floats::Canonical, Floats::Deny][number as usize % 3];
    });
    operator.narrowed_by(&request.unwrap()).unwrap()
}

fn crowd<B: Backend>(operator: &Policy) -> Vec<Sandbox<B>> {
    (0..MANIFESTS).map(|number| Sandbox::on(manifest(operator, number)).unwrap()).collect()
}

fn operator<B: Backend>(policy: &Policy) -> (Sandbox<B>, Plugin<B>) {
    let sandbox = Sandbox::<B>::on(policy.clone()).unwrap();
    let wasm = wasm(r#"(module (memory 1) (func (export "run") (result i32) (i32.const 7)))"#);
    let plugin = sandbox.load_with(&wasm, &sandbox.imports(), &Contract::None).unwrap();
    (sandbox, plugin)
}

/// The shortest of many calls on new instances.
fn fresh_call<B: Backend>(plugin: &Plugin<B>) -> Duration {
    let call = |_| {
        let begin = Instant::now();
        black_box(plugin.call_values("run", &[], (), None).unwrap());
        begin.elapsed()
    };
    (0..1_000).map(call).min().unwrap()
}

pub(crate) fn a_thousand_manifests_take_nothing<B: Backend>() {
    if !child::is_child() {
        child::passes(child::again(&format!("{}::a_thousand_manifests_take_nothing", B::ID)));
        return;
    }
    let policy = policy(|_| ());
    let check = |sandbox: &Sandbox<B>, when: &str| {
        let notes = sandbox.backend().notes();
        assert!(notes.is_empty(), "{when}: {notes:?}");
    };
    // The crowd first.
    let before = crowd::<B>(&policy);
    let (sandbox, late) = operator::<B>(&policy);
    check(&sandbox, "after its tenants");
    let mut crowded = fresh_call(&late);
    drop((before, sandbox, late));
    // The operator first; alone and in the crowd alternately.
    let (sandbox, plugin) = operator::<B>(&policy);
    let mut alone = fresh_call(&plugin);
    for _ in 0..3 {
        let after = crowd::<B>(&policy);
        check(&sandbox, "before its tenants");
        crowded = crowded.min(fresh_call(&plugin));
        assert!(after.iter().all(|tenant| tenant.backend().notes().is_empty()));
        drop(after);
        alone = alone.min(fresh_call(&plugin));
    }
    let (_, new) = operator::<B>(&policy);
    alone = alone.min(fresh_call(&new));
    assert!(crowded < alone * BOUND, "a fresh call takes {crowded:?} in a crowd, {alone:?} alone");
}

/// However many different engines an embedder uses, each sandbox works, and reports if it has no pool.
pub(crate) fn pools_are_bounded<B: Backend>() {
    if !child::is_child() {
        child::passes(child::again(&format!("{}::pools_are_bounded", B::ID)));
        return;
    }
    for (instances, most) in [(1, 64), (1_000, 7)] {
        let sandboxes: Vec<_> = (instances..instances + 80)
            .map(|max_instances| SandboxBuilder::<B>::new(policy(|_| ())).max_instances(max_instances).build().unwrap())
            .collect();
        let pooled = sandboxes.iter().filter(|sandbox| sandbox.backend().notes().is_empty()).count();
        let expected = if <B as SandboxBackend>::JIT { most } else { sandboxes.len() };
        assert!(pooled <= expected && pooled > 0, "{pooled} pools of {instances} instances and more");
        let module = wasm(r#"(module (memory 1) (func (export "run") (result i32) (i32.const 7)))"#);
        for sandbox in [sandboxes.first(), sandboxes.last()].into_iter().flatten() {
            let plugin = sandbox.load_with::<()>(&module, &sandbox.imports(), &Contract::None).unwrap();
            assert_eq!(plugin.call_values("run", &[], (), None).unwrap().0, [Value::I32(7)]);
        }
    }
    // Dropping an engine makes a pool available.
    assert!(
        Sandbox::<B>::on(policy(|rules| rules.proposals.allow(Proposal::TailCall)))
            .unwrap()
            .backend()
            .notes()
            .is_empty()
    );
}
