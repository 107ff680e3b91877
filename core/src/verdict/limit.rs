use alloc::string::{String, ToString};
use core::fmt;

use super::Fault;
use crate::policy::Limits;

/// The limit of a policy that ended a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedLimit {
    /// Its key in a policy, such as `limits.fuel`.
    pub key: &'static str,
    /// What the policy allows, in words: `1,000,000 units`.
    pub allowed: String,
}

impl ReachedLimit {
    /// The limit that ended a call under these limits, if it was one.
    pub(crate) fn of(fault: &Fault, limits: &Limits) -> Option<Self> {
        let key = fault.limit()?;
        let allowed = match key {
            Fault::FUEL => limits.fuel.map(|fuel| Amount(fuel, "units").to_string()),
            Fault::DEADLINE => limits.deadline.map(|deadline| alloc::format!("{deadline:?}")),
            Fault::STACK => Some(Amount(limits.stack_bytes, "bytes").to_string()),
            Fault::HOST_CALLS => limits.host_calls.map(|calls| Amount(calls, "calls").to_string()),
            Fault::REENTRY => Some(limits.reentry.to_string()),
            Fault::OUTPUT => Some(Amount(limits.output_bytes, "bytes").to_string()),
            _ => Some(Amount(limits.input_bytes, "bytes").to_string()),
        };
        Some(Self { key, allowed: allowed? })
    }
}

/// A number in groups of three digits, with its unit.
struct Amount(u64, &'static str);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, " {}", self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn digits_come_in_groups_of_three() {
        for (number, expected) in
            [(0, "0 units"), (999, "999 units"), (1_000, "1,000 units"), (12_345_678, "12,345,678 units")]
        {
            assert_eq!(Amount(number, "units").to_string(), expected);
        }
    }

    #[test]
    fn a_limit_says_what_it_is() {
        let limits = Policy::strict().rules().limits.clone();
        let of = |fault| ReachedLimit::of(&fault, &limits).map(|ReachedLimit { key, allowed }| (key, allowed));
        for (fault, key, allowed) in [
            (Fault::OutOfFuel, "limits.fuel", "100,000,000 units"),
            (Fault::DeadlineExceeded, "limits.deadline", "10s"),
            (Fault::StackOverflow, "limits.stack_bytes", "524,288 bytes"),
            (Fault::HostCallLimit { allowed: 10_000 }, "limits.host_calls", "10,000 calls"),
            (Fault::ReentryDenied { depth: 1, allowed: 0 }, "limits.reentry", "0"),
            (Fault::OutputTooLarge { len: 1 << 30, allowed: 8 << 20 }, "limits.output_bytes", "8,388,608 bytes"),
            (Fault::InputTooLarge { len: 1 << 30, allowed: 8 << 20 }, "limits.input_bytes", "8,388,608 bytes"),
        ] {
            let message = fault.to_string();
            assert!(message.ends_with(&alloc::format!(" ({key})")), "{message}");
            assert_eq!(of(fault), Some((key, allowed.into())));
        }
        assert_eq!(of(Fault::Cancelled), None);
    }
}
