//! What has a path.

use alloc::string::String;

use crate::{
    call::{Call, Outcome, Stop},
    errno::Errno,
    fd::{device, flags, is_dir},
    fds::{Descriptor, Object},
    files::{
        path::{self, Place, find, follow},
        stat::NewTimes,
        tree::NodeId,
    },
    rights,
};

/// A directory, by what holds it, and a path that begins in it.
struct Target {
    dir: Dir,
    path: String,
}

enum Dir {
    Memory {
        mount: usize,
        node: NodeId,
    },
    #[cfg(feature = "dirs")]
    Host(crate::files::dirs::HostDir),
}

fn target(call: &mut Call<'_>, fd: u32, right: u64, (at, len): (u32, u32)) -> Result<Target, Stop> {
    let dir = match &call.state.fds.get(fd, 0)?.object {
        Object::Dir { mount, node } => Dir::Memory { mount: *mount, node: *node },
        #[cfg(feature = "dirs")]
        Object::HostDir(dir) => Dir::Host(dir.clone()),
        _ => return Err(Errno::Notdir.into()),
    };
    call.state.fds.get(fd, right)?;
    let path = path::read(call, at, len)?;
    #[cfg(feature = "dirs")]
    if let Dir::Host(_) = dir {
        call.fuel.spend(crate::files::dirs::VISIT)?;
    }
    Ok(Target { dir, path })
}

/// Whether the guest follows a symbolic link at the end of a path.
fn follows(lookup: u32) -> Result<bool, Errno> {
    if lookup > 1 { Err(Errno::Inval) } else { Ok(lookup == 1) }
}

pub(crate) fn path_create_directory(call: &mut Call<'_>, (fd, at, len): (u32, u32, u32)) -> Outcome {
    let Target { dir, path } = target(call, fd, rights::PATH_CREATE_DIRECTORY, (at, len))?;
    match dir {
        Dir::Memory { mount, node } => {
            let now = call.state.now();
            match follow(call.state.tree(mount)?, node, &path)? {
                Place::Dir(_) => return Err(Errno::Exist.into()),
                Place::Name { dir, name, .. } => call.state.tree_mut(mount)?.create_dir(dir, name, now)?,
            };
        }
        #[cfg(feature = "dirs")]
        Dir::Host(dir) => dir.create_dir(&path)?,
    }
    Ok(())
}

pub(crate) fn path_filestat_get(call: &mut Call<'_>, (fd, lookup, at, len, out): (u32, u32, u32, u32, u32)) -> Outcome {
    let Target { dir, path } = target(call, fd, rights::PATH_FILESTAT_GET, (at, len))?;
    // There are no links in memory.
    let _follows = follows(lookup)?;
    let stat = match dir {
        Dir::Memory { mount, node } => {
            let tree = call.state.tree(mount)?;
            tree.stat(find(tree, node, &path)?, device(mount))?
        }
        #[cfg(feature = "dirs")]
        Dir::Host(dir) => dir.stat_of(&path, _follows)?,
    };
    stat.put(&mut call.memory, out)
}

pub(crate) fn path_filestat_set_times(
    call: &mut Call<'_>,
    (fd, lookup, at, len, accessed, modified, flags): (u32, u32, u32, u32, u64, u64, u32),
) -> Outcome {
    let Target { dir, path } = target(call, fd, rights::PATH_FILESTAT_SET_TIMES, (at, len))?;
    let _follows = follows(lookup)?;
    let now = call.state.now();
    let times = NewTimes::from_flags(accessed, modified, flags, now)?;
    match dir {
        Dir::Memory { mount, node } => {
            let node = find(call.state.tree(mount)?, node, &path)?;
            call.state.tree_mut(mount)?.set_times(node, times, now)?;
        }
        #[cfg(feature = "dirs")]
        Dir::Host(dir) => dir.set_times_of(&path, _follows, times)?,
    }
    Ok(())
}

