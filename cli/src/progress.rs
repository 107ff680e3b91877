use std::{sync::mpsc, thread, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::outcome::is_watched;

/// Work that is done sooner than this shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs `work`; when it takes long and a person watches, says what is going on and for how long.
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
