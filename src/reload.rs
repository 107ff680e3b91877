//! Plugins of a directory that are loaded again when their files change.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::RandomState},
    fs::{self, File},
    hash::BuildHasher,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use hotcell_core::LoadError;
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use crate::any::AnyPlugin;

/// A directory is looked at when nothing has changed in it for so long: whoever writes a file does so in several steps.
const SETTLED: Duration = Duration::from_millis(20);
/// And at the latest after so many such pauses, however busy it is.
const PAUSES: u32 = 50;
/// More than any policy allows a module: the most of a file that is read.
const MOST: u64 = 1 << 30;

/// The plugins of a directory: each file `NAME.wasm` is the plugin `NAME`. A file that changes is loaded behind; the new plugin
/// takes the old one's place when it is good, and otherwise the old one stays. Calls that run end on the plugin that they began on.
///
/// A file is best put in its place by a rename: one that is read half-written is refused, and read again when it is whole.
pub struct PluginDir<T: Send + 'static = ()> {
    plugins: Arc<Plugins<T>>,
    /// Dropped first: its end is the thread's end.
    watcher: Option<RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

type Plugins<T> = RwLock<BTreeMap<String, Arc<dyn AnyPlugin<T>>>>;

/// What happened to a plugin of a directory.
#[derive(Debug)]
#[non_exhaustive]
pub enum Change<'a> {
    /// It is there, or a new one in its place.
    Loaded {
        /// Its name.
        name: &'a str,
    },
    /// Its file is not good. The plugin that was there before, if there was one, stays.
    Refused {
        /// Its name.
        name: &'a str,
        /// Why.
        error: ReloadError,
    },
    /// Its file is gone, and so is the plugin.
    Removed {
        /// Its name.
        name: &'a str,
    },
}

/// Why a file did not become a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Read(#[from] io::Error),
    /// The module was refused.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl<T: Send + 'static> PluginDir<T> {
    /// Loads the plugins of a directory, and watches it from then on. `load` makes a plugin from its name and its file's bytes;
    /// `tell` hears of every change, here and later from a thread of its own.
    ///
    /// # Errors
    ///
    /// The directory cannot be watched or read. A plugin that is refused is no error.
    pub fn watch(
        directory: impl Into<PathBuf>,
        load: impl Fn(&str, &[u8]) -> Result<Box<dyn AnyPlugin<T>>, LoadError> + Send + 'static,
        tell: impl Fn(Change<'_>) + Send + 'static,
    ) -> io::Result<Self> {
        let (changed, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Without an event it is not known what has changed: all may have. Who does not listen any more has ended.
            let paths = match event {
                Ok(event) if !writes(&event) => return,
                Ok(event) => event.paths,
                Err(_) => Vec::new(),
            };
            let _ = changed.send(paths);
        })
        .map_err(io::Error::other)?;
        let directory = directory.into();
        watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(io::Error::other)?;

        let plugins = Arc::<Plugins<T>>::default();
        let mut files = Files {
            directory,
            plugins: plugins.clone(),
            load,
            tell,
            known: BTreeMap::new(),
            hasher: RandomState::new(),
        };
        files.look(&BTreeSet::new())?;
        let thread = thread::Builder::new().name("hotcell-reload".to_owned()).spawn(move || {
            while let Some(paths) = settled(&changes) {
                // A directory that cannot be read now may be later, at the next change.
                let _ = files.look(&paths);
            }
        })?;
        Ok(Self { plugins, watcher: Some(watcher), thread: Some(thread) })
    }

    /// The plugin of this name, as it is now. It stays what it is for whoever holds it.
    pub fn get(&self, name: &str) -> Option<Arc<dyn AnyPlugin<T>>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The names of all plugins, in order.
    pub fn names(&self) -> Vec<String> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl<T: Send + 'static> Drop for PluginDir<T> {
    fn drop(&mut self) {
        self.watcher = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether something was written: to read a file is an event, too.
fn writes(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Waits for a change, and then until nothing has changed for a while; none when there will be no more.
fn settled(changes: &Receiver<Vec<PathBuf>>) -> Option<BTreeSet<PathBuf>> {
    let mut paths: BTreeSet<PathBuf> = changes.recv().ok()?.into_iter().collect();
    for _ in 0..PAUSES {
        match changes.recv_timeout(SETTLED) {
            Ok(more) => paths.extend(more),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    Some(paths)
}

/// The files of the directory, as they were when it was last looked at.
struct Files<T: Send + 'static, L, C> {
    directory: PathBuf,
    plugins: Arc<Plugins<T>>,
    load: L,
    tell: C,
    known: BTreeMap<String, Known>,
    hasher: RandomState,
}

/// A file that was read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    len: u64,
    modified: Option<SystemTime>,
    /// Of its bytes; none where it could not be read.
    hash: Option<u64>,
}

impl<T, L, C> Files<T, L, C>
where
    T: Send + 'static,
    L: Fn(&str, &[u8]) -> Result<Box<dyn AnyPlugin<T>>, LoadError>,
    C: Fn(Change<'_>),
{
    /// Looks at all files, and reads those that have changed: these, and those that look different.
    fn look(&mut self, changed: &BTreeSet<PathBuf>) -> io::Result<()> {
        let mut there = BTreeSet::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let Some(name) = name_of(&path) else { continue };
            // What is no file may never end.
            let Some(metadata) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) else { continue };
            there.insert(name.to_owned());
            let (len, modified) = (metadata.len(), metadata.modified().ok());
            let known = self.known.get(name).copied();
            let looks_the_same = known.is_some_and(|known| known.len == len && known.modified == modified);
            if !looks_the_same || changed.contains(&path) {
                self.read(name, &path, Known { len, modified, hash: None }, known);
            }
        }
        let gone: Vec<String> = self.known.keys().filter(|name| !there.contains(*name)).cloned().collect();
        for name in gone {
            self.known.remove(&name);
            self.plugins.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
            (self.tell)(Change::Removed { name: &name });
        }
        Ok(())
    }

    fn read(&mut self, name: &str, path: &Path, mut now: Known, before: Option<Known>) {
        let bytes = read(path);
        now.hash = bytes.as_ref().ok().map(|bytes| self.hasher.hash_one(bytes));
        self.known.insert(name.to_owned(), now);
        if now.hash.is_some() && before.is_some_and(|before| before.hash == now.hash) {
            return;
        }
        let loaded = bytes.map_err(ReloadError::from).and_then(|bytes| Ok((self.load)(name, &bytes)?));
        (self.tell)(match loaded {
            Ok(plugin) => {
                let old =
                    self.plugins.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), plugin.into());
                // Here, where nobody waits for it.
                drop(old);
                Change::Loaded { name }
            }
            Err(error) => Change::Refused { name, error },
        });
    }
}

/// The name of the plugin in this file.
fn name_of(path: &Path) -> Option<&str> {
    let is_module = path.extension().is_some_and(|extension| extension == "wasm");
    path.file_stem().filter(|_| is_module)?.to_str()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
