use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::Profiled;

/// Characters of a name in a table.
const NAME: usize = 80;

/// Writes the functions that use most by themselves.
pub(super) fn write(out: &mut impl Write, profiled: &Profiled, top: usize) -> io::Result<()> {
    let mut costs = profiled.profile.functions.clone();
    costs.sort_by_key(|cost| (std::cmp::Reverse((cost.fuel, cost.total)), cost.function));
    let percent = |fuel: u64| 100.0 * fuel as f64 / profiled.fuel_used.max(1) as f64;
    writeln!(out, "{:>14}{:>8}{:>15}{:>8}{:>11}  function", "self", "%", "total", "%", "calls")?;
    for cost in costs.iter().take(top) {
        let name = short(&profiled.name(Some(cost.function)));
        let (own, all) = (percent(cost.fuel), percent(cost.total));
        writeln!(out, "{:>14}{own:>8.1}{:>15}{all:>8.1}{:>11}  {name}", cost.fuel, cost.total, cost.calls)?;
    }
    let rest = costs.len().saturating_sub(top);
    if rest > 0 {
        let fuel: u64 = costs[top..].iter().map(|cost| cost.fuel).sum();
        writeln!(out, "{fuel:>14}{:>8.1}{:>42}  and {rest} more functions", percent(fuel), "")?;
    }
    writeln!(out, "{:>14} fuel", profiled.fuel_used)
}

/// Writes the functions whose own fuel differs most. Functions are the same if their names are.
pub(super) fn write_difference(out: &mut impl Write, new: &Profiled, old: &Profiled, top: usize) -> io::Result<()> {
    let mut rows: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (side, profiled) in [old, new].into_iter().enumerate() {
        for cost in &profiled.profile.functions {
            rows.entry(profiled.name(Some(cost.function))).or_default()[side] += cost.fuel;
        }
    }
    let difference = |[old, new]: [u64; 2]| i128::from(new) - i128::from(old);
    let mut rows: Vec<_> = rows.into_iter().filter(|(_, fuel)| fuel[0] != fuel[1]).collect();
    rows.sort_by_key(|(_, fuel)| std::cmp::Reverse(difference(*fuel).abs()));
    writeln!(out, "{:>14}{:>15}{:>15}  function", "before", "now", "difference")?;
    for (name, fuel) in rows.iter().take(top) {
        writeln!(out, "{:>14}{:>15}{:>+15}  {}", fuel[0], fuel[1], difference(*fuel), short(name))?;
    }
    if let Some(rest) = rows.get(top..).filter(|rest| !rest.is_empty()) {
        let sum: i128 = rest.iter().map(|(_, fuel)| difference(*fuel)).sum();
        writeln!(out, "{:>14}{:>15}{sum:>+15}  and {} more functions", "", "", rest.len())?;
    }
    let all = [old.fuel_used, new.fuel_used];
    writeln!(out, "{:>14}{:>15}{:>+15}  fuel", all[0], all[1], difference(all))
}

fn short(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
