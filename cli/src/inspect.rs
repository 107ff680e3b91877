use std::{
    io::{self, Write},
    iter,
    process::ExitCode,
};

use bytesize::ByteSize;
use hotcell::{
    Admitted, BackendInfo, ModuleSummary, Offered, Policy, Proposal, SandboxOptions, Signature, admit,
    admit::{ExternType, Import, Memory, Table, proposals_used, summarize},
    policy::Metering,
    verdict::Escaped,
};
use serde::Serialize;

use crate::{
    args::InspectArgs,
    backends::chosen,
    cache::limited,
    contract::{Convention, convention_of},
    json::{JsonRejection, SCHEMA},
    outcome::{self, Failure, exit, print_json},
    progress::with_progress,
    read::read_module,
    terminal::wrapped,
};

/// Maximum number of imports or exports in text output.
const SHOWN: usize = 50;
/// Width of the first column of text output.
const INDENT: usize = 13;

/// The results for a module.
#[derive(Serialize)]
struct Inspection {
    schema: u32,
    /// `None` if the bytes are not a module.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<Module>,
    /// The same for every backend.
    admission: Verdict,
    /// None where the module is not admitted: no engine sees it.
    backends: Vec<Compiled>,
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

/// Whether the policy admits the module.
#[derive(Serialize)]
struct Verdict {
    code: &'static str,
    message: String,
    offset: Option<u64>,
    /// Everything that is wrong with a module that was not admitted; the first is the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejections: Vec<JsonRejection>,
}

/// What one backend did with the module.
#[derive(Serialize)]
struct Compiled {
    backend: &'static str,
    code: &'static str,
    message: String,
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
    let backends = match chosen(args.common.backend.as_deref()) {
        Ok(backends) => backends,
        Err(failure) => return failure.finish(json),
    };
    let convention = convention_of(args.no_contract, &args.entry)(&module);
    let offered = match offered(args, &backends, &policy, &module, &convention) {
        Ok(offered) => offered,
        Err(failure) => return failure.finish(json),
    };
    let admitted = admit(&module, &policy, &offered, convention.contract());
    if args.check {
        return match admitted {
            Ok(_) => outcome::admitted(json),
            Err(rejection) => Failure::from(rejection).finish(json),
        };
    }
    let compile = |backend: &BackendInfo, admitted: &Admitted<'_>| {
        let sandbox = backend.sandbox(policy.clone(), &limited())?;
        Ok::<_, Failure>(sandbox.compile(admitted)?)
    };
    let module = describe(&module);
    let inspection = match admitted {
        Ok(admitted) => Inspection {
            schema: SCHEMA,
            module,
            admission: Verdict::ok(),
            backends: (backends.iter())
                .map(|backend| {
                    let compiled = with_progress("compiling", args.common.quiet, || compile(backend, &admitted));
                    Compiled::of(backend.id, compiled)
                })
                .collect(),
        },
        Err(rejection) => {
            Inspection { schema: SCHEMA, module, admission: Verdict::of(rejection.into()), backends: Vec::new() }
        }
    };
    let printed = if json { print_json(&inspection) } else { print(&inspection, &policy) };
    let mut codes = iter::once(inspection.admission.code).chain(inspection.backends.iter().map(|backend| backend.code));
    match codes.find(|code| *code != "ok") {
        Some(code) if printed.is_ok() => outcome::exit_with(code),
        _ => exit(printed),
    }
}

/// What the module may import: what the program offers, and with `--offer` all functions that it imports.
fn offered(
    args: &InspectArgs,
    backends: &[BackendInfo],
    policy: &Policy,
    module: &[u8],
    convention: &Convention,
) -> Result<Offered, Failure> {
    // Each offers the same, and one of them may not be able to hold the policy.
    let sandboxes = backends.iter().map(|backend| backend.sandbox(policy.clone(), &SandboxOptions::default()));
    let sandbox = sandboxes.reduce(Result::or).transpose()?;
    let mut offered = sandbox.map(|sandbox| convention.offered(&sandbox)).unwrap_or_default();
    if args.offer
        && let Some(summary) = everything().and_then(|everything| summarize(module, &everything).ok())
    {
        for Import { module, name, ty, .. } in summary.imports {
            if let ExternType::Function(ty) = ty {
                // What has the name already is offered by the program itself.
                let _ = offered.offer(Signature { module, name, ty: (*ty).clone() });
            }
        }
    }
    Ok(offered)
}

/// A policy that parses as much as can be parsed.
fn everything() -> Option<Policy> {
    let everything = Policy::ceiling().with(|rules| {
        rules.proposals = Proposal::ALL.iter().copied().collect();
        rules.limits.memory_bytes = 1 << 46;
        rules.limits.table_elements = u32::MAX.into();
    });
    everything.ok()
}

/// A summary of the module, if it can be parsed with every proposal on.
fn describe(module: &[u8]) -> Option<Module> {
    let everything = everything()?;
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

impl Verdict {
    fn ok() -> Self {
        Self { code: "ok", message: "admitted".to_owned(), offset: None, rejections: Vec::new() }
    }

    fn of(failure: Failure) -> Self {
        let (code, message, offset, rejections) = failure.into_parts();
        Self { code, message, offset, rejections }
    }
}

impl Compiled {
    fn of(backend: &'static str, compiled: Result<(), Failure>) -> Self {
        match compiled {
            Ok(()) => Self { backend, code: "ok", message: "compiled".to_owned() },
            Err(failure) => {
                let (code, message, ..) = failure.into_parts();
                Self { backend, code, message }
            }
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
    print_verdict(&mut out, &inspection.admission)?;
    for Compiled { backend, code, message } in &inspection.backends {
        writeln!(out, "{}", wrapped(&format!("{backend:<12} {code}: {message}"), INDENT))?;
    }
    writeln!(out, "\n{}", may_differ(policy))?;
    out.flush()
}

/// Everything that is wrong, once, each with what to do about it.
fn print_verdict(out: &mut impl Write, Verdict { code, message, offset, rejections }: &Verdict) -> io::Result<()> {
    let offset = offset.map(|offset| format!(" at offset {offset:#x}")).unwrap_or_default();
    writeln!(out, "{}", wrapped(&format!("{:<12} {code}{offset}: {message}", "admission"), INDENT))?;
    for rejection in rejections.iter().skip(1) {
        writeln!(out, "{}", wrapped(&format!("{:<12} also {rejection}", ""), INDENT))?;
    }
    Ok(())
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
