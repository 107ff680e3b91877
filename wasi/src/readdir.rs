//! Lists of directories.

use alloc::{string::String, vec::Vec};

use crate::{
    errno::Errno,
    files::{
        stat::FileType,
        tree::{Entry, NodeId, Tree, inode},
    },
};

/// What a list tells of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Where the list goes on behind it.
    pub(crate) next: u64,
    pub(crate) inode: u64,
    pub(crate) file_type: FileType,
    pub(crate) name: String,
}

/// Entries before those of the directory itself: `.` and `..`.
pub(crate) const DOTS: u64 = 2;

/// The entries of a directory in memory, from `cookie` on.
pub(crate) fn entries(tree: &Tree, dir: NodeId, cookie: u64) -> Result<Vec<Listed>, Errno> {
    let dots = [(".", dir), ("..", tree.parent(dir)?)].into_iter().enumerate().map(|(index, (name, node))| Listed {
        next: index as u64 + 1,
        inode: inode(node),
        file_type: FileType::Directory,
        name: name.into(),
    });
    let mut listed: Vec<Listed> = dots.filter(|entry| entry.next > cookie).collect();
    let named = tree.dir(dir)?.iter().filter(|(_, entry)| entry.sequence + DOTS >= cookie);
    for (name, Entry { node, sequence }) in named {
        let (next, file_type) = (sequence + DOTS + 1, tree.file_type(*node)?);
        listed.push(Listed { next, inode: inode(*node), file_type, name: name.clone() });
    }
    listed.sort_unstable_by_key(|entry| entry.next);
    Ok(listed)
}

/// Writes entries until the buffer is full, the last one cut off. Returns how many bytes there are: fewer than there is room
/// for means that there are no more entries.
pub(crate) fn write(entries: &[Listed], buffer: &mut [u8]) -> u32 {
    let mut used = 0;
    for Listed { next, inode, file_type, name } in entries {
        let mut head = [0; 24];
        head[..8].copy_from_slice(&next.to_le_bytes());
        head[8..16].copy_from_slice(&inode.to_le_bytes());
        // A name has at most 255 bytes, or what the host's have.
        head[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
        head[20] = *file_type as u8;
        for bytes in [&head[..], name.as_bytes()] {
            let room = &mut buffer[used..];
            let len = room.len().min(bytes.len());
            room[..len].copy_from_slice(&bytes[..len]);
            used += len;
        }
    }
    // The buffer's length was a number of 32 bits.
    used as u32
}
