//! A differential run of several hours. The cases run in child processes, each of which writes a case's seed to its
//! journal before it runs the case: a child that aborts or hangs is a finding, like a difference.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use super::{Comparison, Difference, Stats};
use hotcell_conformance::BackendUnderTest;

/// Cases of one child. A new process now and then also limits the effect of leaks.
const CASES_OF_A_CHILD: u64 = 2_000;

/// Timeout of a case, whose calls have little fuel.
const PATIENCE: Duration = Duration::from_secs(120);

/// Interval at which the parent checks its child.
const LOOK: Duration = Duration::from_millis(20);

/// A run: its cases, and the directory of its findings.
#[derive(Clone, Debug)]
pub struct LongRun {
    /// The first seed.
    pub seed: u64,
    /// Number of cases; their seeds are consecutive.
    pub modules: u64,
    /// Directory of the journal and of the findings.
    pub directory: PathBuf,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What was compared.
    pub stats: Stats,
    /// Files, one for each finding.
    pub files: Vec<PathBuf>,
}

impl LongRun {
    /// Runs all cases in children that `command` makes: each must call [`LongRun::child`] with the run that it is
    /// given. `progress` gets the findings so far after each child.
    ///
    /// # Errors
    ///
    /// The directory cannot be written, or no child can be started.
    pub fn parent(
        &self,
        command: impl Fn(&Self) -> Command,
        mut progress: impl FnMut(&Findings),
    ) -> io::Result<Findings> {
        fs::create_dir_all(&self.directory)?;
        let mut findings = Findings::default();
        let end = self.seed.saturating_add(self.modules);
        let mut next = self.seed;
        while next < end {
            let part = Self { seed: next, modules: CASES_OF_A_CHILD.min(end - next), ..self.clone() };
            for file in [part.journal(), part.statistics()] {
                remove(&file)?;
            }
            let ending = part.wait(command(&part).spawn()?)?;
            findings.stats.add(&part.read_statistics());
            next = match ending {
                Ending::Finished => part.seed + part.modules,
                Ending::Killed(why) => {
                    let seed = part.journalled().unwrap_or(next);
                    findings.files.push(part.write_finding(seed, &why)?);
                    seed + 1
                }
            };
            findings.files.extend(part.new_findings(&findings.files)?);
            progress(&findings);
        }
        Ok(findings)
    }

    /// Runs the cases one after another in this process.
    ///
    /// # Errors
    ///
    /// The directory cannot be written, or a backend refuses a policy of the comparison.
    pub fn child<A: BackendUnderTest, B: BackendUnderTest>(&self) -> io::Result<()> {
        let comparison = Comparison::<A, B>::new().map_err(io::Error::other)?;
        let mut stats = Stats::default();
        for seed in self.seed..self.seed + self.modules {
            fs::write(self.journal(), seed.to_string())?;
            match comparison.compare(seed) {
                Ok(more) => stats.add(&more),
                Err(difference) => self.write_difference(&difference)?,
            }
        }
        fs::write(self.statistics(), serde_json::to_vec(&stats)?)
    }

    fn wait(&self, mut child: Child) -> io::Result<Ending> {
        let mut seen = (None, Instant::now());
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Ending::of(status));
            }
            let journalled = self.journalled();
            if journalled != seen.0 {
                seen = (journalled, Instant::now());
            } else if seen.1.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Ok(Ending::Killed(format!("it did not end within {PATIENCE:?}")));
            }
            thread::sleep(LOOK);
        }
    }

    fn journal(&self) -> PathBuf {
        self.directory.join("journal")
    }

    fn statistics(&self) -> PathBuf {
        self.directory.join("statistics")
    }

    fn journalled(&self) -> Option<u64> {
        fs::read_to_string(self.journal()).ok()?.parse().ok()
    }

    /// The statistics of a child that finished; those of any other child are not counted.
    fn read_statistics(&self) -> Stats {
        fs::read(self.statistics()).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    fn write_difference(&self, difference: &Difference) -> io::Result<()> {
        let file = self.write_finding(difference.seed, &difference.to_string())?;
        fs::write(file.with_extension("wasm"), &difference.wasm)
    }

    fn write_finding(&self, seed: u64, what: &str) -> io::Result<PathBuf> {
        let file = self.directory.join(format!("finding-{seed}.txt"));
        let again = format!("hotcell conformance --suite differential --modules 1 --seed {seed}");
        fs::write(&file, format!("{what}\n\nTo see it again: {again}\n"))?;
        Ok(file)
    }

    /// Findings of this part that are not among `known`.
    fn new_findings(&self, known: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
        let cases = self.seed..self.seed + self.modules;
        let files = cases.map(|seed| self.directory.join(format!("finding-{seed}.txt")));
        Ok(files.filter(|file| file.exists() && !known.contains(file)).collect())
    }
}

enum Ending {
    Finished,
    Killed(String),
}

impl Ending {
    fn of(status: ExitStatus) -> Self {
        match status.success() {
            true => Self::Finished,
            false => Self::Killed(format!("its process ended with {status}")),
        }
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
