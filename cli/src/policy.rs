use std::{
    io::{self, Write},
    process::ExitCode,
};

use hotcell::{BackendInfo, Policy};
use serde::Serialize;

use crate::{
    args::Common,
    backends::{Row, chosen, rows, write_rows},
    outcome::{Failure, SCHEMA, exit, print_json},
};

/// `hotcell policy`
pub(crate) fn show(common: &Common) -> ExitCode {
    let (policy, backends) = match effective(common) {
        Ok(effective) => effective,
        Err(failure) => return failure.finish(common.json),
    };
    exit(if common.json { show_json(&policy, &backends) } else { show_toml(&policy, &backends) })
}

fn effective(common: &Common) -> Result<(Policy, Vec<BackendInfo>), Failure> {
    Ok((common.policy()?, chosen(common.backend.as_deref())?))
}

/// The policy as a policy file, with the enforcement of each backend as a comment.
fn show_toml(policy: &Policy, backends: &[BackendInfo]) -> io::Result<()> {
    let text = toml::to_string(policy).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    write!(out, "# fingerprint {}\n{text}", policy.fingerprint())?;
    for backend in backends {
        writeln!(out, "\n# {} {}", backend.id, backend.version)?;
        write_rows(&mut out, "#   ", &rows(backend, |field| field.is_set(policy)))?;
    }
    out.flush()
}

fn show_json(policy: &Policy, backends: &[BackendInfo]) -> io::Result<()> {
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
    let backends = backends
        .iter()
        .map(|backend| Backend {
            id: backend.id,
            version: backend.version,
            enforcement: rows(backend, |field| field.is_set(policy)),
        })
        .collect();
    print_json(&Json { schema: SCHEMA, fingerprint: policy.fingerprint().to_string(), policy, backends })
}
