//! What a descriptor is, and what becomes of it.

use crate::{
    call::{Call, Outcome},
    clocks::ClockId,
    errno::Errno,
    fds::{ALL_FLAGS, Descriptor, Object},
    files::{
        stat::{FileType, Filestat, NewTimes},
        tree::{NodeId, Tree},
    },
    rights,
    state::State,
};

/// Fuel of an entry of a directory, which is sorted among the others.
const ENTRY: u64 = 4;

impl State {
    /// A tree in memory.
    pub(crate) fn tree(&self, mount: usize) -> Result<&Tree, Errno> {
        Ok(self.mounts.get(mount).and_then(Option::as_ref).ok_or(Errno::Badf)?.tree())
    }

    /// A tree in memory, to change it.
    pub(crate) fn tree_mut(&mut self, mount: usize) -> Result<&mut Tree, Errno> {
        self.mounts.get_mut(mount).and_then(Option::as_mut).ok_or(Errno::Badf)?.tree_mut()
    }

    /// Something in a tree has been opened.
    pub(crate) fn opened(&mut self, mount: usize, node: NodeId) -> Result<(), Errno> {
        match self.tree_mut(mount) {
            Ok(tree) => tree.open(node),
            // What nobody changes is always there.
            Err(_) => Ok(()),
        }
    }

    /// Something is open no more.
    fn closed(&mut self, descriptor: &Descriptor) {
        if let Object::File { mount, node, .. } | Object::Dir { mount, node } = descriptor.object
            && let Ok(tree) = self.tree_mut(mount)
        {
            tree.close(node);
        }
    }

    /// The time for what is changed now.
    pub(crate) fn now(&self) -> u64 {
        self.clocks.now(ClockId::Realtime)
    }
}

/// The device of a tree in memory.
pub(crate) fn device(mount: usize) -> u64 {
    mount as u64 + 1
}

pub(crate) fn fd_advise(call: &mut Call<'_>, (fd, offset, len, advice): (u32, u64, u64, u32)) -> Outcome {
    call.state.fds.get(fd, rights::FD_ADVISE)?;
    if advice > 5 || offset.checked_add(len).is_none() {
        return Err(Errno::Inval.into());
    }
    Ok(())
}

pub(crate) fn fd_allocate(call: &mut Call<'_>, (fd, offset, len): (u32, u64, u64)) -> Outcome {
    let object = &call.state.fds.get(fd, rights::FD_ALLOCATE)?.object;
    if len == 0 {
        return Err(Errno::Inval.into());
    }
    let end = offset.checked_add(len).ok_or(Errno::Fbig)?;
    match *object {
        Object::File { mount, node, .. } => match call.state.tree(mount)?.file(node)?.len() as u64 {
            size if size >= end => Ok(()),
            _ => set_size(call, mount, node, end),
        },
        // No host allocates on a guest's word.
        _ => Err(Errno::Notsup.into()),
    }
}

fn set_size(call: &mut Call<'_>, mount: usize, node: NodeId, size: u64) -> Outcome {
    let now = call.state.now();
    let tree = call.state.tree_mut(mount)?;
    let old = tree.file(node)?.len() as u64;
    let (fits, grows) = tree.room(node, old, size.saturating_sub(old))?;
    if fits < size.saturating_sub(old) {
        return Err(Errno::Nospc.into());
    }
    call.fuel.spend_moving(grows)?;
    tree.set_size(node, size, now)?;
    Ok(())
}

pub(crate) fn fd_close(call: &mut Call<'_>, fd: u32) -> Outcome {
    let descriptor = call.state.fds.remove(fd)?;
    call.state.closed(&descriptor);
    Ok(())
}

pub(crate) fn fd_datasync(call: &mut Call<'_>, fd: u32) -> Outcome {
    sync(call, fd, rights::FD_DATASYNC)
}

pub(crate) fn fd_sync(call: &mut Call<'_>, fd: u32) -> Outcome {
    sync(call, fd, rights::FD_SYNC)
}

fn sync(call: &mut Call<'_>, fd: u32, right: u64) -> Outcome {
    match &call.state.fds.get(fd, right)?.object {
        #[cfg(feature = "dirs")]
        Object::HostFile(file) => Ok(file.sync()?),
        _ => Ok(()),
    }
}

pub(crate) fn fd_fdstat_get(call: &mut Call<'_>, (fd, out): (u32, u32)) -> Outcome {
    let descriptor = call.state.fds.get(fd, 0)?;
    let mut record = [0; 24];
    record[0] = descriptor.file_type() as u8;
    record[2..4].copy_from_slice(&descriptor.flags.to_le_bytes());
    record[8..16].copy_from_slice(&descriptor.rights.to_le_bytes());
    record[16..24].copy_from_slice(&descriptor.inheriting.to_le_bytes());
    call.memory.put(out, &record)?;
    Ok(())
}

