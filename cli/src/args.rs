//! The command line's arguments.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hotcell::{
    Policy, Preset, Rules,
    policy::{Abi, Metering, Unknown, Wasi, text::parse_bytes},
};

use crate::{
    new::Language,
    outcome::Failure,
    profile::{AFTER_HELP, ProfileArgs},
    read::read_policy,
    values::{Limit, parse_abi, parse_deadline_arg, parse_unlimited_arg, parse_variable},
};

/// Runs untrusted WebAssembly plugins under one policy, with the same verdict on every engine.
#[derive(Parser)]
#[command(name = "hotcell", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  hotcell new rust shout                                    a plugin to start from
  hotcell run guests/markdown.wasm --input README.md        Markdown in, HTML out
  hotcell plugin.wasm --text hello                          the same as `hotcell run`, with the input in the line
  hotcell run plugin.wasm --input - --fuel 1000000          read stdin, stop after a million instructions
  hotcell call math.wat fib 20                              call one export with a number
  hotcell inspect plugin.wasm                               what it needs, and whether the policy admits it
  hotcell policy --preset strict > strict.toml              a policy file to start from
  hotcell run plugin.wasm --policy strict.toml --json       one JSON object for a script

Exit codes: 0 ok, 1 error of the caller or the host, 2 wrong usage, 3 module rejected, 4 ABI, 5 trap,
6 fuel or calls used up, 7 deadline, 8 broken contract, 9 the guest's own failure, 130 cancelled by Ctrl-C.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Send bytes through a plugin: a new instance, bytes in, bytes out
    #[command(after_help = "\
A plugin exports `memory`, `alloc(i32) -> i32`, the entry `(i32, i32) -> i64` and `__hotcell_abi_version() -> i32`. Any program
for WASI is a plugin, too: it exports `_start`, reads standard input and writes standard output. And so is what was built with
one of Extism's kits: it imports from `extism:host/env`, and exports entries without parameters.

Examples:
  hotcell run guests/markdown.wasm --input README.md --output readme.html
  echo hello | hotcell run program.wasm
  hotcell run extism-plugin.wasm --entry count_vowels --input README.md --config vowels=aeiou
  echo hello | hotcell run plugin.wat --input - --deadline 300ms --fuel unlimited")]
    Run(RunArgs),
    /// Call one export with typed arguments and print its results, one per line
    #[command(after_help = "\
Arguments are read by the export's own signature (i32, i64, f32, f64): -1, 1_000_000, 0xff, 0.5, -inf, nan. Results are printed
as numbers, one in each line.

Examples:
  hotcell call math.wasm fib 20
  hotcell call math.wasm add -1 5")]
    Call(CallArgs),
    /// Compile modules for later runs, into the user's cache
    #[command(after_help = "\
`run` and `call` do this by themselves. The code belongs to the module, the policy and the contract: give the flags that the
later run will have.

