//! docs/policy.md matches the presets: every field has its row, and every row its field.

use std::collections::{BTreeMap, BTreeSet};

use hotcell::{
    Preset, Proposal, Rules, parse_policy,
    policy::{
        Abi,
        text::{parse_bytes, parse_duration},
    },
};
use toml::{Table, Value};

const PAGE: &str = include_str!("../docs/policy.md");

/// The presets in the order of the page's columns.
const COLUMNS: [Preset; 4] = [Preset::Default, Preset::Strict, Preset::Embedded, Preset::Ceiling];

/// A table of the page: its heading, and its cells, titles first.
struct Rows {
    heading: &'static str,
    cells: Vec<Vec<&'static str>>,
}

fn tables() -> Vec<Rows> {
    let (mut tables, mut heading, mut inside) = (Vec::<Rows>::new(), "", false);
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim();
        }
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix('|')) else {
            inside &= line.starts_with("|-");
            continue;
        };
        if !inside {
            tables.push(Rows { heading, cells: Vec::new() });
        }
        inside = true;
        tables.last_mut().unwrap().cells.push(row.split('|').map(str::trim).collect());
    }
    tables
}

/// The rows of the tables with these titles, by their key, which must be unique.
fn rows(titles: &[&str]) -> BTreeMap<(&'static str, &'static str), Vec<&'static str>> {
    let mut rows = BTreeMap::new();
    for Rows { heading, cells } in tables() {
        let Some((_, body)) = cells.split_first().filter(|(first, _)| first.starts_with(titles)) else {
            continue;
        };
        for row in body {
            let key = row[0].strip_prefix('`').and_then(|key| key.strip_suffix('`')).expect(row[0]);
            assert!(rows.insert((heading, key), row[1..].to_vec()).is_none(), "{key} stands twice");
        }
    }
    rows
}

/// A number in the format of the page or a policy file: bytes, nanoseconds, a count, or none.
fn number(text: &str) -> Option<u128> {
    let text = text.trim_matches('"').replace([',', ' '], "");
    match &*text {
        "unlimited" | "none" => None,
        "true" => Some(1),
        "false" => Some(0),
        text => {
            // A size may end in `m`, too, and a number without a unit would be seconds.
            let read = text.parse().ok().or_else(|| parse_duration(text).ok().map(|duration| duration.as_nanos()));
            let read = read.ok_or(()).or_else(|()| parse_bytes(text).map(u128::from));
            Some(read.unwrap_or_else(|error| panic!("{text}: {error}")))
        }
    }
}

/// The rules of a preset in the format of a policy file, by their full key.
fn written(preset: Preset) -> BTreeMap<String, Value> {
    let rules = Table::try_from(Rules::preset(preset)).unwrap();
    let flat = rules.into_iter().flat_map(|(key, value)| match value {
        Value::Table(table) if key != "abi" => {
            table.into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)).collect()
        }
        value => vec![(key, value)],
    });
    flat.collect()
}

/// The numbers of a preset, by the key in rejections.
fn numbers(preset: Preset) -> BTreeMap<String, Option<u128>> {
    let written =
        written(preset).into_iter().filter(|(key, _)| key.starts_with("limits.") || key.starts_with("module."));
    written.map(|(key, value)| (key, number(&value.to_string()))).collect()
}

#[test]
fn every_number_of_every_preset_is_on_the_page() {
    let rows = rows(&["key", "default", "strict", "embedded", "ceiling"]);
    let page: BTreeMap<String, Vec<&str>> = rows
        .into_iter()
        .map(|((heading, key), cells)| {
            let table = heading.split_once("`[").and_then(|(_, rest)| rest.strip_suffix("]`")).expect(heading);
            (format!("{table}.{key}"), cells)
        })
        .collect();
    for (column, preset) in COLUMNS.into_iter().enumerate() {
        let numbers = numbers(preset);
        let keys = |keys: BTreeSet<&String>| keys.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(keys(page.keys().collect()), keys(numbers.keys().collect()), "one row for each field");
        for (key, expected) in numbers {
            let found = number(page[&key][column]);
            assert_eq!(found, expected, "{key} under {}: the page, and the code", preset.name());
        }
    }
}

/// `VALUE in all`, or `VALUE in PRESET, VALUE in the others`.
fn in_preset(cell: &str, preset: Preset) -> Option<&str> {
    let name = format!("`{}`", preset.name());
    cell.split(", ").find_map(|part| {
        let (value, place) = part.split_once(" in ")?;
        (place == "all" || place == "the others" || place == name).then(|| value.trim_matches(['`', '"']))
    })
}

#[test]
fn every_other_field_is_on_the_page() {
    let rows = rows(&["key", "presets", "values"]);
    let page: Vec<_> = rows.keys().map(|(_, key)| (*key).to_owned()).collect();
    for preset in Preset::ALL {
        let written = written(preset);
        let others = written.iter().filter(|(key, _)| !key.starts_with("limits.") && !key.starts_with("module."));
        let others: BTreeMap<_, _> = others.collect();
        let keys: Vec<_> = others.keys().map(|key| (*key).clone()).collect();
        assert_eq!(page, keys, "one row for each field");
        for ((_, key), cells) in &rows {
            let expected = others[&(*key).to_owned()];
            match *key {
                // They have no value for a column.
                "preset" | "proposals" => {}
                "abi" => {
                    assert_eq!(cells[0].contains(&format!("in `{}` `{expected}`", preset.name())), !expected.is_table())
                }
                _ => {
                    let found = in_preset(cells[0], preset);
                    assert_eq!(found, Some(expected.to_string().trim_matches('"')), "{key} under {}", preset.name());
                }
            }
        }
    }
    let Abi { export, min, max } = Abi::default();
    assert!(PAGE.contains(&format!("`export`, `min`, `max`. `{export}`, {min}, {max}.")));
}

#[test]
fn every_proposal_is_on_the_page() {
    let rows = rows(&["name", "in presets"]);
    let page: BTreeSet<_> = rows.keys().map(|(_, name)| *name).collect();
    assert_eq!(page, Proposal::ALL.iter().map(|proposal| proposal.name()).collect());
    for proposal in Proposal::ALL {
        let allow = |preset: &Preset| Rules::preset(*preset).proposals.contains(*proposal);
        let allowing: Vec<_> = COLUMNS.iter().filter(|preset| allow(preset)).map(|preset| preset.name()).collect();
        let expected = match allowing.len() {
            0 => "none".to_owned(),
            4 => "all".to_owned(),
            _ => allowing.join(", "),
        };
        let cells = &rows.iter().find(|((_, name), _)| *name == proposal.name()).unwrap().1;
        assert_eq!(cells[0], expected, "{}", proposal.name());
    }
}

#[test]
fn what_is_said_beside_the_tables_is_so() {
    let fuel = PAGE.split_once("version question may cost ").and_then(|(_, rest)| rest.split_once(" fuel")).unwrap().0;
    assert_eq!(number(fuel), Some(hotcell_core::plugin::ABI_FUEL.into()));
    let example = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    parse_policy(example).unwrap();
}
