//! Reading and writing.

use alloc::vec::Vec;

use hotcell_core::backend::Streams;

use crate::{
    call::{Call, Fuel, Outcome, Stop},
    clocks::ClockId,
    errno::Errno,
    fds::{APPEND, Object},
    memory::{Memory, field},
    rights,
    state::State,
};

/// Buffers of one call.
const MOST_BUFFERS: u32 = 1024;

/// Where a read or write begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the descriptor's position, which moves.
    Position,
    Offset(u64),
}

impl At {
    /// What a descriptor must allow beside reading or writing.
    fn right(self) -> u64 {
        match self {
            Self::Position => 0,
            Self::Offset(_) => rights::FD_SEEK,
        }
    }
}

/// The guest's list of buffers, read and checked before anything is moved. They may overlap.
struct Buffers {
    list: Vec<(u32, u32)>,
    len: u64,
}

impl Buffers {
    fn read(memory: &Memory<'_>, fuel: &mut Fuel, at: u32, count: u32) -> Result<Self, Stop> {
        if count > MOST_BUFFERS {
            return Err(Errno::Inval.into());
        }
        fuel.spend(count.into())?;
        let records = memory.bytes(at, count * 8)?.chunks_exact(8);
        let list: Vec<_> = records
            .map(|record| (u32::from_le_bytes(field(record, 0)), u32::from_le_bytes(field(record, 4))))
            .collect();
        list.iter().try_for_each(|(at, len)| memory.check(*at, *len))?;
        let len = list.iter().map(|(_, len)| u64::from(*len)).sum();
        // The result is a number of 32 bits.
        if len > u32::MAX.into() { Err(Errno::Inval.into()) } else { Ok(Self { list, len }) }
    }

    /// Fills them with bytes that `fill` gives, until it gives fewer than it could. Returns how many bytes there were.
    fn fill(
        &self,
        memory: &mut Memory<'_>,
        mut fill: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
    ) -> Result<u32, Errno> {
        let mut total = 0;
        for (at, len) in &self.list {
            let count = match fill(memory.bytes_mut(*at, *len)?) {
                Ok(count) => count,
                // What was read before is there.
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno),
            };
            // At most `len`.
            total += count as u32;
            if count < *len as usize {
                break;
            }
        }
        Ok(total)
    }

    /// Hands the first `most` bytes of them to `take`, until it takes fewer than there are. Returns how many it took.
    fn drain(
        &self,
        memory: &Memory<'_>,
        most: u64,
        mut take: impl FnMut(&[u8]) -> Result<usize, Errno>,
    ) -> Result<u32, Errno> {
        let mut total = 0;
        for (at, len) in &self.list {
            let left = most - u64::from(total);
            // At most `len`.
            let len = u64::from(*len).min(left) as u32;
            let count = match take(memory.bytes(*at, len)?) {
                Ok(count) => count,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno),
            };
            total += count as u32;
            if count < len as usize {
                break;
            }
        }
        Ok(total)
    }
}

pub(crate) fn fd_read(call: &mut Call<'_>, (fd, list, count, out): (u32, u32, u32, u32)) -> Outcome {
    read(call, fd, (list, count), At::Position, out)
}

pub(crate) fn fd_pread(call: &mut Call<'_>, (fd, list, count, offset, out): (u32, u32, u32, u64, u32)) -> Outcome {
    read(call, fd, (list, count), At::Offset(offset), out)
}

pub(crate) fn fd_write(call: &mut Call<'_>, (fd, list, count, out): (u32, u32, u32, u32)) -> Outcome {
    write(call, fd, (list, count), At::Position, out)
}

pub(crate) fn fd_pwrite(call: &mut Call<'_>, (fd, list, count, offset, out): (u32, u32, u32, u64, u32)) -> Outcome {
    write(call, fd, (list, count), At::Offset(offset), out)
}

