//! The processes that compile for the next run.

use std::{io::Read, os::unix::fs::PermissionsExt};

use hotcell::{CodeCache, CompileWorker, Contract, Policy, SandboxOptions, sandbox};

use super::*;

/// How many processes compile for the next run with this cache.
fn compiling(cache: &Path) -> usize {
    let process = |process: io::Result<fs::DirEntry>| {
        let path = process.ok()?.path();
        let line = fs::read(path.join("cmdline")).ok()?;
        let mut words = line.split(|byte| *byte == 0).skip(1);
        let is_one = words.next() == Some(b"compile-behind") && words.any(|word| word == path_text(cache).as_bytes());
        let stat = fs::read_to_string(path.join("stat")).ok().filter(|_| is_one)?;
        // Behind the name, which is in parentheses: the state, and the parent.
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.to_owned();
        Some((path.file_name()?.to_str()?.to_owned(), parent))
    };
    let all: Vec<_> = fs::read_dir("/proc").unwrap().filter_map(process).collect();
    // Until it is another program, the child of one looks like it.
    all.iter().filter(|(_, parent)| all.iter().all(|(number, _)| number != parent)).count()
}

/// A run on the interpreter, whose module may be compiled for the next.
fn run(module: &Path, cache: &Path) -> Command {
    hotcell(["run", path_text(module), "--cache", path_text(cache), "--quiet"])
}

/// Whether somebody has compiled it. It is run again where nobody does: on a busy machine one may have given up.
fn is_kept(module: &Path, cache: &Path) -> bool {
    if compiling(cache) == 0 {
        assert!(run(module, cache).output().unwrap().status.success());
    }
    entries(cache) == 1
}

fn wait_until(mut what: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < HANG);
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn one_process_compiles_at_a_time() {
    let (cache, module) = (nowhere("many.cache"), shipped("markdown.wasm"));
    let mut runs: Vec<_> = (0..8).map(|_| run(&module, &cache).stdout(Stdio::null()).spawn().unwrap()).collect();
    let mut most = 0;
    wait_until(|| {
        most = most.max(compiling(&cache));
        runs.retain_mut(|run| run.try_wait().unwrap().is_none());
        runs.is_empty() && is_kept(&module, &cache)
    });
    assert_eq!(most, 1);
}

#[test]
fn who_finds_the_lock_taken_compiles_nothing() {
    let (cache, module) = (nowhere("taken.cache"), shipped("markdown.wasm"));
    let lock = CodeCache::in_dir(&cache).unwrap().try_lock().unwrap();
    assert!(run(&module, &cache).output().unwrap().status.success());
    assert_eq!(compiling(&cache), 0);
    drop(lock);
    wait_until(|| is_kept(&module, &cache));
}

#[test]
fn pipes_are_not_read_again() {
    let (cache, module) = (nowhere("pipe.cache"), fs::read(shipped("wordcount.wasm")).unwrap());
    let policy = text(&output(["policy"]).stdout);
    let pipe = Path::new(env!("CARGO_TARGET_TMPDIR")).join("module.pipe");
    let _ = fs::remove_file(&pipe);
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for is_policy in [false, true] {
        let bytes = if is_policy { policy.as_bytes().to_vec() } else { module.clone() };
        let writer = thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, bytes)
        });
        let mut run = if is_policy { run(&shipped("wordcount.wasm"), &cache) } else { run(&pipe, &cache) };
        if is_policy {
            run.arg("--policy").arg(&pipe);
        }
        let output = run.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        writer.join().unwrap().unwrap();
        assert_eq!(compiling(&cache), 0, "it would wait for the next who writes");
    }
}

/// A pipe ends when nobody has it any more: a shell waits for that.
#[test]
fn inherited_files_are_closed() {
    let module = shipped("markdown.wasm");
    // Seen once is enough: the process that was left may be fast.
    let is_left = (0..20).any(|_| {
        let cache = nowhere("inherited.cache");
        let script = r#"exec "$@" 4>&1 >/dev/null 2>&1"#;
        let line = ["-c", script, "sh", env!("CARGO_BIN_EXE_hotcell"), "run", path_text(&module), "--cache"];
        let mut shell = Command::new("sh");
        shell.args(line).arg(&cache).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        let is_left = compiling(&cache) > 0;
        assert!(shell.wait().unwrap().success());
        wait_until(|| compiling(&cache) == 0);
        is_left
    });
    assert!(is_left, "the pipe always ended with the process that compiles");
}

/// The interpreter takes long enough for it to be known that the module stays there.
#[test]
fn what_has_reached_the_limits_is_not_compiled_behind() {
    let cache = nowhere("known.cache");
    let body = "(local i32) (loop $again (br_if $again (i32.ne (local.tee 2 (i32.add (local.get 2) (i32.const 1)))
        (i32.const 5000000)))) (i64.const 0)";
    let module = file("known.wat", process(body));
    let binary = wat::parse_file(&module).unwrap();
    let worker = file("known.worker", "#!/bin/sh\necho memory allocation of 5 bytes failed >&2\nexit 1\n");
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    let mut options = SandboxOptions::default();
    options.wasmtime.cache = Some(CodeCache::in_dir(&cache).unwrap());
    options.wasmtime.worker = Some(CompileWorker::program(worker));
    let refused = sandbox("wasmtime", Policy::default(), &options).unwrap().load(&binary, &Contract::bytes("process"));
    assert_eq!(refused.err().map(|error| error.code()), Some("compile-limit"));

    let lock = cache.join("lock");
    let begins_nothing = (0..20).any(|_| {
        let _ = fs::remove_file(&lock);
        assert!(run(&module, &cache).output().unwrap().status.success());
        !lock.exists()
    });
    assert!(begins_nothing);
}