/// The flags among a guest's number.
pub(crate) fn flags(number: u32) -> Result<u16, Errno> {
    u16::try_from(number).ok().filter(|flags| flags & !ALL_FLAGS == 0).ok_or(Errno::Inval)
}

pub(crate) fn fd_fdstat_set_flags(call: &mut Call<'_>, (fd, number): (u32, u32)) -> Outcome {
    let descriptor = call.state.fds.get_mut(fd, rights::FD_FDSTAT_SET_FLAGS)?;
    let flags = flags(number)?;
    #[cfg(feature = "dirs")]
    if let Object::HostFile(file) = &mut descriptor.object {
        file.set_appends(flags & crate::fds::APPEND != 0);
    }
    descriptor.flags = flags;
    Ok(())
}

/// Rights are given up, and never come back.
pub(crate) fn fd_fdstat_set_rights(call: &mut Call<'_>, (fd, base, inheriting): (u32, u64, u64)) -> Outcome {
    let descriptor = call.state.fds.get_mut(fd, 0)?;
    if base & !descriptor.rights != 0 || inheriting & !descriptor.inheriting != 0 {
        return Err(Errno::Notcapable.into());
    }
    (descriptor.rights, descriptor.inheriting) = (base, inheriting);
    Ok(())
}

pub(crate) fn fd_filestat_get(call: &mut Call<'_>, (fd, out): (u32, u32)) -> Outcome {
    let stat = match &call.state.fds.get(fd, rights::FD_FILESTAT_GET)?.object {
        Object::Stdin | Object::Stdout | Object::Stderr => Filestat::STREAM,
        Object::File { mount, node, .. } | Object::Dir { mount, node } => {
            call.state.tree(*mount)?.stat(*node, device(*mount))?
        }
        #[cfg(feature = "dirs")]
        Object::HostFile(file) => file.stat()?,
        #[cfg(feature = "dirs")]
        Object::HostDir(dir) => dir.stat()?,
    };
    stat.put(&mut call.memory, out)
}

pub(crate) fn fd_filestat_set_size(call: &mut Call<'_>, (fd, size): (u32, u64)) -> Outcome {
    match &call.state.fds.get(fd, rights::FD_FILESTAT_SET_SIZE)?.object {
        Object::File { mount, node, .. } => {
            let (mount, node) = (*mount, *node);
            set_size(call, mount, node, size)
        }
        #[cfg(feature = "dirs")]
        Object::HostFile(file) => Ok(file.set_size(size)?),
        _ => Err(Errno::Inval.into()),
    }
}

pub(crate) fn fd_filestat_set_times(
    call: &mut Call<'_>,
    (fd, accessed, modified, flags): (u32, u64, u64, u32),
) -> Outcome {
    let object = &call.state.fds.get(fd, rights::FD_FILESTAT_SET_TIMES)?.object;
    let now = call.state.now();
    let times = NewTimes::from_flags(accessed, modified, flags, now)?;
    match *object {
        Object::File { mount, node, .. } | Object::Dir { mount, node } => {
            call.state.tree_mut(mount)?.set_times(node, times, now)?;
        }
        #[cfg(feature = "dirs")]
        Object::HostFile(ref file) => file.set_times(times)?,
        _ => return Err(Errno::Notsup.into()),
    }
    Ok(())
}

/// A C library asks from descriptor 3 on, until it gets [`Errno::Badf`].
pub(crate) fn fd_prestat_get(call: &mut Call<'_>, (fd, out): (u32, u32)) -> Outcome {
    let name = preopen(call.state, fd)?;
    let mut record = [0; 8];
    // At most 4,096.
    record[4..8].copy_from_slice(&(name.len() as u32).to_le_bytes());
    call.memory.put(out, &record)?;
    Ok(())
}

pub(crate) fn fd_prestat_dir_name(call: &mut Call<'_>, (fd, out, len): (u32, u32, u32)) -> Outcome {
    let name = preopen(call.state, fd)?;
    if (len as usize) < name.len() {
        return Err(Errno::Nametoolong.into());
    }
    call.fuel.spend_moving(name.len() as u64)?;
    call.memory.put(out, name.as_bytes())?;
    Ok(())
}

