//! Compiled code, kept between processes in a directory that nobody has to trust.
//!
//! An entry carries a seal: a keyed hash over its name and its content, whose key only this user has. It is read whole into
//! this process's memory, held against its seal there, and used from there. Whatever else is in its place is a miss, and so
//! is any failure: of the file system, of another process, of a disk that is full. Writers do not wait for each other: an
//! entry is written beside its place, and renamed.
//!
//! * `directory` is the directory: who may write it, its files, which of them goes first.
//! * `seal` is the key, and what an entry looks like.

mod directory;
mod seal;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustix::io::Errno;

use self::{
    directory::Directory,
    seal::{Key, SEALED},
};

/// Compiled modules in a directory. Cheap to clone; any number of threads and processes may use one directory at once.
#[derive(Clone, Debug)]
pub struct CodeCache {
    path: Arc<Path>,
    /// Without it nothing is found and nothing is kept.
    store: Result<Arc<Store>, Arc<io::Error>>,
    limit: u64,
}

#[derive(Debug)]
struct Store {
    directory: Directory,
    key: Key,
}

/// The name of an entry: a hash of all that its code depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryName([u8; 32]);

/// 64 hexadecimal digits.
impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl EntryName {
    /// The hash of these parts, each with its length.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hotcell 2026-11-27 name of compiled code");
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The hash.
    pub(crate) fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// The name that [`Display`](fmt::Display) shows.
    fn parse(text: &str) -> Option<Self> {
        let is_lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.bytes().all(is_lower).then(|| blake3::Hash::from_hex(text).ok())?.map(|hash| Self(hash.into()))
    }
}

/// An entry of a cache.
#[derive(Clone, Debug)]
pub struct CacheEntry {
    /// Its name, which is its file's.
    pub name: EntryName,
    /// Its size.
    pub bytes: u64,
    /// When it was last used.
    pub used: SystemTime,
}

/// A directory or key that others could have changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub struct InsecureCache {
    /// The directory or the file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub problem: &'static str,
}

impl CodeCache {
    /// 512 MiB.
    pub const LIMIT: u64 = 512 << 20;

    /// The cache in this directory, which is made if it is not there: for its owner alone. Where it cannot be made or used,
    /// there is a cache that keeps nothing and [says why](Self::unusable).
    ///
    /// # Errors
    ///
    /// [`InsecureCache`]: somebody else may write to it.
    pub fn in_dir(path: impl AsRef<Path>) -> Result<Self, InsecureCache> {
        let path = path.as_ref();
        let store = Directory::open(path).and_then(|directory| {
            let key = Key::of(&directory)?;
            Ok(Arc::new(Store { directory, key }))
        });
        let store = match store {
            Ok(store) => Ok(store),
            Err(Unusable::Insecure(insecure)) => return Err(insecure),
            Err(Unusable::Failed(error)) => Err(Arc::new(error)),
        };
        Ok(Self { path: path.into(), store, limit: Self::LIMIT })
    }

    /// The same cache, with at most so many bytes in its directory. Entries that were not used for the longest time go
    /// first.
    #[must_use]
    pub fn with_limit(self, bytes: u64) -> Self {
        Self { limit: bytes, ..self }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why it keeps nothing, where it does not.
    pub fn unusable(&self) -> Option<&io::Error> {
        self.store.as_ref().err().map(|error| &**error)
    }

    /// What `read` makes of the content of an entry, which is as it was kept.
    pub(crate) fn get<R>(&self, name: EntryName, read: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
        let store = self.store.as_ref().ok()?;
        let file = name.to_string();
        let sealed = store.directory.read(&file, self.limit)?;
        let Some(content) = store.key.open(name, &sealed) else {
            // So that it is written again.
            store.directory.remove(&file);
            return None;
        };
        let read = read(content)?;
        store.directory.touch(&file);
        Some(read)
    }

    /// Keeps an entry, whose content is these parts after each other, if it can be kept.
    pub(crate) fn put(&self, name: EntryName, content: &[&[u8]]) {
        let Ok(store) = &self.store else { return };
        let bytes = content.iter().map(|part| part.len() as u64).sum::<u64>().saturating_add(SEALED as u64);
        if bytes > self.limit {
            return;
        }
        let seal = store.key.seal(name, content);
        if store.directory.write(&name.to_string(), &seal, content).is_ok() {
            store.directory.shrink(self.limit);
        }
    }

    /// The entries, most recently used first.
    pub fn entries(&self) -> Vec<CacheEntry> {
        let Ok(store) = &self.store else { return Vec::new() };
        let mut entries: Vec<CacheEntry> = store
            .directory
            .files()
            .into_iter()
            .filter_map(|file| {
                Some(CacheEntry { name: EntryName::parse(&file.name)?, bytes: file.bytes, used: file.used })
            })
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
        entries
    }

    /// Whether the entry is there, and does not carry its seal. One that another process has removed is not damaged, nor is
    /// one that is too large for this cache.
    pub fn is_damaged(&self, name: EntryName) -> bool {
        let Ok(store) = &self.store else { return false };
        match store.directory.open_file(&name.to_string()) {
            Ok((file, _)) => !store.key.seals(name, file),
            Err(error) => error != Errno::NOENT,
        }
    }

    /// Removes all entries. Gives the number of those that this call has removed.
    pub fn clear(&self) -> usize {
        let Ok(store) = &self.store else { return 0 };
        self.entries().iter().filter(|entry| store.directory.remove(&entry.name.to_string())).count()
    }

    /// The lock of the directory, for programs that compile ahead and one at a time: none where somebody has it, or where
    /// nothing is kept. It is held until the file is closed, by this process and by those that inherit it. Nothing else here
    /// waits for it.
    pub fn try_lock(&self) -> Option<File> {
        self.store.as_ref().ok()?.directory.try_lock().ok()
    }
}

/// Why a directory is no cache.
#[derive(Debug)]
enum Unusable {
    Insecure(InsecureCache),
    Failed(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Errno> for Unusable {
    fn from(error: Errno) -> Self {
        Self::Failed(error.into())
    }
}
