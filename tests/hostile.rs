//! Every guest of `hostile.toml` comes to its one verdict, on every backend of the build.

#[path = "hostile/bombs.rs"]
mod bombs;

use std::{fs, path::Path, time::Duration};

use hotcell::{
    Contract, HostError, Imports, LoadError, Plugin, Policy, Preset, Report, Rules, Sandbox,
    backend::{Backend, HostFn},
    verdict::Reason,
};
use serde::Deserialize;

use bombs::{BOMBS, bomb};

/// Bytes that one call may log.
const LOG_BYTES: u32 = 64 << 10;
/// Fuel of a run that must end by its deadline, and the deadline.
const DEADLINE: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Table {
    guest: Vec<Guest>,
}

/// One row of the table; its head explains the keys.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guest {
    id: String,
    code: String,
    phase: String,
    preset: Option<Preset>,
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

fn table() -> Vec<Guest> {
    toml::from_str::<Table>(include_str!("hostile.toml")).unwrap().guest
}

impl Guest {
    fn module(&self) -> Vec<u8> {
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile").join(format!("{}.wat", self.id));
        match fs::read(text) {
            Ok(text) => wat::parse_bytes(&text).unwrap_or_else(|error| panic!("{}: {error}", self.id)).into_owned(),
            Err(_) => bomb(&self.id).unwrap_or_else(|| panic!("no guest {}", self.id)),
        }
    }

    fn policy(&self) -> Policy {
        let mut rules = Rules::preset(self.preset.unwrap_or(Preset::Strict));
        rules.module.start = self.start;
        if let Some(fuel) = self.fuel {
            rules.limits.fuel = Some(fuel);
        }
        if self.eats {
            rules.limits.deadline = None;
        }
        Policy::new(rules).unwrap()
    }

    /// The same guest, ended by the deadline instead of by fuel.
    fn by_deadline(&self) -> (Self, Policy) {
        let policy = self.policy().with(|rules| {
            rules.limits.fuel = None;
            rules.limits.deadline = Some(DEADLINE);
        });
        (Self { code: "deadline-exceeded".to_owned(), ..self.clone() }, policy.unwrap())
    }

    /// What is wrong with what happened, if anything.
    fn judge(&self, policy: &Policy, outcome: &Outcome) -> Result<(), String> {
        let (code, phase) = (outcome.code, outcome.phase);
        if (code, phase) != (self.code.as_str(), self.phase.as_str()) {
            return Err(format!(
                "expected {} in {}, got {code} in {phase}: {}",
                self.code, self.phase, outcome.message
            ));
        }
        if self.detail.is_some() && outcome.detail.as_deref() != self.detail.as_deref() {
            return Err(format!("expected {:?}, got {:?}", self.detail, outcome.detail));
        }
        if let Some(expected) = &self.output {
            let got: String = outcome.output.iter().map(|byte| format!("{byte:02x}")).collect();
            if got != *expected {
                return Err(format!("expected the reply {expected}, got {got}"));
            }
        }
        if self.output_len.is_some_and(|len| len != outcome.output.len()) {
            return Err(format!("expected a reply of {:?} bytes, got {}", self.output_len, outcome.output.len()));
        }
        match &outcome.report {
            Some(report) if report.usage.peak_memory_bytes > policy.rules().limits.memory_bytes => {
                Err(format!("{} bytes are more than the budget", report.usage.peak_memory_bytes))
            }
            _ => Ok(()),
        }
    }
}

struct Outcome {
    code: &'static str,
    phase: &'static str,
    message: String,
    detail: Option<String>,
    output: Vec<u8>,
    report: Option<Report>,
}

impl From<LoadError> for Outcome {
    fn from(error: LoadError) -> Self {
        let detail = match &error {
            LoadError::Rejected(rejection) => match rejection.reason {
                Reason::LimitExceeded { limit, .. } => Some(limit.to_owned()),
                Reason::ProposalDenied { proposal, .. } => Some(proposal.to_owned()),
                _ => None,
            },
            _ => None,
        };
        let (code, phase) = (error.code(), error.phase().name());
        Self { code, phase, message: error.to_string(), detail, output: Vec::new(), report: None }
    }
}

