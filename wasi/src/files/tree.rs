//! A tree of files in memory. Directories and files are nodes of one list, so that nothing is nested in the host however deep a
//! guest nests.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use super::stat::{FileType, Filestat, NewTimes, Times};
use crate::errno::Errno;

/// A place in the list.
pub(crate) type NodeId = u32;

/// The directory above all.
pub(crate) const ROOT: NodeId = 0;

/// Where files end at the latest: positions in them are of 63 bits.
const LARGEST: u64 = i64::MAX as u64;

/// What a tree may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of all files together.
    pub(crate) bytes: u64,
    /// Files and directories.
    pub(crate) entries: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    bytes: u64,
    /// Sequence number of the next entry.
    next: u64,
    limits: Limits,
}

#[derive(Clone, Debug)]
struct Node {
    content: Content,
    times: Times,
    /// The directory that has it; `None` for the root, and for what was removed and is still open.
    parent: Option<NodeId>,
    /// Descriptors that have it open.
    opens: u32,
}

#[derive(Clone, Debug)]
enum Content {
    File(Vec<u8>),
    Dir(BTreeMap<String, Entry>),
}

/// What a directory has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) node: NodeId,
    /// Grows with each entry that is made, so that a list can go on behind one although others come and go.
    pub(crate) sequence: u64,
}

impl Tree {
    /// An empty directory.
    pub(crate) fn new(limits: Limits) -> Self {
        let root = Node { content: Content::Dir(BTreeMap::new()), times: Times::default(), parent: None, opens: 0 };
        Self { nodes: alloc::vec![Some(root)], free: Vec::new(), bytes: 0, next: 0, limits }
    }

    fn node(&self, id: NodeId) -> Result<&Node, Errno> {
        self.nodes.get(id as usize).and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(id as usize).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// The entries of a directory.
    pub(crate) fn dir(&self, id: NodeId) -> Result<&BTreeMap<String, Entry>, Errno> {
        match &self.node(id)?.content {
            Content::Dir(entries) => Ok(entries),
            Content::File(_) => Err(Errno::Notdir),
        }
    }

    fn dir_mut(&mut self, id: NodeId) -> Result<&mut BTreeMap<String, Entry>, Errno> {
        match &mut self.node_mut(id)?.content {
            Content::Dir(entries) => Ok(entries),
            Content::File(_) => Err(Errno::Notdir),
        }
    }

    /// The bytes of a file.
    pub(crate) fn file(&self, id: NodeId) -> Result<&[u8], Errno> {
        match &self.node(id)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Dir(_) => Err(Errno::Isdir),
        }
    }

    /// What a directory has under a name.
    pub(crate) fn find(&self, dir: NodeId, name: &str) -> Result<Option<NodeId>, Errno> {
        Ok(self.dir(dir)?.get(name).map(|entry| entry.node))
    }

    /// The directory that has this one; the root has itself.
    pub(crate) fn parent(&self, id: NodeId) -> Result<NodeId, Errno> {
        Ok(self.node(id)?.parent.unwrap_or(id))
    }

    pub(crate) fn file_type(&self, id: NodeId) -> Result<FileType, Errno> {
        Ok(match self.node(id)?.content {
            Content::File(_) => FileType::RegularFile,
            Content::Dir(_) => FileType::Directory,
        })
    }

    pub(crate) fn stat(&self, id: NodeId, device: u64) -> Result<Filestat, Errno> {
        let node = self.node(id)?;
        let size = match &node.content {
            Content::File(bytes) => bytes.len() as u64,
            Content::Dir(_) => 0,
        };
        Ok(Filestat {
            device,
            inode: inode(id),
            file_type: self.file_type(id)?,
            links: (node.parent.is_some() || id == ROOT).into(),
            size,
            times: node.times,
        })
    }

    pub(crate) fn set_times(&mut self, id: NodeId, new: NewTimes, now: u64) -> Result<(), Errno> {
        let times = &mut self.node_mut(id)?.times;
        times.accessed = new.accessed.unwrap_or(times.accessed);
        times.modified = new.modified.unwrap_or(times.modified);
        times.changed = now;
        Ok(())
    }

    /// A descriptor has it open.
    pub(crate) fn open(&mut self, id: NodeId) -> Result<(), Errno> {
        self.node_mut(id)?.opens += 1;
        Ok(())
    }