/// No directory has links to be made.
pub(crate) fn path_link(
    call: &mut Call<'_>,
    (old_fd, _lookup, old_at, old_len, new_fd, new_at, new_len): (u32, u32, u32, u32, u32, u32, u32),
) -> Outcome {
    target(call, old_fd, rights::PATH_LINK_SOURCE, (old_at, old_len))?;
    target(call, new_fd, rights::PATH_LINK_TARGET, (new_at, new_len))?;
    Err(Errno::Notsup.into())
}

/// As [`path_link`].
pub(crate) fn path_symlink(
    call: &mut Call<'_>,
    (old_at, old_len, fd, new_at, new_len): (u32, u32, u32, u32, u32),
) -> Outcome {
    call.memory.check(old_at, old_len)?;
    target(call, fd, rights::PATH_SYMLINK, (new_at, new_len))?;
    Err(Errno::Notsup.into())
}

pub(crate) fn path_readlink(
    call: &mut Call<'_>,
    (fd, at, len, buffer, buffer_len, out): (u32, u32, u32, u32, u32, u32),
) -> Outcome {
    let Target { dir, path } = target(call, fd, rights::PATH_READLINK, (at, len))?;
    call.memory.check(out, 4)?;
    call.memory.check(buffer, buffer_len)?;
    match dir {
        Dir::Memory { mount, node } => {
            // What is there is no link.
            find(call.state.tree(mount)?, node, &path)?;
            Err(Errno::Inval.into())
        }
        #[cfg(feature = "dirs")]
        Dir::Host(dir) => {
            let link = dir.read_link(&path)?;
            // At most `buffer_len`.
            let len = (buffer_len as usize).min(link.len());
            call.fuel.spend_moving(len as u64)?;
            call.memory.put(buffer, &link.as_bytes()[..len])?;
            call.memory.put(out, &(len as u32).to_le_bytes())?;
            Ok(())
        }
    }
}

pub(crate) fn path_remove_directory(call: &mut Call<'_>, (fd, at, len): (u32, u32, u32)) -> Outcome {
    let Target { dir, path } = target(call, fd, rights::PATH_REMOVE_DIRECTORY, (at, len))?;
    match dir {
        Dir::Memory { mount, node } => {
            let now = call.state.now();
            match follow(call.state.tree(mount)?, node, &path)? {
                // As of `.` and `..`, which are not to be removed.
                Place::Dir(_) => return Err(Errno::Inval.into()),
                Place::Name { dir, name, .. } => call.state.tree_mut(mount)?.remove_dir(dir, name, now)?,
            }
        }
        #[cfg(feature = "dirs")]
        Dir::Host(dir) => dir.remove_dir(&path)?,
    }
    Ok(())
}

pub(crate) fn path_unlink_file(call: &mut Call<'_>, (fd, at, len): (u32, u32, u32)) -> Outcome {
    let Target { dir, path } = target(call, fd, rights::PATH_UNLINK_FILE, (at, len))?;
    match dir {
        Dir::Memory { mount, node } => {
            let now = call.state.now();
            match follow(call.state.tree(mount)?, node, &path)? {
                Place::Dir(_) => return Err(Errno::Isdir.into()),
                Place::Name { is_dir: true, .. } => {
                    let tree = call.state.tree(mount)?;
                    tree.file(find(tree, node, &path)?)?;
                }
                Place::Name { dir, name, is_dir: false } => call.state.tree_mut(mount)?.unlink(dir, name, now)?,
            }
        }
        #[cfg(feature = "dirs")]
        Dir::Host(dir) => dir.unlink(&path)?,
    }
    Ok(())
}

