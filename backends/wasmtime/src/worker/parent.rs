//! The parent's side: one thread that writes and reads at once, until the reply, the end of the child, or the deadline.

use std::{
    io::{self, ErrorKind, Read, Write},
    mem,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

#[cfg(not(target_os = "openbsd"))]
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
};
use wait4::{ResUse, Wait4};

use super::{
    CompileLimits, Failed,
    child::arguments,
    frame::{Incoming, Nonce, request_head},
    judge::Judge,
};

/// What `ps` shows.
const NAME: &str = "hotcell-compile";
/// Bytes read at once: what a pipe holds on Linux.
const CHUNK: usize = 64 << 10;
/// Bytes of the child's error stream that are kept. What follows is read and dropped, so that nobody waits for room.
const ERRORS: usize = 4 << 10;
/// How long a child that closed its output has to be gone. Its files are closed near the end of its end.
const LAST_STEPS: Duration = Duration::from_millis(100);

pub(super) fn run(program: &Path, limits: CompileLimits, request: &[&[u8]]) -> Result<Vec<u8>, Failed> {
    let begin = Instant::now();
    let mut nonce = Nonce::default();
    getrandom::fill(&mut nonce).map_err(|error| Failed::CannotStart(io::Error::other(error.to_string())))?;
    let judge = Judge::new(limits);
    let mut process = Process::start(program, limits).map_err(Failed::CannotStart)?;
    let mut pipes = Pipes::of(&mut process).map_err(Failed::CannotStart)?;

    let head = request_head(&nonce, request);
    let mut unsent: Vec<&[u8]> = request.iter().rev().copied().chain([&head[..]]).collect();
    let mut incoming = Incoming::new(limits.memory_bytes);
    loop {
        let left = limits.time.saturating_sub(begin.elapsed());
        if left.is_zero() {
            let End { used, .. } = process.end(Duration::ZERO);
            return Err(judge.out_of_time(used));
        }
        pipes.wait(left).map_err(Failed::CannotStart)?;
        pipes.send(&mut unsent).map_err(Failed::CannotStart)?;
        pipes.keep_errors();
        match pipes.receive(&mut incoming)? {
            Progress::More => {}
            Progress::Complete => {
                let (status, payload) = incoming.finish(&nonce).map_err(Failed::Garbage)?;
                return judge.reply(status, payload);
            }
            Progress::Closed => break,
        }
    }
    // No reply. What the process says of its end goes before what is wrong with the bytes.
    let left = limits.time.saturating_sub(begin.elapsed()).min(LAST_STEPS);
    let End { status, used } = process.end(left);
    pipes.keep_errors();
    Err(match status {
        Some(status) if !status.success() => judge.crash(status, &pipes.kept, used),
        _ => Failed::Garbage(incoming.finish(&nonce).err().unwrap_or("it is not complete")),
    })
}

/// A child that is killed and waited for when this is dropped, on every path.
struct Process {
    child: Child,
    was_waited_for: bool,
}

impl Process {
    fn start(program: &Path, limits: CompileLimits) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg0(NAME).args(arguments(limits)).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self { child: command.spawn()?, was_waited_for: false })
    }

    /// Gives the child `time` to end, and kills it then.
    fn end(&mut self, time: Duration) -> End {
        let begin = Instant::now();
        while !self.has_ended() && begin.elapsed() < time {
            thread::sleep(Duration::from_millis(1));
        }
        let by_itself = self.has_ended();
        // It fails only where the child has ended.
        let _ = self.child.kill();
        let ended = loop {
            match self.child.wait4() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                ended => break ended,
            }
        };
        self.was_waited_for = true;
        match ended {
            Ok(ResUse { status, rusage }) => {
                End { status: by_itself.then_some(status), used: rusage.utime + rusage.stime }
            }
            // In a host that ignores the end of its children there is nobody left to ask.
            Err(_) => End { status: None, used: Duration::ZERO },
        }
    }

    /// It cannot be asked without waiting for it.
    #[cfg(target_os = "openbsd")]
    fn has_ended(&self) -> bool {
        false
    }

    /// Whether it has ended. It can still be waited for.
    #[cfg(not(target_os = "openbsd"))]
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), options).is_ok_and(|status| status.is_some())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.was_waited_for {
            // What it was is nobody's question any more.
            self.end(Duration::ZERO);
        }
    }
}

/// How a child has ended.
struct End {
    /// Where nobody had to end it.
    status: Option<ExitStatus>,
    /// Processor time.
    used: Duration,
}

/// The parent's ends, which never block.
struct Pipes {
    /// Until the whole request is sent, or nobody reads it.
    input: Option<ChildStdin>,
    output: ChildStdout,
    errors: Option<ChildStderr>,
    /// What came from `errors`.
    kept: Vec<u8>,
    chunk: Vec<u8>,
}

enum Progress {
    More,
    Complete,
    Closed,
}

impl Pipes {
    fn of(process: &mut Process) -> io::Result<Self> {
        let child = &mut process.child;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("there are no pipes"));
        };
        ioctl_fionbio(&input, true)?;
        ioctl_fionbio(&output, true)?;
        ioctl_fionbio(&errors, true)?;
        Ok(Self { input: Some(input), output, errors: Some(errors), kept: Vec::new(), chunk: vec![0; CHUNK] })
    }

    /// Waits until something can be done, or for `time` at most. It may also be for less.
    fn wait(&self, time: Duration) -> io::Result<()> {
        let mut ends = vec![PollFd::new(&self.output, PollFlags::IN)];
        ends.extend(self.errors.as_ref().map(|errors| PollFd::new(errors, PollFlags::IN)));
        ends.extend(self.input.as_ref().map(|input| PollFd::new(input, PollFlags::OUT)));
        // Some systems take no more than 31 bits of milliseconds.
        let time = time.min(Duration::from_secs(3600));
        match poll(&mut ends, Timespec::try_from(time).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what the pipe takes of `unsent`, the last one first, and closes it after that.
    fn send(&mut self, unsent: &mut Vec<&[u8]>) -> io::Result<()> {
        let Some(input) = &mut self.input else { return Ok(()) };
        while let Some(piece) = unsent.last_mut() {
            if piece.is_empty() {
                unsent.pop();
                continue;
            }
            match input.write(piece) {
                Ok(sent) => *piece = &piece[sent..],
                Err(error) if is_later(&error) => return Ok(()),
                // A child that does not read may still have something to say.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error),
            }
        }
        self.input = None;
        Ok(())
    }

    fn receive(&mut self, incoming: &mut Incoming) -> Result<Progress, Failed> {
        match self.output.read(&mut self.chunk) {
            Ok(0) => Ok(Progress::Closed),
            Ok(read) => {
                let is_complete = incoming.push(&self.chunk[..read]).map_err(Failed::Garbage)?;
                Ok(if is_complete { Progress::Complete } else { Progress::More })
            }
            Err(error) if is_later(&error) => Ok(Progress::More),
            Err(error) => Err(Failed::CannotStart(error)),
        }
    }

    /// Reads what there is of the error stream now.
    fn keep_errors(&mut self) {
        let Some(errors) = &mut self.errors else { return };
        match errors.read(&mut self.chunk) {
            Ok(read) if read > 0 => {
                let room = ERRORS - self.kept.len();
                self.kept.extend(&self.chunk[..read.min(room)]);
            }
            Err(error) if is_later(&error) => {}
            // Its end, or an error: there is nothing more to know.
            _ => drop(mem::take(&mut self.errors)),
        }
    }
}

/// Whether there is nothing to do for now.
fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
