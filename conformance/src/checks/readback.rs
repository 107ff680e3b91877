//! Read-back: what a backend states about a field is what is observed.

use hotcell_core::{
    Enforcement, Field, HostOptions, Loader, Policy, PolicyError, Proposal, backend::check_enforceable,
    policy::Metering,
};

use crate::{
    Check, Failure, Outcome, Subject,
    failure::{Denied, ensure},
    stand::policy,
};

pub(super) fn checks<B: Subject>() -> Vec<Check> {
    vec![
        Check::mandatory(
            "readback.construction",
            "A policy can be built upon exactly when the backend states every field that it sets as enforced or emulated.",
            construction::<B>,
        ),
        Check::mandatory(
            "readback.mandatory",
            "The default policy can be enforced, but for its vectors: no backend may do without the rest.",
            mandatory::<B>,
        ),
    ]
}

/// A policy that sets the field.
pub(crate) fn setting(field: Field) -> Policy {
    policy(|rules| match field {
        Field::EngineMetering | Field::EngineStackBytes => rules.metering = Metering::Engine,
        Field::HostCalls => rules.limits.host_calls = Some(1_000),
        Field::Reentry => rules.limits.reentry = 1,
        Field::Start => rules.module.start = true,
        Field::Proposal(proposal) => {
            rules.proposals.allow(proposal);
            if proposal == Proposal::RelaxedSimd {
                rules.proposals.allow(Proposal::Simd);
            }
        }
        // The default policy sets them.
        Field::Fuel
        | Field::Deadline
        | Field::Cancel
        | Field::MemoryBytes
        | Field::TableElements
        | Field::ExactMetering
        | Field::StackBytes => {}
    })
}

/// A backend that states the field as unsupported must refuse a policy that sets it, and name a field of which it said so.
pub(crate) fn is_refused<B: Subject>(field: Field) -> Outcome {
    match Loader::<B>::new(setting(field), &HostOptions::default()).denied()? {
        PolicyError::NotEnforceable { backend, field: named, reason } => {
            let stated = Field::all()
                .any(|field| field.key() == named && matches!(B::enforcement(field), Enforcement::Unsupported { .. }));
            ensure!(backend == B::ID && stated && !reason.is_empty(), "{backend} refuses {named}: {reason}");
            Ok(())
        }
        error => Err(Failure::from(error)),
    }
}

fn construction<B: Subject>() -> Outcome {
    for field in Field::all() {
        let policy = setting(field);
        ensure!(field.is_set(&policy), "the suite's own policy does not set {}", field.key());
        let unsupported = Field::all()
            .any(|field| field.is_set(&policy) && matches!(B::enforcement(field), Enforcement::Unsupported { .. }));
        match unsupported {
            true => is_refused::<B>(field)?,
            false => drop(Loader::<B>::new(policy, &HostOptions::default())?),
        }
    }
    Ok(())
}

fn mandatory<B: Subject>() -> Outcome {
    check_enforceable::<B>(&policy(|_| ()))?;
    Ok(())
}
