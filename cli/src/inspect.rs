use std::{
    io::{self, Write},
    process::ExitCode,
};

use bytesize::ByteSize;
use hotcell::{
    ModuleSummary, Policy, Proposal, SandboxOptions, admit,
    admit::{ExternType, Memory, Table, proposals_used, summarize},
    policy::Metering,
    verdict::Escaped,
};
use serde::Serialize;

use crate::{
    args::InspectArgs,
    backends::{chosen, open_sandbox},
    cache::limited,
    contract::{Convention, convention_of},
    outcome::{self, Failure, JsonRejection, SCHEMA, exit, print_json},
    progress::with_progress,
    read::read_module,
};

/// Maximum number of imports or exports in text output.
const SHOWN: usize = 50;

/// The results for a module.
#[derive(Serialize)]
struct Inspection {
    schema: u32,
    /// `None` if the bytes are not a module.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<Module>,
    backends: Vec<Verdict>,
}

#[derive(Serialize)]
struct Module {
    bytes: u64,
    functions: u64,
    globals: u64,
    code_bytes: u64,
    data_bytes: u64,
    custom_bytes: u64,
    kind: &'static str,
    has_start: bool,
    proposals: Vec<&'static str>,
    memories: Vec<Limits>,
    tables: Vec<Limits>,
    imports: Vec<Item>,
    exports: Vec<Item>,
}

#[derive(Serialize)]
struct Limits {
    initial: u64,
    maximum: Option<u64>,
}

