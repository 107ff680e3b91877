//! The hostile guests: each gets its one verdict, on every backend.

mod bombs;
mod builder;

use std::{panic::resume_unwind, thread, time::Duration};

use hotcell_core::{Contract, Field, HostError, Imports, LoadError, Policy, Preset, Proposal, Rules, verdict::Reason};
use serde::Deserialize;

use crate::{
    BackendUnderTest, Check, Failure, Outcome,
    failure::{ensure, ensure_eq},
    fixture::{BACKSTOP, Fixture},
    guests,
};

/// Bytes that one call may log.
const LOG_BYTES: u32 = 64 << 10;
/// The deadline of a run that the deadline must end.
const DEADLINE: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Table {
    guest: Vec<Row>,
}

/// One row of the table; its head explains the keys.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    case: Option<String>,
    code: String,
    phase: String,
    preset: Option<Preset>,
    #[serde(default)]
    simd: bool,
    #[serde(default)]
    start: bool,
    fuel: Option<u64>,
    #[serde(default)]
    eats: bool,
    #[serde(default)]
    host: bool,
    output: Option<String>,
    output_len: Option<usize>,
    detail: Option<String>,
}

pub(crate) fn checks<B: BackendUnderTest>() -> Vec<Check> {
    table().into_iter().map(check::<B>).collect()
}

fn table() -> Vec<Row> {
    toml::from_str::<Table>(include_str!("table.toml"))
        .unwrap_or_else(|error| panic!("the suite's own table: {error}"))
        .guest
}

fn check<B: BackendUnderTest>(row: Row) -> Check {
    let id = match &row.case {
        None => format!("hostile.{}", row.id),
        Some(case) => format!("hostile.{}.{case}", row.id),
    };
    let proves = format!("The hostile guest {} comes to {} in phase {}.", row.id, row.code, row.phase);
    match (row.start, row.simd) {
        (true, _) => Check::optional(Field::Start, id, proves, move || row.holds::<B>()),
        (_, true) => Check::optional(Field::Proposal(Proposal::Simd), id, proves, move || row.holds::<B>()),
        _ => Check::mandatory(id, proves, move || row.holds::<B>()),
    }
}

impl Row {
    /// Whether the guest gets its verdict; one that never ends by itself is run twice, to be ended by fuel and by the
    /// deadline.
    fn holds<B: BackendUnderTest>(&self) -> Outcome {
        let policy = self.policy()?;
        self.judge(&policy, &self.run::<B>(&policy)?)?;
        if self.eats {
            let by_deadline = policy.with(|rules| {
                rules.limits.fuel = BACKSTOP;
                rules.limits.deadline = Some(DEADLINE);
            })?;
            let row = Self { code: "deadline-exceeded".to_owned(), ..self.clone() };
            row.judge(&by_deadline, &row.run::<B>(&by_deadline)?)?;
        }
        Ok(())
    }

    fn module(&self) -> Result<Vec<u8>, Failure> {
        let text = guests::guest(&self.id).map(guests::Guest::wasm);
        text.or_else(|| bombs::bomb(&self.id)).ok_or_else(|| Failure::new(format!("no guest {}", self.id)))
    }

    fn policy(&self) -> Result<Policy, Failure> {
        let mut rules = Rules::preset(self.preset.unwrap_or(Preset::Strict));
        rules.module.start = self.start;
        if !self.simd {
            rules.proposals.deny(Proposal::Simd);
        }
        if let Some(fuel) = self.fuel {
            rules.limits.fuel = Some(fuel);
        }
        if self.eats {
            rules.limits.deadline = None;
        }
        Ok(Policy::new(rules)?)
    }

