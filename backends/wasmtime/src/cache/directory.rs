//! The directory of a cache. Its files are reached through one descriptor, and no link is followed.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT},
    io::Errno,
    process::{Resource, geteuid, getrlimit},
};

use super::{InsecureCache, Unusable};

/// How the names of files begin that are being written.
const UNFINISHED: &str = "new-";
/// File that is there to be locked.
const LOCK: &str = "lock";

/// Whether a file of this name is one that was being written, and nobody else's.
fn is_unfinished(name: &str) -> bool {
    let digits = name.strip_prefix(UNFINISHED).filter(|digits| digits.len() == 32);
    digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// A file that is still being written then was left behind by a process that ended.
const ABANDONED: Duration = Duration::from_secs(3600);
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
const OPEN: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// An open directory that only its owner may write.
#[derive(Debug)]
pub(super) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// A file of the directory.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
}

impl Directory {
    /// Opens the directory, and makes it first where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, Unusable> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OPEN;
        let descriptor = rustix::fs::open(path, flags, Mode::empty())?;
        let directory = Self { descriptor, path: path.to_owned() };
        let stat = rustix::fs::fstat(&directory.descriptor)?;
        let others = Mode::WGRP | Mode::WOTH;
        directory.check("", &stat, others, "others may write here: it must be `chmod go-w`")?;
        Ok(directory)
    }

    /// Refuses what another user owns, or what others have these rights to.
    fn check(&self, name: &str, stat: &Stat, others: Mode, problem: &'static str) -> Result<(), Unusable> {
        // The system's administrator may do everything anyway.
        let is_ours = stat.st_uid == geteuid().as_raw() || stat.st_uid == 0;
        let insecure = |problem| Err(Unusable::Insecure(InsecureCache { path: self.path.join(name), problem }));
        match Mode::from_raw_mode(stat.st_mode).intersects(others) {
            _ if !is_ours => insecure("it belongs to another user: choose a directory of your own"),
            true => insecure(problem),
            false => Ok(()),
        }
    }

    /// A regular file, for reading.
    pub(super) fn open_file(&self, name: &str) -> rustix::io::Result<(File, Stat)> {
        // A pipe in the place of a file must not make us wait.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OPEN;
        let file = rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((file.into(), stat)),
            _ => Err(Errno::INVAL),
        }
    }

    /// The whole of a file of at most `most` bytes. None for anything else.
    pub(super) fn read(&self, name: &str, most: u64) -> Option<Vec<u8>> {
        let (file, stat) = self.open_file(name).ok()?;
        let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= most)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(size).ok()?).ok()?;
        file.take(size).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The bytes of a file that only its owner may read or write. None where there is no such file.
    pub(super) fn read_secret<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>, Unusable> {
        let (mut file, stat) = match self.open_file(name) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let others = Mode::RWXG | Mode::RWXO;
        self.check(name, &stat, others, "others may read or write it: remove it and the entries beside it")?;
        let mut bytes = [0; N];
        if stat.st_size != N as i64 || file.read_exact(&mut bytes).is_err() {
            let why = format!("{} has another length than a key: remove it", self.path.join(name).display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why).into());
        }
        Ok(Some(bytes))
    }

    /// Writes a file in one go, in place of what has its name. The seal tells a torn file, so nothing waits for the disk.
    pub(super) fn write(&self, name: &str, header: &[u8], content: &[&[u8]]) -> io::Result<()> {
        let bytes = content.iter().fold(header.len() as u64, |sum, part| sum + part.len() as u64);
        self.unfinished(bytes, header, content, |unfinished, _| {
            rustix::fs::renameat(&self.descriptor, unfinished, &self.descriptor, name)
        })
    }

    /// Writes a file, unless there is one of this name. It is on the disk before it has its name.
    pub(super) fn write_new(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.unfinished(content.len() as u64, content, &[], |unfinished, file| {
            rustix::fs::fsync(file)?;
            let linked = rustix::fs::linkat(&self.descriptor, unfinished, &self.descriptor, name, AtFlags::empty());
            self.remove(unfinished);
            linked.or_else(|error| if error == Errno::EXIST { Ok(()) } else { Err(error) })
        })
    }

    /// Writes a file under a name of its own, and gives it its place.
    fn unfinished(
        &self,
        bytes: u64,
        header: &[u8],
        content: &[&[u8]],
        place: impl FnOnce(&str, &File) -> rustix::io::Result<()>,
    ) -> io::Result<()> {
        // A process that writes past its limit is ended by a signal, which is not ours to ignore.
        if getrlimit(Resource::Fsize).current.is_some_and(|limit| bytes > limit) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // Numbers of processes are not enough: there are as many of one number as there are containers.
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let unfinished = format!("{UNFINISHED}{:032x}", u128::from_ne_bytes(random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OPEN;
        let mut file = File::from(rustix::fs::openat(&self.descriptor, &unfinished, flags, PRIVATE)?);
        let write = || {
            file.write_all(header)?;
            content.iter().try_for_each(|part| file.write_all(part))?;
            Ok(place(&unfinished, &file)?)
        };
        write().inspect_err(|_| {
            self.remove(&unfinished);
        })
    }

    /// Marks a file as used now.
    pub(super) fn touch(&self, name: &str) {
        let at = |nanoseconds| Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        let times = Timestamps { last_access: at(UTIME_OMIT), last_modification: at(UTIME_NOW) };
        let _ = rustix::fs::utimensat(&self.descriptor, name, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// Removes a file, if it is there, and says whether this call did.
    pub(super) fn remove(&self, name: &str) -> bool {
        rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()).is_ok()
    }

    /// The file that is locked by who has it open, unless somebody has.
    pub(super) fn try_lock(&self) -> rustix::io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK | OPEN;
        let file = rustix::fs::openat(&self.descriptor, LOCK, flags, PRIVATE)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(file.into())
    }

    /// The regular files whose names are text.
    pub(super) fn files(&self) -> Vec<Listed> {
        let Ok(entries) = Dir::read_from(&self.descriptor) else { return Vec::new() };
        let listed = |entry: rustix::fs::DirEntry| {
            let name = entry.file_name().to_str().ok()?;
            let stat = rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            let since =
                Duration::from_secs(stat.st_mtime.try_into().ok()?) + Duration::from_nanos(stat.st_mtime_nsec as u64);
            is_file.then(|| Listed {
                name: name.to_owned(),
                bytes: u64::try_from(stat.st_size).unwrap_or(0),
                used: UNIX_EPOCH + since,
            })
        };
        entries.filter_map(Result::ok).filter_map(listed).collect()
    }

    /// Removes entries until all of them are within `limit` bytes, least recently used first, and what ended processes left.
    pub(super) fn shrink(&self, limit: u64) {
        let mut files = self.files();
        files.retain(|file| match is_unfinished(&file.name) {
            true => {
                if file.used.elapsed().is_ok_and(|age| age > ABANDONED) {
                    self.remove(&file.name);
                }
                false
            }
            false => super::EntryName::parse(&file.name).is_some(),
        });
        files.sort_by_key(|file| file.used);
        // Sizes may be claimed.
        let mut bytes: u64 = files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes));
        for file in files {
            if bytes <= limit {
                return;
            }
            self.remove(&file.name);
            bytes = bytes.saturating_sub(file.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).ok().unwrap();
        let mut stat = rustix::fs::fstat(&directory.descriptor).unwrap();
        let mut is_refused = |owner: u32| {
            stat.st_uid = owner;
            directory.check("", &stat, Mode::empty(), "").is_err()
        };
        let us = geteuid().as_raw();
        assert_eq!([us, 0, us + 1].map(&mut is_refused), [false, false, true]);
    }
}
