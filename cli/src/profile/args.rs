use std::path::PathBuf;

use clap::Args;

use crate::args::{Common, WasiArgs};

pub(crate) const AFTER_HELP: &str = "\
Fuel is exact, and the same on every backend and machine: two profiles differ only if the plugins or the inputs do. The sum
over all call paths is the fuel that the call uses without a profile.

Examples:
  hotcell profile guests/markdown.wasm --input README.md
  hotcell profile guests/markdown.wasm --input README.md --svg markdown.svg
  hotcell profile new.wasm --input README.md --against old.wasm
  hotcell profile plugin.wasm --input README.md --save budgets.toml
  hotcell profile plugin.wasm --input README.md --check budgets.toml";

#[derive(Args)]
pub(crate) struct ProfileArgs {
    /// The plugin: a binary (.wasm) or text (.wat)
    pub module: PathBuf,
    /// File with the input. Standard input if not given or `-`; nothing where that is a terminal and not named
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The export to call; a program for WASI has its own
    #[arg(long, default_value = "process")]
    pub entry: String,
    /// Arguments of a program, behind its name
    #[arg(last = true, value_name = "ARG")]
    pub arguments: Vec<String>,
    /// How many functions to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Write a line for each call path: for tools that draw flame graphs
    #[arg(long, value_name = "FILE")]
    pub folded: Option<PathBuf>,
    /// Write a profile for speedscope.app
    #[arg(long, value_name = "FILE.json")]
    pub speedscope: Option<PathBuf>,
    /// Draw a flame graph
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Another plugin, to show the difference to it on the same input
    #[arg(long, value_name = "MODULE")]
    pub against: Option<PathBuf>,
    /// Fail if the plugin uses more fuel than this file says
    #[arg(long, value_name = "BUDGETS.toml")]
    pub check: Option<PathBuf>,
    /// Write to this file how much fuel the plugin uses
    #[arg(long, value_name = "BUDGETS.toml")]
    pub save: Option<PathBuf>,
    /// A key that an Extism plugin reads as its configuration
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::values::parse_variable)]
    pub config: Vec<(String, String)>,
    #[command(flatten)]
    pub wasi: WasiArgs,
    #[command(flatten)]
    pub common: Common,
}