pub(crate) fn path_rename(
    call: &mut Call<'_>,
    (old_fd, old_at, old_len, new_fd, new_at, new_len): (u32, u32, u32, u32, u32, u32),
) -> Outcome {
    let old = target(call, old_fd, rights::PATH_RENAME_SOURCE, (old_at, old_len))?;
    let new = target(call, new_fd, rights::PATH_RENAME_TARGET, (new_at, new_len))?;
    match (old.dir, new.dir) {
        (Dir::Memory { mount, node: old_dir }, Dir::Memory { mount: new_mount, node: new_dir })
            if mount == new_mount =>
        {
            let now = call.state.now();
            let tree = call.state.tree(mount)?;
            let from = follow(tree, old_dir, &old.path)?;
            let to = follow(tree, new_dir, &new.path)?;
            let (
                Place::Name { dir: from_dir, name: from_name, is_dir: from_slash },
                Place::Name { dir: to_dir, name: to_name, is_dir: to_slash },
            ) = (from, to)
            else {
                return Err(Errno::Busy.into());
            };
            let node = tree.find(from_dir, from_name)?.ok_or(Errno::Noent)?;
            if from_slash || to_slash {
                tree.dir(node)?;
            }
            // To see that a directory does not come into itself, the host goes up from there.
            call.fuel.spend(tree.depth(to_dir)?)?;
            call.state.tree_mut(mount)?.rename((from_dir, from_name), (to_dir, to_name), now)?;
            Ok(())
        }
        #[cfg(feature = "dirs")]
        (Dir::Host(from), Dir::Host(to)) => Ok(from.rename(&old.path, &to, &new.path)?),
        _ => Err(Errno::Xdev.into()),
    }
}

/// The flags of `path_open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) creates: bool,
    pub(crate) is_dir: bool,
    pub(crate) is_new: bool,
    pub(crate) truncates: bool,
    #[cfg(feature = "dirs")]
    pub(crate) reads: bool,
    pub(crate) writes: bool,
    #[cfg(feature = "dirs")]
    pub(crate) appends: bool,
    #[cfg(feature = "dirs")]
    pub(crate) follows: bool,
}

pub(crate) fn path_open(
    call: &mut Call<'_>,
    (fd, lookup, at, len, oflags, base, inheriting, fdflags, out): (u32, u32, u32, u32, u32, u64, u64, u32, u32),
) -> Outcome {
    let Target { dir, path } = target(call, fd, rights::PATH_OPEN, (at, len))?;
    call.memory.check(out, 4)?;
    let (_follows, flags) = (follows(lookup)?, flags(fdflags)?);
    if oflags > 0xf {
        return Err(Errno::Inval.into());
    }
    let opening = Opening {
        creates: oflags & 1 != 0,
        is_dir: oflags & 2 != 0,
        is_new: oflags & 4 != 0,
        truncates: oflags & 8 != 0,
        #[cfg(feature = "dirs")]
        reads: base & rights::FD_READ != 0,
        writes: base & rights::FD_WRITE != 0,
        #[cfg(feature = "dirs")]
        appends: flags & crate::fds::APPEND != 0,
        #[cfg(feature = "dirs")]
        follows: _follows,
    };
    if opening.is_dir && opening.creates {
        return Err(Errno::Inval.into());
    }
    let parent = call.state.fds.get(fd, needed(opening))?;
    // What a program asks for besides is often all there is; it gets what there is.
    if base & (rights::FD_READ | rights::FD_WRITE) & !parent.inheriting != 0 {
        return Err(Errno::Notcapable.into());
    }
    let (base, inheriting) = (base & parent.inheriting, inheriting & parent.inheriting);
    call.state.fds.check_room()?;
    let object = match dir {
        Dir::Memory { mount, node } => open(call, mount, node, &path, opening)?,
        #[cfg(feature = "dirs")]
        Dir::Host(dir) => dir.open(&path, opening)?,
    };
    let mut descriptor = Descriptor { object, preopen: None, rights: base, inheriting, flags };
    match is_dir(&descriptor) {
        true => descriptor.rights &= rights::DIR,
        false => (descriptor.rights, descriptor.inheriting) = (base & rights::FILE, 0),
    }
    let fd = call.state.fds.insert(descriptor)?;
    call.memory.put(out, &fd.to_le_bytes())?;
    Ok(())
}

