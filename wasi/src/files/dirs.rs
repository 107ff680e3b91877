//! Directories of the host. Links in them lead nowhere but into them: `cap-std` sees to that.

use std::{
    fs,
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    string::{String, ToString},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
    vec::Vec,
};

use cap_fs_ext::{
    DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsMaybeDirExt, OpenOptionsSyncExt,
    SystemTimeSpec,
};
use cap_std::{
    fs::{Dir, Metadata, OpenOptions},
    time::SystemTime,
};

use super::stat::{FileType, Filestat, NewTimes, Times};
use crate::{
    call::{Fuel, Stop},
    clocks::nanoseconds,
    config::Access,
    errno::Errno,
    fds::Object,
    paths::Opening,
    readdir::{DOTS, Listed},
};

/// Fuel of a question to the host's file system, beside its path's. It takes some microseconds.
pub(crate) const VISIT: u64 = 256;
/// Bytes that the host reads or writes at once. More is the guest's next call.
const MOST_AT_ONCE: usize = 1 << 20;

/// A directory of the host, and what a guest may do there.
#[derive(Clone, Debug)]
pub(crate) struct HostDir {
    pub(crate) dir: Arc<Dir>,
    pub(crate) access: Access,
}

impl HostDir {
    fn check_writable(&self) -> Result<(), Errno> {
        match self.access {
            Access::Writable => Ok(()),
            Access::ReadOnly => Err(Errno::Rofs),
        }
    }

    pub(crate) fn create_dir(&self, path: &str) -> Result<(), Errno> {
        self.check_writable()?;
        Ok(self.dir.create_dir(path)?)
    }

    pub(crate) fn remove_dir(&self, path: &str) -> Result<(), Errno> {
        self.check_writable()?;
        Ok(self.dir.remove_dir(path)?)
    }

    pub(crate) fn unlink(&self, path: &str) -> Result<(), Errno> {
        self.check_writable()?;
        Ok(self.dir.remove_file_or_symlink(path)?)
    }

    pub(crate) fn rename(&self, path: &str, to: &Self, new_path: &str) -> Result<(), Errno> {
        self.check_writable()?;
        to.check_writable()?;
        Ok(self.dir.rename(path, &to.dir, new_path)?)
    }

    pub(crate) fn read_link(&self, path: &str) -> Result<String, Errno> {
        let link = self.dir.read_link(path)?;
        link.to_str().map(ToString::to_string).ok_or(Errno::Ilseq)
    }

    pub(crate) fn stat(&self) -> Result<Filestat, Errno> {
        Ok(filestat(&self.dir.dir_metadata()?))
    }

    pub(crate) fn stat_of(&self, path: &str, follows: bool) -> Result<Filestat, Errno> {
        let metadata = if follows { self.dir.metadata(path) } else { self.dir.symlink_metadata(path) };
        Ok(filestat(&metadata?))
    }

    pub(crate) fn set_times_of(&self, path: &str, follows: bool, times: NewTimes) -> Result<(), Errno> {
        self.check_writable()?;
        let spec =
            |time: Option<u64>| time.map(|time| SystemTimeSpec::Absolute(SystemTime::from_std(system_time(time))));
        let (accessed, modified) = (spec(times.accessed), spec(times.modified));
        match follows {
            true => Ok(DirExt::set_times(&*self.dir, path, accessed, modified)?),
            false => Ok(self.dir.set_symlink_times(path, accessed, modified)?),
        }
    }

    /// Opens what is no device and no pipe: those could keep the host waiting.
    pub(crate) fn open(&self, path: &str, opening: Opening) -> Result<Object, Errno> {
        if opening.writes || opening.truncates {
            self.check_writable()?;
        }
        if !opening.follows && self.dir.symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(Errno::Loop);
        }
        let is_writable = self.access == Access::Writable;
        let follow = if opening.follows { FollowSymlinks::Yes } else { FollowSymlinks::No };
        let changes = is_writable && (opening.creates || opening.truncates);
        let mut options = OpenOptions::new();
        options.read(opening.reads || !(opening.writes || changes)).write(opening.writes || changes);
        options.truncate(opening.truncates).follow(follow).nonblock(true).maybe_dir(true);
        if is_writable {
            options.create(opening.creates).create_new(opening.creates && opening.is_new);
        }
        let opened = self.dir.open_with(path, &options);
        let file = match opened {
            Err(error) if opening.creates && !is_writable && error.kind() == ErrorKind::NotFound => {
                return Err(Errno::Rofs);
            }
            Ok(_) if opening.creates && !is_writable && opening.is_new => return Err(Errno::Exist),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return match opening.writes || opening.creates || opening.truncates {
                true => Err(Errno::Isdir),
                false => {
                    let dir = Arc::new(Dir::from_std_file(file.into_std()));
                    Ok(Object::HostDir(Self { dir, access: self.access }))
                }
            };
        }
        if opening.is_dir || path.ends_with('/') {
            return Err(Errno::Notdir);
        }
        match metadata.is_file() {
            true => {
                Ok(Object::HostFile(HostFile { file: file.into_std(), access: self.access, appends: opening.appends }))
            }
            false => Err(Errno::Notsup),
        }
    }

    /// The entries from `cookie` on, as many as fill `room` bytes. Those whose names are no UTF-8 are left out. The list goes
    /// on by number, in the order of the host's: while others are removed, it may leave some out.
    pub(crate) fn entries(&self, fuel: &mut Fuel, cookie: u64, room: u32) -> Result<Vec<Listed>, Stop> {
        let here = self.stat()?.inode;
        let dots = [".", ".."].map(|name| (String::from(name), here, FileType::Directory));
        let mut listed = Vec::new();
        let mut used = 0;
        let mut list = |index: u64, (name, inode, file_type): (String, u64, FileType)| {
            used += 24 + name.len() as u64;
            listed.push(Listed { next: index + 1, inode, file_type, name });
            used >= u64::from(room)
        };
        for (index, dot) in (0..).zip(dots) {
            if index >= cookie && list(index, dot) {
                return Ok(listed);
            }
        }
        for (index, entry) in (DOTS..).zip(self.dir.entries().map_err(Errno::from)?) {
            fuel.spend(VISIT / 4)?;
            let entry = entry.map_err(Errno::from)?;
            let Some(name) = entry.file_name().to_str().map(ToString::to_string) else { continue };
            if index < cookie {
                continue;
            }
            // What has been removed since then is not there.
            let Ok(metadata) = entry.metadata() else { continue };
            let stat = filestat(&metadata);
            if list(index, (name, stat.inode, stat.file_type)) {
                break;
            }
        }
        Ok(listed)
    }
}