#[derive(Serialize)]
struct Item {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

/// The verdict of one backend on the module under the policy.
#[derive(Serialize)]
struct Verdict {
    backend: &'static str,
    code: &'static str,
    message: String,
    offset: Option<u64>,
    /// Everything that is wrong with a module that was not admitted; the first is the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejections: Vec<JsonRejection>,
}

/// `hotcell inspect`
pub(crate) fn inspect(args: &InspectArgs) -> ExitCode {
    let json = args.common.json;
    let (policy, module) = match args.common.policy().and_then(|policy| {
        let module = read_module(&args.module, &policy)?;
        Ok((policy, module))
    }) {
        Ok(read) => read,
        Err(failure) => return failure.finish(json),
    };
    let convention = convention_of(args.no_contract, &args.entry)(&module);
    if args.check {
        return match check(args, &policy, &module, &convention) {
            Ok(()) => outcome::admitted(json),
            Err(failure) => failure.finish(json),
        };
    }
    let backends = match chosen(args.common.backend.as_deref()) {
        Ok(backends) => backends,
        Err(failure) => return failure.finish(json),
    };
    let inspection = Inspection {
        schema: SCHEMA,
        module: describe(&module),
        backends: backends
            .iter()
            .map(|backend| {
                let load = || {
                    let sandbox = backend.sandbox(policy.clone(), &limited())?;
                    Ok::<_, Failure>(convention.load(&sandbox, &module, &[]).map(drop)?)
                };
                verdict(backend.id, with_progress("compiling", args.common.quiet, load))
            })
            .collect(),
    };
    let printed = if json { print_json(&inspection) } else { print(&inspection, &policy) };
    let refused = inspection.backends.iter().find(|verdict| verdict.code != "ok");
    match refused {
        Some(verdict) if printed.is_ok() => outcome::exit_with(verdict.code),
        _ => exit(printed),
    }
}

/// Admission alone.
fn check(args: &InspectArgs, policy: &Policy, module: &[u8], convention: &Convention) -> Result<(), Failure> {
    let sandbox = open_sandbox(args.common.backend.as_deref(), policy.clone(), &SandboxOptions::default())?;
    admit(module, policy, &convention.offered(&sandbox), convention.contract())?;
    Ok(())
}

/// A summary of the module, if it can be parsed with every proposal on.
fn describe(module: &[u8]) -> Option<Module> {
    let everything = Policy::ceiling().with(|rules| {
        rules.proposals = Proposal::ALL.iter().copied().collect();
        rules.limits.memory_bytes = 1 << 46;
        rules.limits.table_elements = u32::MAX.into();
    });
    let everything = everything.ok()?;
    let summary = summarize(module, &everything).ok()?;
    let proposals = proposals_used(module, &everything).iter().map(Proposal::name).collect();
    let ModuleSummary { memories, tables, imports, exports, .. } = &summary;
    let item = |name: String, ty: &ExternType| Item { name, ty: ty.to_string() };
    Some(Module {
        bytes: summary.bytes,
        functions: summary.functions,
        globals: summary.globals,
        code_bytes: summary.code_bytes,
        data_bytes: summary.data_bytes,
        custom_bytes: summary.custom_bytes,
        kind: summary.kind().name(),
        has_start: summary.start.is_some(),
        proposals,
        memories: memories
            .iter()
            .map(|Memory { initial_bytes, maximum_bytes, .. }| Limits {
                initial: *initial_bytes,
                maximum: *maximum_bytes,
            })
            .collect(),
        tables: tables
            .iter()
            .map(|Table { initial, maximum, .. }| Limits { initial: *initial, maximum: *maximum })
            .collect(),
        imports: imports
            .iter()
            .map(|import| item(format!("{}::{}", Escaped(&import.module), Escaped(&import.name)), &import.ty))
            .collect(),
        exports: exports.iter().map(|export| item(Escaped(&export.name).to_string(), &export.ty)).collect(),
    })
}

fn verdict(backend: &'static str, loaded: Result<(), Failure>) -> Verdict {
    match loaded {
        Ok(()) => {
            let message = "admitted and compiled".to_owned();
            Verdict { backend, code: "ok", message, offset: None, rejections: Vec::new() }
        }
        Err(failure) => {
            let (code, message, offset, rejections) = failure.into_parts();
            Verdict { backend, code, message, offset, rejections }
        }
    }
}

fn print(inspection: &Inspection, policy: &Policy) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if let Some(module) = &inspection.module {
        let size = |bytes: u64| ByteSize(bytes).to_string();
        writeln!(
            out,
            "size         {} (code {}, data {}, custom {})",
            size(module.bytes),
            size(module.code_bytes),
            size(module.data_bytes),
            size(module.custom_bytes)
        )?;
        writeln!(
            out,
            "functions    {}, globals {}, start {}, {}",
            module.functions,
            module.globals,
            if module.has_start { "yes" } else { "no" },
            module.kind,
        )?;
        writeln!(
            out,
            "proposals    {}",
            if module.proposals.is_empty() { "none".to_owned() } else { module.proposals.join(", ") }
        )?;
        for memory in &module.memories {
            let maximum =
                memory.maximum.map_or("no maximum".to_owned(), |maximum| format!("at most {}", size(maximum)));
            writeln!(out, "memory       {} at the start, {maximum}", size(memory.initial))?;
        }
        for table in &module.tables {
            let maximum = table.maximum.map_or("no maximum".to_owned(), |maximum| format!("at most {maximum}"));
            writeln!(out, "table        {} elements at the start, {maximum}", table.initial)?;
        }
        for (title, items) in [("imports", &module.imports), ("exports", &module.exports)] {
            writeln!(
                out,
                "{title:<12} {}",
                if items.is_empty() { "none".to_owned() } else { items.len().to_string() }
            )?;
            for item in items.iter().take(SHOWN) {
                writeln!(out, "             {} {}", item.name, item.ty)?;
            }
            if items.len() > SHOWN {
                writeln!(out, "             and {} more", items.len() - SHOWN)?;
            }
        }
    }
    writeln!(out, "policy       {} ({})", policy.rules().preset.name(), policy.fingerprint())?;
    for Verdict { backend, code, message, offset, rejections } in &inspection.backends {
        let offset = offset.map(|offset| format!(" at offset {offset:#x}")).unwrap_or_default();
        writeln!(out, "{backend:<12} {code}{offset}: {message}")?;
        for rejection in rejections.iter().skip(1) {
            writeln!(out, "        also {rejection}")?;
        }
    }
    writeln!(out, "\n{}", may_differ(policy))?;
    out.flush()
}

/// In the words of the README.
fn may_differ(policy: &Policy) -> &'static str {
    match policy.rules().metering {
        Metering::Exact => {
            "\
With metering = exact, these may differ between backends: NaN payloads under floats = allow, and a call that the
deadline or the host running out of memory ends. Everything else is equal."
        }
        _ => {
            "\
With metering = engine, these may differ between backends: NaN payloads under floats = allow, a call that the deadline
or the host running out of memory ends, fuel numbers, the point at which fuel runs out, and stack depth."
        }
    }
}
