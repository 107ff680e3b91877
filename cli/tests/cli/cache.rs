//! `hotcell compile`, `hotcell cache`, and what `run` and `call` keep.

use std::thread;

use super::*;

#[cfg(target_os = "linux")]
mod behind;

/// A directory that is not there yet.
fn nowhere(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    path
}

/// The entries of a cache.
fn entries(cache: &Path) -> usize {
    json(&output(["cache", "show", "--json", "--cache", path_text(cache)]))["entries"].as_array().unwrap().len()
}

/// The report of a run that worked.
fn report(args: &[&str]) -> Value {
    let output = output(args.iter().chain(&["--json"]));
    assert_eq!(exit_code(&output), 0, "{}", text(&output.stderr));
    json(&output)["report"].clone()
}

#[test]
fn what_is_compiled_is_found_by_the_next_run() {
    let (cache, module) = (nowhere("compile.cache"), shipped("wordcount.wasm"));
    let (cache, module) = (path_text(&cache), path_text(&module));
    for is_cached in [false, true] {
        let object = json(&output(["compile", module, "--cache", cache, "--json"]));
        assert_eq!(object["modules"][0]["cached"], is_cached);
    }
    let again = output(["compile", module, "--cache", cache]);
    assert!(text(&again.stdout).ends_with("was compiled before\n"), "{}", text(&again.stdout));
    let run = ["run", module, "--cache", cache];
    for backend in ["tiered", "wasmtime"] {
        let report = report(&[&run[..], &["--backend", backend]].concat());
        assert_eq!((&report["cached"], &report["backend"]), (&true.into(), &backend.into()));
    }
    assert_eq!(report(&[&run[..], &["--backend", "wasmi"]].concat())["cached"], false);
    assert_eq!(report(&["run", module, "--no-cache", "--backend", "wasmtime"])["cached"], false);
    assert_eq!(report(&[&run[..], &["--backend", "wasmtime", "--preset", "strict"]].concat())["cached"], false);
    let line = text(&output(run).stderr);
    assert!(line.starts_with("wasmtime ") && line.trim_end().ends_with("code from the cache"), "{line}");
}

#[test]
fn a_run_that_the_interpreter_answered_is_compiled_for_the_next() {
    let cache = nowhere("behind.cache");
    let module = shipped("markdown.wasm");
    let run = ["run", path_text(&module), "--cache", path_text(&cache)];
    assert_eq!(report(&run)["cached"], false);
    let begin = Instant::now();
    while entries(&cache) == 0 {
        assert!(begin.elapsed() < HANG, "nobody has compiled it");
        thread::sleep(Duration::from_millis(50));
        // On a busy machine the first may have given up.
        output(run);
    }
    let report = report(&run);
    assert_eq!((&report["cached"], &report["tier"]), (&true.into(), &"wasmtime".into()));
}

#[test]
fn a_cache_is_shown_verified_and_cleared() {
    let (cache, module) = (nowhere("shown.cache"), shipped("wordcount.wasm"));
    assert_eq!(exit_code(&output(["compile", path_text(&module), "--cache", path_text(&cache)])), 0);
    assert_eq!(entries(&cache), 1);
    let shown = output(["cache", "show", "--cache", path_text(&cache)]);
    assert!(text(&shown.stdout).contains("1 entries"), "{}", text(&shown.stdout));
    let verify = || output(["cache", "verify", "--cache", path_text(&cache)]);
    assert_eq!((exit_code(&verify()), text(&verify().stdout).as_str()), (0, "1 entries, 0 damaged\n"));

    let is_entry = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 64);
    let entry = fs::read_dir(&cache).unwrap().map(|file| file.unwrap().path()).find(is_entry).unwrap();
    let mut bytes = fs::read(&entry).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&entry, bytes).unwrap();
    assert_eq!(exit_code(&verify()), 1);
    let run = ["run", path_text(&module), "--cache", path_text(&cache), "--backend", "wasmtime"];
    assert_eq!(report(&run)["cached"], false, "a damaged entry is a miss");
    assert_eq!(report(&run)["cached"], true, "and is written again");

    let cleared = json(&output(["cache", "clear", "--json", "--cache", path_text(&cache)]));
    assert_eq!((&cleared["removed"], entries(&cache)), (&1.into(), 0));
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let (cache, module) = (nowhere("others.cache"), shipped("wordcount.wasm"));
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    for command in [&["run", path_text(&module)][..], &["compile", path_text(&module)], &["cache", "show"]] {
        let output = output(command.iter().chain(&["--cache", path_text(&cache)]));
        assert_eq!(exit_code(&output), 1);
        let message = text(&output.stderr);
        assert!(message.starts_with("hotcell: cache") && message.contains("chmod go-w"), "{message}");
    }
}

#[test]
fn a_directory_that_cannot_be_is_no_reason_to_fail() {
    let module = shipped("wordcount.wasm");
    let blocked = file("blocked.cache", "");
    let cache = blocked.join("below");
    let run = output(["run", path_text(&module), "--cache", path_text(&cache)]);
    assert_eq!(exit_code(&run), 0, "{}", text(&run.stderr));
    let warning = "hotcell: warning: no compiled code is kept: ";
    assert_eq!(text(&run.stderr).matches(warning).count(), 1, "{}", text(&run.stderr));
    for quiet in ["--quiet", "--json"] {
        let run = output(["run", path_text(&module), "--cache", path_text(&cache), quiet]);
        assert!(!text(&run.stderr).contains(warning), "{}", text(&run.stderr));
    }
    let compile = output(["compile", path_text(&module), "--cache", path_text(&cache)]);
    assert_eq!(exit_code(&compile), 1, "there is nothing that it could do");
    let shown = output(["cache", "show", "--cache", path_text(&cache)]);
    assert!(text(&shown.stdout).contains("nothing is kept"), "{}", text(&shown.stdout));
}