/// What the test host keeps for one instance.
#[derive(Default)]
struct Host {
    logged: u32,
}

/// The host functions that some guests import.
fn host_functions<B>(sandbox: &Sandbox<B>) -> Imports<Host, B>
where
    B: Backend + HostFn<(u32, u32), ()> + HostFn<(), ()> + HostFn<(u32,), ()> + HostFn<(i32,), i32>,
{
    let mut imports = sandbox.imports::<Host>();
    imports
        .func("env", "log", |cx, (pointer, len): (u32, u32)| {
            cx.read(pointer, len)?;
            let logged = cx.state().logged.saturating_add(len);
            if logged > LOG_BYTES {
                return Err(HostError::message("the log is full"));
            }
            cx.state().logged = logged;
            Ok(())
        })
        .unwrap()
        .func("env", "host_fail", |_, ()| Err::<(), _>(HostError::message("refused")))
        .unwrap()
        .func("env", "host_panic", |_, ()| -> Result<(), HostError> { panic!("a host function's own bug") })
        .unwrap()
        .func("env", "host_sleep", |_, (millis,): (u32,)| {
            std::thread::sleep(Duration::from_millis(millis.into()));
            Ok(())
        })
        .unwrap()
        .func("env", "host_reenter", |_, (value,): (i32,)| Ok(value))
        .unwrap();
    imports
}

fn run<B>(guest: &Guest, policy: &Policy) -> Outcome
where
    B: Backend + HostFn<(u32, u32), ()> + HostFn<(), ()> + HostFn<(u32,), ()> + HostFn<(i32,), i32>,
{
    let sandbox = Sandbox::<B>::on(policy.clone()).unwrap();
    let imports = if guest.host { host_functions(&sandbox) } else { sandbox.imports() };
    let plugin: Plugin<B, Host> = match sandbox.load_with(&guest.module(), &imports, &Contract::bytes("process")) {
        Ok(plugin) => plugin,
        Err(error) => return error.into(),
    };
    let input: Vec<u8> = (0..64).collect();
    match plugin.call("process", &input) {
        Ok(reply) => Outcome {
            code: "ok",
            phase: "call",
            message: String::new(),
            detail: None,
            output: reply.bytes,
            report: Some(reply.report),
        },
        Err(error) => Outcome {
            code: error.code(),
            phase: error.phase.name(),
            message: error.to_string(),
            detail: None,
            output: Vec::new(),
            report: Some(*error.report),
        },
    }
}

fn all_guests<B>()
where
    B: Backend + HostFn<(u32, u32), ()> + HostFn<(), ()> + HostFn<(u32,), ()> + HostFn<(i32,), i32>,
{
    let mut wrong = Vec::new();
    for guest in table() {
        let policy = guest.policy();
        let mut runs = vec![(guest.clone(), policy)];
        if guest.eats {
            runs.push(guest.by_deadline());
        }
        for (guest, policy) in runs {
            if let Err(reason) = guest.judge(&policy, &run::<B>(&guest, &policy)) {
                wrong.push(format!("{}: {reason}", guest.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{} on {}:\n{}", wrong.len(), B::ID, wrong.join("\n"));
}

#[test]
fn every_guest_gets_its_verdict_on_wasmtime() {
    all_guests::<hotcell::Wasmtime>();
}

#[test]
fn every_guest_gets_its_verdict_on_wasmi() {
    all_guests::<hotcell::Wasmi>();
}

#[test]
fn every_guest_has_a_row() {
    let table = table();
    let has_row = |id: &str| table.iter().any(|guest| guest.id == id);
    for (id, _) in BOMBS {
        assert!(has_row(id), "{id}");
    }
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            assert!(has_row(path.file_stem().unwrap().to_str().unwrap()), "{}", path.display());
        }
    }
}
