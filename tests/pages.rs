//! The pages match the repository: their links, their blocks, their commands, and the codes that they explain.

#![cfg(all(feature = "toml", feature = "wasmi"))]

#[path = "pages/blocks.rs"]
mod blocks;
#[path = "pages/codes.rs"]
mod codes;
#[path = "pages/commands.rs"]
mod commands;
#[path = "pages/links.rs"]
mod links;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One Markdown file.
struct Page {
    /// Path from the root of the repository, with `/`.
    path: String,
    text: String,
}

/// A fenced block.
struct Block<'a> {
    page: &'a Page,
    /// Its first line, counted from 1.
    line: usize,
    /// The text after the fence.
    info: &'a str,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page about using or changing hotcell.
fn pages() -> Vec<Page> {
    let mut paths: Vec<_> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "guests/README.md",
        "guests/languages/README.md",
        "fuzz/README.md",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(names("docs", "md").map(|name| format!("docs/{name}")));
    let page = |path: String| Page { text: read(&path), path };
    let pages: Vec<_> = paths.into_iter().map(page).collect();
    assert!(pages.len() > 20, "{} pages", pages.len());
    pages
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the files in a folder with this extension.
fn names(folder: &str, extension: &str) -> impl Iterator<Item = String> {
    files(&root().join(folder))
        .into_iter()
        .filter(move |path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The Rust files of a folder and its subfolders.
fn sources(folder: &str) -> String {
    fn collect(folder: &Path, text: &mut String) {
        for path in files(folder) {
            match path.is_dir() {
                true => collect(&path, text),
                false if path.extension().is_some_and(|extension| extension == "rs") => {
                    text.push_str(&fs::read_to_string(path).unwrap());
                }
                false => {}
            }
        }
    }
    let mut text = String::new();
    collect(&root().join(folder), &mut text);
    text
}

impl Page {
    fn blocks(&self) -> Vec<Block<'_>> {
        let (mut blocks, mut open): (Vec<Block<'_>>, _) = (Vec::new(), None::<Block<'_>>);
        for (index, line) in self.text.lines().enumerate() {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, &mut open) {
                (Some(info), None) => {
                    open = Some(Block { page: self, line: index + 1, info: info.trim(), text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.path);
        blocks
    }

    /// The text with blocks and inline code blanked.
    fn prose(&self) -> String {
        let mut inside = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let is_fence = line.trim_start().starts_with("```");
            if !is_fence && !inside {
                prose.push_str(line);
            }
            inside ^= is_fence;
            prose.push('\n');
        }
        let mut in_code = false;
        prose
            .chars()
            .map(|character| {
                in_code ^= character == '`';
                if in_code && character != '\n' { ' ' } else { character }
            })
            .collect()
    }
}

impl Block<'_> {
    fn place(&self) -> String {
        format!("{}:{}", self.page.path, self.line)
    }

    fn language(&self) -> &str {
        self.info.split(',').next().unwrap_or("")
    }
}

/// Calls `check` for all blocks of one language.
fn each_block(language: &str, check: impl Fn(&Block<'_>)) {
    let pages = pages();
    let blocks = pages.iter().flat_map(Page::blocks).filter(|block| block.language() == language);
    let checked = blocks.inspect(|block| check(block)).count();
    assert!(checked > 0, "no block of {language}");
}
