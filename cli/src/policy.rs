use std::{
    io::{self, Write},
    process::ExitCode,
};

use hotcell::{Policy, backends};
use serde::Serialize;

use crate::{
    args::Common,
    backends::{Row, rows, write_rows},
    outcome::{SCHEMA, exit, print_json},
};

/// `hotcell policy`
pub(crate) fn show(common: &Common) -> ExitCode {
    let policy = match common.policy() {
        Ok(policy) => policy,
        Err(failure) => return failure.finish(common.json),
    };
    exit(if common.json { show_json(&policy, common) } else { show_toml(&policy, common) })
}

/// The policy as a policy file; what the backends do about it is a comment in it.
fn show_toml(policy: &Policy, common: &Common) -> io::Result<()> {
    let text = toml::to_string(policy).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    write!(out, "# fingerprint {}\n{text}", policy.fingerprint())?;
    for backend in chosen(common)? {
        writeln!(out, "\n# {} {}", backend.id, backend.version)?;
        write_rows(&mut out, "#   ", &rows(&backend, |field| field.is_set(policy)))?;
    }
    out.flush()
}

fn show_json(policy: &Policy, common: &Common) -> io::Result<()> {
    #[derive(Serialize)]
    struct Json<'a> {
        schema: u32,
        fingerprint: String,
        policy: &'a Policy,
        backends: Vec<Backend>,
    }
    #[derive(Serialize)]
    struct Backend {
        id: &'static str,
        version: &'static str,
        enforcement: Vec<Row>,
    }
    let backends = chosen(common)?
        .iter()
        .map(|backend| Backend {
            id: backend.id,
            version: backend.version,
            enforcement: rows(backend, |field| field.is_set(policy)),
        })
        .collect();
    print_json(&Json { schema: SCHEMA, fingerprint: policy.fingerprint().to_string(), policy, backends })
}

fn chosen(common: &Common) -> io::Result<Vec<hotcell::BackendInfo>> {
    let all = backends();
    match &common.backend {
        None => Ok(all),
        Some(id) => Ok(all.into_iter().filter(|backend| backend.id == id).collect()),
    }
}
