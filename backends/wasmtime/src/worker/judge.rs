//! What the end of a child says: which limit it has reached, whose that is, or what else has happened.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use rustix::process::{Resource, Signal, getrlimit};

use super::{CompileLimits, Failed, child::MEMORY, frame::Status};

/// What a program says of itself when it has no memory: Rust's allocator, and the system's error.
const NO_MEMORY: [&str; 2] = ["memory allocation of", "(os error 12)"];

/// The limits of a child.
pub(super) struct Judge {
    time: Duration,
    /// Limits of this process that are lower than ours: the child inherits them.
    inherited_cpu: Option<Duration>,
    inherited_memory: Option<u64>,
}

impl Judge {
    pub(super) fn new(limits: CompileLimits) -> Self {
        let lower = |resource, ours: u64| getrlimit(resource).current.filter(|limit| *limit < ours);
        let memory = [MEMORY, Resource::Data].map(|resource| lower(resource, limits.memory_bytes));
        Self {
            time: limits.time,
            inherited_cpu: lower(Resource::Cpu, limits.cpu_seconds()).map(Duration::from_secs),
            inherited_memory: memory.into_iter().flatten().min(),
        }
    }

    /// A reply that came whole.
    pub(super) fn reply(&self, status: Status, payload: Vec<u8>) -> Result<Vec<u8>, Failed> {
        let text = |payload: Vec<u8>| String::from_utf8_lossy(&payload).into_owned();
        match status {
            Status::Done => Ok(payload),
            Status::Refused | Status::Panicked => {
                let text = text(payload);
                Err(match status {
                    _ if says_no_memory(&text) => self.memory(),
                    Status::Refused => Failed::Refused(text),
                    _ => Failed::Crashed(text.escape_debug().to_string()),
                })
            }
        }
    }

    /// A child that was ended at the deadline, and had a processor for `used`.
    pub(super) fn out_of_time(&self, used: Duration) -> Failed {
        if is_most_of(used, self.time) { Failed::Time } else { Failed::Waited { used } }
    }

    /// A child that ended before it answered.
    pub(super) fn crash(&self, status: ExitStatus, errors: &[u8], used: Duration) -> Failed {
        let errors = String::from_utf8_lossy(errors);
        let errors = errors.trim_end();
        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        match self.inherited_cpu {
            // At the second limit, which may be the same, there is no other signal.
            Some(limit) if (is(Signal::XCPU) || is(Signal::KILL)) && is_most_of(used, limit) => {
                return Failed::Inherited(format!("{limit:?} of processor time"));
            }
            None if is(Signal::XCPU) && is_most_of(used, self.time) => return Failed::Time,
            _ => {}
        }
        if says_no_memory(errors) {
            self.memory()
        } else if errors.is_empty() {
            Failed::Crashed(status.to_string())
        } else {
            Failed::Crashed(format!("{status}: {}", errors.escape_debug()))
        }
    }

    fn memory(&self) -> Failed {
        match self.inherited_memory {
            Some(limit) => Failed::Inherited(format!("{limit} bytes of memory")),
            None => Failed::Memory,
        }
    }
}

/// Nine tenths. A child waits for its pipes, and for a processor now and then, on a quiet machine too.
fn is_most_of(used: Duration, limit: Duration) -> bool {
    used >= limit - limit / 10
}

fn says_no_memory(text: &str) -> bool {
    NO_MEMORY.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const OURS: Judge = Judge { time: SECOND.saturating_mul(10), inherited_cpu: None, inherited_memory: None };

    fn ended_by(signal: Signal) -> ExitStatus {
        ExitStatus::from_raw(signal.as_raw())
    }

    #[test]
    fn only_who_had_a_processor_took_too_long() {
        assert!(matches!(OURS.out_of_time(9 * SECOND), Failed::Time));
        assert!(matches!(OURS.out_of_time(8 * SECOND), Failed::Waited { used } if used == 8 * SECOND));
        assert!(matches!(OURS.crash(ended_by(Signal::XCPU), b"", 11 * SECOND), Failed::Time));
        let sent = OURS.crash(ended_by(Signal::XCPU), b"", SECOND);
        assert!(matches!(sent, Failed::Crashed(_)), "anybody may send a signal: {sent:?}");
        let killed = OURS.crash(ended_by(Signal::KILL), b"", 11 * SECOND);
        assert!(matches!(killed, Failed::Crashed(_)), "the system's killer: {killed:?}");
    }

    #[test]
    fn a_limit_of_this_process_is_nobody_elses() {
        let judge = Judge { inherited_cpu: Some(SECOND), inherited_memory: Some(1 << 20), ..OURS };
        for signal in [Signal::XCPU, Signal::KILL] {
            assert!(matches!(judge.crash(ended_by(signal), b"", SECOND), Failed::Inherited(_)));
            assert!(matches!(judge.crash(ended_by(signal), b"", SECOND / 2), Failed::Crashed(_)));
        }
        let short = |judge: &Judge| judge.crash(ended_by(Signal::ABORT), b"memory allocation of 9 bytes", SECOND);
        assert_eq!(short(&judge).to_string(), Failed::Inherited("1048576 bytes of memory".into()).to_string());
        assert!(matches!(short(&OURS), Failed::Memory));
    }

    #[test]
    fn want_of_memory_is_no_refusal() {
        let text = b"mapping code: Cannot allocate memory (os error 12)".to_vec();
        for status in [Status::Refused, Status::Panicked] {
            assert!(matches!(OURS.reply(status, text.clone()), Err(Failed::Memory)));
        }
        assert!(matches!(OURS.reply(Status::Refused, b"no".to_vec()), Err(Failed::Refused(_))));
    }
}