    /// A descriptor has it open no more.
    pub(crate) fn close(&mut self, id: NodeId) {
        if let Ok(node) = self.node_mut(id) {
            node.opens = node.opens.saturating_sub(1);
            self.drop_if_unused(id);
        }
    }

    pub(crate) fn create_file(&mut self, dir: NodeId, name: &str, now: u64) -> Result<NodeId, Errno> {
        self.create(dir, name, Content::File(Vec::new()), now)
    }

    pub(crate) fn create_dir(&mut self, dir: NodeId, name: &str, now: u64) -> Result<NodeId, Errno> {
        self.create(dir, name, Content::Dir(BTreeMap::new()), now)
    }

    fn create(&mut self, dir: NodeId, name: &str, content: Content, now: u64) -> Result<NodeId, Errno> {
        if self.find(dir, name)?.is_some() {
            return Err(Errno::Exist);
        }
        if self.is_removed(dir)? {
            return Err(Errno::Noent);
        }
        if self.entries() >= u64::from(self.limits.entries) {
            return Err(Errno::Nospc);
        }
        let times = Times { accessed: now, modified: now, changed: now };
        let node = Some(Node { content, times, parent: Some(dir), opens: 0 });
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = node;
                id
            }
            None => {
                let id = NodeId::try_from(self.nodes.len()).map_err(|_| Errno::Nospc)?;
                self.nodes.push(node);
                id
            }
        };
        self.link(dir, name, id, now)?;
        Ok(id)
    }

    fn link(&mut self, dir: NodeId, name: &str, node: NodeId, now: u64) -> Result<(), Errno> {
        let sequence = self.next;
        self.next += 1;
        self.dir_mut(dir)?.insert(name.into(), Entry { node, sequence });
        self.touch(dir, now)
    }

    fn touch(&mut self, id: NodeId, now: u64) -> Result<(), Errno> {
        let times = &mut self.node_mut(id)?.times;
        (times.modified, times.changed) = (now, now);
        Ok(())
    }

    fn is_removed(&self, id: NodeId) -> Result<bool, Errno> {
        Ok(id != ROOT && self.node(id)?.parent.is_none())
    }

    /// Files and directories, but for the root.
    fn entries(&self) -> u64 {
        (self.nodes.len() - self.free.len() - 1) as u64
    }

    /// Removes a file. What has it open keeps it.
    pub(crate) fn unlink(&mut self, dir: NodeId, name: &str, now: u64) -> Result<(), Errno> {
        let node = self.find(dir, name)?.ok_or(Errno::Noent)?;
        self.file(node)?;
        self.remove(dir, name, node, now)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_dir(&mut self, dir: NodeId, name: &str, now: u64) -> Result<(), Errno> {
        let node = self.find(dir, name)?.ok_or(Errno::Noent)?;
        match self.dir(node)?.is_empty() {
            true => self.remove(dir, name, node, now),
            false => Err(Errno::Notempty),
        }
    }

    fn remove(&mut self, dir: NodeId, name: &str, node: NodeId, now: u64) -> Result<(), Errno> {
        self.dir_mut(dir)?.remove(name);
        self.touch(dir, now)?;
        self.node_mut(node)?.parent = None;
        self.drop_if_unused(node);
        Ok(())
    }

    fn drop_if_unused(&mut self, id: NodeId) {
        let Some(slot) = self.nodes.get_mut(id as usize) else { return };
        if id != ROOT && slot.as_ref().is_some_and(|node| node.parent.is_none() && node.opens == 0) {
            if let Some(Node { content: Content::File(bytes), .. }) = slot.take() {
                self.bytes -= bytes.len() as u64;
            }
            self.free.push(id);
        }
    }

    /// How many directories are above this one.
    pub(crate) fn depth(&self, id: NodeId) -> Result<u64, Errno> {
        let (mut depth, mut id) = (0, id);
        while let Some(parent) = self.node(id)?.parent {
            (depth, id) = (depth + 1, parent);
        }
        Ok(depth)
    }

    /// Gives what has one name another. What had that is removed, if it is of the same kind.
    pub(crate) fn rename(&mut self, from: (NodeId, &str), to: (NodeId, &str), now: u64) -> Result<(), Errno> {
        let node = self.find(from.0, from.1)?.ok_or(Errno::Noent)?;
        if self.is_removed(to.0)? {
            return Err(Errno::Noent);
        }
        let is_dir = self.dir(node).is_ok();
        if is_dir && self.is_above(node, to.0)? {
            return Err(Errno::Inval);
        }
        match self.find(to.0, to.1)? {
            Some(same) if same == node => return Ok(()),
            Some(other) => match (is_dir, self.dir(other)) {
                (true, Err(errno)) => return Err(errno),
                (true, Ok(entries)) if !entries.is_empty() => return Err(Errno::Notempty),
                (false, Ok(_)) => return Err(Errno::Isdir),
                (true, Ok(_)) | (false, Err(_)) => self.remove(to.0, to.1, other, now)?,
            },
            None => {}
        }
        self.dir_mut(from.0)?.remove(from.1);
        self.touch(from.0, now)?;
        self.link(to.0, to.1, node, now)?;
        self.node_mut(node)?.parent = Some(to.0);
        Ok(())
    }

    /// Whether a directory is the other one, or above it.
    fn is_above(&self, upper: NodeId, lower: NodeId) -> Result<bool, Errno> {
        let mut id = lower;
        while id != upper {
            match self.node(id)?.parent {
                Some(parent) => id = parent,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// How many bytes of `len` can be written at `offset`, and how many bytes the file grows by then.
    pub(crate) fn room(&self, id: NodeId, offset: u64, len: u64) -> Result<(u64, u64), Errno> {
        let size = self.file(id)?.len() as u64;
        let most = size + (self.limits.bytes - self.bytes);
        let end = offset.checked_add(len).filter(|end| *end <= LARGEST).ok_or(Errno::Fbig)?.min(most);
        let fits = end.saturating_sub(offset);
        if len > 0 && fits == 0 {
            return Err(Errno::Nospc);
        }
        Ok((fits, end.saturating_sub(size)))
    }

    /// Makes a file so long, with zeros where it grows. There is [room](Self::room).
    pub(crate) fn set_size(&mut self, id: NodeId, size: u64, now: u64) -> Result<(), Errno> {
        let left = self.limits.bytes - self.bytes;
        let Content::File(bytes) = &mut self.node_mut(id)?.content else { return Err(Errno::Isdir) };
        let old = bytes.len() as u64;
        if size > old + left {
            return Err(Errno::Nospc);
        }
        let new = usize::try_from(size).map_err(|_| Errno::Fbig)?;
        bytes.try_reserve(new.saturating_sub(bytes.len())).map_err(|_| Errno::Nomem)?;
        bytes.resize(new, 0);
        if bytes.capacity() / 2 > new {
            // What a file had once counts against no limit.
            bytes.shrink_to_fit();
        }
        self.bytes = self.bytes - old + size;
        self.touch(id, now)
    }

    /// The part of a file that begins at `offset`, to be overwritten.
    pub(crate) fn part_mut(&mut self, id: NodeId, offset: u64) -> Result<&mut [u8], Errno> {
        let Content::File(bytes) = &mut self.node_mut(id)?.content else { return Err(Errno::Isdir) };
        let offset = usize::try_from(offset).map_err(|_| Errno::Fbig)?;
        bytes.get_mut(offset..).ok_or(Errno::Fbig)
    }

    /// Takes all files, with their paths.
    pub(crate) fn into_files(mut self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut dirs = alloc::vec![(String::new(), ROOT)];
        while let Some((path, dir)) = dirs.pop() {
            let Some(Some(Node { content: Content::Dir(entries), .. })) =
                self.nodes.get_mut(dir as usize).map(Option::take)
            else {
                continue;
            };
            for (name, Entry { node, .. }) in entries {
                let path = if path.is_empty() { name } else { alloc::format!("{path}/{name}") };
                match self.nodes.get_mut(node as usize) {
                    Some(Some(Node { content: Content::File(bytes), .. })) => {
                        files.push((path, core::mem::take(bytes)))
                    }
                    _ => dirs.push((path, node)),
                }
            }
        }
        files.sort_unstable();
        files
    }
}

/// The number of a node, which is not zero.
pub(crate) fn inode(id: NodeId) -> u64 {
    u64::from(id) + 1
}
