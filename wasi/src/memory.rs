use crate::errno::Errno;

/// The guest's memory. Whatever is not all inside is [`Errno::Fault`], and nothing is written then.
///
/// A pointer need not be aligned: the bytes are read and written one by one.
pub(crate) struct Memory<'a>(pub(crate) &'a mut [u8]);

impl Memory<'_> {
    /// `len` bytes at `at`.
    pub(crate) fn bytes(&self, at: u32, len: u32) -> Result<&[u8], Errno> {
        self.0.get(at as usize..).and_then(|rest| rest.get(..len as usize)).ok_or(Errno::Fault)
    }

    /// `len` bytes at `at`.
    pub(crate) fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8], Errno> {
        self.0.get_mut(at as usize..).and_then(|rest| rest.get_mut(..len as usize)).ok_or(Errno::Fault)
    }

    /// Whether `len` bytes at `at` are inside: to ask before anything is done whose result will be written there.
    pub(crate) fn check(&self, at: u32, len: u32) -> Result<(), Errno> {
        self.bytes(at, len).map(drop)
    }

    /// Writes `bytes` to `at`.
    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.bytes_mut(at, len)?.copy_from_slice(bytes);
        Ok(())
    }
}

/// A record in the guest's memory, of which a field is `N` bytes at an offset.
pub(crate) fn field<const N: usize>(record: &[u8], offset: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[offset..][..N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_all_inside_is_a_fault() {
        let mut bytes = [7; 8];
        let mut memory = Memory(&mut bytes);
        assert_eq!(memory.bytes(8, 0), Ok(&[][..]));
        for (at, len) in [(9, 0), (8, 1), (7, 2), (0, 9), (1, u32::MAX), (u32::MAX, 1), (u32::MAX, u32::MAX)] {
            assert_eq!(memory.bytes(at, len), Err(Errno::Fault), "{at} {len}");
            assert_eq!(memory.bytes_mut(at, len), Err(Errno::Fault), "{at} {len}");
            assert_eq!(memory.check(at, len), Err(Errno::Fault), "{at} {len}");
        }
        assert_eq!(memory.put(5, &[1; 4]), Err(Errno::Fault));
        assert_eq!(memory.put(5, &[1, 2, 3]), Ok(()));
        assert_eq!(bytes, [7, 7, 7, 7, 7, 1, 2, 3]);
    }
}
