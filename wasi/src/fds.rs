//! The descriptors of an instance.

use alloc::vec::Vec;

use crate::{
    errno::Errno,
    files::{
        stat::FileType,
        tree::{NodeId, ROOT},
    },
    rights,
};

/// Descriptors that a guest may have.
const MOST: usize = 1024;

/// An open descriptor.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    /// Which of the config's directories it is, if it is one that the guest found open.
    pub(crate) preopen: Option<usize>,
    /// What it may be used for.
    pub(crate) rights: u64,
    /// What those may be used for that are opened with it.
    pub(crate) inheriting: u64,
    /// `fdflags`
    pub(crate) flags: u16,
}

/// What is open.
#[derive(Debug)]
pub(crate) enum Object {
    Stdin,
    Stdout,
    Stderr,
    /// A file in memory.
    File {
        mount: usize,
        node: NodeId,
        position: u64,
    },
    /// A directory in memory.
    Dir {
        mount: usize,
        node: NodeId,
    },
    #[cfg(feature = "dirs")]
    HostFile(crate::files::dirs::HostFile),
    #[cfg(feature = "dirs")]
    HostDir(crate::files::dirs::HostDir),
}

/// Data is always appended to a file's end.
pub(crate) const APPEND: u16 = 1;
/// All flags that there are.
pub(crate) const ALL_FLAGS: u16 = 0x1f;

impl Descriptor {
    fn stream(object: Object, right: u64) -> Self {
        Self { object, preopen: None, rights: rights::STREAM | right, inheriting: 0, flags: 0 }
    }

    /// A directory that the guest finds open.
    pub(crate) fn preopened(object: Object, preopen: usize) -> Self {
        let (rights, inheriting) = (rights::DIR, rights::DIR | rights::FILE);
        Self { object, preopen: Some(preopen), rights, inheriting, flags: 0 }
    }

    pub(crate) fn file_type(&self) -> FileType {
        match self.object {
            Object::Stdin | Object::Stdout | Object::Stderr => FileType::CharacterDevice,
            Object::File { .. } => FileType::RegularFile,
            Object::Dir { .. } => FileType::Directory,
            #[cfg(feature = "dirs")]
            Object::HostFile(_) => FileType::RegularFile,
            #[cfg(feature = "dirs")]
            Object::HostDir(_) => FileType::Directory,
        }
    }

    /// Whether it may be used for that.
    pub(crate) fn may(&self, right: u64) -> Result<(), Errno> {
        if self.rights & right == right { Ok(()) } else { Err(Errno::Notcapable) }
    }
}

/// The table of them, by their numbers.
#[derive(Debug)]
pub(crate) struct Fds {
    slots: Vec<Option<Descriptor>>,
    /// A bit for each number that is taken: the lowest free one is found in the same time however many there are.
    taken: [u64; MOST / 64],
}

impl Fds {
    /// The standard streams.
    pub(crate) fn new() -> Self {
        let slots = alloc::vec![
            Some(Descriptor::stream(Object::Stdin, rights::FD_READ)),
            Some(Descriptor::stream(Object::Stdout, rights::FD_WRITE)),
            Some(Descriptor::stream(Object::Stderr, rights::FD_WRITE)),
        ];
        let mut taken = [0; MOST / 64];
        taken[0] = (1 << slots.len()) - 1;
        Self { slots, taken }
    }

    /// The descriptor `fd`, to be used for `right`.
    pub(crate) fn get(&self, fd: u32, right: u64) -> Result<&Descriptor, Errno> {
        let descriptor = self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::Badf)?;
        descriptor.may(right)?;
        Ok(descriptor)
    }

    /// The descriptor `fd`, to be used for `right`.
    pub(crate) fn get_mut(&mut self, fd: u32, right: u64) -> Result<&mut Descriptor, Errno> {
        let descriptor = self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::Badf)?;
        descriptor.may(right)?;
        Ok(descriptor)
    }

    /// Whether one more can be opened.
    pub(crate) fn check_room(&self) -> Result<(), Errno> {
        if self.free() < MOST { Ok(()) } else { Err(Errno::Nfile) }
    }

    fn free(&self) -> usize {
        let word = self.taken.iter().position(|word| *word != u64::MAX).unwrap_or(self.taken.len());
        word * 64 + self.taken.get(word).map_or(0, |word| word.trailing_ones() as usize)
    }

    /// Adds one, with the lowest number that is free.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_room()?;
        let fd = self.free();
        match self.slots.get_mut(fd) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        self.taken[fd / 64] |= 1 << (fd % 64);
        // Below `MOST`.
        Ok(fd as u32)
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let removed = self.slots.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::Badf)?;
        self.taken[fd as usize / 64] &= !(1 << (fd % 64));
        Ok(removed)
    }

    /// Puts one where another was.
    pub(crate) fn put(&mut self, fd: u32, descriptor: Descriptor) {
        if let Some(slot) = self.slots.get_mut(fd as usize) {
            *slot = Some(descriptor);
            self.taken[fd as usize / 64] |= 1 << (fd % 64);
        }
    }

    /// Closes what is open of a tree in memory, but for the directory itself that the guest found open.
    pub(crate) fn forget(&mut self, tree: usize) {
        for (fd, slot) in self.slots.iter_mut().enumerate() {
            let is_inside = slot.as_ref().is_some_and(|descriptor| match descriptor.object {
                Object::File { mount, .. } => mount == tree,
                Object::Dir { mount, node } => mount == tree && node != ROOT,
                _ => false,
            });
            if is_inside {
                *slot = None;
                self.taken[fd / 64] &= !(1 << (fd % 64));
            }
        }
    }
}
