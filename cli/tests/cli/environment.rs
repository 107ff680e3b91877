//! Streams, signals, and machines with little.

use super::*;

/// A reader that goes away is no reason to panic, and none for words.
#[test]
fn a_reader_that_goes_away() {
    let module = file("pipe.wat", process("(i64.const 0x8000)"));
    let markdown = shipped("markdown.wasm");
    for args in [
        &["run", path_text(&module), "--quiet"][..],
        &["run", path_text(&module), "--quiet", "--json"],
        &["call", path_text(&module), "__hotcell_abi_version", "--quiet"],
        &["backends"],
        &["backends", "--json"],
        &["policy"],
        &["policy", "--json"],
        &["inspect", path_text(&markdown)],
        &["inspect", path_text(&markdown), "--json"],
        &["inspect", path_text(&markdown), "--check"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = hotcell(args).stdout(writer).output().unwrap();
        assert_eq!((exit_code(&output), text(&output.stderr).as_str()), (1, ""), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full() {
    let module = file("full.wat", process("(i64.const 0x8000)"));
    for args in [&["run", path_text(&module)][..], &["backends"], &["policy", "--json"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = hotcell(args).stdout(full).output().unwrap();
        assert_eq!(exit_code(&output), 1, "{args:?}");
        assert!(text(&output.stderr).starts_with("hotcell: io"), "{args:?}: {}", text(&output.stderr));
    }
}

/// Signals, as the shell sends them.
#[cfg(target_os = "linux")]
mod interrupted {
    use std::{io::Read, process::Child, thread};

    use super::*;

    const SIGINT: u32 = 2;

    fn interrupt(running: &Running) {
        let status = Command::new("bash").arg("-c").arg(format!("kill -INT {}", running.id())).status().unwrap();
        assert!(status.success());
    }

    /// A program that does not outlive its test.
    struct Running(Child);

    impl Running {
        fn start(args: &[&str]) -> Self {
            Self(hotcell(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        }

        fn id(&self) -> u32 {
            self.0.id()
        }

        /// Its exit code, and what it wrote.
        fn finish(mut self) -> (Option<i32>, String, String) {
            let begin = Instant::now();
            let status = loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    break status;
                }
                assert!(begin.elapsed() < HANG, "it hangs");
                thread::sleep(Duration::from_millis(5));
            };
            let (mut out, mut err) = (String::new(), String::new());
            self.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            self.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            (status.code(), out, err)
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Runs it until it has said what is to happen on Ctrl-C, and is busy.
    fn busy(args: &[&str]) -> Running {
        let running = Running::start(args);
        let begin = Instant::now();
        loop {
            let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
            if u64::from_str_radix(caught, 16).unwrap() & (1 << (SIGINT - 1)) != 0 {
                thread::sleep(Duration::from_millis(200));
                return running;
            }
            assert!(begin.elapsed() < HANG, "it never listens for Ctrl-C");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn once() {
        let module =
            file("interrupt.wat", guest(&format!("{LOOP} (func (export \"spin\") (loop $again (br $again)))")));
        let module = path_text(&module);
        for backend in BACKENDS {
            for args in [&["run", module][..], &["call", module, "spin"]] {
                let args: Vec<_> = args.iter().chain(&["--fuel", "unlimited", "--backend", backend]).copied().collect();
                let running = busy(&args);
                interrupt(&running);
                let (code, out, err) = running.finish();
                assert_eq!((code, out.as_str()), (Some(130), ""), "{args:?}: {err}");
                assert!(err.starts_with("hotcell: cancelled"), "{err}");
            }
            let running = busy(&["run", module, "--fuel", "unlimited", "--json", "--backend", backend]);
            interrupt(&running);
            let (code, out, _) = running.finish();
            let object: Value = serde_json::from_str(&out).unwrap();
            assert_eq!(code, Some(130));
            assert_eq!((&object["verdict"], &object["code"]), (&"error".into(), &"cancelled".into()));
        }
    }

    #[test]
    fn twice() {
        let module = file("twice.wat", guest(LOOP));
        for backend in BACKENDS {
            let running = busy(&["run", path_text(&module), "--fuel", "unlimited", "--backend", backend]);
            interrupt(&running);
            let _ = Command::new("bash").arg("-c").arg(format!("kill -INT {} 2>&-", running.id())).status();
            assert_eq!(running.finish().0, Some(130));
        }
    }

    /// Where the policy lets nothing cancel a call, the first one leaves.
    #[test]
    fn where_nothing_cancels() {
        let module = file("leave.wat", guest(LOOP));
        let policy = file("leave.toml", "[interrupt]\ncancel = false\n[limits]\nfuel = \"unlimited\"");
        for backend in BACKENDS {
            let running = busy(&["run", path_text(&module), "--policy", path_text(&policy), "--backend", backend]);
            interrupt(&running);
            assert_eq!(running.finish().0, Some(130));
        }
    }
}

/// What surrounds the process does not end it.
#[cfg(target_os = "linux")]
#[test]
fn a_poor_environment() {
    let module = file("poor.wat", guest(ECHO));
    let input = file("poor.input", "x");
    for backend in BACKENDS {
        for setting in [
            "ulimit -v 4000000",
            "ulimit -v 1000000",
            "ulimit -s 256",
            "ulimit -n 8",
            "export RUST_MIN_STACK=1",
            "export RUST_BACKTRACE=full WASMTIME_BACKTRACE_DETAILS=1",
            "export RAYON_NUM_THREADS=0",
            "export -n HOME PATH",
        ] {
            let script = format!("{setting} && exec \"$0\" \"$@\"");
            let mut command = Command::new("bash");
            command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_hotcell"));
            command.args(["run", path_text(&module), "--input", path_text(&input), "--backend", backend]);
            let output = command.stdin(Stdio::null()).output().unwrap();
            assert_eq!(exit_code(&output), 0, "{setting} on {backend}: {}", text(&output.stderr));
            assert_eq!(output.stdout, b"x");
        }
    }
}

/// Some room for a program, but not for what the default policy allows its guests: a verdict, whichever it is.
#[cfg(target_os = "linux")]
#[test]
fn a_very_poor_environment() {
    let module = file("very-poor.wat", guest(ECHO));
    for backend in BACKENDS {
        for kib in [400_000, 200_000, 100_000, 60_000] {
            let script = format!("ulimit -v {kib} && exec \"$0\" \"$@\"");
            let mut command = Command::new("bash");
            command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_hotcell"));
            command.args(["run", path_text(&module), "--json", "--backend", backend]);
            let output = command.stdin(Stdio::null()).output().unwrap();
            let code = exit_code(&output);
            assert!([0, 1].contains(&code), "{kib} KiB on {backend}: {code}: {}", text(&output.stderr));
            assert_eq!(json(&output)["verdict"], if code == 0 { "ok" } else { "error" });
        }
    }
}
