//! Compiling behind: on few threads of the process, below the priority of what answers.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
};

use hotcell_core::SandboxBackend;

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
    pub(crate) fn begin<B: SandboxBackend>(&self, module: &Arc<Compiled<B>>) {
        let one = One::of(self);
        let module: Weak<Compiled<B>> = Arc::downgrade(module);
        submit(Box::new(move || {
            let _one = one;
            if let Some(module) = module.upgrade() {
                module.compile();
            }
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

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    };

    use hotcell_core::BackendError;
    use hotcell_wasmi::Wasmi;

    use super::*;

    /// Work that counts, and compiles nothing.
    fn counted(count: &Arc<AtomicU32>) -> Arc<Compiled<Wasmi>> {
        let count = count.clone();
        Arc::new(Compiled::by(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Err(BackendError::OtherEngine)
        }))
    }

    #[test]
    fn what_nobody_has_any_more_is_not_compiled() {
        let (pending, count) = (Pending::default(), Arc::<AtomicU32>::default());
        // All threads are busy until they are told.
        let busy: Vec<_> = (0..MOST_THREADS)
            .map(|_| {
                let (tell, told) = mpsc::channel::<()>();
                let module: Arc<Compiled<Wasmi>> = Arc::new(Compiled::by(move || {
                    let _ = told.recv();
                    Err(BackendError::OtherEngine)
                }));
                pending.begin(&module);
                (tell, module)
            })
            .collect();
        let (kept, dropped) = (counted(&count), counted(&count));
        pending.begin(&kept);
        pending.begin(&dropped);
        let work = Arc::downgrade(&dropped);
        drop(dropped);
        assert!(work.upgrade().is_none(), "the module's bytes go with it");
        drop(busy.into_iter().map(|(tell, module)| (drop(tell), module).1).collect::<Vec<_>>());
        pending.wait();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        drop(kept);
    }
}
