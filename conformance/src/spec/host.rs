//! The host of the scripts: one backend under one policy. It does not use `Session`, which refuses an instance after a
//! trap; a script continues with it.

use std::rc::Rc;

use hotcell_core::{
    Admitted, Budget, Contract, Fault, HostOptions, Imports, Instance, LoadError, Loader, Policy, Rejection, Store,
    Value, admit,
    backend::{Deadline, DuplicateImport},
    plugin::Linked,
};

use crate::{BackendUnderTest, Failure, tally};

/// More instances than any script keeps at once.
const INSTANCES: u32 = 64;

/// An engine for one policy, with the functions that scripts import.
pub(crate) struct Host<B: BackendUnderTest> {
    loader: Loader<B>,
    options: HostOptions,
    imports: Imports<(), B>,
}

/// A module that was admitted, compiled and linked.
pub(crate) struct Code<B: BackendUnderTest>(Linked<(), B>);

/// An instance that can be used after a trap.
pub(crate) struct Guest<B: BackendUnderTest>(B::Instance<()>);

impl<B: BackendUnderTest> Host<B> {
    pub(crate) fn new(policy: Policy) -> Result<Self, Failure> {
        let options = HostOptions { max_instances: INSTANCES, ..HostOptions::default() };
        let loader = Loader::<B>::new(policy, &options, &B::Options::default())?;
        let mut imports = loader.imports();
        offer_spectest(&mut imports)?;
        offer_numbers(&mut imports)?;
        Ok(Self { loader, options, imports })
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.loader.policy()
    }

    pub(crate) fn admit<'a>(&self, bytes: &'a [u8]) -> Result<Admitted<'a>, Rejection> {
        admit(bytes, self.policy(), self.imports.offered(), &Contract::None)
    }

    pub(crate) fn load(&self, bytes: &[u8]) -> Result<Rc<Code<B>>, LoadError> {
        tally::module();
        let module = self.loader.compile(&self.admit(bytes)?)?;
        Ok(Rc::new(Code(self.loader.link(&module, &self.imports)?)))
    }

    /// Makes an instance and runs its start function; returns the fuel used as well.
    pub(crate) fn instantiate(&self, code: &Code<B>) -> (Result<Guest<B>, Fault>, Option<u64>) {
        let budget = Budget::new(self.policy(), code.0.exports(), self.options.clock.now(), None);
        let mut guest = match self.loader.instantiate(&code.0, budget, ()) {
            Ok(instance) => Guest::<B>(instance),
            Err(error) => return (Err(error.fault), error.usage.fuel_used),
        };
        let started = code.0.start(&mut guest.0);
        let fuel = guest.fuel_used();
        (started.map(|()| guest), fuel)
    }

    /// Calls a function under its own budget.
    pub(crate) fn call(
        &self,
        guest: &mut Guest<B>,
        export: &str,
        params: &[Value],
    ) -> (Result<Vec<Value>, Fault>, Option<u64>) {
        guest.0.arm(self.policy().deadline_from(self.options.clock.now()).map(Deadline::At), None);
        let results = guest.0.call_values(export, params);
        (results, guest.fuel_used())
    }
}

impl<B: BackendUnderTest> Guest<B> {
    pub(crate) fn global(&mut self, export: &str) -> Option<Value> {
        self.0.global(export)
    }

    fn fuel_used(&mut self) -> Option<u64> {
        let left = self.0.fuel();
        self.0.data().accounts.usage(left).fuel_used
    }
}

/// The functions of `spectest`. Its globals, memory and table cannot be offered by a host.
fn offer_spectest<B: BackendUnderTest>(imports: &mut Imports<(), B>) -> Result<(), DuplicateImport> {
    const MODULE: &str = "spectest";
    imports.func(MODULE, "print", |_, ()| Ok(()))?;
    imports.func(MODULE, "print_i32", |_, _: (i32,)| Ok(()))?;
    imports.func(MODULE, "print_i64", |_, _: (i64,)| Ok(()))?;
    imports.func(MODULE, "print_f32", |_, _: (f32,)| Ok(()))?;
    imports.func(MODULE, "print_f64", |_, _: (f64,)| Ok(()))?;
    imports.func(MODULE, "print_i32_f32", |_, _: (i32, f32)| Ok(()))?;
    imports.func(MODULE, "print_f64_f64", |_, _: (f64, f64)| Ok(()))?;
    Ok(())
}

/// The functions that the table tests import. In the scripts another guest exports them; each returns the number in its
/// name.
fn offer_numbers<B: BackendUnderTest>(imports: &mut Imports<(), B>) -> Result<(), DuplicateImport> {
    (0..=4i32).try_for_each(|number| {
        imports.func("a", &format!("ef{number}"), move |_, ()| Ok(number))?;
        Ok(())
    })
}
