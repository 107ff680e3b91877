use crate::{
    backend::{Backend, Store, TypedCall, call},
    policy::Abi,
    verdict::{AbiFault, Fault},
};

/// Fuel for the guest's version export; less when less is left.
pub const ABI_FUEL: u64 = 100_000;

/// Calls the guest's version export. Every outcome becomes a verdict, and what the call used counts.
///
/// A guest that does not answer differs from one that had too little fuel: running out of [`ABI_FUEL`] is a missing
/// answer, running out of a smaller remaining budget is [`Fault::OutOfFuel`].
pub(super) fn check<B: Backend, T: Send + 'static>(
    instance: &mut B::Instance<T>,
    export: Option<&B::Export>,
    abi: &Abi,
) -> Result<(), Fault> {
    let answer = |found| Fault::Abi(AbiFault { export: abi.export.clone(), found, accepted: abi.versions() });
    let Some(func) = export.and_then(|export| <B as TypedCall<(), u32>>::resolve(instance, export)) else {
        return Err(answer(None));
    };
    let left = instance.fuel();
    let withheld = left.map_or(0, |left| left.saturating_sub(ABI_FUEL));
    if let Some(left) = left {
        set_fuel::<B, T>(instance, left - withheld);
    }
    let outcome = call::<B, (), u32, T>(instance, &func, ());
    if let Some(left) = instance.fuel() {
        set_fuel::<B, T>(instance, left + withheld);
    }
    match outcome {
        Ok(found) if abi.versions().contains(&found) => Ok(()),
        Ok(found) => Err(answer(Some(found))),
        Err(Fault::Trap(_) | Fault::StackOverflow) => Err(answer(None)),
        Err(Fault::OutOfFuel) if left.is_none_or(|left| left >= ABI_FUEL) => Err(answer(None)),
        Err(fault) => Err(fault),
    }
}

/// Sets the fuel left, which nobody has used.
fn set_fuel<B: Backend, T: Send + 'static>(instance: &mut B::Instance<T>, fuel: u64) {
    instance.set_fuel(fuel);
    if let Some(recorder) = &mut instance.data_mut().recorder {
        recorder.fuel_is(fuel);
    }
}
