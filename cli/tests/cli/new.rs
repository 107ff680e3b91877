//! `hotcell new`: what it writes builds and runs, where the tools exist.

use super::*;

/// A new plugin, in a directory of its own.
fn new(language: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("new-{language}"));
    let _ = fs::remove_dir_all(&directory);
    let told = output(["new", language, path_text(&directory)]);
    assert_eq!(exit_code(&told), 0, "{}", text(&told.stderr));
    directory
}

/// Runs the command that builds the plugin, as its README has it. Whether the tool is there.
fn build(directory: &Path, starts: &str) -> bool {
    let readme = fs::read_to_string(directory.join("README.md")).unwrap();
    let command = readme.lines().find(|line| line.starts_with(starts)).unwrap();
    let tool = starts.split(' ').next().unwrap();
    if !Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return false;
    }
    let built = Command::new("sh")
        .args(["-c", command])
        .current_dir(directory)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    assert!(built.status.success(), "{command}: {}", text(&built.stderr));
    true
}

fn shouts(module: &Path) {
    let told = output(["run", path_text(module), "--text", "hot cell", "--quiet"]);
    assert_eq!((exit_code(&told), text(&told.stdout).as_str()), (0, "HOT CELL"), "{}", text(&told.stderr));
}

#[test]
fn c_builds_and_runs() {
    let directory = new("c");
    if build(&directory, "clang") {
        shouts(&directory.join("plugin.wasm"));
    }
}

#[test]
fn rust_builds_and_runs() {
    let directory = new("rust");
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
    let library = Path::new(text(&sysroot).trim_end()).join("lib/rustlib/wasm32-unknown-unknown/lib");
    if library.is_dir() && build(&directory, "cargo build") {
        shouts(&directory.join("target/wasm32-unknown-unknown/release/new_rust.wasm"));
    }
}

#[test]
fn every_language_has_its_files() {
    for language in ["rust", "c", "assemblyscript", "go", "zig"] {
        let directory = new(language);
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let is_whole = !path.is_file() || !fs::read_to_string(&path).unwrap().contains("{{");
            assert!(is_whole, "{}", path.display());
        }
        let again = output(["new", language, path_text(&directory)]);
        assert!(text(&again.stderr).starts_with("hotcell: io"), "nothing is written over: {}", text(&again.stderr));
    }
    for name in ["..", "Plugin", "a b", "1st", "a\u{1b}b"] {
        assert_eq!(exit_code(&output(["new", "c", name])), 1, "{name}");
    }
    assert_eq!(exit_code(&output(["new", "cobol", "plugin"])), 2);
}
