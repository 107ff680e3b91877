//! What is known of a file.

use crate::{call::Outcome, errno::Errno, memory::Memory};

/// The type of a file, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileType {
    #[cfg(feature = "dirs")]
    Unknown = 0,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    #[cfg(feature = "dirs")]
    SymbolicLink = 7,
}

/// When a file was used, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) accessed: u64,
    pub(crate) modified: u64,
    pub(crate) changed: u64,
}

/// What `fd_filestat_get` tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filestat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) file_type: FileType,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) times: Times,
}

impl Filestat {
    /// Of a standard stream.
    pub(crate) const STREAM: Self = Self {
        device: 0,
        inode: 0,
        file_type: FileType::CharacterDevice,
        links: 0,
        size: 0,
        times: Times { accessed: 0, modified: 0, changed: 0 },
    };

    pub(crate) fn put(&self, memory: &mut Memory<'_>, at: u32) -> Outcome {
        let mut record = [0; 64];
        record[16] = self.file_type as u8;
        let Times { accessed, modified, changed } = self.times;
        let words = [
            (0, self.device),
            (8, self.inode),
            (24, self.links),
            (32, self.size),
            (40, accessed),
            (48, modified),
            (56, changed),
        ];
        for (offset, word) in words {
            record[offset..][..8].copy_from_slice(&word.to_le_bytes());
        }
        memory.put(at, &record)?;
        Ok(())
    }
}

/// How the times of a file are set: `None` leaves one as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewTimes {
    pub(crate) accessed: Option<u64>,
    pub(crate) modified: Option<u64>,
}

impl NewTimes {
    /// By the arguments of `fd_filestat_set_times`, at a time that is `now`.
    pub(crate) fn from_flags(accessed: u64, modified: u64, flags: u32, now: u64) -> Result<Self, Errno> {
        if flags > 0xf {
            return Err(Errno::Inval);
        }
        let one = |set: bool, set_now: bool, time: u64| match (set, set_now) {
            (true, true) => Err(Errno::Inval),
            (true, false) => Ok(Some(time)),
            (false, true) => Ok(Some(now)),
            (false, false) => Ok(None),
        };
        Ok(Self {
            accessed: one(flags & 1 != 0, flags & 2 != 0, accessed)?,
            modified: one(flags & 4 != 0, flags & 8 != 0, modified)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_set_or_now_or_stay() {
        let times = |flags| NewTimes::from_flags(1, 2, flags, 9).map(|new| (new.accessed, new.modified));
        assert_eq!(times(0), Ok((None, None)));
        assert_eq!(times(1 | 8), Ok((Some(1), Some(9))));
        assert_eq!(times(2 | 4), Ok((Some(9), Some(2))));
        for flags in [3, 12, 16, u32::MAX] {
            assert_eq!(times(flags), Err(Errno::Inval));
        }
    }
}
