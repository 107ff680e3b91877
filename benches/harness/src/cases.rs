//! hotcell compared with the raw engines.
//!
//! Every case checks once that both sides return the same, correct result.

use hotcell::{
    Contract, Imports, Offered, Plugin, Policy, Reply, Sandbox, Session, Signature, admit,
    admit::{ExternType, FuncType, summarize},
    backend::{Backend, HostFn, SandboxBackend, TypedCall},
    policy::{Floats, Metering},
};

use crate::{
    guests::{ECHO, GUESTS, Guest, HOST, LARGE_ECHO, assemble},
    paired::{Pair, Side, side},
    raw::{self, Live, Raw},
};

/// The entry of an echo guest.
const PROCESS: &str = "process";

/// Number of set-ups of both sides.
const SET_UPS: usize = 5;

/// A comparison, and its bound.
pub struct Case {
    /// What is measured: `call`, `typed-call`, `host-call`, `bulk`, `compute`, `compile`, `admit`.
    pub group: &'static str,
    /// The backend; `core` for the steps before any backend.
    pub backend: &'static str,
    /// The guest, and how it is used.
    pub guest: String,
    /// Maximum ratio of our time to theirs.
    pub bound: f64,
    make: Box<dyn Fn() -> Pair>,
}

impl Case {
    /// Sets up both sides, and checks that their results are equal.
    pub fn pair(&self) -> Pair {
        (self.make)()
    }

    /// `group/backend/guest`.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.group, self.backend, self.guest)
    }
}

/// A backend with its raw engine.
pub trait Twin: Backend + TypedCall<(i32, i32), i32> + HostFn<(i32, i32), i32> {
    /// The engine, used directly.
    type Raw: Raw;
    /// Bounds of a call on a new instance, and of a typed call.
    const BOUNDS: (f64, f64);
}

impl Twin for hotcell::Wasmtime {
    type Raw = raw::Wasmtime;
    const BOUNDS: (f64, f64) = (1.10, 1.15);
}

impl Twin for hotcell::Wasmi {
    type Raw = raw::Wasmi;
    const BOUNDS: (f64, f64) = (1.15, 1.15);
}

/// The default policy of a plugin: exact metering, a deadline, cancellation.
fn interruptible() -> Policy {
    Policy::default()
}

/// No interruption: only fuel ends a guest.
fn fuel_only() -> Policy {
    let policy = Policy::default().with(|rules| {
        rules.limits.deadline = None;
        rules.interrupt.cancel = false;
    });
    policy.expect("fuel bounds the call")
}

/// Every case of the table in `docs/benchmarks.md`.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    of_backend::<hotcell::Wasmtime>(&mut cases);
    of_backend::<hotcell::Wasmi>(&mut cases);
    cases.extend(GUESTS.iter().filter(|guest| guest.wasm.len() > 100 << 10).map(admission));
    cases
}

fn of_backend<B: Twin>(cases: &mut Vec<Case>) {
    let (fresh_bound, typed) = B::BOUNDS;
    cases.push(fresh_call::<B>("call", "echo-64B", ECHO, 64, fresh_bound));
    let markdown = &GUESTS[0];
    cases.push(fresh::<B>("call", "markdown-64B", markdown.wasm.to_vec(), markdown.entry, vec![b'x'; 64], fresh_bound));
    cases.push(typed_call::<B>("add", &fuel_only(), typed));
    cases.push(typed_call::<B>("add-deadline", &interruptible(), typed));
    cases.push(host_call::<B>("add", &fuel_only()));
    cases.push(host_call::<B>("add-deadline", &interruptible()));
    cases.push(fresh_call::<B>("bulk", "echo-1MiB", LARGE_ECHO, 1 << 20, 1.05));
    cases.push(live_call::<B>("bulk", "echo-1MiB-live", 1 << 20, 1.05));
    cases.extend(GUESTS.iter().map(compute::<B>));
}

/// hotcell and the raw engine with the same module, under the same policy.
struct Both<B: Twin> {
    plugin: Plugin<B, u64>,
    raw: B::Raw,
    entry: &'static str,
}

impl<B: Twin> Both<B> {
    fn load(wasm: &[u8], policy: &Policy, contract: &Contract, entry: &'static str) -> Self {
        let sandbox = Sandbox::<B>::on(policy.clone()).expect("the backend takes the policy");
        let mut imports: Imports<u64, B> = sandbox.imports();
        let add = |cx: &mut hotcell::HostCx<'_, B, u64>, (a, b): (i32, i32)| {
            *cx.state() += 1;
            Ok(a.wrapping_add(b))
        };
        imports.func("env", "add", add).expect("the name is free");
        let plugin = sandbox.load_with(wasm, &imports, contract).expect("the guest is admitted");
        let mut offered = Offered::default();
        for import in &plugin.summary().imports {
            let ExternType::Function(ty) = &import.ty else {
                unreachable!("only functions are imported");
            };
            let signature =
                Signature { module: import.module.clone(), name: import.name.clone(), ty: FuncType::clone(ty) };
            offered.offer(signature).expect("imports have different names");
        }
        let admitted = admit(wasm, policy, &offered, contract).expect("the guest is admitted");
        Self { plugin, raw: B::Raw::load(policy, &admitted, entry), entry }
    }

    fn bytes(wasm: &[u8], entry: &'static str) -> Self {
        Self::load(wasm, &interruptible(), &Contract::bytes(entry), entry)
    }

    fn case(group: &'static str, guest: &str, bound: f64, set_up: impl Fn() -> (Side, Side) + 'static) -> Case {
        let make = Box::new(move || Pair::new((0..SET_UPS).map(|_| set_up())));
        Case { group, backend: <B as SandboxBackend>::ID, guest: guest.to_owned(), bound, make }
    }
}

