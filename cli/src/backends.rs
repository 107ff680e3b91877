use std::{
    io::{self, Write},
    process::ExitCode,
};

use hotcell::{AnySandbox, BackendInfo, Enforcement, Field, Policy, SandboxOptions, backends, sandbox};
use serde::Serialize;

use crate::outcome::{Failure, SCHEMA, exit, print_json};

/// The backend that answers at once and compiles behind.
pub(crate) const TIERED: &str = "tiered";

/// A sandbox on the backend with this name. Without one, on tiered where the build has it and the policy's fuel is the same
/// on every engine, otherwise on the first of this build.
pub(crate) fn open_sandbox(
    backend: Option<&str>,
    policy: Policy,
    options: &SandboxOptions,
) -> Result<AnySandbox, Failure> {
    let first = backends().first().map_or("default", |info| info.id);
    let default = if cfg!(feature = "tiered") && policy.is_exact() { TIERED } else { first };
    Ok(sandbox(backend.unwrap_or(default), policy, options)?)
}

/// The backend with this name, or all of this build.
pub(crate) fn chosen(backend: Option<&str>) -> Result<Vec<BackendInfo>, Failure> {
    let mut all = backends();
    if let Some(id) = backend {
        all.retain(|backend| backend.id == id);
        if all.is_empty() {
            // The library's own message, which lists the backends of the build.
            return Err(sandbox(id, Policy::default(), &SandboxOptions::default()).map(drop).unwrap_err().into());
        }
    }
    Ok(all)
}

/// How a backend enforces one field, as a row of a table.
#[derive(Serialize)]
pub(crate) struct Row {
    field: &'static str,
    enforcement: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// The rows of `backend` for the `wanted` fields.
pub(crate) fn rows(backend: &BackendInfo, wanted: impl Fn(Field) -> bool) -> Vec<Row> {
    Field::all()
        .filter(|field| wanted(*field))
        .map(|field| {
            let (enforcement, note) = match (backend.enforcement)(field) {
                Enforcement::Enforced => ("enforced", None),
                Enforcement::Emulated { how } => ("emulated", Some(how)),
                Enforcement::Unsupported { reason } => ("unsupported", Some(reason)),
            };
            Row { field: field.key(), enforcement, note }
        })
        .collect()
}

/// Writes rows as text, each after `prefix`.
pub(crate) fn write_rows(out: &mut impl Write, prefix: &str, rows: &[Row]) -> io::Result<()> {
    rows.iter().try_for_each(|row| {
        let note = row.note.map(|note| format!("  ({note})")).unwrap_or_default();
        writeln!(out, "{prefix}{:<28} {}{note}", row.field, row.enforcement)
    })
}

/// `hotcell backends`
pub(crate) fn show(json: bool) -> ExitCode {
    exit(if json { show_json() } else { show_table() })
}

fn show_table() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for backend in backends() {
        let kind = if backend.is_jit { "generates machine code" } else { "interprets" };
        writeln!(out, "{} {}: {kind}", backend.id, backend.version)?;
        for note in notes(&backend) {
            writeln!(out, "  note: {note}")?;
        }
        write_rows(&mut out, "  ", &rows(&backend, |_| true))?;
    }
    writeln!(
        out,
        "Every other field of a policy is decided before a backend is reached, and so holds on each of them."
    )?;
    out.flush()
}

fn show_json() -> io::Result<()> {
    #[derive(Serialize)]
    struct Json {
        schema: u32,
        backends: Vec<Backend>,
    }
    #[derive(Serialize)]
    struct Backend {
        id: &'static str,
        version: &'static str,
        jit: bool,
        notes: Vec<String>,
        enforcement: Vec<Row>,
    }
    let backends = backends()
        .iter()
        .map(|backend| Backend {
            id: backend.id,
            version: backend.version,
            jit: backend.is_jit,
            notes: notes(backend),
            enforcement: rows(backend, |_| true),
        })
        .collect();
    print_json(&Json { schema: SCHEMA, backends })
}

/// The notes of an engine, which must run for that.
fn notes(backend: &BackendInfo) -> Vec<String> {
    match backend.sandbox(Policy::default(), &SandboxOptions::default()) {
        Ok(sandbox) => sandbox.notes(),
        Err(error) => vec![error.to_string()],
    }
}
