use super::{Abi, Floats, ImportRules, Interrupt, Limits, Metering, PolicyError, Rules};

/// The lower value of each limit. Settings that are not limits (what counts fuel, what may interrupt) remain the
/// operator's, except that a requested deadline is enabled.
pub(super) fn narrow(operator: &Rules, request: &Rules) -> Result<Rules, PolicyError> {
    let Rules {
        preset,
        metering,
        floats,
        unbounded,
        proposals,
        interrupt,
        limits,
        module,
        imports,
        wasi,
        random_seed,
        abi,
    } = operator;
    let metering: Metering = *metering;
    let interrupt = Interrupt { deadline: interrupt.deadline || request.limits.deadline.is_some(), ..*interrupt };
    Ok(Rules {
        preset: (*preset).min(request.preset),
        metering,
        floats: stricter(*floats, request.floats),
        unbounded: *unbounded,
        proposals: proposals.intersection(request.proposals),
        interrupt,
        limits: narrow_limits(limits, &request.limits),
        module: module.min(&request.module),
        imports: ImportRules { unknown: imports.unknown.min(request.imports.unknown) },
        wasi: (*wasi).min(request.wasi),
        random_seed: *random_seed,
        abi: narrow_abi(abi.as_ref(), request.abi.as_ref())?,
    })
}

fn stricter(a: Floats, b: Floats) -> Floats {
    match (a, b) {
        (Floats::Deny, _) | (_, Floats::Deny) => Floats::Deny,
        (Floats::Canonical, _) | (_, Floats::Canonical) => Floats::Canonical,
        (Floats::Allow, Floats::Allow) => Floats::Allow,
    }
}

fn narrow_limits(operator: &Limits, request: &Limits) -> Limits {
    Limits {
        fuel: lower(operator.fuel, request.fuel),
        deadline: lower(operator.deadline, request.deadline),
        memory_bytes: operator.memory_bytes.min(request.memory_bytes),
        table_elements: operator.table_elements.min(request.table_elements),
        stack_bytes: operator.stack_bytes.min(request.stack_bytes),
        input_bytes: operator.input_bytes.min(request.input_bytes),
        output_bytes: operator.output_bytes.min(request.output_bytes),
        host_calls: lower(operator.host_calls, request.host_calls),
        reentry: operator.reentry.min(request.reentry),
    }
}

/// The lower of two limits, where `None` is no limit.
fn lower<N: Ord>(a: Option<N>, b: Option<N>) -> Option<N> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The export is the operator's; the versions are the intersection.
fn narrow_abi(operator: Option<&Abi>, request: Option<&Abi>) -> Result<Option<Abi>, PolicyError> {
    let (Some(operator), Some(request)) = (operator, request) else {
        return Ok(operator.or(request).cloned());
    };
    let (min, max) = (operator.min.max(request.min), operator.max.min(request.max));
    if min > max {
        return Err(PolicyError::Contradiction { reason: "the two policies accept no common ABI version" });
    }
    Ok(Some(Abi { export: operator.export.clone(), min, max }))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use crate::policy::{Floats, Policy, Proposal, Unknown, Wasi};

    #[test]
    fn a_request_lowers_and_never_raises() {
        let operator = Policy::strict();
        let request = Policy::ceiling()
            .with(|rules| {
                rules.limits.fuel = Some(7);
                rules.limits.deadline = Some(Duration::from_secs(3600));
                rules.floats = Floats::Deny;
                rules.module.start = true;
                rules.proposals.allow(Proposal::TailCall);
                rules.limits.reentry = 3;
                rules.imports.unknown = Unknown::Trap;
            })
            .unwrap();
        let narrowed = operator.narrowed_by(&request).unwrap();
        let rules = narrowed.rules();
        assert_eq!(rules.limits.fuel, Some(7));
        assert_eq!(rules.limits.deadline, operator.rules().limits.deadline);
        assert_eq!(rules.limits.memory_bytes, operator.rules().limits.memory_bytes);
        assert_eq!(rules.floats, Floats::Deny);
        assert!(!rules.module.start);
        assert_eq!(rules.wasi, Wasi::Deny);
        assert_eq!(rules.imports.unknown, Unknown::Deny);
        assert!(!rules.proposals.contains(Proposal::TailCall));
        assert_eq!(rules.limits.reentry, 0);
        assert!(rules.abi.is_some(), "a request cannot switch the handshake off");
    }

    #[test]
    fn two_ranges_that_do_not_meet_are_an_error() {
        let request = Policy::default().with(|rules| {
            let abi = rules.abi.as_mut().unwrap();
            (abi.min, abi.max) = (2, 3);
        });
        Policy::default().narrowed_by(&request.unwrap()).unwrap_err();
    }
}