Examples:
  hotcell compile plugins/*.wasm
  hotcell compile --preset strict --entry handle plugin.wasm")]
    Compile(CompileArgs),
    /// Show, verify or clear the compiled code that is kept
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// Compile what the rest of the line runs, for the next time
    #[command(hide = true)]
    CompileBehind {
        #[command(subcommand)]
        command: BehindCommand,
    },
    /// Show a summary of a module, and whether the policy admits it
    Inspect(InspectArgs),
    /// Show the effective policy as TOML, and how each backend enforces it
    Policy(Common),
    /// Check the backends of this build against the contract
    #[command(after_help = "\
Every check of the list runs, or those of one suite, or those whose id contains the filter. Exit code 0: every backend
conforms; 1: a check failed, or none has such an id. The official scripts are in builds with the feature `spec-suite`.

The differential suite compares the backends on generated modules, each of which is named by its seed. They run in child
processes: an abort or a hang is a finding like a difference, and stands in a file with the command that shows it again.

Examples:
  hotcell conformance                                       every check, on every backend of this build
  hotcell conformance --backend wasmi --filter limits.      some checks, on one
  hotcell conformance --list                                the ids, and the sentence that each check proves
  hotcell conformance --suite differential --modules 10000
  hotcell conformance --suite differential --modules 1 --seed 4711")]
    Conformance(ConformanceArgs),
    /// Run the cases of a differential run in this process
    #[command(hide = true)]
    DifferentialChild(DifferentialArgs),
    /// Show where a plugin's fuel goes
    #[command(after_help = AFTER_HELP)]
    Profile(ProfileArgs),
    /// Measure a plugin on every backend, and the number of calls from which a JIT pays
    #[command(after_help = "\
Without a module, a small plugin that comes with the program is measured. Times are processor time; takes about half a
minute.

Examples:
  hotcell bench
  hotcell bench guests/markdown.wasm --input README.md --svg markdown.svg")]
    Bench(BenchArgs),
    /// Write a plugin to start from
    #[command(after_help = "\
The directory NAME gets the sources of a plugin that turns text to upper case, and the commands that build and run it.

Examples:
  hotcell new rust shout
  hotcell new c shout")]
    New {
        /// The language
        language: Language,
        /// The directory to make, and the plugin's name
        name: PathBuf,
    },
    /// Print a script that completes this program's commands in a shell
    #[command(after_help = "\
Example:
  hotcell completions bash > ~/.local/share/bash-completion/completions/hotcell")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages of the program and its commands
    Man {
        /// A directory that exists
        directory: PathBuf,
    },
    /// Show the backends of this build and what they enforce
    Backends {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(crate) struct ConformanceArgs {
    /// Which suite; all but the differential one if not given
    #[arg(long)]
    pub suite: Option<Suite>,
    /// Only checks whose id contains this
    #[arg(long, value_name = "ID")]
    pub filter: Option<String>,
    /// The backend to check; all of this build if not given
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
    /// Print the list and run nothing
    #[arg(long)]
    pub list: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
    #[command(flatten)]
    pub differential: DifferentialArgs,
}

impl ConformanceArgs {
    /// Whether an option is set that applies only to checks.
    pub(crate) fn is_about_checks(&self) -> bool {
        self.filter.is_some() || self.backend.is_some() || self.list
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Suite {
    /// The contract of a backend
    Contract,
    /// The official WebAssembly scripts
    Spec,
    /// The backends against each other, on generated modules
    Differential,
}

#[derive(Args)]
pub(crate) struct DifferentialArgs {
    /// How many modules
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub modules: u64,
    /// Seed of the first module; the others have consecutive seeds
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Directory of the findings
    #[arg(long, value_name = "DIR", default_value = "findings")]
    pub findings: PathBuf,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The plugin: a binary (.wasm) or text (.wat); `-` is standard input
    pub module: PathBuf,
    /// File with the input. Standard input if not given or `-`; nothing where that is a terminal and not named
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The input itself, as text
    #[arg(long, conflicts_with = "input")]
    pub text: Option<String>,
    /// File for the reply; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// The export to call; a program for WASI has its own
    #[arg(long, default_value = "process")]
    pub entry: String,
    /// Arguments of a program, behind its name
    #[arg(last = true, value_name = "ARG")]
    pub arguments: Vec<String>,
    #[command(flatten)]
    pub wasi: WasiArgs,
    /// A key that an Extism plugin reads as its configuration
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_variable)]
    pub config: Vec<(String, String)>,
    #[command(flatten)]
    pub explain: ExplainArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
    #[command(flatten)]
    pub common: Common,
}

/// Whether a failed call is explained.
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// Do not run a failed call again to see where it failed
    #[arg(long)]
    pub no_explain: bool,
}

/// What a guest gets of WASI beyond a sandbox without an outside.
#[derive(Args)]
#[command(next_help_heading = "What a program for WASI gets")]
pub(crate) struct WasiArgs {
    /// A variable of its environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub env: Vec<(String, String)>,
    /// The real clock; without it time stands still but for what the guest sleeps
    #[arg(long)]
    pub real_clock: bool,
    /// Real random numbers; without it they are made from the policy's seed
    #[arg(long)]
    pub real_random: bool,
}

#[derive(Args)]
pub(crate) struct CallArgs {
    /// The module: a binary (.wasm) or text (.wat); `-` is standard input
    pub module: PathBuf,
    /// The export to call
    pub export: String,
    /// Its arguments
    #[arg(value_name = "ARG")]
    pub arguments: Vec<String>,
    #[command(flatten)]
    pub explain: ExplainArgs,
    #[command(flatten)]
    pub cache: CacheArgs,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub(crate) struct CompileArgs {
    /// The modules: binaries (.wasm) or texts (.wat)
    #[arg(required = true)]
    pub modules: Vec<PathBuf>,
    /// The entry of the byte contract
    #[arg(long, default_value = "process")]
    pub entry: String,
    /// Require no contract: for `hotcell call`
    #[arg(long, conflicts_with = "entry")]
    pub no_contract: bool,
    #[command(flatten)]
    pub place: WhereArgs,
    #[command(flatten)]
    pub common: Common,
}

/// Where compiled code is kept.
#[derive(Args)]
#[command(next_help_heading = "Compiled code")]
pub(crate) struct WhereArgs {
    /// Directory of compiled code; `hotcell` in the user's cache directory if not given
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

/// Whether and where compiled code is kept.
#[derive(Args)]
#[command(next_help_heading = "Compiled code")]
pub(crate) struct CacheArgs {
    /// Use no compiled code of earlier runs, and keep none
    #[arg(long, conflicts_with = "cache")]
    pub no_cache: bool,
    #[command(flatten)]
    pub place: WhereArgs,
}

/// The commands that another process compiles for.
#[derive(Subcommand)]
pub(crate) enum BehindCommand {
    /// As the command of this name
    Run(RunArgs),
    /// As the command of this name
    Call(CallArgs),
}

#[derive(Subcommand)]
pub(crate) enum CacheCommand {
    /// List the entries
    Show(CacheShowArgs),
    /// Hold every entry against its seal
    Verify(CacheShowArgs),
    /// Remove all entries
    Clear(CacheShowArgs),
}

#[derive(Args)]
pub(crate) struct CacheShowArgs {
    #[command(flatten)]
    pub place: WhereArgs,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// The module: a binary (.wasm) or text (.wat); `-` is standard input
    pub module: PathBuf,
    /// The entry of the byte contract
    #[arg(long, default_value = "process")]
    pub entry: String,
    /// Require no contract: allow any exports
    #[arg(long, conflicts_with = "entry")]
    pub no_contract: bool,
    /// Offer every function that the module imports, as a host would that has them
    #[arg(long)]
    pub offer: bool,
    /// Only admission: print the verdict, exit with its code, compile nothing
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// The plugin: a binary (.wasm) or text (.wat)
    pub module: Option<PathBuf>,
    /// File with the input; `-` is standard input. Empty if not given
    #[arg(long, value_name = "FILE", requires = "module")]
    pub input: Option<PathBuf>,
    /// The export to call
    #[arg(long, default_value = "process", requires = "module")]
    pub entry: String,
    /// Draw total time over number of calls
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

/// The flags of every command that uses a policy.
#[derive(Args)]
#[command(next_help_heading = "Policy and output")]
pub(crate) struct Common {
    /// The engine; `hotcell backends` lists those of this build. If not given: `tiered` to run, all of them otherwise
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
    /// A policy file
    #[arg(long, value_name = "FILE.toml", conflicts_with = "preset")]
    pub policy: Option<PathBuf>,
    /// A named policy to start from
    #[arg(long, value_enum)]
    pub preset: Option<PresetArg>,
    /// Instructions for the whole operation
    #[arg(long, value_name = "1M|unlimited", value_parser = parse_unlimited_arg)]
    pub fuel: Option<Limit<u64>>,
    /// Wall-clock time for the whole operation
    #[arg(long, value_name = "SECONDS|500ms|none", value_parser = parse_deadline_arg)]
    pub deadline: Option<Limit<Duration>>,
    /// Memories and tables together
    #[arg(long, value_name = "64MiB", value_parser = parse_bytes)]
    pub max_memory: Option<u64>,
    /// Stack of the guest's calls within calls
    #[arg(long, value_name = "512KiB", value_parser = parse_bytes)]
    pub max_stack: Option<u64>,
    /// What counts fuel
    #[arg(long, value_enum)]
    pub metering: Option<MeteringArg>,
    /// The version export, and the accepted version or versions (1-3)
    #[arg(long, value_name = "EXPORT=VERSION", value_parser = parse_abi, conflicts_with = "no_abi")]
    pub abi: Option<Abi>,
    /// Do not check the ABI version
    #[arg(long)]
    pub no_abi: bool,
    /// Allow a start function
    #[arg(long)]
    pub allow_start: bool,
    /// Admit imported functions that nobody offers: a call of one is import-missing
    #[arg(long)]
    pub trap_unknown: bool,
    /// The system interface that the module may import (WASI preview 1)
    #[arg(long, value_enum)]
    pub wasi: Option<WasiArg>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// No report line and no progress
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PresetArg {
    /// For the plugins of a desktop application's own users
    Default,
    /// For strangers' code on a shared server
    Strict,
    /// For microcontrollers
    Embedded,
    /// Every module cap at the engines' maximum: for test suites and language runtimes
    Ceiling,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum MeteringArg {
    /// The same number on every backend
    Exact,
    /// The engine's own counter
    Engine,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum WasiArg {
    /// None
    Deny,
    /// All of it, without an outside: the same on every backend
    Sandbox,
}

impl Common {
    /// The policy that file, preset and flags describe together.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        let base = match (&self.policy, self.preset) {
            (Some(file), _) => read_policy(file)?,
            (None, preset) => Policy::new(Rules::preset(preset.map_or(Preset::Default, Preset::from)))?,
        };
        Ok(base.with(|rules| {
            if let Some(Limit(fuel)) = self.fuel {
                rules.limits.fuel = fuel;
            }
            if let Some(Limit(deadline)) = self.deadline {
                rules.limits.deadline = deadline;
            }
            if let Some(bytes) = self.max_memory {
                rules.limits.memory_bytes = bytes;
            }
            if let Some(bytes) = self.max_stack {
                rules.limits.stack_bytes = bytes;
            }
            if let Some(metering) = self.metering {
                rules.metering = metering.into();
            }
            if let Some(abi) = &self.abi {
                rules.abi = Some(abi.clone());
            }
            if self.no_abi {
                rules.abi = None;
            }
            rules.module.start |= self.allow_start;
            if self.trap_unknown {
                rules.imports.unknown = Unknown::Trap;
            }
            if let Some(wasi) = self.wasi {
                rules.wasi = wasi.into();
            }
        })?)
    }
}

impl From<PresetArg> for Preset {
    fn from(preset: PresetArg) -> Self {
        match preset {
            PresetArg::Default => Self::Default,
            PresetArg::Strict => Self::Strict,
            PresetArg::Embedded => Self::Embedded,
            PresetArg::Ceiling => Self::Ceiling,
        }
    }
}

impl From<WasiArg> for Wasi {
    fn from(wasi: WasiArg) -> Self {
        match wasi {
            WasiArg::Deny => Self::Deny,
            WasiArg::Sandbox => Self::Sandbox,
        }
    }
}

impl From<MeteringArg> for Metering {
    fn from(metering: MeteringArg) -> Self {
        match metering {
            MeteringArg::Exact => Self::Exact,
            MeteringArg::Engine => Self::Engine,
        }
    }
}
