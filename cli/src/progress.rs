use std::{sync::mpsc, thread, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::outcome::is_watched;

/// Work that takes less time shows no progress.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs `work`; if it takes long and standard error is a terminal, shows what it does and for how long.
pub(crate) fn with_progress<R>(what: &'static str, quiet: bool, work: impl FnOnce() -> R) -> R {
    if !is_watched(quiet) {
        return work();
    }
    let (done, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if wait.recv_timeout(PATIENCE) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_message(what).with_elapsed(PATIENCE);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            let _ = wait.recv();
            bar.finish_and_clear();
        });
        let result = work();
        drop(done);
        result
    })
}
