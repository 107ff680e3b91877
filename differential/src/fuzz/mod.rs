//! The properties that fuzzing checks: one function for each, which returns a [`Failure`] when the property does not
//! hold. A fuzz target calls one of them; a test calls each a few hundred times.

mod abi;
mod arguments;
mod faults;
mod mutations;
mod policies;
mod soak;

use hotcell_core::{Contract, Offered, Policy, PolicyError, admit};

pub use self::{
    abi::BehindAbi, arguments::host_arguments, faults::injected_faults, mutations::mutations, policies::policies,
    soak::soak,
};
use crate::Runner;
use hotcell_conformance::{BackendUnderTest, Failure};

/// Admission returns a verdict for any bytes, and the same one again.
///
/// # Errors
///
/// The second verdict differs, or its offset is outside the bytes.
pub fn admission(bytes: &[u8]) -> Result<(), Failure> {
    for policy in [Policy::strict(), Policy::default()] {
        let verdict = || {
            let admitted = admit(bytes, &policy, &Offered::default(), &Contract::None);
            admitted.map(|admitted| (admitted.bytes().to_vec(), admitted.summary().clone()))
        };
        let first = verdict();
        if first != verdict() {
            return Err(Failure::new("another verdict the second time"));
        }
        if let Err(rejection) = first {
            // Its text contains what the guest wrote.
            let text = rejection.to_string();
            if rejection.offset.is_some_and(|offset| offset > bytes.len() as u64) {
                return Err(Failure::new(format!("{text}: at an offset outside the module")));
            }
        }
    }
    Ok(())
}

/// A backend that must compile every admitted module.
pub struct Compiles<B: BackendUnderTest>(Runner<B>);

impl<B: BackendUnderTest> Compiles<B> {
    /// Makes the engine.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when the backend cannot enforce the policy.
    pub fn new(policy: &Policy) -> Result<Self, PolicyError> {
        Runner::new(policy).map(Self)
    }

    /// Loads a module. Returns whether it was admitted.
    ///
    /// # Errors
    ///
    /// The module was admitted, but the engine refuses it.
    pub fn check(&self, wasm: &[u8]) -> Result<bool, Failure> {
        match self.0.load(wasm) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == "backend" => Err(error.into()),
            Err(_) => Ok(false),
        }
    }
}
