//! Runs one test again in its own process: for properties of a process (its memory, its environment, its limits), and
//! for what would end it.

use std::{env, process::Command};

const VARIABLE: &str = "HOTCELL_TEST_IS_CHILD";

/// Whether this process was started by [`again`].
pub(crate) fn is_child() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// A command that runs only this test.
pub(crate) fn again(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(VARIABLE, "yes");
    command
}

/// Like [`again`], in a shell that first runs `setting`.
#[cfg(target_os = "linux")]
pub(crate) fn again_under(setting: &str, test: &str) -> Command {
    let direct = again(test);
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("{setting} && exec \"$0\" \"$@\"")).arg(direct.get_program()).args(direct.get_args());
    command.env(VARIABLE, "yes");
    command
}

/// Runs the command, of which the one test must pass. Returns its output.
pub(crate) fn passes(mut command: Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "{command:?} ran no test:\n{out}");
    out.into_owned()
}