/// Checks that both returned the same bytes for the same fuel and memory.
fn check(ours: &Reply, theirs: &raw::Reply) {
    assert_eq!(ours.bytes, theirs.bytes, "the replies are the same");
    assert_eq!(ours.report.usage.fuel_used, Some(theirs.fuel), "fuel is metered equally");
    assert_eq!(ours.report.usage.peak_memory_bytes, theirs.peak, "memory is accounted equally");
}

fn call<B: Twin>(plugin: &Plugin<B, u64>, entry: &str, input: &[u8]) -> Reply {
    plugin.call(entry, input).expect("the guest answers")
}

/// A new instance for each call: ABI check, bytes in, bytes out.
fn fresh_call<B: Twin>(group: &'static str, guest: &str, text: &str, len: usize, bound: f64) -> Case {
    fresh::<B>(group, guest, assemble(text), PROCESS, vec![7; len], bound)
}

fn fresh<B: Twin>(
    group: &'static str,
    guest: &str,
    wasm: Vec<u8>,
    entry: &'static str,
    input: Vec<u8>,
    bound: f64,
) -> Case {
    Both::<B>::case(group, guest, bound, move || {
        let Both { plugin, raw, entry } = Both::<B>::bytes(&wasm, entry);
        check(&call(&plugin, entry, &input), &raw.call(&input));
        let (ours, theirs) = (input.clone(), input.clone());
        (side(move || call(&plugin, entry, &ours)), side(move || raw.call(&theirs)))
    })
}

/// Bytes in and out of a live instance.
fn live_call<B: Twin>(group: &'static str, guest: &str, len: usize, bound: f64) -> Case {
    let (wasm, input) = (assemble(LARGE_ECHO), vec![7; len]);
    Both::<B>::case(group, guest, bound, move || {
        let Both { plugin, raw, entry } = Both::<B>::bytes(&wasm, PROCESS);
        let (mut session, mut live) = (plugin.session(0).expect("the guest opens"), raw.live());
        check(&session.call(entry, &input).expect("the guest answers"), &live.call(&input));
        let (ours, theirs) = (input.clone(), input.clone());
        let ours = side(move || session.call(entry, &ours).expect("the guest answers"));
        (ours, side(move || live.call(&theirs)))
    })
}

/// A call with two numbers on a live instance.
fn typed_call<B: Twin>(guest: &str, policy: &Policy, bound: f64) -> Case {
    typed::<B>("typed-call", guest, policy, ECHO, (20, 22), 42, bound)
}

/// Calls of a host function from the guest: a thousand in a loop.
fn host_call<B: Twin>(guest: &str, policy: &Policy) -> Case {
    typed::<B>("host-call", guest, policy, HOST, (1_000, 0), 500_500, 1.25)
}

fn typed<B: Twin>(
    group: &'static str,
    guest: &str,
    policy: &Policy,
    text: &str,
    params: (i32, i32),
    expected: i32,
    bound: f64,
) -> Case {
    let (wasm, policy) = (assemble(text), policy.clone());
    let hide = std::hint::black_box::<(i32, i32)>;
    Both::<B>::case(group, guest, bound, move || {
        let Both { plugin, raw, .. } = Both::<B>::load(&wasm, &policy, &Contract::Abi, PROCESS);
        let mut session: Session<B, u64> = plugin.session(0).expect("the guest opens");
        let mut live = raw.live();
        let func = session.func::<(i32, i32), i32>("add").expect("the guest exports add");
        assert_eq!(session.call_typed(&func, params).expect("the guest answers"), expected);
        assert_eq!(live.add(params.0, params.1), expected);
        let ours = side(move || session.call_typed(&func, hide(params)).expect("the guest answers"));
        let theirs = side(move || {
            let (a, b) = hide(params);
            live.add(a, b)
        });
        (ours, theirs)
    })
}

/// A compute-bound guest, with equal metering: the same binary runs.
fn compute<B: Twin>(guest: &Guest) -> Case {
    fresh::<B>("compute", guest.name, guest.wasm.to_vec(), guest.entry, (guest.input)(), 1.05)
}

/// Admission without the rewrite, compared with one validation.
fn admission(guest: &Guest) -> Case {
    let wasm = guest.wasm;
    let policy = Policy::default().with(|rules| (rules.metering, rules.floats) = (Metering::Engine, Floats::Allow));
    let policy = policy.expect("the policy is right");
    let make = move || {
        let features = wasmparser::WasmFeatures::default();
        let validate = move || wasmparser::Validator::new_with_features(features).validate_all(wasm);
        validate().expect("the guest is valid");
        summarize(wasm, &policy).expect("the guest is admitted");
        let policy = policy.clone();
        Pair::new([(side(move || summarize(wasm, &policy).map(drop)), side(move || validate().map(drop)))])
    };
    Case { group: "admit", backend: "core", guest: guest.name.to_owned(), bound: 1.5, make: Box::new(make) }
}
