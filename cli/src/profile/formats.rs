//! Formats of other tools.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use serde_json::json;

use super::Profiled;

/// A line for each call path: its functions from the outermost on, and the fuel of the last.
pub(super) fn folded(profiled: &Profiled) -> String {
    let mut out = String::new();
    for path in profiled.profile.paths.iter().filter(|path| path.fuel > 0) {
        let functions = profiled.profile.functions_of(path);
        // A semicolon ends a function.
        let names: Vec<_> = functions.iter().map(|function| profiled.name(*function).replace(';', ",")).collect();
        writeln!(out, "{} {}", names.join(";"), path.fuel).expect("a string takes all");
    }
    out
}

/// A profile in the file format of speedscope.
pub(super) fn speedscope(profiled: &Profiled, module: &Path) -> String {
    let mut frames = Vec::new();
    let mut indices = BTreeMap::new();
    let (mut samples, mut weights) = (Vec::new(), Vec::new());
    for path in profiled.profile.paths.iter().filter(|path| path.fuel > 0) {
        let stack = profiled.profile.functions_of(path).into_iter().map(|function| {
            *indices.entry(function).or_insert_with(|| {
                frames.push(json!({ "name": profiled.name(function) }));
                frames.len() - 1
            })
        });
        samples.push(stack.collect::<Vec<_>>());
        weights.push(path.fuel);
    }
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let profile = json!({
        "type": "sampled", "name": format!("{name}: fuel"), "unit": "none",
        "startValue": 0, "endValue": profiled.profile.fuel(), "samples": samples, "weights": weights,
    });
    let file = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("hotcell ", env!("CARGO_PKG_VERSION")),
        "shared": { "frames": frames },
        "profiles": [profile],
    });
    format!("{file}\n")
}
