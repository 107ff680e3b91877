//! The user's cache of compiled code: `hotcell compile`, `hotcell cache`, and how other commands use it.

use std::{
    env,
    fmt::Display,
    fs,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Command, ExitCode, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use bytesize::ByteSize;
use etcetera::BaseStrategy;
use hotcell::{
    AnyPlugin, CodeCache, CompileWorker, SandboxOptions, sandbox,
    verdict::{Escaped, Tier},
};
use serde::Serialize;

use crate::{
    args::{CacheArgs, CacheCommand, Common, CompileArgs, WhereArgs},
    contract::{ConventionOf, convention_of},
    outcome::{Failure, SCHEMA, exit, exit_with, print_json},
    progress::with_progress,
    read::{STDIN, read_module},
    terminal::WARNING,
};

/// The backend whose code is kept.
const COMPILED: &str = "wasmtime";
/// The subcommand under which the program compiles for the next run.
pub(crate) const BEHIND: &str = "compile-behind";
/// How long that may take: far more than admission and a worker do.
const MOST_BEHIND: Duration = Duration::from_secs(60);

impl WhereArgs {
    /// The directory that the user named, or the usual one.
    fn directory(&self) -> Result<PathBuf, Failure> {
        match &self.cache {
            Some(directory) => Ok(directory.clone()),
            None => etcetera::choose_base_strategy().map(|base| base.cache_dir().join("hotcell")).map_err(|error| {
                Failure::cache(&format!("no directory for compiled code: {error}; name one with --cache"))
            }),
        }
    }

    fn open(&self) -> Result<CodeCache, Failure> {
        CodeCache::in_dir(self.directory()?).map_err(|insecure| {
            Failure::cache(&format!("{insecure}; or name another directory with --cache, or none with --no-cache"))
        })
    }
}

impl CacheArgs {
    /// What a command that runs a module says to its backend: code is kept, and compiled in a process of its own.
    ///
    /// A place that the user did not name is no reason to fail.
    pub(crate) fn options(&self, common: &Common) -> Result<SandboxOptions, Failure> {
        let mut options = limited();
        if self.no_cache {
            return Ok(options);
        }
        let warn = |message: String| {
            if !common.quiet && !common.json {
                let _ = writeln!(anstream::stderr(), "hotcell: {WARNING}warning{WARNING:#}: {message}");
            }
        };
        match self.place.open() {
            Ok(cache) => {
                if let Some(error) = cache.unusable() {
                    let directory = cache.path().display().to_string();
                    warn(format!("no compiled code is kept: {}: {error}", Escaped(&directory)));
                }
                options.wasmtime.cache = Some(cache);
            }
            Err(failure) if self.place.cache.is_some() => return Err(failure),
            Err(failure) => warn(failure.into_parts().1),
        }
        Ok(options)
    }
}

/// Modules are compiled in a process of their own, which has limits.
pub(crate) fn limited() -> SandboxOptions {
    // Files that this process was started with are for it alone: who reads from its pipes waits until nobody has them.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let mut options = SandboxOptions::default();
    options.wasmtime.worker = CompileWorker::this_program().ok();
    options
}

/// Lets another process compile what this one was asked to run, where the interpreter has answered and code is kept: this one
/// has its answer and does not wait. The other is asked the same, and does no more than compile.
///
/// One process compiles so for a cache at a time. Who finds the lock taken leaves the work to the next run.
pub(crate) fn compile_for_the_next(
    options: &SandboxOptions,
    module: &Path,
    common: &Common,
    plugin: &dyn AnyPlugin,
    tier: Option<Tier>,
) {
    let is_interpreted = tier.is_some_and(|tier| tier.backend != COMPILED);
    // What is said to stay on the interpreter was tried already.
    if !is_interpreted || !plugin.notes().is_empty() {
        return;
    }
    // A pipe or a device has something else for whoever reads it next, or nothing, and lets them wait for it.
    let is_file = |path: &Path| path != Path::new(STDIN) && fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file(module) || !common.policy.as_deref().is_none_or(is_file) {
        return;
    }
    let Some(lock) = options.wasmtime.cache.as_ref().and_then(CodeCache::try_lock) else { return };
    let mut command = match env::current_exe() {
        Ok(program) => Command::new(program),
        Err(_) => return,
    };
    command.arg(BEHIND).args(env::args_os().skip(1));
    // The other reads nothing, and has the lock for as long as it lives.
    command.stdin(lock).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C at the terminal is not for it.
    command.process_group(0);
    // It is not waited for: without it, the next run begins like this one.
    let _ = command.spawn();
}

/// `hotcell compile`
pub(crate) fn compile(args: &CompileArgs) -> ExitCode {
    let json = args.common.json;
    let convention = convention_of(args.no_contract, &args.entry);
    let mut lines = Vec::new();
    for module in &args.modules {
        match load(module, &args.common, &args.place, &convention) {
            Ok(is_cached) => lines.push(Compiled { module: module.to_string_lossy().into_owned(), is_cached }),
            Err(failure) => return failure.finish(json),
        }
    }
    #[derive(Serialize)]
    struct Json {
        schema: u32,
        verdict: &'static str,
        code: &'static str,
        modules: Vec<Compiled>,
    }
    if json {
        return exit(print_json(&Json { schema: SCHEMA, verdict: "ok", code: "ok", modules: lines }));
    }
    let mut out = io::stdout().lock();
    exit(lines.iter().try_for_each(|Compiled { module, is_cached }| {
        let what = if *is_cached { "was compiled before" } else { "compiled" };
        writeln!(out, "{}: {what}", Escaped(module))
    }))
}

#[derive(Serialize)]
struct Compiled {
    module: String,
    #[serde(rename = "cached")]
    is_cached: bool,
}

/// Compiles one module, without a word, below the priority of whoever works here, and within a time: a file may be on a
/// disk that has gone, and the lock is for others too.
pub(crate) fn compile_module(
    module: &Path,
    common: &Common,
    place: &WhereArgs,
    convention: ConventionOf<'_>,
) -> ExitCode {
    let watch = thread::Builder::new().spawn(|| {
        thread::sleep(MOST_BEHIND);
        process::exit(1)
    });
    let _ = rustix::process::nice(10);
    ExitCode::from(u8::from(watch.is_err() || load(module, common, place, convention).is_err()))
}

/// Whether the module was compiled before.
fn load(module: &Path, common: &Common, place: &WhereArgs, convention: ConventionOf<'_>) -> Result<bool, Failure> {
    let policy = common.policy()?;
    let bytes = read_module(module, &policy)?;
    let convention = convention(&bytes);
    let cache = place.open()?;
    let cannot = |why: &dyn Display| Failure::cache(&format!("{}: {why}", cache.path().display()));
    if let Some(error) = cache.unusable() {
        return Err(cannot(error));
    }
    let mut options = limited();
    options.wasmtime.cache = Some(cache.clone());
    let sandbox = sandbox(COMPILED, policy, &options)?;
    // The code depends on what is offered, not on what a configuration says.
    let load = || convention.load(&sandbox, &bytes, &[]);
    let plugin = with_progress("compiling", common.quiet, load)?;
    sandbox.finish_compiling();
    if !plugin.is_cached() && !load()?.is_cached() {
        return Err(cannot(&"the code could not be kept: is the disk full, or the code larger than the cache?"));
    }
    Ok(plugin.is_cached())
}

/// `hotcell cache`
pub(crate) fn cache(command: &CacheCommand) -> ExitCode {
    let (CacheCommand::Show(place) | CacheCommand::Verify(place) | CacheCommand::Clear(place)) = command;
    let cache = match place.place.open() {
        Ok(cache) => cache,
        Err(failure) => return failure.finish(place.json),
    };
    match command {
        CacheCommand::Show(_) => exit(show(&cache, place.json)),
        CacheCommand::Verify(_) => verify(&cache, place.json),
        CacheCommand::Clear(_) => exit(clear(&cache, place.json)),
    }
}

#[derive(Serialize)]
struct Entry {
    name: String,
    bytes: u64,
    used_seconds_ago: u64,
}

fn show(cache: &CodeCache, json: bool) -> io::Result<()> {
    #[derive(Serialize)]
    struct Json {
        schema: u32,
        directory: String,
        unusable: Option<String>,
        limit_bytes: u64,
        entries: Vec<Entry>,
    }
    let ago = |used: SystemTime| used.elapsed().map_or(0, |ago| ago.as_secs());
    let entries: Vec<Entry> = (cache.entries().iter())
        .map(|entry| Entry { name: entry.name.to_string(), bytes: entry.bytes, used_seconds_ago: ago(entry.used) })
        .collect();
    let unusable = cache.unusable().map(ToString::to_string);
    let directory = cache.path().display().to_string();
    if json {
        return print_json(&Json { schema: SCHEMA, directory, unusable, limit_bytes: CodeCache::LIMIT, entries });
    }
    let mut out = io::stdout().lock();
    let bytes = ByteSize(entries.iter().map(|entry| entry.bytes).sum());
    writeln!(out, "{directory}: {} entries, {bytes} of {}", entries.len(), ByteSize(CodeCache::LIMIT))?;
    if let Some(error) = unusable {
        writeln!(out, "nothing is kept: {error}")?;
    }
    for Entry { name, bytes, used_seconds_ago } in entries {
        let ago = humantime::format_duration(Duration::from_secs(used_seconds_ago));
        writeln!(out, "  {name}  {:>10}  used {ago} ago", ByteSize(bytes).to_string())?;
    }
    out.flush()
}

/// Holds every entry against its seal.
fn verify(cache: &CodeCache, json: bool) -> ExitCode {
    #[derive(Serialize)]
    struct Json {
        schema: u32,
        entries: usize,
        damaged: Vec<String>,
    }
    let entries = cache.entries();
    let damaged = entries.iter().filter(|entry| cache.is_damaged(entry.name)).map(|entry| entry.name.to_string());
    let damaged: Vec<String> = damaged.collect();
    let is_sound = damaged.is_empty();
    let printed = if json {
        print_json(&Json { schema: SCHEMA, entries: entries.len(), damaged })
    } else {
        let mut out = io::stdout().lock();
        writeln!(out, "{} entries, {} damaged", entries.len(), damaged.len())
            .and_then(|()| damaged.iter().try_for_each(|name| writeln!(out, "  {name}: removed at its next use")))
    };
    if is_sound || printed.is_err() { exit(printed) } else { exit_with("cache") }
}

fn clear(cache: &CodeCache, json: bool) -> io::Result<()> {
    #[derive(Serialize)]
    struct Json {
        schema: u32,
        removed: usize,
    }
    let removed = cache.clear();
    if json {
        return print_json(&Json { schema: SCHEMA, removed });
    }
    writeln!(io::stdout(), "{removed} entries removed")
}
