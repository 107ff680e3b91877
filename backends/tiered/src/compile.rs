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

/// Jobs, and the threads that do them.
struct Queue {
    state: Mutex<State>,
    /// Starts a thread that does [`work`](Self::work), if there is one to be had.
    start: fn(&'static Self) -> bool,
}

struct State {
    jobs: VecDeque<Job>,
    threads: usize,
}

static QUEUE: Queue = Queue::new(|queue| {
    let thread = thread::Builder::new().name("hotcell-compile".to_owned());
    let work = move || {
        lower_priority();
        queue.work();
    };
    thread.spawn(work).is_ok()
});

impl Queue {
    const fn new(start: fn(&'static Self) -> bool) -> Self {
        Self { state: Mutex::new(State { jobs: VecDeque::new(), threads: 0 }), start }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job. A thread ends when there is none left.
    fn submit(&'static self, job: Job) {
        let mut state = self.state();
        state.jobs.push_back(job);
        if state.threads < MOST_THREADS {
            // Where there is no thread to be had, the next job tries again; modules stay on the first engine until then.
            state.threads += usize::from((self.start)(self));
        }
    }

    /// What a thread does.
    fn work(&self) {
        loop {
            let mut state = self.state();
            let Some(job) = state.jobs.pop_front() else {
                state.threads -= 1;
                return;
            };
            drop(state);
            job();
        }
    }

    /// The next job, where there is no thread that will do it.
    fn stranded(&self) -> Option<Job> {
        let mut state = self.state();
        if state.threads == 0 { state.jobs.pop_front() } else { None }
    }
}

/// On Linux a thread has a priority of its own; elsewhere it would be the whole process's.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
}

/// The compilations of one backend that have not ended.
#[derive(Clone)]
pub(crate) struct Pending {
    count: Arc<(Mutex<usize>, Condvar)>,
    queue: &'static Queue,
}

impl Default for Pending {
    fn default() -> Self {
        Self::of(&QUEUE)
    }
}

impl Pending {
    fn of(queue: &'static Queue) -> Self {
        Self { count: Arc::default(), queue }
    }

    /// Compiles behind, unless nobody wants `module` any more when its turn comes.
    pub(crate) fn begin<B: SandboxBackend>(&self, module: &Arc<Compiled<B>>) {
        let one = One::of(self);
        let module: Weak<Compiled<B>> = Arc::downgrade(module);
        self.queue.submit(Box::new(move || {
            let _one = one;
            if let Some(module) = module.upgrade() {
                module.compile();
            }
        }));
        // Who waits looks whether the job has a thread.
        drop(self.count());
        self.count.1.notify_all();
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all have ended. Where there are no threads, the jobs are done here.
    pub(crate) fn wait(&self) {
        let mut count = self.count();
        while *count > 0 {
            match self.queue.stranded() {
                Some(job) => {
                    drop(count);
                    job();
                    count = self.count();
                }
                None => count = self.count.1.wait(count).unwrap_or_else(PoisonError::into_inner),
            }
        }
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
        self.0.count.1.notify_all();
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

    #[test]
    fn where_there_is_no_thread_who_waits_compiles() {
        static STRANDED: Queue = Queue::new(|_| false);
        let (pending, other, count) = (Pending::of(&STRANDED), Pending::of(&STRANDED), Arc::<AtomicU32>::default());
        let modules = [counted(&count), counted(&count)];
        other.begin(&modules[0]);
        pending.begin(&modules[1]);
        pending.wait();
        other.wait();
        assert_eq!(count.load(Ordering::Relaxed), 2);
        // Also where it waits already: for a job that has a thread, until one comes that has none.
        let (tell, told) = mpsc::channel::<()>();
        let busy: Arc<Compiled<Wasmi>> = Arc::new(Compiled::by(move || {
            let _ = told.recv();
            Err(BackendError::OtherEngine)
        }));
        static ONE: Queue = Queue::new(|queue| {
            static IS_FIRST: AtomicU32 = AtomicU32::new(0);
            let is_first = IS_FIRST.fetch_add(1, Ordering::Relaxed) == 0;
            is_first && thread::Builder::new().spawn(|| queue.work()).is_ok()
        });
        let pending = Pending::of(&ONE);
        pending.begin(&busy);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| pending.wait());
            let late = counted(&count);
            pending.begin(&late);
            drop(tell);
            waiter.join().unwrap();
            pending.wait();
        });
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }
}