/// What the directory must allow.
fn needed(opening: Opening) -> u64 {
    let creates = if opening.creates { rights::PATH_CREATE_FILE } else { 0 };
    let truncates = if opening.truncates { rights::PATH_FILESTAT_SET_SIZE } else { 0 };
    creates | truncates
}

fn open(call: &mut Call<'_>, mount: usize, start: NodeId, path: &str, opening: Opening) -> Result<Object, Stop> {
    let now = call.state.now();
    let tree = call.state.tree(mount)?;
    let (found, place) = match follow(tree, start, path)? {
        Place::Dir(dir) => (Some(dir), None),
        Place::Name { dir, name, is_dir } => (tree.find(dir, name)?, Some((dir, name, is_dir))),
    };
    let is_dir = opening.is_dir || place.is_some_and(|(.., is_dir)| is_dir);
    let node = match (found, place) {
        (Some(_), _) if opening.creates && opening.is_new => return Err(Errno::Exist.into()),
        (Some(node), _) => node,
        (None, Some((.., true))) if opening.creates => return Err(Errno::Isdir.into()),
        (None, Some((dir, name, false))) if opening.creates => {
            call.state.tree_mut(mount)?.create_file(dir, name, now)?
        }
        (None, _) => return Err(Errno::Noent.into()),
    };
    let tree = call.state.tree(mount)?;
    if tree.dir(node).is_ok() {
        if opening.writes || opening.truncates || opening.creates {
            return Err(Errno::Isdir.into());
        }
        call.state.opened(mount, node)?;
        return Ok(Object::Dir { mount, node });
    }
    if is_dir {
        return Err(Errno::Notdir.into());
    }
    if opening.writes {
        call.state.tree_mut(mount)?;
    }
    if opening.truncates {
        call.state.tree_mut(mount)?.set_size(node, 0, now)?;
    }
    call.state.opened(mount, node)?;
    Ok(Object::File { mount, node, position: 0 })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::{
        WasiConfig, WasiState,
        config::ScratchLimits,
        fd::{fd_close, fd_fdstat_get, fd_prestat_dir_name, fd_prestat_get},
        testing::{Guest, OUT},
    };

    const READ: u64 = rights::FD_READ | rights::FD_READDIR;
    const WRITE: u64 = rights::FD_READ | rights::FD_WRITE;
    /// Of a directory: nobody writes to one.
    const ALL: u64 = !rights::FD_WRITE;

    /// `/data` on 3, with two files; a scratch directory `/tmp` on 4.
    fn guest() -> Guest {
        let files = [("words/en", "one two"), ("words/de", "eins"), ("top", "")];
        let config = WasiConfig::sandbox().files("/data", files).unwrap();
        Guest::new(config.scratch("/tmp", ScratchLimits { bytes: 100, entries: 5 }).unwrap())
    }

    #[test]
    fn directories_are_found_open() {
        let mut guest = guest();
        for (fd, name) in [(3, "/data"), (4, "/tmp")] {
            assert_eq!(guest.errno(fd_prestat_get, (fd, 0)), 0);
            assert_eq!((guest.u32(0), guest.u32(4)), (0, name.len() as u32));
            assert_eq!(guest.errno(fd_prestat_dir_name, (fd, 0, 3)), Errno::Nametoolong as u16);
            assert_eq!(guest.errno(fd_prestat_dir_name, (fd, 0, 8)), 0);
            assert_eq!(guest.bytes(0, name.len() as u32), name.as_bytes());
            assert_eq!(guest.errno(fd_fdstat_get, (fd, 0)), 0);
            assert_eq!(guest.bytes(0, 1), [3]);
        }
        for fd in [0, 1, 2, 5] {
            assert_eq!(guest.errno(fd_prestat_get, (fd, 0)), Errno::Badf as u16);
        }
    }

    #[test]
    fn files_are_read_and_not_written() {
        let mut guest = guest();
        let fd = guest.open(3, "words/en", 0, READ).unwrap();
        let (list, count) = guest.buffers(&[(512, 3), (520, 10)]);
        assert_eq!(guest.errno(crate::io::fd_read, (fd, list, count, OUT)), 0);
        assert_eq!((guest.u32(OUT), guest.bytes(512, 3), guest.bytes(520, 4)), (7, &b"one"[..], &b" two"[..]));
        assert_eq!(guest.write(fd, b"x"), Err(Errno::Notcapable as u16));
        let rofs = Errno::Rofs as u16;
        assert_eq!(guest.open(3, "words/en", 0, WRITE), Err(rofs));
        assert_eq!(guest.open(3, "words/en", 8, READ), Err(rofs));
        assert_eq!(guest.open(3, "words/fr", 1, READ), Err(rofs));
        let (at, len) = guest.path("top");
        assert_eq!(guest.errno(path_unlink_file, (3, at, len)), rofs);
        let (at, len) = guest.path("new");
        assert_eq!(guest.errno(path_create_directory, (3, at, len)), rofs);
        assert_eq!(guest.open(3, "words/en", 1, READ), Ok(6));
        assert_eq!(guest.open(3, "words/en", 1 | 4, READ), Err(Errno::Exist as u16));
    }

    #[test]
    fn directories_are_listed() {
        let mut guest = guest();
        assert_eq!(guest.names(3, 4096), [".", "..", "words", "top"]);
        let words = guest.open(3, "words", 2, READ).unwrap();
        for room in [24 + 8, 60, 100, 4096] {
            assert_eq!(guest.names(words, room), [".", "..", "en", "de"], "{room}");
        }
    }

    /// A list goes on behind what was removed.
    #[test]
    fn what_is_listed_can_be_removed() {
        let mut guest = guest();
        for name in ["a", "b", "c", "d"] {
            guest.open(4, name, 1, WRITE).unwrap();
        }
        assert_eq!(guest.errno(crate::fd::fd_readdir, (4, 16384, 77, 0, OUT)), 0);
        let next = guest.u64(16384 + 25 + 26);
        let (at, len) = guest.path("a");
        assert_eq!(guest.errno(path_unlink_file, (4, at, len)), 0);
        assert_eq!(guest.errno(crate::fd::fd_readdir, (4, 16384, 4096, next, OUT)), 0);
        assert_eq!(guest.bytes(16384 + 24, 1), b"b");
        assert_eq!(guest.u32(OUT), 75);
    }

    #[test]
    fn scratch_is_full_at_its_limits() {
        let mut guest = guest();
        let nospc = Errno::Nospc as u16;
        let fd = guest.open(4, "a", 1, WRITE | rights::FILE).unwrap();
        assert_eq!(guest.write(fd, &[1; 90]), Ok(90));
        assert_eq!(guest.write(fd, &[2; 90]), Ok(10));
        assert_eq!(guest.write(fd, &[3]), Err(nospc));
        assert_eq!(guest.errno(crate::fd::fd_filestat_set_size, (fd, 101)), nospc);
        assert_eq!(guest.errno(crate::fd::fd_filestat_set_size, (fd, i64::MAX as u64)), nospc);
        assert_eq!(guest.errno(crate::fd::fd_filestat_set_size, (fd, u64::MAX)), Errno::Fbig as u16);
        assert_eq!(guest.errno(crate::fd::fd_allocate, (fd, u64::MAX, 1)), Errno::Fbig as u16);
        for name in ["b", "c", "d", "e"] {
            guest.open(4, name, 1, WRITE).unwrap();
        }
        assert_eq!(guest.open(4, "f", 1, WRITE), Err(nospc));
        // What is removed makes room when it is closed.
        let (at, len) = guest.path("a");
        assert_eq!(guest.errno(path_unlink_file, (4, at, len)), 0);
        assert_eq!(guest.open(4, "f", 1, WRITE), Err(nospc));
        assert_eq!(guest.errno(fd_close, fd), 0);
        let fd = guest.open(4, "f", 1, WRITE).unwrap();
        assert_eq!(guest.write(fd, &[1; 100]), Ok(100));
    }

    #[test]
    fn the_host_gets_the_scratch_directory() {
        let mut state = WasiState::default();
        assert!(state.take_files("/tmp").is_none());
        let mut guest = guest();
        let (at, len) = guest.path("d");
        assert_eq!(guest.errno(path_create_directory, (4, at, len)), 0);
        for (name, text) in [("x", "1"), ("d/y", "22"), ("d/z", "")] {
            let fd = guest.open(4, name, 1, WRITE).unwrap();
            assert_eq!(guest.write(fd, text.as_bytes()), Ok(text.len() as u32));
        }
        let mut state = WasiState::of(guest.state);
        let files = state.take_files("/tmp").unwrap();
        let text = |bytes| core::str::from_utf8(bytes).unwrap();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, bytes)| (&**path, text(&**bytes))).collect();
        assert_eq!(files, [("d/y", "22"), ("d/z", ""), ("x", "1")]);
        assert!(state.take_files("/tmp").unwrap().is_empty());
        assert!(state.take_files("/data").is_none());
    }

    #[test]
    fn nothing_is_renamed_into_itself_or_elsewhere() {
        let mut guest = guest();
        for name in ["a", "a/b"] {
            let (at, len) = guest.path(name);
            assert_eq!(guest.errno(path_create_directory, (4, at, len)), 0);
        }
        guest.put(2048, b"a/b/c");
        let (at, len) = guest.path("a");
        assert_eq!(guest.errno(path_rename, (4, at, len, 4, 2048, 5)), Errno::Inval as u16);
        assert_eq!(guest.errno(path_rename, (4, at, len, 3, 2048, 1)), Errno::Xdev as u16);
        let b = guest.open(4, "a/b", 2, ALL).unwrap();
        guest.put(2048, b"c");
        let (at, len) = guest.path("a");
        assert_eq!(guest.errno(path_rename, (4, at, len, b, 2048, 1)), Errno::Inval as u16);
    }

    #[test]
    fn an_open_directory_that_is_removed_takes_nothing() {
        let mut guest = guest();
        let (at, len) = guest.path("d");
        assert_eq!(guest.errno(path_create_directory, (4, at, len)), 0);
        let dir = guest.open(4, "d", 2, ALL).unwrap();
        let (at, len) = guest.path("d");
        assert_eq!(guest.errno(path_remove_directory, (4, at, len)), 0);
        assert_eq!(guest.open(dir, "x", 1, WRITE), Err(Errno::Noent as u16));
        assert_eq!(guest.names(dir, 4096), [".", ".."]);
        assert_eq!(guest.open(4, "e", 1, WRITE), Ok(6));
    }

    #[test]
    fn rights_are_given_up_for_good() {
        let mut guest = guest();
        let set = crate::fd::fd_fdstat_set_rights;
        assert_eq!(guest.errno(set, (4, rights::PATH_OPEN, rights::FD_READ)), 0);
        let notcapable = Errno::Notcapable as u16;
        assert_eq!(guest.errno(set, (4, rights::PATH_OPEN | rights::FD_READDIR, 0)), notcapable);
        assert_eq!(guest.open(4, "a", 1, WRITE), Err(notcapable));
        let (at, len) = guest.path("a");
        assert_eq!(guest.errno(path_create_directory, (4, at, len)), notcapable);
    }

    #[test]
    fn descriptors_end() {
        let mut guest = guest();
        let opened = (0..2000).map_while(|_| guest.open(3, "top", 0, READ).ok()).count();
        assert_eq!(opened, 1024 - 5);
        assert_eq!(guest.open(3, "top", 0, READ), Err(Errno::Nfile as u16));
    }
}
