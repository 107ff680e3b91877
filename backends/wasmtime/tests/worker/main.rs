//! The worker from both sides: this program is the parent, and every child of it. The checks look into `/proc`.

#[cfg(target_os = "linux")]
mod checks;
#[cfg(target_os = "linux")]
mod handler;

#[cfg(target_os = "linux")]
fn main() {
    use std::{
        env, panic,
        process::{self, Command, Stdio},
    };

    // A process that has not served.
    if env::args().nth(1).as_deref() == Some("--unserved") {
        let worker = hotcell_wasmtime::worker::CompileWorker::this_program();
        process::exit(i32::from(worker.is_ok()));
    }
    hotcell_wasmtime::worker::serve(handler::handle);
    // A parent that is killed while a child of its own works.
    if env::args().nth(1).as_deref() == Some("--parent") {
        checks::sleep_as_parent();
    }
    // A parent that has limits itself.
    if env::args().nth(1).as_deref() == Some("--limited") {
        checks::work_limited(&env::args().nth(2).unwrap_or_default());
        process::exit(0);
    }

    let unserved =
        env::current_exe().and_then(|this| Command::new(this).arg("--unserved").stdin(Stdio::null()).status());
    let only = env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let mut failures = u32::from(!unserved.is_ok_and(|status| status.success()));
    println!("a_program_that_does_not_serve_has_no_worker: {}", if failures == 0 { "ok" } else { "FAILED" });
    for (name, check) in checks::ALL {
        if only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
            let is_good = panic::catch_unwind(check).is_ok();
            failures += u32::from(!is_good);
            println!("{name}: {}", if is_good { "ok" } else { "FAILED" });
        }
    }
    process::exit(i32::from(failures > 0));
}

#[cfg(not(target_os = "linux"))]
fn main() {}