fn read(call: &mut Call<'_>, fd: u32, (list, count): (u32, u32), at: At, out: u32) -> Outcome {
    let Call { memory, state, streams, fuel } = call;
    let descriptor = state.fds.get_mut(fd, rights::FD_READ | at.right())?;
    let buffers = Buffers::read(memory, fuel, list, count)?;
    memory.check(out, 4)?;
    let total = match (&mut descriptor.object, at) {
        (Object::Stdin, At::Position) => {
            fuel.spend_moving(buffers.len.min(streams.input().len() as u64))?;
            buffers.fill(memory, |bytes| Ok(streams.read(bytes)))?
        }
        (Object::Stdin | Object::Stdout | Object::Stderr, _) => return Err(Errno::Spipe.into()),
        (Object::File { mount, node, position }, at) => {
            let mount = state.mounts.get(*mount).and_then(Option::as_ref).ok_or(Errno::Badf)?;
            let file = mount.tree().file(*node)?;
            let offset = match at {
                At::Position => *position,
                At::Offset(offset) => offset,
            };
            let mut rest = usize::try_from(offset).ok().and_then(|offset| file.get(offset..)).unwrap_or_default();
            fuel.spend_moving(buffers.len.min(rest.len() as u64))?;
            let total = buffers.fill(memory, |bytes| {
                let (now, later) = rest.split_at(rest.len().min(bytes.len()));
                bytes[..now.len()].copy_from_slice(now);
                rest = later;
                Ok(now.len())
            })?;
            if at == At::Position {
                *position += u64::from(total);
            }
            total
        }
        (Object::Dir { .. }, _) => return Err(Errno::Isdir.into()),
        #[cfg(feature = "dirs")]
        (Object::HostFile(file), at) => {
            fuel.spend_moving(buffers.len)?;
            match at {
                At::Position => buffers.fill(memory, |bytes| file.read(bytes))?,
                At::Offset(mut offset) => buffers.fill(memory, |bytes| file.read_at(bytes, &mut offset))?,
            }
        }
        #[cfg(feature = "dirs")]
        (Object::HostDir(_), _) => return Err(Errno::Isdir.into()),
    };
    memory.put(out, &total.to_le_bytes())?;
    Ok(())
}

fn write(call: &mut Call<'_>, fd: u32, (list, count): (u32, u32), at: At, out: u32) -> Outcome {
    let Call { memory, state, streams, fuel } = call;
    let descriptor = state.fds.get(fd, rights::FD_WRITE | at.right())?;
    let buffers = Buffers::read(memory, fuel, list, count)?;
    memory.check(out, 4)?;
    let total = match (&descriptor.object, at) {
        (Object::Stdout, At::Position) => to_stream(streams, Streams::write_out, memory, fuel, &buffers)?,
        (Object::Stderr, At::Position) => to_stream(streams, Streams::write_err, memory, fuel, &buffers)?,
        (Object::Stdin | Object::Stdout | Object::Stderr, _) => return Err(Errno::Spipe.into()),
        (Object::File { .. }, at) => to_file(state, fd, at, memory, fuel, &buffers)?,
        (Object::Dir { .. }, _) => return Err(Errno::Isdir.into()),
        #[cfg(feature = "dirs")]
        (Object::HostFile(_), at) => {
            fuel.spend_moving(buffers.len)?;
            let Object::HostFile(file) = &mut state.fds.get_mut(fd, 0)?.object else { return Err(Errno::Badf.into()) };
            match at {
                At::Position => buffers.drain(memory, buffers.len, |bytes| file.write(bytes))?,
                At::Offset(mut offset) => {
                    buffers.drain(memory, buffers.len, |bytes| file.write_at(bytes, &mut offset))?
                }
            }
        }
        #[cfg(feature = "dirs")]
        (Object::HostDir(_), _) => return Err(Errno::Isdir.into()),
    };
    memory.put(out, &total.to_le_bytes())?;
    Ok(())
}

fn to_stream(
    streams: &mut Streams,
    write: fn(&mut Streams, &[u8]),
    memory: &Memory<'_>,
    fuel: &mut Fuel,
    buffers: &Buffers,
) -> Result<u32, Stop> {
    fuel.spend_moving(buffers.len)?;
    let total = buffers.drain(memory, buffers.len, |bytes| {
        write(streams, bytes);
        Ok(bytes.len())
    })?;
    Ok(total)
}

fn to_file(
    state: &mut State,
    fd: u32,
    at: At,
    memory: &Memory<'_>,
    fuel: &mut Fuel,
    buffers: &Buffers,
) -> Result<u32, Stop> {
    let descriptor = state.fds.get_mut(fd, 0)?;
    let appends = descriptor.flags & APPEND != 0;
    let Object::File { mount, node, position } = &mut descriptor.object else { return Err(Errno::Badf.into()) };
    let node = *node;
    let tree = state.mounts.get_mut(*mount).and_then(Option::as_mut).ok_or(Errno::Badf)?.tree_mut()?;
    let offset = match at {
        At::Position if appends => tree.file(node)?.len() as u64,
        At::Position => *position,
        At::Offset(offset) => offset,
    };
    let (fits, grows) = tree.room(node, offset, buffers.len)?;
    if fits == 0 {
        return Ok(0);
    }
    fuel.spend_moving(grows + fits)?;
    let now = state.clocks.now(ClockId::Realtime);
    let size = (tree.file(node)?.len() as u64).max(offset + fits);
    tree.set_size(node, size, now)?;
    let mut rest = tree.part_mut(node, offset)?;
    let total = buffers.drain(memory, fits, |bytes| {
        let (now, later) = core::mem::take(&mut rest).split_at_mut(bytes.len());
        now.copy_from_slice(bytes);
        rest = later;
        Ok(bytes.len())
    })?;
    if at == At::Position {
        *position = offset + u64::from(total);
    }
    Ok(total)
}
