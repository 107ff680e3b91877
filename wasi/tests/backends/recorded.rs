//! What `node/record.mjs` has recorded.

use super::guest::{Argument, FUNCTIONS};

/// A call and its outcome.
pub(crate) struct Step {
    pub(crate) sequence: usize,
    pub(crate) line: String,
    pub(crate) name: String,
    pub(crate) types: String,
    pub(crate) arguments: Vec<Argument>,
    /// The error code, and what the function has written.
    pub(crate) outcome: Vec<u64>,
}

pub(crate) fn sequences(text: &str) -> Vec<Vec<Step>> {
    let mut sequences: Vec<Vec<Step>> = Vec::new();
    for line in text.lines() {
        match line.starts_with('#') {
            true => sequences.push(Vec::new()),
            false => {
                let sequence = sequences.len() - 1;
                sequences[sequence].push(step(sequence, line));
            }
        }
    }
    sequences
}

fn step(sequence: usize, line: &str) -> Step {
    let (call, outcome) = line.split_once(" > ").unwrap();
    let (name, arguments) = call.split_once(' ').unwrap();
    let (_, types) = FUNCTIONS.iter().find(|(function, _)| *function == name).unwrap();
    Step {
        sequence,
        line: line.into(),
        name: name.into(),
        types: (*types).into(),
        arguments: arguments.split(' ').map(argument).collect(),
        outcome: outcome.split(' ').map(|word| word.parse().unwrap()).collect(),
    }
}

fn argument(text: &str) -> Argument {
    if text == "*" {
        return Argument::Out;
    }
    if let Some(path) = text.strip_prefix('\'') {
        return Argument::Path(path.trim_end_matches('\'').into());
    }
    if let Some(list) = text.strip_prefix('[') {
        let lengths = list.trim_end_matches(']').split(',').filter(|length| !length.is_empty());
        return Argument::List(lengths.map(|length| length.parse().unwrap()).collect());
    }
    match text.strip_suffix('L') {
        Some(number) => Argument::I64(number.parse::<i128>().unwrap() as u64),
        None => Argument::I32(text.parse().unwrap()),
    }
}

/// What a call's part of the log says, in the same words.
pub(crate) fn outcome(name: &str, record: &[u8]) -> Vec<u64> {
    let word = |at: usize| u64::from(u32::from_le_bytes(record[at..][..4].try_into().unwrap()));
    let long = |at: usize| u64::from_le_bytes(record[at..][..8].try_into().unwrap());
    let errno = word(0);
    let written = match name {
        _ if errno != 0 => vec![],
        "fd_read" | "fd_pread" => vec![word(8), word(4)],
        "fd_write" | "fd_pwrite" | "path_open" => vec![word(8)],
        "fd_seek" | "fd_tell" => vec![long(8)],
        // A directory's size is not recorded.
        "fd_filestat_get" | "path_filestat_get" if long(16) == 3 => vec![3],
        "fd_filestat_get" | "path_filestat_get" => vec![long(16), long(24)],
        _ => vec![],
    };
    [&[errno][..], &written].concat()
}
