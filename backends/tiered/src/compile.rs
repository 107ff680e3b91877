//! Compiling behind: on few threads of the process, below the priority of what answers.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
};

use hotcell_core::{BackendError, SandboxBackend, backend::catch_panic};

use crate::module::Compiled;

/// Most threads of a process that compile at once.
pub const MOST_THREADS: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { jobs: VecDeque::new(), threads: 0 });

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Queues a job. A thread ends when there is none left.
fn submit(job: Job) {
    let mut queue = queue();
    queue.jobs.push_back(job);
    if queue.threads < MOST_THREADS {
        let thread = thread::Builder::new().name("hotcell-compile".to_owned());
        // Where there is no thread to be had, the next job tries again; modules stay on the first engine until then.
        queue.threads += usize::from(thread.spawn(work).is_ok());
    }
}

fn work() {
    lower_priority();
    loop {
        let mut queue = queue();
        let Some(job) = queue.jobs.pop_front() else {
            queue.threads -= 1;
            return;
        };
        drop(queue);
        job();
    }
}

/// On Linux a thread has a priority of its own; elsewhere it would be the whole process's.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
}

/// The compilations of one backend that have not ended.
#[derive(Clone, Default)]
pub(crate) struct Pending(Arc<(Mutex<usize>, Condvar)>);

impl Pending {
    /// Compiles behind, unless nobody wants `module` any more when its turn comes.
    pub(crate) fn begin<B: SandboxBackend>(
        &self,
        module: &Arc<Compiled<B>>,
        compile: impl FnOnce() -> Result<B::Module, BackendError> + Send + 'static,
    ) {
        let one = One::of(self);
        let module: Weak<Compiled<B>> = Arc::downgrade(module);
        submit(Box::new(move || {
            let _one = one;
            let Some(module) = module.upgrade() else { return };
            module.finish(match catch_panic(compile) {
                Ok(outcome) => outcome,
                Err(panic) => Err(BackendError::Engine { backend: B::ID, source: panic.into() }),
            });
        }));
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all have ended.
    pub(crate) fn wait(&self) {
        let ended = self.0.1.wait_while(self.count(), |count| *count > 0);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }
}

/// One that has not ended.
struct One(Pending);

impl One {
    fn of(pending: &Pending) -> Self {
        *pending.count() += 1;
        Self(pending.clone())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.0.1.notify_all();
    }
}
