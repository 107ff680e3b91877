use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};

use crate::{
    args::Strings,
    files::{
        path,
        tree::{Limits, ROOT, Tree},
    },
};

/// What guests reach by WASI. It begins as a sandbox without an outside, and each method adds one thing.
///
/// In the sandbox a guest has
///
/// * one argument, the name `plugin`, and no environment;
/// * the [standard streams](hotcell_core::backend::Streams) of its call;
/// * a clock that begins in 1970 and moves by a microsecond whenever the guest looks at it, and over the time that it sleeps;
/// * random numbers from a seed, the same in each instance: who knows the seed knows them, so a table that is to stand against
///   chosen keys needs a seed that nobody knows;
/// * no files and no sockets.
///
/// Everything is the same on every backend then.
#[derive(Clone, Debug)]
pub struct WasiConfig {
    pub(crate) args: Strings,
    pub(crate) env: Strings,
    pub(crate) time: Time,
    pub(crate) randomness: Randomness,
    pub(crate) preopens: Vec<Preopen>,
}

/// Where clocks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Nowhere.
    Virtual {
        /// Nanoseconds since 1970.
        start: u64,
    },
    /// The host.
    #[cfg(feature = "std")]
    Host,
}

/// Where random numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Randomness {
    Seed(u64),
    /// The host.
    #[cfg(feature = "std")]
    Host,
}

/// A directory that a guest finds open.
#[derive(Clone, Debug)]
pub(crate) struct Preopen {
    /// Its path in the guest.
    pub(crate) path: Arc<str>,
    pub(crate) source: Source,
}

/// What is in it.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Files that all instances share.
    Files(Arc<Tree>),
    /// Nothing, at first.
    Scratch(Limits),
    /// What the host has there.
    #[cfg(feature = "dirs")]
    Host(crate::files::dirs::HostDir),
}

/// What a scratch directory may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScratchLimits {
    /// Bytes of all files together. The host may need twice as much memory for them.
    pub bytes: u64,
    /// Files and directories together. The host needs up to a kibibyte of memory for each.
    pub entries: u32,
}

/// Whether a guest may change a directory of the host.
#[cfg(feature = "dirs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may read.
    ReadOnly,
    /// It may read, write, make, rename and remove. How much it writes is not limited: fuel and the deadline are.
    Writable,
}

/// What a config cannot have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Arguments and environment are strings without zeros, a mebi of them, and 16 MiB together.
    #[error("the arguments or the environment have a zero, or are too many")]
    Strings,
    /// The name of a variable is empty, or has an `=`.
    #[error("a variable of the environment has no name, or one with an equals sign")]
    Variable,
    /// A path is empty, absolute, has a zero or a part such as `..`, or there are two of it.
    #[error("{path:?} cannot be the path of a file in memory")]
    Path {
        /// The path.
        path: String,
    },
    /// A guest cannot have a directory under that path.
    #[error("{path:?} cannot be the path of a directory in the guest")]
    GuestPath {
        /// The path.
        path: String,
    },
    /// The host's directory cannot be opened.
    #[cfg(feature = "dirs")]
    #[error("cannot open the directory {path:?}")]
    Directory {
        /// The path in the host.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Default for WasiConfig {
    fn default() -> Self {
        Self::sandbox()
    }
}

impl WasiConfig {
    /// Nothing from the outside.
    pub fn sandbox() -> Self {
        let mut args = Strings::default();
        // Programs take it for granted that there is a first argument.
        let fits = args.push(&["plugin"]);
        debug_assert!(fits);
        Self {
            args,
            env: Strings::default(),
            time: Time::Virtual { start: 0 },
            randomness: Randomness::Seed(0),
            preopens: Vec::new(),
        }
    }

    /// The arguments, in place of all there are. The first is the program's own name.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Strings`]
    pub fn args<S: AsRef<str>>(mut self, args: impl IntoIterator<Item = S>) -> Result<Self, ConfigError> {
        self.args = Strings::default();
        match args.into_iter().all(|arg| self.args.push(&[arg.as_ref()])) {
            true => Ok(self),
            false => Err(ConfigError::Strings),
        }
    }

    /// Adds a variable to the environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Variable`], [`ConfigError::Strings`]
    pub fn env(mut self, name: &str, value: &str) -> Result<Self, ConfigError> {
        if name.is_empty() || name.contains('=') {
            return Err(ConfigError::Variable);
        }
        match self.env.push(&[name, "=", value]) {
            true => Ok(self),
            false => Err(ConfigError::Strings),
        }
    }

