//! The host of the scripts: one backend under one policy. It stands below `Session`, which refuses an instance after a
//! trap; a script goes on with it.

use std::{rc::Rc, sync::Arc};

use hotcell_core::{
    Admitted, Budget, Contract, Fault, HostOptions, LoadError, Policy, Rejection, Value, admit,
    admit::Exports,
    backend::{DuplicateImport, HostFn, Instance, TypedCall, check_enforceable},
};

use crate::{BackendUnderTest, Failure, tally};

/// More instances than any script keeps at once.
const INSTANCES: u32 = 64;

/// An engine for one policy, with the functions that scripts import.
pub(crate) struct Host<B: BackendUnderTest> {
    backend: B,
    policy: Policy,
    options: HostOptions,
    imports: B::Imports<()>,
}

/// A module that was admitted, compiled and linked.
pub(crate) struct Code<B: BackendUnderTest> {
    linked: B::Linked<()>,
    exports: Arc<Exports>,
    start: Option<B::Export>,
}

/// An instance that goes on after a trap.
pub(crate) struct Guest<B: BackendUnderTest>(B::Instance<()>);

impl<B: BackendUnderTest> Host<B> {
    pub(crate) fn new(policy: Policy) -> Result<Self, Failure> {
        check_enforceable::<B>(&policy)?;
        let options = HostOptions { max_instances: INSTANCES, ..HostOptions::default() };
        let backend = B::new(&policy, &options)?;
        let mut imports = backend.imports();
        offer_spectest::<B>(&mut imports)?;
        offer_numbers::<B>(&mut imports)?;
        Ok(Self { backend, policy, options, imports })
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn admit<'a>(&self, bytes: &'a [u8]) -> Result<Admitted<'a>, Rejection> {
        admit(bytes, &self.policy, self.backend.offered(&self.imports), &Contract::None)
    }

    pub(crate) fn load(&self, bytes: &[u8]) -> Result<Rc<Code<B>>, LoadError> {
        tally::module();
        let admitted = self.admit(bytes)?;
        let module = self.backend.compile(&admitted)?;
        let linked = self.backend.link(&module, &self.imports)?;
        let start = admitted.start().and_then(|name| B::export(&linked, name));
        Ok(Rc::new(Code { linked, exports: Arc::new(Exports::new(admitted.summary().clone())), start }))
    }

    /// Makes an instance and runs its start function; tells what fuel that took.
    pub(crate) fn instantiate(&self, code: &Code<B>) -> (Result<Guest<B>, Fault>, Option<u64>) {
        let mut guest = match self.backend.instantiate(&code.linked, self.budget(code), ()) {
            Ok(instance) => Guest(instance),
            Err(error) => return (Err(error.fault), error.usage.fuel_used),
        };
        let started = code.start.as_ref().map_or(Ok(()), |start| guest.start(start));
        let fuel = guest.fuel_used();
        (started.map(|()| guest), fuel)
    }

    /// Calls a function under a budget of its own.
    pub(crate) fn call(
        &self,
        guest: &mut Guest<B>,
        export: &str,
        params: &[Value],
    ) -> (Result<Vec<Value>, Fault>, Option<u64>) {
        guest.0.arm(self.policy.deadline_from(self.options.clock.now()), None);
        let results = guest.0.call_values(export, params);
        (results, guest.fuel_used())
    }

    fn budget(&self, code: &Code<B>) -> Budget {
        Budget::new(&self.policy, &code.exports, self.options.clock.now(), None)
    }
}

impl<B: BackendUnderTest> Guest<B> {
    pub(crate) fn global(&mut self, export: &str) -> Option<Value> {
        self.0.global(export)
    }

    /// As a session runs it.
    fn start(&mut self, start: &B::Export) -> Result<(), Fault> {
        let start = <B as TypedCall<(), ()>>::resolve(&mut self.0, start).expect("a start function is () -> ()");
        <B as TypedCall<(), ()>>::call(&mut self.0, &start, ())
    }

    fn fuel_used(&mut self) -> Option<u64> {
        let left = self.0.fuel();
        self.0.armed().usage(left).fuel_used
    }
}

/// The functions of `spectest`. Its globals, memory and table are no functions, so no host can offer them.
fn offer_spectest<B: BackendUnderTest>(imports: &mut B::Imports<()>) -> Result<(), DuplicateImport> {
    const MODULE: &str = "spectest";
    <B as HostFn<(), ()>>::define(imports, MODULE, "print", |_, ()| Ok(()))?;
    <B as HostFn<(i32,), ()>>::define(imports, MODULE, "print_i32", |_, _| Ok(()))?;
    <B as HostFn<(i64,), ()>>::define(imports, MODULE, "print_i64", |_, _| Ok(()))?;
    <B as HostFn<(f32,), ()>>::define(imports, MODULE, "print_f32", |_, _| Ok(()))?;
    <B as HostFn<(f64,), ()>>::define(imports, MODULE, "print_f64", |_, _| Ok(()))?;
    <B as HostFn<(i32, f32), ()>>::define(imports, MODULE, "print_i32_f32", |_, _| Ok(()))?;
    <B as HostFn<(f64, f64), ()>>::define(imports, MODULE, "print_f64_f64", |_, _| Ok(()))
}

/// The functions that the table tests import: of another guest in the scripts, each gives the number of its name.
fn offer_numbers<B: BackendUnderTest>(imports: &mut B::Imports<()>) -> Result<(), DuplicateImport> {
    (0..=4).try_for_each(|number| {
        <B as HostFn<(), i32>>::define(imports, "a", &format!("ef{number}"), move |_, ()| Ok(number))
    })
}
