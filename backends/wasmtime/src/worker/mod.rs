//! Compilation in a child process that can be killed.
//!
//! The engine's compiler is the one thing that no limit of a policy reaches: it cannot be interrupted, and what it
//! allocates is not counted. So the parent sends the settings and the module to a child through a pipe, and the child
//! sends back what it compiled. Whatever the child does, crash, hang, answer with garbage or not at all, costs the
//! parent the limits below and a verdict. What it sends back is machine code all the same, and whoever runs it trusts
//! the compiler: a child bounds what a compilation costs, not what the code does.
//!
//! * `frame` is what goes through the pipes.
//! * `parent` starts a child, talks with it until the deadline, and ends it.
//! * `judge` says what the end of a child means.
//! * `child` limits itself before it reads anything, and answers.

mod child;
mod frame;
mod judge;
mod parent;

pub use child::serve;

use std::{
    io,
    path::{Path, PathBuf, absolute},
    sync::Arc,
    time::Duration,
};

/// Limits of one compilation. By default 10 s and 1 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Wall-clock time from before the child is started until its whole reply is here. One second more of processor
    /// time, rounded up to whole seconds, is what the child allows itself, so that it ends even where nobody is left to
    /// kill it.
    pub time: Duration,
    /// Address space of the child, all of it: the program's own code and data count, and so do the request, the reply
    /// and what the allocator keeps. It also bounds the reply; the parent reserves at most twice what has come of it.
    pub memory_bytes: u64,
}

impl CompileLimits {
    /// Processor time that the child allows itself.
    fn cpu_seconds(self) -> u64 {
        self.time.as_secs().saturating_add(1 + u64::from(self.time.subsec_nanos() > 0))
    }
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), memory_bytes: 1 << 30 }
    }
}

/// How compilations are run in child processes. Cheap to clone, and any number of threads may use it at once: each
/// compilation has a child of its own.
///
/// A child has an empty environment, `/` as its directory, and three pipes. It cannot open a file or a socket, and
/// writes no core dump. It has the priority of the thread that started it. On Linux it also cannot gain privileges, dies
/// with that thread, and has no access to the file system, as far as the kernel has Landlock. Files that the program lets
/// its children inherit stay open in it; those that Rust opens are not among them.
///
/// The children of a compiler are not looked for: it has no reason to start any, and where there is Landlock it has
/// nothing to start them from.
#[derive(Clone, Debug)]
pub struct CompileWorker {
    program: Arc<Path>,
    limits: CompileLimits,
}

impl CompileWorker {
    /// The running program, started again. Its `main` must begin with [`serve`].
    ///
    /// # Errors
    ///
    /// [`WorkerUnavailable::NotServed`] when [`serve`] was not called in this process: the child would run the
    /// program's own `main`, and start children itself. A worker is refused too, for the same reason.
    pub fn this_program() -> Result<Self, WorkerUnavailable> {
        if !child::was_served() {
            return Err(WorkerUnavailable::NotServed);
        }
        // The link leads to the file that runs, whatever has taken its name since.
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe().map_err(WorkerUnavailable::NoProgram)?
        };
        Ok(Self::program(program))
    }

    /// Another program whose `main` begins with [`serve`]. `PATH` is not searched, and a relative path begins where
    /// this process is now. Whether it is such a program shows at the first compilation.
    pub fn program(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // Only an empty path has no absolute one, and starting it fails.
        let program = absolute(&path).unwrap_or(path).into();
        Self { program, limits: CompileLimits::default() }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: CompileLimits) -> Self {
        Self { limits, ..self }
    }

    /// Limits of each compilation.
    pub fn limits(&self) -> CompileLimits {
        self.limits
    }

    /// Runs a job: the pieces of `request` to a new child, and its reply. The child is gone when this returns.
    ///
    /// # Errors
    ///
    /// What the child did instead; see [`Failed`].
    pub fn run(&self, request: &[&[u8]]) -> Result<Vec<u8>, Failed> {
        parent::run(&self.program, self.limits, request)
    }
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerUnavailable {
    /// [`serve`] was not called at the start of this process. The host is to blame.
    #[error("this program does not serve compilations: its `main` must begin with a call that does")]
    NotServed,
    /// The system does not say which program this is.
    #[error("this program does not know its own file")]
    NoProgram(#[source] io::Error),
}

/// Why a child did not answer a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failed {
    /// It took longer than [`CompileLimits::time`], and had a processor for most of it.
    #[error("the compilation took too long")]
    Time,
    /// It took longer than [`CompileLimits::time`], and had a processor for less than nine tenths of it: the machine was busy
    /// or asleep, or somebody stopped the child. Another time it may be fast enough.
    #[error("the compilation took too long: it had a processor for {used:?} of its time")]
    Waited {
        /// Processor time.
        used: Duration,
    },
    /// It needed more than [`CompileLimits::memory_bytes`].
    #[error("the compilation needed too much memory")]
    Memory,
    /// It needed more than a limit of this process, which a child inherits and which is lower than ours.
    #[error("the compilation needed more than {0}, the limit that this process was started with")]
    Inherited(String),
    /// It panicked, or it ended before it answered: how, and the beginning of what it wrote to its error stream,
    /// escaped. A stack that overflows is a crash, also where it could not grow because of the memory limit, and so is
    /// a kill by the system that ran out of memory.
    #[error("the compiler crashed: {0}")]
    Crashed(String),
    /// It answered something that is no reply to this request.
    #[error("the compiler's reply is none: {0}")]
    Garbage(&'static str),
    /// The handler's own error, where it is not want of memory, at most 4 KiB of it. The text is as the child sent it: escape it where you show it, as
    /// this error does.
    #[error("{}", .0.escape_debug())]
    Refused(String),
    /// There is no child, or the pipes to it cannot be used.
    #[error("the compiler cannot be started")]
    CannotStart(#[source] io::Error),
}
