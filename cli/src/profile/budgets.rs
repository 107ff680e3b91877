//! A file that says how much fuel plugins may use.

use std::{fs, io, path::Path};

use hotcell::verdict::Escaped;
use serde::{Deserialize, Serialize};

use super::ProfileArgs;
use crate::outcome::Failure;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budgets {
    #[serde(default)]
    budget: Vec<Budget>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    /// File name of the plugin.
    module: String,
    /// File name of the input; `-` for standard input.
    input: String,
    entry: String,
    /// The most that it may use.
    fuel: u64,
}

impl Budget {
    fn of(args: &ProfileArgs, fuel: u64) -> Self {
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let input = args.input.as_deref().map_or_else(|| "-".to_owned(), name);
        Self { module: name(&args.module), input, entry: args.entry.clone(), fuel }
    }

    fn is_about(&self, other: &Self) -> bool {
        (&self.module, &self.input, &self.entry) == (&other.module, &other.input, &other.entry)
    }
}

/// Writes what the call used, beside what the file says of others.
pub(super) fn save(path: &Path, args: &ProfileArgs, fuel: u64) -> Result<(), Failure> {
    let mut budgets = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Budgets::default(),
        budgets => budgets.map_err(|error| Failure::file("read the budgets", path, &error))?,
    };
    let new = Budget::of(args, fuel);
    match budgets.budget.iter_mut().find(|budget| budget.is_about(&new)) {
        Some(budget) => budget.fuel = fuel,
        None => budgets.budget.push(new),
    }
    let text = toml::to_string(&budgets).expect("names and numbers are TOML");
    fs::write(path, text).map_err(|error| Failure::file("write the budgets", path, &error))
}

/// What is wrong where the call used more than the file says.
pub(super) fn check(path: &Path, args: &ProfileArgs, fuel: u64) -> Result<Option<Failure>, Failure> {
    let budgets = read(path).map_err(|error| Failure::file("read the budgets", path, &error))?;
    let used = Budget::of(args, fuel);
    let (module, input) = (Escaped(&used.module), Escaped(&used.input));
    let Some(budget) = budgets.budget.iter().find(|budget| budget.is_about(&used)) else {
        return Ok(Some(Failure::over_budget(format!("no budget for {module} with {input}; --save writes one"))));
    };
    let more = fuel.saturating_sub(budget.fuel);
    let percent = 100.0 * more as f64 / budget.fuel.max(1) as f64;
    Ok((more > 0).then(|| {
        let allowed = budget.fuel;
        Failure::over_budget(format!("{module} uses {fuel} fuel, {percent:.1} % more than the {allowed} of its budget"))
    }))
}

fn read(path: &Path) -> io::Result<Budgets> {
    let text = fs::read_to_string(path)?;
    toml::from_str(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.message().to_owned()))
}