    fn judge(&self, policy: &Policy, end: &End) -> Outcome {
        let (code, phase) = (end.code, end.phase);
        ensure!(
            (code, phase) == (&*self.code, &*self.phase),
            "expected {} in {}, got {code} in {phase}: {}",
            self.code,
            self.phase,
            end.message
        );
        if self.detail.is_some() {
            ensure_eq!(end.detail, self.detail, "the cap or proposal");
        }
        if let Some(expected) = &self.output {
            let hex: String = end.output.iter().map(|byte| format!("{byte:02x}")).collect();
            ensure_eq!(hex, *expected, "the reply");
        }
        if let Some(len) = self.output_len {
            ensure_eq!(end.output.len(), len, "bytes of the reply");
        }
        let budget = policy.rules().limits.memory_bytes;
        ensure!(end.peak_memory_bytes <= budget, "{} bytes are more than the budget", end.peak_memory_bytes);
        Ok(())
    }

    fn run<B: BackendUnderTest>(&self, policy: &Policy) -> Result<End, Failure> {
        let fixture = Fixture::<B>::on(policy.clone())?;
        let imports = if self.host { host_functions(&fixture)? } else { fixture.imports() };
        let plugin = match fixture.load_with(&self.module()?, &imports, &Contract::bytes("process")) {
            Ok(plugin) => plugin,
            Err(error) => return Ok(error.into()),
        };
        let input: Vec<u8> = (0..64).collect();
        Ok(match plugin.call("process", &input) {
            Ok(reply) => End {
                code: "ok",
                phase: "call",
                message: String::new(),
                detail: None,
                output: reply.bytes,
                peak_memory_bytes: reply.report.usage.peak_memory_bytes,
            },
            Err(error) => End {
                code: error.code(),
                phase: error.phase.name(),
                message: error.to_string(),
                detail: None,
                output: Vec::new(),
                peak_memory_bytes: error.report.usage.peak_memory_bytes,
            },
        })
    }
}

/// How a run ended.
struct End {
    code: &'static str,
    phase: &'static str,
    message: String,
    detail: Option<String>,
    output: Vec<u8>,
    peak_memory_bytes: u64,
}

impl From<LoadError> for End {
    fn from(error: LoadError) -> Self {
        let detail = match &error {
            LoadError::Rejected(rejection) => match rejection.reason {
                Reason::LimitExceeded { limit, .. } => Some(limit.to_owned()),
                Reason::ProposalDenied { proposal, .. } => Some(proposal.to_owned()),
                _ => None,
            },
            _ => None,
        };
        Self {
            code: error.code(),
            phase: error.phase().name(),
            message: error.to_string(),
            detail,
            output: Vec::new(),
            peak_memory_bytes: 0,
        }
    }
}

/// The host's state for one instance.
#[derive(Default)]
struct Host {
    logged: u32,
}

/// The host functions that some guests import.
fn host_functions<B: BackendUnderTest>(fixture: &Fixture<B>) -> Result<Imports<Host, B>, Failure> {
    let mut imports = fixture.imports::<Host>();
    imports
        .func("env", "log", |cx, (pointer, len): (u32, u32)| {
            cx.read(pointer, len)?;
            let logged = cx.state().logged.saturating_add(len);
            if logged > LOG_BYTES {
                return Err(HostError::message("the log is full"));
            }
            cx.state().logged = logged;
            Ok(())
        })?
        .func("env", "host_fail", |_, ()| Err::<(), _>(HostError::message("refused")))?
        .func("env", "host_panic", |_, ()| -> Result<(), HostError> { resume_unwind(Box::new("a bug")) })?
        .func("env", "host_sleep", |_, (millis,): (u32,)| {
            thread::sleep(Duration::from_millis(millis.into()));
            Ok(())
        })?
        .func("env", "host_reenter", |_, (value,): (i32,)| Ok(value))?;
    Ok(imports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_has_a_row() {
        let table = table();
        let bombs = bombs::BOMBS.iter().map(|(id, _)| *id);
        for id in guests::GUESTS.iter().map(|guest| guest.id).chain(bombs) {
            assert!(table.iter().any(|row| row.id == id), "{id}");
        }
    }

    #[test]
    fn every_guest_names_its_checks() {
        for row in table() {
            let Some(guest) = guests::guest(&row.id) else { continue };
            let check = row.case.as_ref().map_or_else(|| row.id.clone(), |case| format!("{}.{case}", row.id));
            assert!(guest.text.lines().any(|line| line.ends_with(&format!(" hostile.{check}"))), "{check}");
        }
    }
}
