use std::collections::HashSet;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    text: String,
}

#[derive(Serialize)]
struct Output<'a> {
    words: usize,
    unique: usize,
    longest: &'a str,
}

fn count(input: &[u8]) -> String {
    let Input { text } = serde_json::from_slice(input).expect("a text");
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let unique: HashSet<&str> = words.iter().copied().collect();
    let chars = |word: &str| word.chars().count();
    let longest = words.iter().fold("", |longest, word| if chars(word) > chars(longest) { word } else { longest });
    let output = Output { words: words.len(), unique: unique.len(), longest };
    serde_json::to_string(&output).expect("numbers and a string")
}

hotcell_guest::entry!(count);