fn preopen(state: &State, fd: u32) -> Result<&str, Errno> {
    let index = state.fds.get(fd, 0)?.preopen.ok_or(Errno::Badf)?;
    state.config.preopens.get(index).map(|preopen| &*preopen.path).ok_or(Errno::Badf)
}

pub(crate) fn fd_renumber(call: &mut Call<'_>, (from, to): (u32, u32)) -> Outcome {
    let fds = &mut call.state.fds;
    fds.get(from, 0)?;
    fds.get(to, 0)?;
    if from != to {
        let descriptor = fds.remove(from)?;
        let replaced = fds.remove(to)?;
        fds.put(to, descriptor);
        call.state.closed(&replaced);
    }
    Ok(())
}

pub(crate) fn fd_seek(call: &mut Call<'_>, (fd, offset, whence, out): (u32, i64, u32, u32)) -> Outcome {
    let tells = whence == 1 && offset == 0;
    let descriptor = call.state.fds.get(fd, 0)?;
    if !(tells && descriptor.may(rights::FD_TELL).is_ok()) {
        descriptor.may(rights::FD_SEEK)?;
    }
    seek(call, fd, offset, whence, out)
}

pub(crate) fn fd_tell(call: &mut Call<'_>, (fd, out): (u32, u32)) -> Outcome {
    call.state.fds.get(fd, rights::FD_TELL)?;
    seek(call, fd, 0, 1, out)
}

fn seek(call: &mut Call<'_>, fd: u32, offset: i64, whence: u32, out: u32) -> Outcome {
    call.memory.check(out, 8)?;
    if whence > 2 {
        return Err(Errno::Inval.into());
    }
    let State { fds, mounts, .. } = &mut *call.state;
    let position = match &mut fds.get_mut(fd, 0)?.object {
        Object::Stdin | Object::Stdout | Object::Stderr => return Err(Errno::Spipe.into()),
        Object::File { mount, node, position } => {
            let mount = mounts.get(*mount).and_then(Option::as_ref).ok_or(Errno::Badf)?;
            let from = match whence {
                0 => 0,
                1 => *position,
                _ => mount.tree().file(*node)?.len() as u64,
            };
            *position = sought(from, offset)?;
            *position
        }
        Object::Dir { .. } => return Err(Errno::Isdir.into()),
        #[cfg(feature = "dirs")]
        Object::HostFile(file) => file.seek(offset, whence)?,
        #[cfg(feature = "dirs")]
        Object::HostDir(_) => return Err(Errno::Isdir.into()),
    };
    call.memory.put(out, &position.to_le_bytes())?;
    Ok(())
}

/// A position that is `offset` from another. Files end at 2^63 - 1.
fn sought(from: u64, offset: i64) -> Result<u64, Errno> {
    match from.cast_signed().checked_add(offset) {
        Some(position) => u64::try_from(position).map_err(|_| Errno::Inval),
        None => Err(Errno::Overflow),
    }
}

pub(crate) fn fd_readdir(call: &mut Call<'_>, (fd, buffer, len, cookie, out): (u32, u32, u32, u64, u32)) -> Outcome {
    let object = &call.state.fds.get(fd, rights::FD_READDIR)?.object;
    call.memory.check(out, 4)?;
    call.memory.check(buffer, len)?;
    let entries = match object {
        Object::Dir { mount, node } => {
            let tree = call.state.tree(*mount)?;
            call.fuel.spend(tree.dir(*node)?.len() as u64 * ENTRY)?;
            crate::readdir::entries(tree, *node, cookie)?
        }
        #[cfg(feature = "dirs")]
        Object::HostDir(dir) => dir.entries(&mut call.fuel, cookie, len)?,
        _ => return Err(Errno::Notdir.into()),
    };
    call.fuel.spend_moving(len.into())?;
    let used = crate::readdir::write(&entries, call.memory.bytes_mut(buffer, len)?);
    call.memory.put(out, &used.to_le_bytes())?;
    Ok(())
}

/// Whether a descriptor is a directory's.
pub(crate) fn is_dir(descriptor: &Descriptor) -> bool {
    descriptor.file_type() == FileType::Directory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_stay_in_files() {
        for (from, offset, expected) in [
            (5, -5, Ok(0)),
            (5, -6, Err(Errno::Inval)),
            (0, i64::MIN, Err(Errno::Inval)),
            (0, i64::MAX, Ok(i64::MAX as u64)),
            (1, i64::MAX, Err(Errno::Overflow)),
            (i64::MAX as u64, -1, Ok(i64::MAX as u64 - 1)),
        ] {
            assert_eq!(sought(from, offset), expected, "{from} {offset}");
        }
    }
}