/// A file of the host.
#[derive(Debug)]
pub(crate) struct HostFile {
    file: fs::File,
    access: Access,
    appends: bool,
}

impl HostFile {
    pub(crate) fn set_appends(&mut self, appends: bool) {
        self.appends = appends;
    }

    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Errno> {
        let most = bytes.len().min(MOST_AT_ONCE);
        Ok(self.file.read(&mut bytes[..most])?)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        if self.appends {
            self.file.seek(SeekFrom::End(0))?;
        }
        Ok(self.file.write(&bytes[..bytes.len().min(MOST_AT_ONCE)])?)
    }

    /// Reads at `offset`, which moves. The file's own position stays.
    pub(crate) fn read_at(&mut self, bytes: &mut [u8], offset: &mut u64) -> Result<usize, Errno> {
        let most = bytes.len().min(MOST_AT_ONCE);
        self.at(offset, |file| file.read(&mut bytes[..most]))
    }

    /// Writes at `offset`, which moves. The file's own position stays.
    pub(crate) fn write_at(&mut self, bytes: &[u8], offset: &mut u64) -> Result<usize, Errno> {
        self.at(offset, |file| file.write(&bytes[..bytes.len().min(MOST_AT_ONCE)]))
    }

    fn at(&mut self, offset: &mut u64, run: impl FnOnce(&mut fs::File) -> io::Result<usize>) -> Result<usize, Errno> {
        let position = self.file.stream_position()?;
        self.file.seek(SeekFrom::Start(*offset))?;
        let outcome = run(&mut self.file);
        self.file.seek(SeekFrom::Start(position))?;
        let count = outcome?;
        *offset += count as u64;
        Ok(count)
    }

    pub(crate) fn seek(&mut self, offset: i64, whence: u32) -> Result<u64, Errno> {
        let to = match whence {
            0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
            1 => SeekFrom::Current(offset),
            _ => SeekFrom::End(offset),
        };
        Ok(self.file.seek(to)?)
    }

    pub(crate) fn sync(&self) -> Result<(), Errno> {
        Ok(self.file.sync_all()?)
    }

    pub(crate) fn stat(&self) -> Result<Filestat, Errno> {
        Ok(filestat(&Metadata::from_file(&self.file)?))
    }

    fn check_writable(&self) -> Result<(), Errno> {
        match self.access {
            Access::Writable => Ok(()),
            Access::ReadOnly => Err(Errno::Rofs),
        }
    }

    pub(crate) fn set_size(&self, size: u64) -> Result<(), Errno> {
        self.check_writable()?;
        Ok(self.file.set_len(size)?)
    }

    pub(crate) fn set_times(&self, times: NewTimes) -> Result<(), Errno> {
        self.check_writable()?;
        let mut new = fs::FileTimes::new();
        if let Some(time) = times.accessed {
            new = new.set_accessed(system_time(time));
        }
        if let Some(time) = times.modified {
            new = new.set_modified(system_time(time));
        }
        Ok(self.file.set_times(new)?)
    }
}

fn system_time(nanoseconds: u64) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn filestat(metadata: &Metadata) -> Filestat {
    let file_type = match metadata.file_type() {
        file_type if file_type.is_dir() => FileType::Directory,
        file_type if file_type.is_file() => FileType::RegularFile,
        file_type if file_type.is_symlink() => FileType::SymbolicLink,
        _ => FileType::Unknown,
    };
    let since_1970 = |time: io::Result<SystemTime>| {
        let since = time.ok().and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok());
        since.map_or(0, nanoseconds)
    };
    let (accessed, modified) = (since_1970(metadata.accessed()), since_1970(metadata.modified()));
    Filestat {
        device: metadata.dev(),
        inode: metadata.ino(),
        file_type,
        links: metadata.nlink(),
        size: metadata.len(),
        times: Times { accessed, modified, changed: modified },
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Noent,
            // `cap-std` says so of what leads out of the directory.
            ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Self::Notcapable,
            ErrorKind::PermissionDenied => Self::Acces,
            ErrorKind::AlreadyExists => Self::Exist,
            ErrorKind::InvalidInput => Self::Inval,
            ErrorKind::NotADirectory => Self::Notdir,
            ErrorKind::IsADirectory => Self::Isdir,
            ErrorKind::DirectoryNotEmpty => Self::Notempty,
            ErrorKind::ReadOnlyFilesystem => Self::Rofs,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Nospc,
            ErrorKind::FileTooLarge => Self::Fbig,
            ErrorKind::CrossesDevices => Self::Xdev,
            ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => Self::Busy,
            ErrorKind::InvalidFilename => Self::Nametoolong,
            ErrorKind::NotSeekable => Self::Spipe,
            ErrorKind::OutOfMemory => Self::Nomem,
            ErrorKind::Unsupported => Self::Notsup,
            _ => Self::Io,
        }
    }
}