    /// What random numbers are made from. 0 at first.
    #[must_use]
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.randomness = Randomness::Seed(seed);
        self
    }

    /// When the virtual clock begins, in nanoseconds since 1970. 0 at first.
    #[must_use]
    pub fn virtual_clock(mut self, start: u64) -> Self {
        self.time = Time::Virtual { start };
        self
    }

    /// Grants the host's clocks. A guest that sleeps does so in the host, until its deadline at most.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn real_clock(mut self) -> Self {
        self.time = Time::Host;
        self
    }

    /// Grants the host's random numbers.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn real_randomness(mut self) -> Self {
        self.randomness = Randomness::Host;
        self
    }

    /// Adds a directory of files, which guests can read: paths below `guest_path`, such as `words/en.txt`, with their bytes.
    /// All instances share them.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Path`], [`ConfigError::GuestPath`]
    pub fn files<P: AsRef<str>, C: Into<Vec<u8>>>(
        self,
        guest_path: &str,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Result<Self, ConfigError> {
        let mut tree = Tree::new(Limits { bytes: u64::MAX, entries: u32::MAX });
        for (path, bytes) in files {
            let path = path.as_ref();
            add_file(&mut tree, path, bytes.into()).ok_or_else(|| ConfigError::Path { path: path.to_owned() })?;
        }
        self.preopen(guest_path, Source::Files(Arc::new(tree)))
    }

    /// Adds an empty directory, which each instance has for itself. [`WasiState::take_files`](crate::WasiState::take_files)
    /// gives the host what is in it afterwards.
    ///
    /// # Errors
    ///
    /// [`ConfigError::GuestPath`]
    pub fn scratch(self, guest_path: &str, limits: ScratchLimits) -> Result<Self, ConfigError> {
        let ScratchLimits { bytes, entries } = limits;
        self.preopen(guest_path, Source::Scratch(Limits { bytes, entries }))
    }

    /// Adds a directory of the host. Links in it lead nowhere but into it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Directory`], [`ConfigError::GuestPath`]
    #[cfg(feature = "dirs")]
    pub fn host_dir(
        self,
        guest_path: &str,
        path: impl AsRef<std::path::Path>,
        access: Access,
    ) -> Result<Self, ConfigError> {
        let dir = cap_std::fs::Dir::open_ambient_dir(&path, cap_std::ambient_authority())
            .map_err(|source| ConfigError::Directory { path: path.as_ref().to_owned(), source })?;
        let dir = crate::files::dirs::HostDir { dir: Arc::new(dir), access };
        self.preopen(guest_path, Source::Host(dir))
    }

    fn preopen(mut self, path: &str, source: Source) -> Result<Self, ConfigError> {
        let is_taken = self.preopens.iter().any(|preopen| &*preopen.path == path);
        if path.is_empty()
            || path.len() > 4096
            || path.contains('\0')
            || is_taken
            || self.preopens.len() >= MOST_PREOPENS
        {
            return Err(ConfigError::GuestPath { path: path.to_owned() });
        }
        self.preopens.push(Preopen { path: path.into(), source });
        Ok(self)
    }

    /// Whether the functions that `reach` there change or see something outside of the instance.
    pub(crate) fn has_outside(&self, reach: Reach) -> bool {
        match reach {
            Reach::Instance => false,
            #[cfg(feature = "std")]
            Reach::Clock => self.time == Time::Host,
            #[cfg(feature = "std")]
            Reach::Randomness => self.randomness == Randomness::Host,
            #[cfg(not(feature = "std"))]
            Reach::Clock | Reach::Randomness => false,
            #[cfg(feature = "dirs")]
            Reach::Files => self.preopens.iter().any(|preopen| matches!(preopen.source, Source::Host(_))),
            #[cfg(not(feature = "dirs"))]
            Reach::Files => false,
        }
    }
}

/// Directories that a guest finds open.
const MOST_PREOPENS: usize = 64;

/// What a function works on beside the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Instance,
    Clock,
    Randomness,
    Files,
}

fn add_file(tree: &mut Tree, path: &str, bytes: Vec<u8>) -> Option<()> {
    path::check(path.as_bytes()).ok()?;
    let mut dir = ROOT;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        if matches!(name, "" | "." | "..") {
            return None;
        }
        dir = match (names.peek(), tree.find(dir, name).ok()?) {
            (None, _) => {
                let file = tree.create_file(dir, name, 0).ok()?;
                tree.set_size(file, bytes.len() as u64, 0).ok()?;
                tree.part_mut(file, 0).ok()?.copy_from_slice(&bytes);
                return Some(());
            }
            (Some(_), Some(node)) => node,
            (Some(_), None) => tree.create_dir(dir, name, 0).ok()?,
        };
    }
    None
}
